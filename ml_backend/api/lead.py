"""The data lead's pages: the projects, one project, and the way back to the model before.

A page is made of a snapshot, which is renewed beside, and of models and trainings as they are now.
It needs no JavaScript, and the browser asks for it again when the snapshot is a minute old.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Flask, Response, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Conflict, Forbidden

from ml_backend.jobs.queue import Job, JobQueue
from ml_backend.lead.refresh import FRESH_SECONDS, Latest, Snapshots
from ml_backend.lead.snapshot import ALL_PROJECTS
from ml_backend.report.page import render
from ml_backend.serving.engine import Engine
from ml_backend.serving.model_store import BUNDLED
from projection.errors import ModelError

MOST_JOBS = 5  # shown, of one project
COMING_SECONDS = 5  # until the page is asked for again while a newer state comes

# The style is part of the page, and so are the widths of its bars; nothing is loaded.
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # without any, browsers would send no origin either
    "Cache-Control": "no-store",
}
_OTHER_ORIGIN = "not sent by this page. Use its button, or `spanferry jobs rollback`"


class LeadPages:
    """The endpoints. None waits for Label Studio or for a model."""

    def __init__(self, snapshots: Snapshots, engine: Engine, queue: JobQueue) -> None:
        self._snapshots, self._engine, self._queue = snapshots, engine, queue

    def add_to(self, app: Flask) -> None:
        """Add the routes."""
        app.add_url_rule("/lead", "lead", self.projects)
        app.add_url_rule("/lead/<int:project>", "lead_project", self.project)
        app.add_url_rule(
            "/lead/<int:project>/rollback", "lead_rollback", self.rollback, methods=["POST"]
        )

    def projects(self) -> Response:
        """Return the list of projects."""
        return self._page(ALL_PROJECTS, [])

    def project(self, project: int) -> Response:
        """Return the page of a project."""
        jobs = [job for job in self._queue.shown() if job.project == project]
        return self._page(project, jobs[:MOST_JOBS])

    def rollback(self, project: int) -> ResponseReturnValue:
        """Serve the model before `?from=…` again, if that is still active; then show the page."""
        if request.headers.get("Origin", "").partition("://")[2] != request.host:
            raise Forbidden(_OTHER_ORIGIN)
        try:
            self._engine.store.rollback(request.args.get("from", ""))
        except ModelError as error:
            raise Conflict(str(error)) from None
        return redirect(f"/lead/{project}", HTTPStatus.SEE_OTHER)

    def _page(self, number: int, jobs: list[Job]) -> Response:
        shown = self._snapshots.look(number)
        html = render(
            "lead.html",
            number=number,
            shown=shown,
            at=_clock_time(shown),
            again=COMING_SECONDS if shown.coming else math.ceil(_left(shown)),
            jobs=jobs,
            **self._models(),
        )
        return Response(html, headers={**_HEADERS, "Content-Type": "text/html; charset=utf-8"})

    def _models(self) -> dict[str, str | None]:
        """Return the version that answers, the active one, the one before, and what is wrong."""
        store = self._engine.store
        active, before, degraded = None, None, self._engine.degraded
        try:
            active = store.active_version()
            earlier = store.before()[0]
            before = BUNDLED if earlier is None else earlier.name
        except ModelError as error:
            degraded = str(error)
        return {
            "serving": self._engine.model_version,
            "active": active,
            "before": None if before == active else before,
            "degraded": degraded,
        }


def _left(shown: Latest) -> float:
    """Return the seconds until the state should be renewed."""
    return min(FRESH_SECONDS, max(float(COMING_SECONDS), FRESH_SECONDS - shown.age))


def _clock_time(shown: Latest) -> str:
    made_at = shown.snapshot.made_at if shown.snapshot else 0.0
    return datetime.fromtimestamp(made_at, UTC).isoformat(" ", "seconds")[:19] + " UTC"
