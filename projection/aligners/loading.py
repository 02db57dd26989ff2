"""Loading the aligner that a checkpoint holds."""

from pathlib import Path

from projection.aligners.decoding import Decoding
from projection.aligners.joint import JointAligner
from projection.aligners.joint_network import MODEL_TYPE
from projection.aligners.pair import LANGUAGES, PairAligner
from projection.errors import ModelError
from projection.models.checkpoints import load_config

Aligner = PairAligner | JointAligner


def load_aligner(name_or_path: str | Path, decoding: Decoding | None = None) -> Aligner:
    """Load a joint or a pair aligner from a folder or the hub; else raise ModelError.

    `decoding` None takes what it was saved with.
    """
    joint = load_config(name_or_path).model_type == MODEL_TYPE
    trained_languages(name_or_path)
    return (JointAligner if joint else PairAligner).from_pretrained(name_or_path, decoding)


def is_aligner(name_or_path: str | Path) -> bool:
    """Return whether a checkpoint is an aligner; a tagger is none."""
    config = load_config(name_or_path)
    return config.model_type == MODEL_TYPE or hasattr(config, LANGUAGES)


def trained_languages(name_or_path: str | Path) -> tuple[str, ...]:
    """Read the languages an aligner was trained on, without its weights; empty if unknown.

    ModelError if they are no list of languages.
    """
    config = load_config(name_or_path)
    key = "languages" if config.model_type == MODEL_TYPE else LANGUAGES
    languages = getattr(config, key, None) or []
    if not (isinstance(languages, list) and all(isinstance(lang, str) for lang in languages)):
        where = f"{name_or_path}/config.json {key}"
        raise ModelError(where, "is no list of languages", "Remove it: then they are unknown")
    return tuple(sorted(languages))
