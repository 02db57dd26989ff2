"""The models and the sample that ship with the package."""

from importlib import resources
from pathlib import Path
from typing import Literal

from projection.errors import ModelError

Bundled = Literal["teacher", "aligner", "tagger"]
"""The English NER model, the entity aligner, and the base of taggers for other languages."""

NAME = "mini"
SAMPLE_LANGUAGES = ("de", "es", "nl", "zh")


def path(model: Bundled) -> Path:
    """The folder of a bundled model.

    Raises:
        ModelError: if this installation lacks it.
    """
    folder = _package() / "models" / model
    if not (folder / "config.json").is_file():
        raise ModelError(str(folder), "the bundled model is missing", "Install spanferry again")
    return folder


def resolve(name_or_path: str | Path | None, model: Bundled) -> str | Path:
    """The bundled model for None or `mini`, else what was asked for."""
    return path(model) if name_or_path in (None, NAME) else str(name_or_path)


def sample_path(lang: str) -> Path:
    """The gold file of hand-written pairs for one of `SAMPLE_LANGUAGES`; see `io.gold`."""
    return _package() / "sample" / f"en-{lang}.jsonl"


def _package() -> Path:
    return Path(str(resources.files("projection")))
