"""What an aligner's training was: its `training.json` and its card."""

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers

from projection.files import write_json
from training.card import aligner_card
from training.joint_examples import is_name_pair
from training.loop import Trained
from training.recipe import AlignerPreset, JointRecipe, PairRecipe
from training.silver import SilverSentence

SCHEMA = 1


def write_record(
    folder: Path,
    recipe: PairRecipe | JointRecipe,
    chosen: Sequence[SilverSentence],
    *,
    name: str,
    examples: int,
    trained: Trained,
    lexicon: int = 0,
) -> None:
    """Write `training.json` and `README.md` beside the weights in `folder`.

    Args:
        folder: of the model.
        recipe: the numbers.
        chosen: what examples were made of.
        name: the card's title.
        examples: how many were.
        trained: what became of it.
        lexicon: pairs in the aligner's lexicon.
    """
    joint = isinstance(recipe, JointRecipe)
    record = {
        "schema": SCHEMA,
        "preset": AlignerPreset.CONTEXT_JOINT if joint else AlignerPreset.PAPER_PAIR,
        "settings": asdict(recipe),
        "data": by_language(chosen),
        "examples": examples,
        "lexicon": lexicon,
        "steps": trained.steps,
        "curve": trained.curve,
        "made_with": made_with(),
    }
    write_json(folder / "training.json", record)
    (folder / "README.md").write_text(aligner_card(name, record), encoding="utf-8")


def by_language(chosen: Sequence[SilverSentence]) -> dict[str, dict[str, int]]:
    """Sentences and listed names of each language."""
    counts = Counter((sentence.lang, is_name_pair(sentence)) for sentence in chosen)
    return {
        lang: {"sentences": counts[lang, False], "names": counts[lang, True]}
        for lang in sorted({lang for lang, _ in counts})
    }


def made_with() -> dict[str, Any]:
    """Versions and machine."""
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "gpus": torch.cuda.device_count(),
    }
