"""What the page shows of Label Studio, fetched and rendered in a process of its own.

`python -m ml_backend.lead.snapshot FOLDER NUMBER [ADDRESS]` writes `FOLDER/NUMBER.json`: of the
project with that number, or for 0 of the list of projects. It takes seconds of one CPU, in which
the threads of the web server could not answer. ADDRESS is Label Studio's for links.
"""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from projection.errors import ReviewError, ServerError, SpanferryError
from projection.io.files import parse_object, write_json

if TYPE_CHECKING:  # label-studio-sdk takes a second to import, which a web server does without
    from ml_backend.label_studio.client import Project, ReviewServer

SCHEMA = 1
ALL_PROJECTS = 0  # the number of the list
FAILED = 2  # exit status


class Snapshot(NamedTuple):
    """The state of a project at `made_at` (seconds since 1970); `body` is HTML."""

    title: str
    made_at: float
    body: str


def read_snapshot(folder: Path, number: int) -> Snapshot | None:
    """Return what was written last; None if there is nothing, or nothing readable."""
    path = _path(folder, number)
    try:
        row = parse_object(path.read_text("utf-8"), str(path))
        if row["schema"] != SCHEMA:
            return None
        return Snapshot(str(row["title"]), float(row["made_at"]), str(row["body"]))
    except (OSError, SpanferryError, ValueError, KeyError, TypeError):
        return None


def take_snapshot(server: "ReviewServer", number: int, folder: Path, address: str = "") -> None:
    """Fetch a project, or the list of projects, and write it."""
    made_at = time.time()
    if number == ALL_PROJECTS:
        title, body = "Projects", _list_of(server)
    else:
        project = server.project_if_known(number)
        if project is None:
            fix = "Check the number in the address, and whose key it is"
            raise ServerError(server.url, f"shows no project {number} to this key", fix)
        title, body = project.title, _page_of(server, project, address)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    row = {"schema": SCHEMA, **Snapshot(title, made_at, body)._asdict()}
    write_json(_path(folder, number), row)


def _list_of(server: "ReviewServer") -> str:
    from label_config.labeling_config import labels_of  # noqa: PLC0415  label-studio-sdk
    from ml_backend.report.page import render  # noqa: PLC0415

    ours = []
    for project in server.projects():
        try:
            labels_of(project.label_config)
        except ReviewError:  # somebody else's
            continue
        ours.append(project)
    return render("lead_projects.html", projects=ours)


def _page_of(server: "ReviewServer", project: "Project", address: str) -> str:
    from ml_backend.lead.overview import MOST_SHOWN, Overview  # noqa: PLC0415  scipy
    from ml_backend.report.page import render  # noqa: PLC0415
    from projection.text.wording import CONFLICT_MEANINGS  # noqa: PLC0415

    def in_browser(url: str) -> str:
        return address.rstrip("/") + url.removeprefix(server.url) if address else url

    tabs = server.tab_ids(project).items()
    overview = Overview.of(
        project,
        server.tasks(project, with_predictions=True),
        users=server.users(),
        tabs={title: in_browser(server.stream_url(project, tab)) for title, tab in tabs},
        task_address=lambda task: in_browser(server.task_url(project, task)),
    )
    return render("lead_project.html", found=overview, meanings=CONFLICT_MEANINGS, most=MOST_SHOWN)


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number}.json"


def main(arguments: list[str]) -> int:
    """Write a snapshot; the last line on stderr says why there is none."""
    folder, number, *address = arguments
    os.umask(0o077)
    os.nice(5)  # predictions come first
    try:
        for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
            if not os.environ.get(name):
                raise ServerError(name, "is not set", "Set it where `spanferry serve` is started")
        from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415

        url, key = os.environ["LABEL_STUDIO_URL"], os.environ["LABEL_STUDIO_API_KEY"]
        with ReviewServer.connect(url, key) as server:
            take_snapshot(server, int(number), Path(folder), *address)
    except SpanferryError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
