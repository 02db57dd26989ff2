"""The recipes by name, with all their numbers; `training.tagger.recipe_runner` runs them.

A preset is a sequence of stages. Each trains one model from the base or from the model of an
earlier stage, on some parts of the data or as a student of earlier stages. Numbers are a paper's
unless a comment says "ours".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from projection.errors import TrainingError
from projection.models import bundled
from training.trainer.settings import FineTune, LossName

BASE = "base"  # what a stage starts from if not from the model of another one


class Part(StrEnum):
    """The parts of the data a stage can learn from."""

    ENGLISH = "english"  # gold labels of the source language
    PSEUDO = "pseudo"  # labels that were projected, and that nobody has looked at
    REVIEWED = "reviewed"  # target language, accepted or corrected by people, or gold
    TRANSLATED = "translated"  # the English part, word by word through a lexicon
    UNLABELLED = "unlabelled"  # target-language text


@dataclass(frozen=True, slots=True)
class Use:
    """How a stage uses a part of the data.

    At most `sentences` are drawn, as many of each corpus if `equal_corpora` (or all it has). At
    most the share `nameless` of each corpus is without entities. Sentences with a margin score
    below `least_margin` are left out; those without a score stay.

    Words have this `weight` and `doubt` (`trainer.losses`). With `confidence`, the weight of a word
    in an entity is multiplied by the probability of the entity. An `optional` part may be missing.
    """

    part: Part
    sentences: int | None = None
    equal_corpora: bool = False
    nameless: float | None = None
    least_margin: float | None = None
    capitals: bool = False
    weight: float = 1.0
    doubt: float = 1.0
    confidence: bool = False
    optional: bool = False

    def __post_init__(self) -> None:
        if self.sentences is not None and self.sentences < 0:
            raise TrainingError("settings sentences", f"{self.sentences} is below 0")
        if self.nameless is not None and not 0 <= self.nameless < 1:
            raise TrainingError("settings nameless", f"{self.nameless} is not a share below 1")
        if not self.weight > 0:
            fix = "To leave a part out, draw no sentence of it: PART.sentences=0"
            raise TrainingError("settings weight", f"{self.weight} is not above 0", fix)
        if not 0 <= self.doubt <= 1:
            raise TrainingError("settings doubt", f"{self.doubt} is not between 0 and 1")


@dataclass(frozen=True, slots=True)
class Stage:
    """One training: the model it starts from, the parts it learns from, and its settings.

    With `teachers` (earlier stages) it learns the probabilities of the first teacher and the tags
    on which all agree. `settings.base` and `settings.seed` are set by the training.
    """

    name: str
    uses: tuple[Use, ...]
    settings: FineTune
    start: str = BASE
    teachers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.settings.loss.learns_from_teachers != bool(self.teachers):
            what = f"the loss {self.settings.loss} and {len(self.teachers)} teachers"
            raise TrainingError(f"stage {self.name}", what, "mse and mse+ce need some, others none")


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe: its stages, and the model it starts from if no other is given."""

    name: str
    base: str
    stages: tuple[Stage, ...]


# ---- Li, He & Xu (2021): pseudo-labels from a parallel corpus, arXiv 2101.11112 ----------------
# The English model is their teacher: focal loss, 5 epochs. On the pseudo-labels 1 epoch, (1+p)^γ
# with γ = 4 (they sweep 1 to 5) and 0, 3 or 6 frozen lower layers; XLM-R large.
# Ours: which of the three is the default, the frozen layers in English as well, γ = 2 of the focal
# loss (Lin et al.), batch size, learning rate, length and warm-up.
_LI_ENGLISH = FineTune(
    loss=LossName.FOCAL, gamma=2.0, freeze=3, epochs=5, batch_size=32,
    learning_rate=1e-5, warmup=0.1, max_length=128,
)  # fmt: skip
_LI_TARGET = replace(_LI_ENGLISH, loss=LossName.RW, gamma=4.0, epochs=1)

# About 40,000 sentences, as many of each corpus, the same share of them without entities; of
# WikiMatrix only margin scores from 1.05 on. Ours: that share is CoNLL-2003 English's, 21 %.
_LI_USE = Use(Part.PSEUDO, sentences=40_000, equal_corpora=True, nameless=0.21, least_margin=1.05)

_ENGLISH = Use(Part.ENGLISH)


_LI_ENGLISH_STAGE = Stage("english", (_ENGLISH,), _LI_ENGLISH)


def _li_target(loss: LossName, *uses: Use, start: str = BASE) -> Stage:
    gamma = _LI_TARGET.gamma if loss is LossName.RW else None
    return Stage("target", uses, replace(_LI_TARGET, loss=loss, gamma=gamma), start=start)


_LI_SEQUENTIAL_RW = (_LI_ENGLISH_STAGE, _li_target(LossName.RW, _LI_USE, start="english"))


