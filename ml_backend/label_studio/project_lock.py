"""Keeps a verb from working on a project of Label Studio twice at a time."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from projection.errors import ServerError
from projection.io import files


@contextmanager
def alone(folder: Path, verb: str, url: str, title: str) -> Iterator[None]:
    """Keep a second process on this machine from doing the same to the project meanwhile.

    Args:
        folder: has the lock.
        verb: of `spanferry`.
        url: of Label Studio.
        title: of the project.

    Raises:
        ServerError: if there is one already.
    """
    name = hashlib.blake2b(f"{url.rstrip('/')} {title}".encode(), digest_size=8).hexdigest()
    with files.alone(folder / f".{verb}-{name}") as ours:
        if not ours:
            what = f"`spanferry {verb}` is at work on it already"
            raise ServerError(f"project {title!r}", what, "Wait for its end")
        yield
