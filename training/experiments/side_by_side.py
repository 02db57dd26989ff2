"""Both aligners trained on the same sentences, as many of them, from the same encoder."""

import hashlib
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from projection.errors import TrainingError
from projection.io.files import parse_object, write_json
from projection.io.records_json import Json
from training.aligner.augment import is_name_pair
from training.aligner.joint import chosen_from, train_joint
from training.aligner.pair import train_aligner
from training.aligner.silver import SilverSentence
from training.trainer.settings import (
    JOINT_SCHEDULE,
    PUBLISHED_ALIGNER,
    AlignerPreset,
    Hardening,
    JointRecipe,
    PairRecipe,
)
from training.trainer.trainer import OnProgress

WARMUP = 0.1  # of the steps: the presets' 200 would be a third of so short a training


@dataclass(frozen=True, slots=True)
class Settings:
    """The numbers of the experiment.

    context-joint takes `steps` steps of its preset's batch size; paper-pair goes through as many
    sentences, which are more examples and so more steps. `per_language` silver sentences of each
    language are drawn for both (None: as many as one pass needs). The published learning rate of
    paper-pair, 5e-5, is meant for large encoders: `pair_learning_rate` replaces it.
    `eflomal_sentences` silver pairs of each language are aligned along with the gold. `aligner` is
    another one to score: a folder, a name on the hub, or `mini`.
    """

    base: str
    steps: int = 600
    per_language: int | None = None
    pair_learning_rate: float = JOINT_SCHEDULE.learning_rate
    eflomal_sentences: int = 50_000
    aligner: str | None = None
    seed: int = 0

    @property
    def sentences(self) -> int:
        """How many silver sentences each training goes through, those seen twice counted twice."""
        return self.steps * JOINT_SCHEDULE.batch_size


@dataclass(frozen=True, slots=True)
class Training:
    """What one training took, from silver in memory to the model on disk.

    `sentences` were gone through, at `steps` steps of `batch_size` examples; `recipe` has the rest.
    `seconds` are those of the clock, `cpu_seconds` those of all cores together: on a busy machine
    only the latter say something.
    """

    preset: str
    sentences: int
    steps: int
    batch_size: int
    seconds: float
    recipe: Json
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Lessons:
    """What both aligners are trained on, and how.

    The joint aligner draws its sentences itself, by its recipe; the pair aligner gets the same
    ones, and as many of the listed names.
    """

    pair_silver: list[SilverSentence]
    pair: PairRecipe
    joint: JointRecipe

    @classmethod
    def of(cls, silver: Sequence[SilverSentence], settings: Settings) -> Self:
        """Draw them.

        Raises:
            TrainingError: if there is nothing to draw.
        """
        languages = Counter(sentence.lang for sentence in silver if not is_name_pair(sentence))
        per_language = settings.per_language or math.ceil(
            settings.sentences / max(len(languages), 1)
        )
        share = sum(min(n, per_language) for n in languages.values()) / max(languages.total(), 1)
        joint = JointRecipe(
            settings.base,
            replace(JOINT_SCHEDULE, max_steps=settings.steps, warmup=WARMUP, seed=settings.seed),
            # As many names to a sentence as in a training on all of the silver.
            Hardening(lone_names=Hardening().lone_names * share),
            per_language,
        )
        chosen = chosen_from(silver, joint)
        pair_silver = _with_fewer_names(chosen, joint.hardening.lone_names, settings.seed)
        if not pair_silver:
            raise TrainingError(
                "silver data", "no sentences with names", "Make them: spanferry aligner data"
            )
        pair = PairRecipe(
            settings.base,
            replace(
                PUBLISHED_ALIGNER,
                epochs=settings.sentences / len(pair_silver),
                learning_rate=settings.pair_learning_rate,
                warmup=WARMUP,
                seed=settings.seed,
            ),
            per_language=None,
        )
        return cls(pair_silver, pair, joint)

    def stamp(self, silver: Sequence[SilverSentence], recipe: PairRecipe | JointRecipe) -> str:
        """Tells trainings apart: recipe, what was drawn, and how much it was drawn from."""
        digest = hashlib.sha256(repr((asdict(recipe), len(silver))).encode())
        for sentence in self.pair_silver:
            digest.update(f"{sentence.source}\n{sentence.target}\n".encode())
        return digest.hexdigest()


def _with_fewer_names(
    silver: Sequence[SilverSentence], share: float, seed: int
) -> list[SilverSentence]:
    rng = random.Random(seed)  # noqa: S311  a sample is no secret
    return [s for s in silver if not is_name_pair(s) or rng.random() < share]


Train = Callable[[Path, OnProgress], object]


def train_both(
    silver: Sequence[SilverSentence], settings: Settings, out: Path, on_progress: OnProgress
) -> list[Training]:
    """Train both aligners into `out`, where they are not there yet.

    Raises:
        TrainingError: if one there was trained otherwise, or there is nothing to train on.
        ModelError: if the base cannot be loaded.
    """
    lessons = Lessons.of(silver, settings)
    jobs: tuple[tuple[AlignerPreset, PairRecipe | JointRecipe, Train], ...] = (
        (
            AlignerPreset.PAPER_PAIR,
            lessons.pair,
            lambda folder, heard: train_aligner(lessons.pair_silver, lessons.pair, folder, heard),
        ),
        (
            AlignerPreset.CONTEXT_JOINT,
            lessons.joint,
            lambda folder, heard: train_joint(silver, lessons.joint, folder, heard),
        ),
    )
    out.mkdir(parents=True, exist_ok=True)
    return [
        train_once(
            out / preset,
            lessons.stamp(silver, recipe),
            Training(
                preset.value,
                settings.sentences,
                steps=0,
                batch_size=recipe.schedule.batch_size,
                seconds=0.0,
                recipe=asdict(recipe),
            ),
            train,
            on_progress,
        )
        for preset, recipe, train in jobs
    ]


def train_once(
    folder: Path, stamp: str, plan: Training, train: Train, on_progress: OnProgress
) -> Training:
    """Train into `folder`, unless that was done before; what it took is noted beside it.

    Raises:
        TrainingError: if `folder` is there, but not from this very training.
    """
    note = folder.with_name(f"{folder.name}.json")
    before = parse_object(note.read_text("utf-8"), str(note)) if note.exists() else {}
    same = before.get("stamp") == stamp
    if folder.exists():
        if not same:
            raise TrainingError(
                str(folder),
                "was not trained on this silver data with these settings",
                "Choose another --out, or delete it",
            )
        return Training(**before["training"])
    earlier = Training(**before["training"]) if same else plan
    steps, began, cpu_began = 0, time.perf_counter(), time.process_time()

    def heard(what: str, done: int, total: int) -> None:
        nonlocal steps
        steps = done
        on_progress(f"{folder.name}: {what}", done, total)

    try:
        train(folder, heard)
    finally:  # an interrupted training goes on later, and its time counts
        taken = replace(
            plan,
            steps=steps,
            seconds=earlier.seconds + time.perf_counter() - began,
            cpu_seconds=(earlier.cpu_seconds or 0.0) + time.process_time() - cpu_began,
        )
        write_json(note, {"stamp": stamp, "training": asdict(taken)})
    return taken
