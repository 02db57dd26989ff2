"""Lock a project of Label Studio: one lock for all commands that write to it."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ml_backend.settings import Settings
from projection.errors import ServerError
from projection.io import files


@contextmanager
def project_lock(command: str, url: str, title: str, folder: Path | None = None) -> Iterator[None]:
    """Lock a project against other commands of `spanferry` with the same data folder.

    Raises ServerError, which names the holder's `command`, if another process holds the lock. The
    lock file lies in `folder`, by default the data folder of the settings.
    """
    path = project_file(url, title, "lock", folder)
    with files.alone(path) as ours:
        if not ours:
            holder = ""
            with suppress(FileNotFoundError):  # released a moment ago
                holder = path.read_text("utf-8")
            what = f"`spanferry {holder or '…'}` is at work on it already"
            raise ServerError(f"project {title!r}", what, "Wait until it ends")
        with files.writing(path):
            path.write_text(command, "utf-8")
        yield


def project_file(url: str, title: str, ending: str, folder: Path | None = None) -> Path:
    """Return the path of a file about a project in `folder`, by default the data folder."""
    known_by = f"{url.strip().rstrip('/')} {title.strip()}"
    name = hashlib.blake2b(known_by.encode(), digest_size=8).hexdigest()
    return (folder or Settings.from_env(os.environ).data_dir) / f".project-{name}.{ending}"
