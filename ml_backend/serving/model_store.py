"""The fine-tuned models that can be served, and which of them is.

On disk: `models/<version>/` with the checkpoint, and `models/active.json` which names the version
in use and those before it. The pointer is replaced in one step, so a reader sees the old one or
the new one.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from projection.errors import ModelError
from projection.io.files import locked, sync_folder, write_json

BUNDLED = "bundled"
POINTER = "active.json"
SCHEMA = 1
HISTORY = 20
INCOMING = ".incoming-"  # a copy being made
STALE_SECONDS = 86_400  # a copy this old has lost its process

PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})


@dataclass(frozen=True, slots=True)
class Pointer:
    """The version in use, and the ones in use before it, latest last."""

    active: str = BUNDLED
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelStore:
    """A folder of models, addressed by the hash of their files.

    Safe to share between processes: `spanferry train` adds while `spanferry serve` reads.
    """

    root: Path

    def add(self, folder: Path) -> str:
        """Copy a saved model in and return its version. The same files give the same version.

        Training state (pickles, `checkpoint-*` folders) stays behind.

        Raises:
            ModelError: if `folder` has no config.json with safetensors weights, or is unreadable.
        """
        _check_checkpoint(folder)
        self.root.mkdir(parents=True, exist_ok=True)
        self._sweep()
        with tempfile.TemporaryDirectory(dir=self.root, prefix=INCOMING) as beside:
            copy = Path(beside) / "model"
            _copy(folder, copy)
            version = content_hash(copy)
            try:
                copy.rename(self.root / version)
            except OSError:
                # A folder with this content is there already, perhaps since a moment ago.
                if not (self.root / version).is_dir():
                    raise
            sync_folder(self.root)
        return version

    def versions(self) -> tuple[str, ...]:
        """The stored versions, in the order they were added. The bundled model is not one."""
        if not self.root.is_dir():
            return ()
        stored = [path for path in self.root.iterdir() if path.is_dir() and path.name[0] != "."]
        return tuple(path.name for path in sorted(stored, key=_added))

    def active(self) -> Path | None:
        """Folder of the active model, or None when the bundled one is.

        Raises:
            ModelError: if the pointer is unreadable or names a model that is gone.
        """
        version = self._pointer().active
        return None if version == BUNDLED else self._folder(version)

    def active_version(self) -> str:
        """The active version, or "bundled".

        Raises:
            ModelError: if the pointer is unreadable.
        """
        return self._pointer().active

    def activate(self, version: str) -> None:
        """Serve `version` ("bundled" for the model that came with spanferry).

        A running server notices by itself.

        Raises:
            ModelError: if there is no such version.
        """
        if version != BUNDLED:
            self._folder(version)
        with self._alone():
            now = self._pointer()
            if now.active != version:
                self._point(Pointer(version, (*now.before, now.active)[-HISTORY:]))

    def rollback(self) -> str:
        """Serve what was served before, and return it.

        Raises:
            ModelError: if nothing was, or if that model is gone.
        """
        with self._alone():
            now = self._pointer()
            if not now.before:
                raise ModelError(str(self.root / POINTER), "nothing was active before this version")
            version = now.before[-1]
            if version != BUNDLED:
                self._folder(version)
            self._point(Pointer(version, now.before[:-1]))
        return version

    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever the pointer does, without reading it. None while there is no pointer."""
        try:
            status = (self.root / POINTER).stat()
        except OSError:  # `active` says why
            return None
        return status.st_mtime_ns, status.st_ino

    def _sweep(self) -> None:
        """Remove what a process that was killed amid a copy has left."""
        for path in self.root.glob(f"{INCOMING}*"):
            with suppress(FileNotFoundError):  # a copy that is just done
                if time.time() - path.stat().st_mtime > STALE_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)

    def _folder(self, version: str) -> Path:
        if version not in self.versions():
            known = ", ".join((BUNDLED, *self.versions()))
            raise ModelError(str(self.root), f"there is no model {version!r}", f"Known: {known}")
        return self.root / version

    def _pointer(self) -> Pointer:
        path = self.root / POINTER
        try:
            read = json.loads(path.read_text("utf-8"))
            return Pointer(str(read["active"]), tuple(map(str, read["before"])))
        except FileNotFoundError:
            return Pointer()
        except (ValueError, KeyError, TypeError) as error:
            fix = "Remove the file to go back to the bundled model"
            raise ModelError(str(path), f"not a pointer to a model ({error!r})", fix) from None

    def _point(self, pointer: Pointer) -> None:
        record = {"schema": SCHEMA, "active": pointer.active, "before": pointer.before}
        write_json(self.root / POINTER, record)

    def _alone(self) -> AbstractContextManager[None]:
        """Keep other processes from changing the pointer between our reading and writing it."""
        return locked(self.root / ".lock")


def content_hash(folder: Path) -> str:
    """12 hex digits that depend on the names and contents of all files under `folder`."""
    whole = hashlib.sha256()
    for path in _files(folder):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return whole.hexdigest()[:12]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _added(folder: Path) -> tuple[int, str]:
    return folder.stat().st_ctime_ns, folder.name


def _check_checkpoint(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(str(folder), "there is no config.json", "Pass the folder of a saved model")
    if not any(folder.glob("*.safetensors")):
        fix = "Save it with save_pretrained(); pickled weights are never loaded"
        raise ModelError(str(folder), "there are no safetensors weights", fix)


def _training_state(_folder: str, names: list[str]) -> list[str]:
    """What `shutil.copytree` leaves out: pickles run code when read, checkpoints are large."""
    return [
        name for name in names if Path(name).suffix in PICKLED or name.startswith("checkpoint-")
    ]


def _copy(folder: Path, copy: Path) -> None:
    """Copy, and make sure the copy is on disk before anything points to it."""
    try:
        shutil.copytree(folder, copy, ignore=_training_state)
    except shutil.Error as error:
        source, _, reason = error.args[0][0]
        raise ModelError(str(source), f"cannot be copied ({reason})") from None
    files = _files(copy)
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for inside in {path.parent for path in files}:
        sync_folder(inside)
