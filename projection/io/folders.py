"""Folders that appear whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_folder(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """A folder to fill, which becomes `out` when the block ends well.

    With `replace`, a folder that is there gives way; without, it is an OSError.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        made = Path(scratch) / "new"
        made.mkdir()
        yield made
        move_into_place(made, out, replace=replace)


def work_folder(out: Path, made_of: object) -> Path:
    """Where checkpoints lie beside `out` until the model is done.

    It is emptied if it belongs to another training, of which `made_of` (anything JSON can hold)
    tells them apart. Of several processes one makes it, the others wait for it.
    """
    work = out.parent / f".{out.name}.training"
    stamp = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
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
    """Go on when the main process has made a file or folder, however long that takes it."""
    while not made.exists():
        time.sleep(0.1)


def is_main_process() -> bool:
    """Whether this process writes, of those `torchrun` or `accelerate launch` started."""
    return os.environ.get("RANK", "0") == "0"


def move_into_place(made: Path, out: Path, *, replace: bool = False) -> None:
    """Rename `made` to `out`, both on one file system. What stood there is removed afterwards."""
    if replace and out.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent)) / "old"
        out.replace(old)
        made.replace(out)
        shutil.rmtree(old.parent)
    else:
        made.replace(out)


def content_hash(folder: Path) -> str:
    """Twelve hex digits that change with any file of a model's folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
