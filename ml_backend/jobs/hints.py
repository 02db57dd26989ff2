"""Projects that Label Studio is to be asked about: what a webhook leaves for the next look.

A hint is an empty file, `hints/5.asked`: any process leaves it at once and without a lock, and one
that is left again changes nothing but its time.
"""

from contextlib import suppress
from enum import StrEnum
from pathlib import Path

MOST_HINTS = 200  # several processes together may leave a few more


class Hint(StrEnum):
    """What is known of a project."""

    ASKED = "asked"  # somebody wants a training
    REVIEWED = "reviewed"  # reviews may have come or gone


class Hints:
    """The hints in one folder, shared between processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def leave(self, project: int, hint: Hint) -> bool:
        """Leave a hint. Return False if it is a new one and there are `MOST_HINTS` already."""
        path = self._path(project, hint)
        if not path.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if len([*self._folder.iterdir()]) >= MOST_HINTS:
                return False
        path.touch(mode=0o600)
        return True

    def left(self) -> dict[tuple[int, Hint], float]:
        """Return all hints, each with the time it was left last, the oldest first."""
        found = {}
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            project, _, hint = path.name.partition(".")
            if project.isdecimal() and hint in [*Hint]:
                with suppress(FileNotFoundError):  # removed meanwhile
                    found[int(project), Hint(hint)] = path.stat().st_mtime
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def remove(self, project: int, hint: Hint, left: float) -> None:
        """Remove a hint, unless it was left again since the time `left`."""
        path = self._path(project, hint)
        if path.exists() and path.stat().st_mtime == left:
            path.unlink()

    def _path(self, project: int, hint: Hint) -> Path:
        return self._folder / f"{project}.{hint}"
