"""Shared by all commands: progress on stderr, and one JSON object on stdout."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_EVERY_SECONDS = 5.0

out = Console()
err = Console(stderr=True)

Advance = Callable[[int], None]


def print_json(result: Mapping[str, object]) -> None:
    """Print one object on stdout: the whole of a `--json` answer."""
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")


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