def _li(name: str, *stages: Stage) -> Preset:
    return Preset(f"li2021{name}", "xlm-roberta-large", stages)


# ---- Wu et al. (ACL 2020) and UniTrans (Wu et al., IJCAI 2020): teachers on unlabelled text ----
# As in the authors' code (microsoft/vert-papers): multilingual BERT, embeddings and 3 layers
# frozen, 3 epochs of batches of 32, warm-up 0.1, weight decay 0.01; learning rate 5e-5 for
# teachers and 1e-4 for students, who start from the base. Their inputs are cut at 128 (Wu et al.)
# and 256 subwords (UniTrans); ours are read in windows instead.
_WU_TEACHER = FineTune(
    loss=LossName.CE, freeze=3, epochs=3, batch_size=32,
    learning_rate=5e-5, warmup=0.1, weight_decay=0.01, max_length=128,
)  # fmt: skip
_WU_STUDENT = replace(_WU_TEACHER, loss=LossName.MSE, learning_rate=1e-4)
_UNLABELLED = Use(Part.UNLABELLED)
_UNITRANS_TEACHER = replace(_WU_TEACHER, max_length=256)
_UNITRANS_STUDENT = replace(_WU_STUDENT, loss=LossName.MSE_CE, max_length=256)

# ---- Ours: docs/training.md says why -------------------------------------------------------------
# The learning rate None: as suits the base.
_OURS = FineTune(
    loss=LossName.CE, freeze=1, epochs=4, batch_size=32,
    learning_rate=None, warmup=0.1, max_length=128,
)  # fmt: skip
_PLAIN = FineTune(
    loss=LossName.CE, epochs=3, batch_size=16, learning_rate=5e-5, warmup=0.1, max_length=256
)
_PROJECTED = Use(Part.PSEUDO, nameless=0.21, capitals=True, confidence=True, optional=True)
# Doubts count where another loss is set: cross entropy has none.
_GOLD_ENGLISH = Use(Part.ENGLISH, doubt=0.0, optional=True)
_TRANSLATED = Use(Part.TRANSLATED, capitals=True, doubt=0.0, optional=True)
_TRUSTED = Use(Part.REVIEWED, weight=2.0, doubt=0.0, optional=True)
_ALL_ALIKE = tuple(Use(p, optional=True) for p in (Part.ENGLISH, Part.PSEUDO, Part.REVIEWED))

_PRESETS = (
    Preset(
        "spanferry",
        bundled.NAME,
        (Stage("target", (_GOLD_ENGLISH, _PROJECTED, _TRANSLATED, _TRUSTED), _OURS),),
    ),
    # One training on all labels alike.
    Preset("plain", bundled.NAME, (Stage("target", _ALL_ALIKE, _PLAIN),)),
    _li("", *_LI_SEQUENTIAL_RW),
    # The ablation of Li et al.; its "sequential RW" is the whole recipe.
    _li("-sequential-rw", *_LI_SEQUENTIAL_RW),
    _li("-zero-transfer", _LI_ENGLISH_STAGE),
    _li("-sequential-ce", _LI_ENGLISH_STAGE, _li_target(LossName.CE, _LI_USE, start="english")),
    _li("-skip-english", _li_target(LossName.RW, _LI_USE)),
    _li("-mixed-ce", _li_target(LossName.CE, _ENGLISH, _LI_USE)),
    _li("-mixed-rw", _li_target(LossName.RW, _ENGLISH, _LI_USE)),
    # A student of the English model's probabilities.
    Preset(
        "wu2020",
        "bert-base-multilingual-cased",
        (
            Stage("english", (_ENGLISH,), _WU_TEACHER),
            Stage("student", (_UNLABELLED,), _WU_STUDENT, teachers=("english",)),
        ),
    ),
    # Three teachers: the tags they agree on, and the probabilities of the first one named.
    Preset(
        "unitrans",
        "bert-base-multilingual-cased",
        (
            Stage("source", (_ENGLISH,), _UNITRANS_TEACHER),
            Stage("translated", (Use(Part.TRANSLATED),), _UNITRANS_TEACHER),
            Stage("adapted", (Use(Part.TRANSLATED),), _UNITRANS_TEACHER, start="source"),
            Stage(
                "student",
                (_UNLABELLED,),
                _UNITRANS_STUDENT,
                teachers=("adapted", "source", "translated"),
            ),
        ),
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _PRESETS})
DEFAULT = "spanferry"


def preset_named(name: str) -> Preset:
    """Return a preset of `PRESETS`; raises TrainingError if there is none of this name."""
    if name not in PRESETS:
        raise TrainingError(f"--preset {name}", "no such recipe", f"There are {', '.join(PRESETS)}")
    return PRESETS[name]
