"""Folders that appear whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from projection.errors import TrainingError


@contextmanager
def new_folder(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """Make a folder to fill, which becomes `out` when the block ends without an error.

    With `replace`, an existing `out` is replaced; without, it is an OSError.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        made = Path(scratch) / "new"
        made.mkdir()
        yield made
        move_into_place(made, out, replace=replace)


def refuse_existing(out: Path) -> None:
    """Check that a model can be written to `out`.

    Raises:
        TrainingError: if something is there.
    """
    if out.exists():
        raise TrainingError(str(out), "exists already", "Choose another folder, or delete this one")


def work_folder(out: Path, made_of: object, data: Iterable[object] = ()) -> Path:
    """Make the folder beside `out` that holds checkpoints until the model is done.

    It is emptied if it belongs to another training. Of several processes one makes it, the others
    wait for it.

    Args:
        out: the model's folder.
        made_of: the settings of the training, anything JSON can hold.
        data: every training example, likewise; read one by one.
    """
    work = out.parent / f".{out.name}.training"
    digest = hashlib.sha256()
    for part in chain([made_of], data):
        digest.update(json.dumps(part, sort_keys=True).encode() + b"\n")
    stamp = digest.hexdigest()
    while not _is_stamped(work, stamp):
        if is_main_process():
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            (work / "stamp").write_text(stamp)
        else:
            time.sleep(0.1)
    return work


def _is_stamped(work: Path, stamp: str) -> bool:
    return (work / "stamp").is_file() and (work / "stamp").read_text() == stamp


def wait_for(made: Path) -> None:
    """Wait until the main process has made a file or folder."""
    while not made.exists():
        time.sleep(0.1)


def is_main_process() -> bool:
    """Return whether this is the process that writes, of those `torchrun` started."""
    return os.environ.get("RANK", "0") == "0"


def move_into_place(made: Path, out: Path, *, replace: bool = False) -> None:
    """Rename `made` to `out` on the same file system; with `replace`, remove what was there."""
    if replace and out.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent)) / "old"
        out.replace(old)
        made.replace(out)
        shutil.rmtree(old.parent)
    else:
        made.replace(out)


def content_hash(folder: Path) -> str:
    """Return twelve hex digits that change with any file of a model's folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
