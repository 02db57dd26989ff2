"""The models that ship with the package, so that the first run needs no hub."""

from importlib import resources
from pathlib import Path
from typing import Literal

from projection.errors import ModelError

Bundled = Literal["teacher", "aligner", "tagger"]
"""English names, their places in a translation, and the base of taggers for other languages."""

NAME = "mini"


def path(model: Bundled) -> Path:
    """The folder of a bundled model.

    Raises:
        ModelError: if this installation lacks it.
    """
    folder = Path(str(resources.files("projection"))) / "models" / model
    if not (folder / "config.json").is_file():
        raise ModelError(str(folder), "the bundled model is missing", "Install spanferry again")
    return folder


def resolve(name_or_path: str | Path | None, model: Bundled) -> str | Path:
    """What to load: the bundled model for None or `mini`, else what was asked for."""
    return path(model) if name_or_path in (None, NAME) else str(name_or_path)
