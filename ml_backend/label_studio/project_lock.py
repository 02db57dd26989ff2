"""Lock a project of Label Studio: one lock for all commands that write to it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from projection.errors import ServerError
from projection.io import files


@contextmanager
def project_lock(folder: Path, command: str, url: str, title: str) -> Iterator[None]:
    """Lock a project against the other commands of `spanferry` that share a folder.

    Args:
        folder: where the lock file lies.
        command: the one that takes the lock; the error of another names it.
        url: of Label Studio.
        title: of the project.

    Raises:
        ServerError: if another process holds the lock.
    """
    name = hashlib.blake2b(f"{url.rstrip('/')} {title}".encode(), digest_size=8).hexdigest()
    path = folder / f".project-{name}.lock"
    with files.alone(path) as ours:
        if not ours:
            what = f"`spanferry {_holder(path)}` is at work on it already"
            raise ServerError(f"project {title!r}", what, "Wait until it ends")
        path.write_text(command, "utf-8")
        yield


def _holder(path: Path) -> str:
    try:
        return path.read_text("utf-8") or "…"
    except FileNotFoundError:  # released a moment ago
        return "…"
