"""What the experiments compare: rows of recipes that differ in one thing each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from projection.errors import TrainingError
from training.tagger.presets import DEFAULT


class Reads(StrEnum):
    """Which sentences of the target language the rows learn from."""

    CORPORA = "corpora"
    TEACHERS = "teachers"
    REVIEWS = "reviews"


class Order(StrEnum):
    """In which order sentences are reviewed."""

    RANDOM = "random order"
    DOUBTFUL_FIRST = "lowest confidence first"


class Reviewed(NamedTuple):
    """How much of the text people have seen, and what they saw first; see `reviewing`."""

    share: float
    order: Order = Order.RANDOM


@dataclass(frozen=True, slots=True)
class Row:
    """A recipe and what it is given.

    `changes` are those of `presets.changed`. `pseudo` is the name of the one corpus (or
    teacher) to learn from, None stands for all corpora together. `sentences` is how many
    pseudo-labelled sentences are drawn, None for as many as in all rows. In a figure `x` is the
    row's place on the axis, and rows of one `series` are joined.
    """

    name: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    pseudo: str | None = None
    sentences: int | None = None
    reviewed: Reviewed | None = None
    x: float | None = None
    series: str = ""


MakeRows = Callable[[str, Sequence[str], Sequence[float]], tuple[Row, ...]]
"""Rows from the recipe, the names of corpora or teachers, and the places on the axis."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A table or a figure.

    `repeats` is what of the paper it measures anew, nothing for what the paper has not. `preset` is
    the recipe of all rows, None where rows are recipes. `axis` says what the places `at` count;
    without it there are none. `ours` is the row that should be ahead, if there is one.
    """

    name: str
    title: str
    make: MakeRows
    repeats: str = ""
    preset: str | None = None
    axis: str = ""
    at: tuple[float, ...] = ()
    reads: Reads = Reads.CORPORA
    ours: str | None = None

    def rows(
        self, names: Sequence[str], preset: str | None = None, at: Sequence[float] = ()
    ) -> tuple[Row, ...]:
        """The rows, by another recipe or at other places if these are given.

        Raises:
            TrainingError: if the experiment has no such choice.
        """
        if preset is not None and self.preset is None:
            raise TrainingError("--preset", f"the rows of {self.name} are recipes themselves")
        if at and not self.at:
            raise TrainingError("--at", f"{self.name} has no axis")
        return self.make(preset or self.preset or "", names, tuple(at) or self.at)


RECIPES = (
    ("zero-transfer", "li2021-zero-transfer"),
    ("li2021", "li2021"),
    ("spanferry", DEFAULT),
)
ABLATION = (
    ("sequential RW", "li2021-sequential-rw"),
    ("zero-transfer", "li2021-zero-transfer"),
    ("sequential CE", "li2021-sequential-ce"),
    ("skip English", "li2021-skip-english"),
    ("mixed CE", "li2021-mixed-ce"),
    ("mixed RW", "li2021-mixed-rw"),
    ("spanferry", DEFAULT),
)
OURS = (
    Row("spanferry", DEFAULT),
    Row("without translated English", DEFAULT, {"translated.sentences": 0}),
    Row("without confidence", DEFAULT, {"pseudo.confidence": False}),
    Row("generalised cross entropy", DEFAULT, {"target.loss": "gce"}),
    Row("one epoch", DEFAULT, {"target.epochs": 1}),
    Row("li2021", "li2021"),
    Row("li2021, four epochs", "li2021", {"target.epochs": 4}),
    Row("li2021, four epochs of cross entropy", "li2021-sequential-ce", {"target.epochs": 4}),
)
TOGETHER = "together"


def _recipes(recipes: Sequence[tuple[str, str]]) -> MakeRows:
    return lambda _preset, _names, _at: tuple(Row(name, preset) for name, preset in recipes)


def _one_by_one(preset: str, names: Sequence[str], _at: Sequence[float]) -> tuple[Row, ...]:
    return (*(Row(name, preset, pseudo=name) for name in names), Row(TOGETHER, preset))


def _teachers(preset: str, names: Sequence[str], _at: Sequence[float]) -> tuple[Row, ...]:
    return tuple(Row(name, preset, pseudo=name) for name in names)


def _sizes(preset: str, _names: Sequence[str], at: Sequence[float]) -> tuple[Row, ...]:
    return tuple(
        Row(f"{n:,.0f} sentences", preset, sentences=int(n), x=n, series=preset) for n in at
    )


def _numbers(setting: str, shown: str) -> MakeRows:
    """Rows that differ in one number of the recipe."""

    def make(preset: str, _names: Sequence[str], at: Sequence[float]) -> tuple[Row, ...]:
        return tuple(
            Row(shown.format(n), preset, {setting: f"{n:g}"}, x=n, series=preset) for n in at
        )

    return make


def _reviews(preset: str, _names: Sequence[str], at: Sequence[float]) -> tuple[Row, ...]:
    parts = [
        Row(f"{order}, {100 * share:g} %", preset, reviewed=Reviewed(share, order), series=order)
        for order in Order
        for share in sorted(at)
    ]
    nothing = Row("pseudo-labels only", preset, reviewed=Reviewed(0.0))
    return (nothing, *parts, Row("all corrected", preset, reviewed=Reviewed(1.0)))


_EXPERIMENTS = (
    Experiment(
        "transfer",
        "The English model as it is, the paper's recipe and ours",
        _recipes(RECIPES),
        repeats="Table 1",
        ours=DEFAULT,
    ),
    Experiment(
        "domains",
        "Parallel corpora one by one and together",
        _one_by_one,
        repeats="Table 2, Figures 3 and 4",
        preset="li2021",
    ),
    Experiment(
        "ablation",
        "What each part of the paper's recipe is good for",
        _recipes(ABLATION),
        repeats="Table 3",
        ours=DEFAULT,
    ),
    Experiment(
        "recipe",
        "What each part of our recipe is good for, and what more passes are",
        lambda _preset, _names, _at: OURS,
        ours=DEFAULT,
    ),
    Experiment(
        "size",
        "How many pseudo-labelled sentences are enough",
        _sizes,
        repeats="the impact of corpus size",
        preset="li2021",
        axis="pseudo-labelled sentences",
        at=(5_000, 10_000, 20_000, 40_000, 80_000, 120_000, 160_000, 200_000),
    ),
    Experiment(
        "frozen-layers",
        "How many lower layers to leave as they are",
        _numbers("freeze", "{:g} layers"),
        repeats="the choice of 0, 3 or 6",
        preset="li2021",
        axis="frozen layers",
        at=(0, 3, 6),
    ),
    Experiment(
        "gamma",
        "How strongly the re-weighted loss prefers what the model believes",
        _numbers("gamma", "γ = {:g}"),
        repeats="the choice of γ from 1 to 5",
        preset="li2021",
        axis="γ of (1+p)^γ",
        at=(1, 2, 3, 4, 5),
    ),
    Experiment(
        "teachers",
        "English models as teachers, monolingual and multilingual",
        _teachers,
        preset="li2021",
        reads=Reads.TEACHERS,
    ),
    Experiment(
        "review-effort",
        "What reviewing is worth, and where to begin",
        _reviews,
        preset=DEFAULT,
        axis="reviewed sentences",
        at=(0.125, 0.25, 0.5),
        reads=Reads.REVIEWS,
    ),
)

EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType({each.name: each for each in _EXPERIMENTS})
