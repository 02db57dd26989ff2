"""The settings of all trainings; imports nothing heavy."""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, NamedTuple

from projection.errors import TrainingError
from projection.models import bundled

_SHORTEST = 16  # subwords: fewer hold special tokens and little else


def rate_for(width: int, *, knows_tags: bool = False) -> float:
    """The learning rate for an encoder of `width` dimensions, by rule of thumb.

    A third of it for a model that knows all tags already: with more it forgets.
    """
    rate = 3e-4 if width < 512 else 5e-5 if width < 1024 else 1e-5
    return rate / 3 if knows_tags else rate


class LossName(StrEnum):
    """The losses of `training.trainer.losses`."""

    RW = "rw"
    CE = "ce"
    FOCAL = "focal"
    GCE = "gce"
    MSE = "mse"
    MSE_CE = "mse+ce"

    @property
    def learns_from_teachers(self) -> bool:
        """True if it needs the probabilities of teachers, not only tags."""
        return self in (LossName.MSE, LossName.MSE_CE)


PUBLISHED_GAMMA = {
    LossName.RW: 4.0,  # Li, He & Xu (2021)
    LossName.FOCAL: 2.0,  # Lin et al. (2017)
    LossName.GCE: 0.7,  # Zhang & Sabuncu (2018)
}


@dataclass(frozen=True, slots=True)
class FineTune:
    """The settings of one fine-tuning of a tagger.

    `base` is a folder, a name on the hub, or `mini`, the bundled tagger. `gamma` None is the loss's
    published one; `through_weight` applies to `rw` (see `losses.reweighted`). The lowest `freeze`
    encoder layers are frozen, with the embeddings unless `freeze_embeddings` is False.
    `learning_rate` None is `rate_for` the base; it rises over the share `warmup` of
    the steps, then falls to 0. Sentences above `max_length` subwords are read in windows. `bf16`
    None is bfloat16 on GPUs that support it. With dev data the best checkpoint is kept, and
    training stops after `patience` evaluations without a gain. `lora` is the rank of adapters that
    are trained instead of the encoder's weights, and added to them in the end.
    """

    base: str = bundled.NAME
    loss: LossName = LossName.RW
    gamma: float | None = None
    freeze: int = 0
    freeze_embeddings: bool = True
    through_weight: bool = False
    epochs: float = 3.0
    batch_size: int = 16
    accumulate: int = 1
    learning_rate: float | None = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_length: int = 256
    patience: int = 3
    seed: int = 0
    bf16: bool | None = None
    lora: int | None = None

    def __post_init__(self) -> None:
        def check(name: str, valid: bool, what: str, fix: str = "") -> None:
            if not valid:
                raise TrainingError(f"settings {name}", f"{getattr(self, name)} {what}", fix)

        for name in ("epochs", "batch_size", "accumulate", "learning_rate", "patience"):
            value = getattr(self, name)
            check(name, value is None or 0 < value < math.inf, "is not above 0, and finite")
        check(
            "gamma", self.gamma is None or 0 <= self.gamma < math.inf, "is below 0, or not finite"
        )
        check("weight_decay", 0 <= self.weight_decay < math.inf, "is below 0, or not finite")
        fits_gce = self.loss is not LossName.GCE or 0 < self.effective_gamma <= 1
        check("gamma", fits_gce, "is not above 0 and at most 1, as gce needs it")
        long_enough = self.max_length >= _SHORTEST
        check("max_length", long_enough, "subwords hold no sentence", f"At least {_SHORTEST}")
        check("freeze", self.freeze >= 0, "layers", "0 freezes nothing")
        check("lora", self.lora is None or self.lora > 0, "is no rank", "Such as 16")
        check("warmup", 0 <= self.warmup < 1, "is not a share of the steps")

    @property
    def effective_gamma(self) -> float:
        """The γ of the loss: as set, else as published."""
        return PUBLISHED_GAMMA.get(self.loss, 0.0) if self.gamma is None else self.gamma


