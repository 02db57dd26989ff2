"""One training in several processes: `accelerate launch --num_processes 2 -m training ORDER`.

ORDER is a JSON file with the fields of `training.tagger.request.Order`:

    {"data": ["reviewed"], "out": "models/de", "preset": "li2021", "english": ["conll.iob2"]}

Every process runs this; the main one writes, and says how far it is.
"""

import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from projection.errors import SpanferryError, TrainingError
from projection.io.files import parse_object
from projection.io.folders import is_main_process
from training.tagger.request import Order, carry_out
from training.trainer.settings import Tracker

EVERY_SECONDS = 5.0
PATHS = frozenset({"data", "english", "unlabelled", "lexicon", "dev", "held_out"})


def read_order(path: Path) -> Order:
    """The order in a file; its paths count from where the command is run.

    Raises:
        CorpusError: if it is not a JSON object.
        TrainingError: if there is no such file, or a field is unknown, missing or no path.
    """
    if not path.is_file():
        raise TrainingError(str(path), "no such file", "Write the order there, as JSON")
    given = parse_object(path.read_text("utf-8"), str(path))
    known = {field.name for field in fields(Order)}
    if unknown := sorted({*given} - known):
        raise TrainingError(str(path), f"unknown: {', '.join(unknown)}", f"Known: {sorted(known)}")
    if missing := sorted({"data", "out"} - {*given}):
        raise TrainingError(str(path), f"without {' and '.join(missing)}")
    return Order(**{name: _read(name, value, str(path)) for name, value in given.items()})


def _read(name: str, value: Any, where: str) -> Any:
    if name in PATHS | {"renames", "ignore"}:
        if not isinstance(value, list):
            raise TrainingError(f"{where} {name}", f"{value!r} is no list", 'Such as ["reviewed"]')
        return tuple(Path(each) if name in PATHS else str(each) for each in value)
    if name in ("out", "stages") and value is not None:
        return Path(value)
    return Tracker(value) if name == "tracker" and value is not None else value


class _Lines:
    """A plain line every few seconds, and at the end of each part."""

    def __init__(self) -> None:
        self.last = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if is_main_process() and (done == total or now - self.last >= EVERY_SECONDS):
            self.last = now
            sys.stderr.write(f"{what}: {done} of {total}\n")


def main(arguments: list[str]) -> int:
    """Carry out the order in the file named; the exit status."""
    if len(arguments) != 1:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        result = carry_out(read_order(Path(arguments[0])), _Lines())
    except SpanferryError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if is_main_process():
        sys.stdout.write(f"{result}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
