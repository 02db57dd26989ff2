"""Open a project of Label Studio for a command."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from ml_backend.cli.console import say
from ml_backend.label_studio.project_lock import project_lock

if TYPE_CHECKING:
    from ml_backend.label_studio.client import Project, ReviewServer


@contextmanager
def open_project(
    url: str, api_key: str, title: str, lock: str = ""
) -> Iterator[tuple["ReviewServer", "Project"]]:
    """Yield the server and the project, locked against other commands if `lock` names this one."""
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415  takes seconds

    say(f"Fetching the reviews of {title!r} …")
    locked = project_lock(lock, url, title) if lock else nullcontext()
    with locked, ReviewServer.connect(url, api_key) as server:
        yield server, server.existing_project(title)


def page_address(backend: str, project: int) -> str:
    """Return the address of a project's page; `backend` is that of a backend."""
    return f"{backend.rstrip('/')}/lead/{project}"
