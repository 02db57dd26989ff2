"""Shared by all commands: results on stdout, messages and progress on stderr."""

import json
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

_EVERY_SECONDS = 5.0

_out = Console()
err = Console(stderr=True)

Advance = Callable[[int], None]


def say(text: str) -> None:
    """Print a message on stderr exactly as it is."""
    err.print(text, highlight=False, markup=False, soft_wrap=True)


def show(what: object) -> None:
    """Print on stdout. Words of a corpus are no markup, and lines are not wrapped."""
    _out.print(what, highlight=False, markup=False, soft_wrap=isinstance(what, Text | str))


def print_result(result: Mapping[str, object], shown: Iterable[object], *, as_json: bool) -> None:
    """Print a result on stdout: as one JSON object, or as the tables and lines that show it."""
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
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


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Advance]:
    """Show progress: a bar on a terminal, a plain line every few seconds elsewhere.

    Yields a function that takes the number of items done since its last call.
    """
    if err.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), console=err) as bar:
            task = bar.add_task(what, total=total)
            yield lambda n: bar.advance(task, n)
        return
    done, started, last = 0, time.monotonic(), time.monotonic()
    of = "" if total is None else f" of {total}"

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last >= _EVERY_SECONDS:
            last = time.monotonic()
            err.print(f"{what}: {done}{of}", highlight=False)

    err.print(f"{what} …", highlight=False)
    yield advance
    err.print(f"{what}: {done}{of}, {time.monotonic() - started:.1f} s", highlight=False)


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
