"""Remember an import that was begun and not answered: Label Studio may still be at it."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from projection.io.files import write_json


class PendingImport(NamedTuple):
    """An import that was cut off: `tasks` are in the project once it is done."""

    tasks: int
    seconds_ago: float


class ImportJournal:
    """The import under way into one project, in a file; None keeps nothing."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def begin(self, tasks: int) -> None:
        """Note that the project will have this many tasks."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._path, {"tasks": tasks, "at": time.time()})

    def end(self) -> None:
        """Note that the import was answered."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def pending(self) -> PendingImport | None:
        """Return the import that was begun and not answered, or None."""
        if self._path is None:
            return None
        with suppress(OSError, ValueError, KeyError, TypeError):
            row = json.loads(self._path.read_text("utf-8"))
            return PendingImport(int(row["tasks"]), max(0.0, time.time() - float(row["at"])))
        return None
