"""The fine-tuned models that can be served, and the active one.

On disk: `models/<version>/` with the checkpoint, and `models/active.json` with the version in use
and those before it. A model is a tagger of the target language or, with a `teacher.json`, a
teacher. Its version is the suffix of the model versions that Label Studio shows; stores of earlier
spanferry versions hold models under other names, which stay.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from projection.errors import ModelError
from projection.io.files import sync_folder, write_json

BUNDLED = "bundled"
POINTER = "active.json"
TEACHER = "teacher.json"  # in the folder of a model that labels the English side
UNREADABLE = "?"  # the version a damaged pointer names
SCHEMA = 1
INCOMING = ".incoming-"  # a copy being made
_HISTORY = 20
UNSERVED = 5  # models that are kept though they have never been active, the newest ones
_STALE_SECONDS = 86_400  # a copy this old has lost its process
_PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})


@dataclass(frozen=True, slots=True)
class ModelStore:
    """A folder of models by version. Safe to share between processes.

    Of the models that were never active, or long ago, the newest are kept: each takes a quarter of
    a gigabyte, and every training adds some.
    """

    root: Path

    def add(self, folder: Path) -> str:
        """Copy a saved tagger in and return its version; a version that is there already stays.

        Training state (pickles, `checkpoint-*` folders) is not copied. Raises ModelError if
        `folder` holds no checkpoint with safetensors weights.
        """
        check_checkpoint(folder)
        from projection.models.tagger import Tagger  # noqa: PLC0415  # serving adds nothing

        version = Tagger.from_pretrained(folder).version
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()
        with tempfile.TemporaryDirectory(dir=self.root, prefix=INCOMING) as beside:
            copy = Path(beside) / "model"
            _copy(folder, copy)
            try:
                copy.rename(self.root / version)
            except OSError:
                if not (self.root / version).is_dir():
                    raise
            sync_folder(self.root)
        self._remove_unserved(version)
        return version

    def versions(self) -> tuple[str, ...]:
        """Return the stored versions, in the order they were added, without the bundled model."""
        if not self.root.is_dir():
            return ()
        stored = [path for path in self.root.iterdir() if path.is_dir() and path.name[0] != "."]
        return tuple(p.name for p in sorted(stored, key=lambda p: (p.stat().st_ctime_ns, p.name)))

    def find(self, name: str) -> str | None:
        """Return the version for "bundled", a stored version or a full model version, or None.

        A full one such as `spanferry-1f0c36a2b9d4-77ab01c5e2f3` ends with a stored version.
        """
        known = (BUNDLED, *self.versions())
        suffix = name.rpartition("-")[2] if name.startswith("spanferry-") else name
        return next((each for each in (name, suffix) if each in known), None)

    def active(self) -> Path | None:
        """Return the folder of the active model, or None if that is the bundled one."""
        version = self.active_version()
        return None if version == BUNDLED else self.root / self._existing(version)

    def active_version(self) -> str:
        """Return the active version, or "bundled"; ModelError if the pointer is unreadable."""
        return self._pointer()[-1]

    def before(self) -> list[Path | None]:
        """Return what was active before and is still there, the newest first; None: bundled."""
        try:
            used = self._pointer()[:-1]
        except ModelError:
            used = []
        known = {BUNDLED: None, **{version: self.root / version for version in self.versions()}}
        newest = dict.fromkeys([*reversed(used), BUNDLED])
        return [known[version] for version in newest if version in known]

    def activate(self, name: str) -> None:
        """Serve the model named as in `find`. A running server notices by itself."""

        def serve(used: list[str]) -> list[str]:
            version = self._existing(name)
            return used if used[-1] == version else [*filter(self.find, used), version]

        self._point(serve)

    def rollback(self, version: str | None = None) -> str:
        """Serve what was served before and is still there, and return its version.

        Where `version` is given and no longer active, nothing changes: asking twice goes back once.
        """

        def step_back(used: list[str]) -> list[str]:
            if version not in (None, used[-1]):
                return used
            kept = [each for each in used[:-1] if self.find(each)]
            if not kept:
                raise ModelError(str(self.root / POINTER), "nothing was active before this version")
            return kept

        return self._point(step_back)

    def stamp(self) -> tuple[int, int] | None:
        """Return a value that changes with the pointer file; None if there is none."""
        try:
            status = (self.root / POINTER).stat()
        except OSError:  # `active` says why
            return None
        return status.st_mtime_ns, status.st_ino

    def _sweep(self) -> None:
        """Remove what a process that was killed during a copy has left."""
        for path in self.root.glob(f"{INCOMING}*"):
            with suppress(FileNotFoundError):  # a copy that is just done
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)

    def _remove_unserved(self, added: str) -> None:
        """Remove the oldest models that were not active, so that `UNSERVED` are left."""
        if len(self.versions()) <= UNSERVED:
            return
        with FileLock(self.root / ".lock"):  # none of them becomes active meanwhile
            try:
                used = self._pointer()
            except ModelError:  # nobody knows which were
                return
            unserved = [each for each in self.versions() if each not in {*used, added}]
            for version in unserved[: max(0, len(unserved) + 1 - UNSERVED)]:
                gone = self.root / f"{INCOMING}{version}"  # of that name it is no model
                with suppress(OSError):
                    (self.root / version).rename(gone)
                shutil.rmtree(gone, ignore_errors=True)

    def _existing(self, name: str) -> str:
        version = self.find(name)
        if version is None:
            known = ", ".join((BUNDLED, *self.versions()))
            raise ModelError(str(self.root), f"there is no model {name!r}", f"Known: {known}")
        return version

    def _pointer(self) -> list[str]:
        """Return the versions that were in use, the active one last."""
        path = self.root / POINTER
        try:
            read = json.loads(path.read_text("utf-8"))
            return [*map(str, read["before"]), str(read["active"])]
        except FileNotFoundError:
            return [BUNDLED]
        except (ValueError, KeyError, TypeError, OSError) as error:
            fix = "`spanferry jobs rollback` goes back to the bundled model"
            raise ModelError(str(path), f"not a pointer to a model ({error!r})", fix) from None

    def _point(self, change: Callable[[list[str]], list[str]]) -> str:
        """Change the list of versions that were in use, and return the active one."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self.root / ".lock"):  # between our reading and writing it
            try:
                used = self._pointer()
            except ModelError:  # overwritten, as if its model came after the bundled one
                used = [BUNDLED, UNREADABLE]
            *before, active = changed = change(used)
            if changed != used:
                record = {"schema": SCHEMA, "active": active, "before": before[-_HISTORY:]}
                write_json(self.root / POINTER, record)
        return active


def check_checkpoint(folder: Path) -> None:
    """Raise ModelError if a folder holds no checkpoint with safetensors weights."""
    if not (folder / "config.json").is_file():
        fix = "Pass the folder of a saved model"
        raise ModelError(str(folder), "there is no config.json", fix)
    if not any(folder.glob("*.safetensors")):
        fix = "Save it with save_pretrained(); pickled weights are never loaded"
        raise ModelError(str(folder), "there are no safetensors weights", fix)


def _copy(folder: Path, copy: Path) -> None:
    """Copy without training state, and make sure the copy is on disk before it is pointed to."""
    from projection.models.packed_weights import include_shared  # noqa: PLC0415  torch is slow

    # Pickles run code when read, checkpoints are large.
    left_out = shutil.ignore_patterns("checkpoint-*", *(f"*{suffix}" for suffix in _PICKLED))
    try:
        shutil.copytree(folder, copy, ignore=left_out)
    except shutil.Error as error:
        source, _, reason = error.args[0][0]
        raise ModelError(str(source), f"cannot be copied ({reason})") from None
    include_shared(copy, folder)
    os.sync()
