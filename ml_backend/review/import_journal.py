"""Import tasks, and remember an import that was not answered: Label Studio may still be at it."""

import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ml_backend.label_studio.client import Project, ReviewServer, UnreachableError
from projection.errors import ServerError
from projection.io.files import write_json

log = logging.getLogger(__name__)

WAIT_SECONDS = 60.0  # for an import that was cut off; usually it takes one or two
_POLL_SECONDS = 1.0


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


def import_noted(
    server: ReviewServer,
    project: Project,
    tasks: Sequence[dict[str, Any]],
    journal: ImportJournal,
    total: int,
) -> None:
    """Import tasks, which makes `total` of them; the journal keeps what may still be going on."""
    journal.begin(total)
    try:
        server.import_tasks(project, tasks)
    except ServerError as error:
        if not (isinstance(error, UnreachableError) and error.arrived):
            journal.end()
        raise
    journal.end()


def after_pending_import(server: ReviewServer, project: Project, journal: ImportJournal) -> Project:
    """Wait for an import that was cut off, as long as it may take; return the project as it is."""
    pending = journal.pending()
    if pending is None:
        return project
    deadline = time.monotonic() + WAIT_SECONDS - pending.seconds_ago
    project = server.project(project.id)
    if project.task_count < pending.tasks:
        log.warning("An earlier import was cut off. Waiting until Label Studio is done with it …")
    while project.task_count < pending.tasks and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        project = server.project(project.id)
    journal.end()
    return project
