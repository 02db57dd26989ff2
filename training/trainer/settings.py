"""The settings of every training, without anything heavy to import."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from projection.errors import TrainingError
from projection.models import bundled

SHORTEST = 16  # subwords: less room holds special tokens and little else

RATES = ((512, 3e-4), (1024, 5e-5), (None, 1e-5))
"""Learning rates for encoders of fewer dimensions than so many; the last is for all others."""


def rate_for(width: int) -> float:
    """The learning rate that suits an encoder of `width` dimensions, by rule of thumb."""
    return next(rate for below, rate in RATES if below is None or width < below)


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
        """Whether it needs the probabilities of teachers, not only tags."""
        return self in (LossName.MSE, LossName.MSE_CE)


PUBLISHED_GAMMA = {
    LossName.RW: 4.0,  # Li, He & Xu (2021)
    LossName.FOCAL: 2.0,  # Lin et al. (2017)
    LossName.GCE: 0.7,  # Zhang & Sabuncu (2018)
}


@dataclass(frozen=True, slots=True)
class FineTune:
    """The settings of one training.

    `base` is a folder, a name on the hub, or `mini`, the bundled tagger. `gamma` is that of the
    loss (None: its published value); `through_weight` is for `rw` alone and explained there.
    `freeze` lower encoder layers stay as they are, and the embeddings with them unless
    `freeze_embeddings` is False. `learning_rate` None is `rate_for` the width of the base; over
    the share `warmup` of the steps it rises, then it falls to 0. `max_length` is in subwords;
    longer sentences are read in windows. `bf16` None is bfloat16 on GPUs that have it, and single
    precision elsewhere. Where there is a dev part, the best checkpoint is kept,
    and training stops after `patience` evaluations without a better one.
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

    def __post_init__(self) -> None:
        positive = ("epochs", "batch_size", "accumulate", "learning_rate", "patience")
        for name in positive:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise TrainingError(f"settings {name}", f"{value} is not above 0")
        if self.gamma is not None and self.gamma < 0:
            raise TrainingError("settings gamma", f"{self.gamma} is below 0")
        if self.loss is LossName.GCE and not 0 < self.effective_gamma <= 1:
            what = f"{self.effective_gamma} is not above 0 and at most 1, as gce needs it"
            raise TrainingError("settings gamma", what)
        if self.max_length < SHORTEST:
            what = f"{self.max_length} subwords hold no sentence"
            raise TrainingError("settings max_length", what, f"At least {SHORTEST}")
        if self.freeze < 0:
            raise TrainingError("settings freeze", f"{self.freeze} layers", "0 freezes nothing")
        if not 0 <= self.warmup < 1:
            raise TrainingError("settings warmup", f"{self.warmup} is not a share of the steps")

    @property
    def effective_gamma(self) -> float:
        """The γ of the loss: as set, else as published."""
        return PUBLISHED_GAMMA.get(self.loss, 0.0) if self.gamma is None else self.gamma


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast. `max_steps` wins over `epochs` where it is set.

    `warmup` below 1 is a share of the steps, else a number of them; the rate then falls to 0.
    `patience` is how many evaluations without a better one end a training that has a dev part.
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


class Tracker(StrEnum):
    """Where the course of a training can be followed."""

    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    TRACKIO = "trackio"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where a training reports its loss and scores, if anywhere.

    `folder` is for TensorBoard; `run` is the name of the training.
    """

    tracker: Tracker = Tracker.NONE
    folder: Path = Path("runs")
    run: str = "training"

    def part(self, name: str) -> "Tracking":
        """The same for a part of the training."""
        return replace(self, folder=self.folder / name, run=f"{self.run}/{name}")


NOWHERE = Tracking()

# Li, He and Xu (2021), §3.1; warm-up and precision are ours.
PUBLISHED_ALIGNER = Schedule(
    epochs=3, batch_size=64, learning_rate=5e-5, warmup=200, seed=0, bf16=True
)


class AlignerPreset(StrEnum):
    """The aligners that can be trained by name."""

    PAPER_PAIR = "paper-pair"
    CONTEXT_JOINT = "context-joint"


@dataclass(frozen=True, slots=True)
class PairRecipe:
    """Every number of a pair aligner's training, as published.

    At most `per_language` samples of each language are made, a name asked for in a sentence;
    `negatives` is the share of them whose name is another sentence's (the paper's 25 %).
    """

    base: str
    schedule: Schedule = PUBLISHED_ALIGNER
    per_language: int | None = 30_000
    negatives: float = 0.25


JOINT_SCHEDULE = Schedule(
    epochs=1, batch_size=32, learning_rate=5e-4, warmup=200, seed=0, bf16=True
)


@dataclass(frozen=True, slots=True)
class Hardening:
    """The shares of sentences that are changed, and how.

    `renamed` sentences get another name in place of one of theirs, `emptied` ones lose the
    translation of a phrase, `mismatched` ones get the target of another sentence, `cut` ones lose
    the end of their target. `lone_names` of the listed names are examples by themselves.
    """

    renamed: float = 0.35
    emptied: float = 0.07
    mismatched: float = 0.03
    cut: float = 0.03
    lone_names: float = 0.1


@dataclass(frozen=True, slots=True)
class JointRecipe:
    """Every number of a context-joint aligner training.

    `base` is an encoder, or a joint aligner (`mini` is the bundled one) to train further, which
    keeps its lexicon. At most `per_language` silver sentences of each language are drawn, of those
    without a name only the share `nameless` before that. A pair of words is in the lexicon from
    `least_links` links and a strength of `weakest_tie` on; `blind` is the share of sentences that
    must do without it, `gaps` that of their words.
    """

    base: str
    schedule: Schedule = JOINT_SCHEDULE
    hardening: Hardening = Hardening()
    per_language: int | None = None
    nameless: float = 0.3
    least_links: float = 2.0
    weakest_tie: float = 0.04
    blind: float = 0.1
    gaps: float = 0.2


ALIGNER_SCHEDULES = {
    AlignerPreset.PAPER_PAIR: PUBLISHED_ALIGNER,
    AlignerPreset.CONTEXT_JOINT: JOINT_SCHEDULE,
}
