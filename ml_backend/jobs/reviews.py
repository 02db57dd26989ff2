"""When a training is due: by the reviews that Label Studio has, whatever events came or were lost.

An event of a webhook is only a hint to look at its project. A look asks Label Studio for the number
of reviews; a training is due if it has grown enough since the last one was queued. That number is
in the record of the job, so that a look that is killed anywhere leaves one job.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ml_backend.jobs.hints import Hint
from ml_backend.jobs.queue import Job, JobQueue, State
from projection.errors import ServerError
from projection.io.files import write_json

if TYPE_CHECKING:
    # For the type alone: the web server imports this module, and not label-studio-sdk.
    from ml_backend.label_studio.client import ReviewServer

log = logging.getLogger(__name__)

PROJECTS = "projects.json"
MOST_PROJECTS = 1000  # remembered
NAMED = 5  # in a message


@dataclass(frozen=True, slots=True)
class Known:
    """The reviews a project had at the last look, and those it had when `job` was queued."""

    reviews: int = 0
    used: int = 0
    job: int = 0


def reviews_known(folder: Path) -> dict[int, int]:
    """Return the reviews of each project as of the last look; `folder` is that of the jobs."""
    return {project: known.reviews for project, known in _read(folder / PROJECTS).items()}


def last_look(folder: Path) -> float | None:
    """Return the time of the last look that Label Studio has answered; None before the first."""
    try:
        return (folder / PROJECTS).stat().st_mtime
    except FileNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class Look:
    """Looks at the projects with hints, and all known ones if trainings become due by themselves.

    For the process that runs the jobs alone. `train_each` is the number of reviews after which a
    training is due, 0 for never. Hints stay until Label Studio has answered.
    """

    queue: JobQueue
    connect: Callable[[], "ReviewServer"]
    train_each: int

    def __call__(self) -> None:
        """Look, and queue the trainings that were asked for or are due."""
        hints, path = self.queue.hints.left(), self.queue.root / PROJECTS
        known = _read(path)
        due = dict.fromkeys([project for project, _ in hints])
        due |= dict.fromkeys(known if self.train_each else ())
        if not due:
            return
        try:
            with self.connect() as server:
                found = self._ask(server, due)
        except ServerError as error:
            log.warning("No look at the reviews of %s: %s", _named(due), error)
            return
        if strange := [project for project, _ in hints if found.get(project, 0) is None]:
            said = "Label Studio shows no %s to this key, so nothing is trained"
            log.warning(said, _named(dict.fromkeys(strange)))
        newest: dict[int, Job] = {}
        for job in self.queue.jobs():
            newest.setdefault(job.project, job)
        settled = {}
        for project, reviews in found.items():
            if reviews is not None:
                before, last = known.get(project, Known()), newest.get(project)
                asked = hints.get((project, Hint.ASKED))
                settled[project] = self._settle(project, reviews, asked, before, last)
            known.pop(project, None)
        # Before the hints go: a project that was hinted at is known from now on.
        rows = islice({**settled, **known}.items(), MOST_PROJECTS)
        write_json(path, {str(project): asdict(each) for project, each in rows})
        for (project, hint), left in hints.items():
            if project in found:
                self.queue.hints.remove(project, hint, left)

    def _ask(self, server: "ReviewServer", projects: Iterable[int]) -> dict[int, int | None]:
        """Return the reviews of each project, None for one there is not, without the unanswered."""
        found = {}
        for project in projects:
            try:
                answer = server.project_if_known(project)
                found[project] = None if answer is None else answer.annotation_count
            except ServerError as error:
                log.warning("No look at the reviews of project %d: %s", project, error)
        return found

    def _settle(
        self, project: int, reviews: int, asked: float | None, known: Known, last: Job | None
    ) -> Known:
        """Queue a training if one was asked for or is due. Return what is known from now on."""
        used = known.used
        if last is not None and last.id > known.job:  # of a killed look, or an earlier version
            used = reviews if last.reviews is None else last.reviews
        used = min(used, reviews)  # some were deleted
        if last is not None and (last.state, last.started) == (State.QUEUED, None):
            return Known(reviews, reviews, last.id)  # it will see them all
        if asked is not None and (last is None or _as_text(asked) > last.created):
            why = "asked for in Label Studio"
        elif self.train_each and reviews - used >= self.train_each:
            why = f"{reviews - used} reviews since the last one"
        else:
            return Known(reviews, used, known.job if last is None else last.id)
        return Known(reviews, reviews, self.queue.add(project, why, reviews).id)


def _read(path: Path) -> dict[int, Known]:
    try:
        found = json.loads(path.read_text("utf-8"))
        return {int(project): Known(**known) for project, known in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        log.warning(
            "%s is damaged (%r): projects are known again from their next event", path, error
        )
        return {}


def _named(projects: Iterable[int]) -> str:
    ids = [*projects]
    shown = ", ".join(map(str, ids[:NAMED]))
    return f"project {shown}" if len(ids) == 1 else f"projects {shown}" + ", …" * (len(ids) > NAMED)


def _as_text(seconds: float) -> str:
    """Return a time as jobs have it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