@dataclass(frozen=True, slots=True)
class Schedule:
    """The length and speed of a training; `max_steps` overrides `epochs`.

    `warmup` below 1 is a share of the steps, else a number of them; the rate then falls to 0. With
    dev data, training stops after `patience` evaluations without a gain.
    """

    epochs: float
    batch_size: int
    learning_rate: float
    warmup: float
    seed: int
    max_steps: int | None = None
    accumulate: int = 1
    weight_decay: float = 0.01
    patience: int = 3
    bf16: bool | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "learning_rate"):
            if not 0 < (value := getattr(self, name)) < math.inf:
                raise TrainingError(f"settings {name}", f"{value} is not above 0, and finite")


class Tracker(StrEnum):
    """Tools that log the course of a training."""

    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    TRACKIO = "trackio"
    NONE = "none"


class Tracking(NamedTuple):
    """The tool a training logs to, TensorBoard's `folder`, and the name of the `run`."""

    tracker: Tracker = Tracker.NONE
    folder: Path = Path("runs")
    run: str = "training"

    def part(self, name: str) -> "Tracking":
        """The same, for one part of the training."""
        return Tracking(self.tracker, self.folder / name, f"{self.run}/{name}")


NOWHERE = Tracking()


class AlignerPreset(StrEnum):
    """The aligners that can be trained by name."""

    PAPER_PAIR = "paper-pair"
    CONTEXT_JOINT = "context-joint"


# Li, He and Xu (2021), §3.1; warm-up and precision are ours.
PUBLISHED_ALIGNER = Schedule(
    epochs=3, batch_size=64, learning_rate=5e-5, warmup=200, seed=0, bf16=True
)
JOINT_SCHEDULE = Schedule(
    epochs=1, batch_size=32, learning_rate=2e-4, warmup=0.13, seed=0, bf16=True
)
ALIGNER_SCHEDULES = {
    AlignerPreset.PAPER_PAIR: PUBLISHED_ALIGNER,
    AlignerPreset.CONTEXT_JOINT: JOINT_SCHEDULE,
}


@dataclass(frozen=True, slots=True)
class PairRecipe:
    """The settings of a pair aligner's training, as published.

    Of each language at most `per_language` samples (a name and a sentence) are made; `negatives` is
    the share of them whose name is another sentence's.
    """

    preset: ClassVar[AlignerPreset] = AlignerPreset.PAPER_PAIR
    base: str
    schedule: Schedule = PUBLISHED_ALIGNER
    per_language: int | None = 30_000
    negatives: float = 0.25


@dataclass(frozen=True, slots=True)
class Hardening:
    """The shares of sentences that are changed."""

    renamed: float = 0.35  # one name is replaced by a listed name
    emptied: float = 0.07  # the translation of a phrase is deleted
    mismatched: float = 0.03  # the target is another sentence's
    cut: float = 0.03  # the end of the target is deleted
    lone_names: float = 0.03  # of listed names: an example by itself


@dataclass(frozen=True, slots=True)
class JointRecipe:
    """The settings of a context-joint aligner's training.

    `base` is an encoder, or a joint aligner (`mini` is the bundled one) to train further, which
    keeps its lexicon. Of each language at most `per_language` silver sentences are drawn, after
    sentences without a name were reduced to the share `nameless`. The lexicon holds pairs of at
    least `least_links` links and a strength of `weakest_tie`; it is withheld from the share `blind`
    of sentences and `gaps` of words. Sentences of more than `max_words` English words are left out:
    shorter ones teach as much a word and cost less. An encoder reads the sentences `apart`, or both
    at once; its lowest `freeze` layers are frozen, with the embeddings.
    """

    preset: ClassVar[AlignerPreset] = AlignerPreset.CONTEXT_JOINT
    base: str
    schedule: Schedule = JOINT_SCHEDULE
    hardening: Hardening = Hardening()
    per_language: int | None = None
    nameless: float = 0.3
    least_links: float = 3.0
    weakest_tie: float = 0.05
    blind: float = 0.3
    gaps: float = 0.2
    max_words: int = 30
    apart: bool = True
    freeze: int = 3
