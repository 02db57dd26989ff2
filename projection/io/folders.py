"""Folders that appear whole or not at all."""

import ctypes
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from projection.errors import TrainingError
from projection.io.files import alone, locked, writing

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2(2)


@contextmanager
def new_folder(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """Make a folder to fill, which becomes `out` when the block ends without an error.

    With `replace`, an existing `out` is replaced; without, it is an OSError. One process at a time
    writes to an `out`, the next one waits. What a killed one has left is removed, see `recover`.
    """
    scratch, lock = _scratch_of(out)
    with writing(out), locked(lock, f"another process that writes {out}"):
        try:
            _tidy(scratch, out)
            made = scratch / "new"
            made.mkdir(parents=True)
            yield made
            if not (replace and out.exists()):
                made.replace(out)
            elif not _exchange(made, out):
                out.replace(scratch / "old")
                made.replace(out)
        finally:
            _tidy(scratch, out)
            lock.unlink(missing_ok=True)


@contextmanager
def finishing(out: Path) -> Iterator[None]:
    """In the block a training becomes `out`, and its work folders are removed at the end."""
    _done_mark(out).touch()
    try:
        yield
    finally:
        recover(out)


def recover(out: Path) -> None:
    """Complete what a process killed in `new_folder` or `finishing` left; call before reading.

    Where folders cannot be exchanged in one step, a kill may leave `out` moved away: it comes back.
    """
    scratch, lock = _scratch_of(out)
    if scratch.exists():
        with alone(lock) as ours:
            if ours:  # else a living process writes to it
                _tidy(scratch, out)
                lock.unlink(missing_ok=True)
    done = _done_mark(out)
    if done.exists():
        if out.exists():
            for work in (work_folder_of(out), stages_folder_of(out)):
                shutil.rmtree(work, ignore_errors=True)
        done.unlink(missing_ok=True)


def work_folder_of(out: Path) -> Path:
    """The folder with the checkpoints of an unfinished training into `out`."""
    return out.parent / f".{out.name}.training"


def stages_folder_of(out: Path) -> Path:
    """The folder with the models of a recipe's stages, until `out` is done."""
    return out.parent / f".{out.name}.stages"


def _done_mark(out: Path) -> Path:
    """A file that says, once `out` is there, that its work folders are of no use any more."""
    return out.parent / f".{out.name}.done"


def _scratch_of(out: Path) -> tuple[Path, Path]:
    """The folder in which `out` is made, and the lock of the process that makes it."""
    return out.parent / f".{out.name}.new", out.parent / f".{out.name}.new.lock"


def _tidy(scratch: Path, out: Path) -> None:
    """Put an old `out` back that has been moved away and not replaced; remove all else."""
    old = scratch / "old"
    if old.exists() and not out.exists():
        old.replace(out)
    shutil.rmtree(scratch, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step where the system can (Linux); return whether it did."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def refuse_existing(out: Path) -> None:
    """Raise a TrainingError if `out` exists."""
    recover(out)
    if out.exists():
        raise TrainingError(str(out), "exists already", "Choose another folder, or delete this one")


@contextmanager
def training_into(out: Path) -> Iterator[None]:
    """Lock the new folder `out` against a second training; TrainingError if there is one.

    Errors of writing in the block are about `out`, as in `writing`.
    Of several processes the main one holds the lock.
    """
    if not is_main_process():
        yield
        return
    path = out.parent / f".{out.name}.training.lock"
    with writing(out), alone(path) as ours:
        if not ours:
            what = "is written by another training at the moment"
            raise TrainingError(str(out), what, "Wait until it ends, or choose another folder")
        try:
            recover(out)
            yield
        finally:
            path.unlink(missing_ok=True)


def work_folder(out: Path, made_of: object, data: Iterable[object] = ()) -> Path:
    """Make the folder beside `out` that holds checkpoints until the model is done.

    It is emptied if it belongs to a training of other settings (`made_of`) or examples (`data`),
    both in JSON types. Of several processes one makes it, the others wait for it.
    """
    work = work_folder_of(out)
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
