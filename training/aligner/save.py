"""The end of an aligner's training: weights, `training.json` and card, in place at once."""

import platform
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers

from projection.aligners.joint import JointAligner
from projection.aligners.pair import PairAligner
from projection.io.files import write_json
from projection.io.folders import is_main_process, move_into_place
from projection.models.checkpoints import quiet
from training.aligner.augment import is_name_pair
from training.aligner.silver import SilverSentence
from training.trainer.card import aligner_card
from training.trainer.settings import AlignerPreset, JointRecipe, PairRecipe
from training.trainer.trainer import Outcome

SCHEMA = 1


def finish(
    aligner: PairAligner | JointAligner,
    recipe: PairRecipe | JointRecipe,
    chosen: Sequence[SilverSentence],
    *,
    examples: int,
    trained: Outcome,
    work: Path,
    out: Path,
) -> None:
    """Write a trained aligner with its record and card to `out`, whole, and make it ready for use.

    Args:
        aligner: as the training left it.
        recipe: the numbers.
        chosen: what examples were made of.
        examples: how many were.
        trained: what became of it.
        work: its work folder, which is removed.
        out: the new folder.
    """
    if is_main_process():
        made = work / "model"
        with quiet():
            aligner.save_pretrained(made)
        record = {
            "schema": SCHEMA,
            "preset": preset_of(recipe),
            "settings": asdict(recipe),
            "data": by_language(chosen),
            "examples": examples,
            "lexicon": len(aligner.lexicon) if isinstance(aligner, JointAligner) else 0,
            "steps": trained.steps,
            "curve": trained.curve,
            "made_with": made_with(),
        }
        write_json(made / "training.json", record)
        (made / "README.md").write_text(aligner_card(out.name, record), encoding="utf-8")
        move_into_place(made, out)
        shutil.rmtree(work)
    # As it would be loaded: training ends in its own mode, on its own device.
    aligner.model.eval().cpu()  # type: ignore[no-untyped-call]


def preset_of(recipe: PairRecipe | JointRecipe) -> AlignerPreset:
    """The preset a recipe belongs to."""
    joint = isinstance(recipe, JointRecipe)
    return AlignerPreset.CONTEXT_JOINT if joint else AlignerPreset.PAPER_PAIR


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
