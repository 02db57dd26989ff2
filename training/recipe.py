"""The settings of every training, without anything heavy to import."""

from dataclasses import dataclass
from enum import StrEnum

from projection import bundled
from projection.errors import TrainingError

SHORTEST = 16  # subwords: less room holds special tokens and little else


class LossName(StrEnum):
    """The losses of `training.losses`."""

    RW = "rw"
    CE = "ce"
    FOCAL = "focal"


PUBLISHED_GAMMA = {LossName.RW: 4.0, LossName.FOCAL: 2.0, LossName.CE: 0.0}


@dataclass(frozen=True, slots=True)
class FineTune:
    """The settings of one training.

    `base` is a folder, a name on the hub, or `mini`, the bundled tagger. `gamma` is that of the
    loss (None: its published value); `through_weight` is for `rw` alone and explained there.
    `freeze` lower encoder layers stay as they are, and the embeddings with them unless
    `freeze_embeddings` is False. `max_length` is in subwords; longer sentences are read in windows.
    `warmup` is the share of steps over which the learning rate rises; it then falls to 0.
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
    learning_rate: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_length: int = 256
    seed: int = 0
    bf16: bool = False

    def __post_init__(self) -> None:
        positive = ("epochs", "batch_size", "accumulate", "learning_rate")
        for name in positive:
            if not getattr(self, name) > 0:
                raise TrainingError(f"settings {name}", f"{getattr(self, name)} is not above 0")
        if self.gamma is not None and self.gamma < 0:
            raise TrainingError("settings gamma", f"{self.gamma} is below 0")
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
        return PUBLISHED_GAMMA[self.loss] if self.gamma is None else self.gamma


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast. `max_steps` wins over `epochs` where it is set.

    `warmup` below 1 is a share of the steps, else a number of them; the rate then falls to 0.
    """

    epochs: float
    batch_size: int
    learning_rate: float
    warmup: float
    seed: int
    max_steps: int | None = None
    accumulate: int = 1
    weight_decay: float = 0.01
    bf16: bool = False


# Li, He and Xu (2021), §3.1; warm-up and precision are ours.
PUBLISHED_ALIGNER = Schedule(
    epochs=3, batch_size=64, learning_rate=5e-5, warmup=200, seed=0, bf16=True
)


@dataclass(frozen=True, slots=True)
class AlignerRecipe:
    """Every number of an aligner training.

    `negatives` is the share of examples whose entity is not in the sentence (the paper's 25 %).
    """

    base: str
    schedule: Schedule = PUBLISHED_ALIGNER
    negatives: float = 0.25
