"""Shared by all commands: results on stdout, messages and progress on stderr."""

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from projection.records import UnreadableReview

_EVERY_SECONDS = 5.0
_NAMED = 20
_SLOWEST = 0.05  # items a second that one digit can say

# A terminal obeys these wherever they stand: C0 and C1 without tab and newline, and the characters
# that reverse what follows them.
_CONTROLS = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PICTURES = {c: 0x2400 + c for c in range(0x20)} | {0x7F: 0x2421}  # Unicode has a sign for each

Advance = Callable[[int], None]


def visible(text: str) -> str:
    """Replace each control character by a sign for it, so that a terminal cannot obey it."""
    return _CONTROLS.sub(lambda found: chr(_PICTURES.get(ord(found[0]), 0xFFFD)), text)


class TextConsole(Console):
    """A console for texts of other people: they contain no commands, markup or emoji codes."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string, which may be a cell of a table, as rich's Text."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render anything; strings have been through `render_str`."""
        if isinstance(renderable, Text):
            renderable.plain = visible(renderable.plain)
        return super().render(renderable, options)


_out = TextConsole()
err = TextConsole(stderr=True)


class MessageHandler(logging.Handler):
    """Prints the messages of a log as `say` does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        say(self.format(record))


def say(text: str) -> None:
    """Print a message on stderr exactly as it is."""
    err.print(text, soft_wrap=True)


def show(what: object) -> None:
    """Print on stdout; lines are not wrapped."""
    _out.print(what, soft_wrap=isinstance(what, Text | str))


def say_unreadable(unreadable: Sequence[UnreadableReview]) -> None:
    """Print what is left out because it cannot be read, a line each; of very many the first."""
    for each in unreadable[:_NAMED]:
        say(f"Left out: {each.reason}")
    if more := unreadable[_NAMED:]:
        say(f"Left out: {len(more):,} more")


def print_result(result: Mapping[str, object], shown: Iterable[object], *, as_json: bool) -> None:
    """Print a result on stdout: as one JSON object, or as the tables and lines that show it."""
    if as_json:
        line = json.dumps(result, ensure_ascii=False)
        line = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
        sys.stdout.write(line + "\n")
    else:
        for each in shown:
            show(each)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], text: Collection[int] = (0,)
) -> Table:
    """Return a table; columns are figures, aligned right, except those whose index is in `text`."""
    made, tall = Table(box=None, pad_edge=False), any("\n" in column for column in columns)
    for index, column in enumerate(columns):
        made.add_column(
            column,
            justify="left" if index in text else "right",
            vertical="bottom" if tall else "top",
            overflow="fold",
        )
    for row in rows:
        made.add_row(*row)
    return made


class Rate:
    """How fast items are done, and how long the rest takes.

    It is counted from the end of the first step on: this may be what an earlier call had done, or
    wait for something to load.
    """

    def __init__(self, total: int | None) -> None:
        self.done, self._total = 0, total
        self._first: tuple[int, float] | None = None

    def step(self, count: int, now: float) -> str:
        """Add items; return `, 75 a second, 3 min left`, or nothing as long as that is unknown."""
        self.done += count
        if self._first is None:
            self._first = self.done, now
        before, started = self._first
        if self.done == before or now <= started:
            return ""
        rate = (self.done - before) / (now - started)
        left = (
            "" if self._total is None else f", {_duration((self._total - self.done) / rate)} left"
        )
        told = f", {rate:,.{0 if rate >= 10 else 1}f} a second" if rate >= _SLOWEST else ""
        return told + left


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Advance]:
    """Show progress: a bar on a terminal, a plain line every few seconds elsewhere.

    Yields a function that takes the number of items done since its last call.
    """
    pace = Rate(total)
    if err.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
        )
        with Progress(*columns, console=err) as bar:
            task = bar.add_task(what, total=total, pace="")
            yield lambda n: bar.update(task, advance=n, pace=pace.step(n, time.monotonic()))
        return
    started = last = time.monotonic()
    of = "" if total is None else f" of {total:,}"

    def advance(n: int) -> None:
        nonlocal last
        now = time.monotonic()
        told = pace.step(n, now)
        if now - last >= _EVERY_SECONDS:
            last = now
            say(f"{what}: {pace.done:,}{of}{told}")

    say(f"{what} …")
    yield advance
    say(f"{what}: {pace.done:,}{of}, {time.monotonic() - started:.1f} s")


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Show the progress of work in several parts, one bar after the other.

    Yields a function that takes the part, how much of it is done, and the total (0 if unknown).
    """
    with ExitStack() as open_bar:
        seen: dict[str, tuple[Advance, int]] = {}

        def on_progress(what: str, done: int, total: int) -> None:
            if what not in seen:
                open_bar.close()  # the previous part is over
                seen[what] = open_bar.enter_context(progress(what, total or None)), 0
            advance, before = seen[what]
            advance(done - before)
            seen[what] = advance, done

        yield on_progress
