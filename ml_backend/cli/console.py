"""What every verb shares: progress on stderr, one JSON object on stdout, errors as one line."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY_SECONDS = 5.0

out = Console()
err = Console(stderr=True)

Advance = Callable[[int], None]


def print_json(result: Mapping[str, object]) -> None:
    """Print one object on stdout: the whole of a `--json` answer."""
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Advance]:
    """Show that work goes on: a bar on a terminal, a plain line every few seconds elsewhere.

    Yields a function that takes how many more items are done.
    """
    if err.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), console=err) as bar:
            task = bar.add_task(what, total=total)
            yield lambda n: bar.advance(task, n)
        return
    with _plain_lines(what, total) as advance:
        yield advance


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """One bar after the other for a work of several parts, each opened when it begins.

    Yields a function that takes what is being done, how much of it is done, and of how much (0 if
    that is not known).
    """
    with ExitStack() as open_bar:
        seen: dict[str, tuple[Advance, int]] = {}

        def on_progress(what: str, done: int, total: int) -> None:
            if what not in seen:
                open_bar.close()  # what came before is over
                seen[what] = open_bar.enter_context(progress(what, total or None)), 0
            advance, before = seen[what]
            advance(done - before)
            seen[what] = advance, done

        yield on_progress


@contextmanager
def _plain_lines(what: str, total: int | None) -> Iterator[Advance]:
    done, started, last = 0, time.monotonic(), time.monotonic()
    of = "" if total is None else f" of {total}"

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last >= EVERY_SECONDS:
            last = time.monotonic()
            err.print(f"{what}: {done}{of}", highlight=False)

    err.print(f"{what} …", highlight=False)
    yield advance
    err.print(f"{what}: {done}{of}, {time.monotonic() - started:.1f} s", highlight=False)
