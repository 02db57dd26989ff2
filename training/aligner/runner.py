"""Trains an aligner on features and saves it with its record (`training.json`) and card."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from projection.aligners.joint import JointAligner
from projection.aligners.pair import PairAligner
from projection.errors import TrainingError
from projection.io.files import write_json
from projection.io.folders import finishing, is_main_process, work_folder
from projection.languages import base_language
from projection.models.checkpoints import quiet
from training.aligner.augment import is_name_pair
from training.aligner.silver import SilverSentence
from training.trainer import trainer
from training.trainer.card import aligner_card
from training.trainer.settings import JointRecipe, PairRecipe
from training.trainer.trainer import Collate, Features, OnProgress

_SCHEMA = 1


def train_and_save(
    aligner: PairAligner | JointAligner,
    recipe: PairRecipe | JointRecipe,
    features: Features,
    out: Path,
    on_progress: OnProgress,
    *,
    silver: Iterable[SilverSentence],
    used: Sequence[SilverSentence],
    collate: Collate | None = None,
) -> None:
    """Train `aligner` in place and write it to the new folder `out`, which appears whole.

    An interrupted training resumes unless `recipe` or `silver`, all data it depends on, changed.
    `features` were made of the sentences `used`; `collate` is that of `trainer.run`. Raises a
    TrainingError if there are no features.
    """
    if not features:
        raise TrainingError("silver data", "no phrase pairs", "Make them: spanferry aligner data")
    work = work_folder(out, asdict(recipe), (sentence.to_json() for sentence in silver))
    aligner.model.train()
    parts = aligner.model, aligner.tokenizer, features, recipe.schedule, work / "checkpoints"
    run = trainer.run(*parts, collate=collate, on_progress=on_progress)
    aligner.add_languages(base_language(sentence.lang) for sentence in used)
    if is_main_process():
        made = work / "model"
        with quiet():
            aligner.save_pretrained(made)
        record = {
            "schema": _SCHEMA,
            "preset": recipe.preset,
            "settings": asdict(recipe),
            "data": _by_language(used),
            "examples": len(features),
            "lexicon": len(aligner.lexicon) if isinstance(aligner, JointAligner) else 0,
            "steps": run.steps,
            "curve": run.curve,
            "made_with": trainer.made_with(),
        }
        write_json(made / "training.json", record)
        (made / "README.md").write_text(aligner_card(out.name, record), encoding="utf-8")
        with finishing(out):
            made.replace(out)
    # As it would be loaded: training leaves it in training mode, on its own device.
    aligner.model.eval().cpu()  # type: ignore[no-untyped-call]


def _by_language(used: Iterable[SilverSentence]) -> dict[str, dict[str, int]]:
    counts = Counter((sentence.lang, is_name_pair(sentence)) for sentence in used)
    langs = sorted({lang for lang, _ in counts})
    return {n: {"sentences": counts[n, False], "names": counts[n, True]} for n in langs}
