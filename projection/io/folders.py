"""Folders that appear whole or not at all."""

import ctypes
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
from projection.io.files import alone

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2(2)


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
        if not (replace and out.exists()):
            made.replace(out)
            return
        if _exchange(made, out):  # the old one goes with the scratch folder
            return
        # Outside of the scratch folder, so that an interruption never removes both.
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent)) / "old"
        out.replace(old)
        made.replace(out)
        shutil.rmtree(old.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step where the system can (Linux); return whether it did."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def refuse_existing(out: Path) -> None:
    """Raise a TrainingError if `out` exists."""
    if out.exists():
        raise TrainingError(str(out), "exists already", "Choose another folder, or delete this one")


@contextmanager
def training_into(out: Path) -> Iterator[None]:
    """Lock the new folder `out` against a second training; TrainingError if there is one.

    Of several processes the main one holds the lock.
    """
    if not is_main_process():
        yield
        return
    path = out.parent / f".{out.name}.training.lock"
    with alone(path) as ours:
        if not ours:
            what = "is written by another training at the moment"
            raise TrainingError(str(out), what, "Wait until it ends, or choose another folder")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def work_folder(out: Path, made_of: object, data: Iterable[object] = ()) -> Path:
    """Make the folder beside `out` that holds checkpoints until the model is done.

    It is emptied if it belongs to a training of other settings (`made_of`) or examples (`data`),
    both in JSON types. Of several processes one makes it, the others wait for it.
    """
    work = out.parent / f".{out.name}.training"
    stamp, digest = work / "stamp", hashlib.sha256()
    for part in chain([made_of], data):
        digest.update(json.dumps(part, sort_keys=True).encode() + b"\n")
    while not (stamp.is_file() and stamp.read_text() == digest.hexdigest()):
        if is_main_process():
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            stamp.write_text(digest.hexdigest())
        else:
            time.sleep(0.1)
    return work


def wait_for(made: Path) -> None:
    """Wait until the main process has made a file or folder."""
    while not made.exists():
        time.sleep(0.1)


def is_main_process() -> bool:
    """Return whether this is the process that writes, of those `torchrun` started."""
    return os.environ.get("RANK", "0") == "0"


def content_hash(folder: Path) -> str:
    """Return twelve hex digits that change with any file of a model's folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
