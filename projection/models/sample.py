"""The bundled sample: hand-written sentence pairs with gold entities on both sides."""

from importlib import resources
from pathlib import Path

LANGUAGES = ("de", "es", "nl", "zh")


def path(lang: str) -> Path:
    """The gold file of one language pair, JSON Lines as `scoring.read_gold` reads it."""
    return Path(str(resources.files("projection"))) / "sample" / f"en-{lang}.jsonl"
