"""The models and the sample that ship with the package."""

from importlib import resources
from pathlib import Path
from typing import Literal

from projection.errors import ModelError

Bundled = Literal["aligner", "tagger"]  # the tagger labels the English side, and is a base
NAME = "mini"
_PACKAGE = Path(str(resources.files("projection")))
SAMPLE_LANGUAGES = ("ar", "de", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "tr", "zh")


def path(model: Bundled) -> Path:
    """The folder of a bundled model; ModelError if this installation lacks it."""
    folder = _PACKAGE / "models" / model
    if not (folder / "config.json").is_file():
        raise ModelError(str(folder), "the bundled model is missing", "Install spanferry again")
    return folder


def resolve(name_or_path: str | Path | None, model: Bundled) -> str | Path:
    """The bundled model for None or `mini`, else what was asked for."""
    return path(model) if name_or_path in (None, NAME) else str(name_or_path)


def sample_path(lang: str) -> Path:
    """The gold file of hand-written pairs for one of `SAMPLE_LANGUAGES`; see `io.gold`."""
    return _PACKAGE / "sample" / f"en-{lang}.jsonl"
