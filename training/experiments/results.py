"""What an experiment found: a cell for every row and language, with the spread over the seeds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import hypot
from typing import Any

from training.experiments.definition import Experiment, Row
from training.experiments.published import Published, published_for
from training.tagger.seeds import MEASURES, SeedSpread

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for all rows.

    `base` None leaves every recipe its own. At most `sentences` of the English and of the
    pseudo-labelled ones are drawn, each recipe drawing its own way, and the first `scored` of the
    test data are scored. `changes` are those of `presets.changed`; one of a stage that a
    row does not have leaves the row as it is. `preset` and `at` are for `Experiment.rows`. `langs`
    and `rows` (names) empty stand for all.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    base: str | None = None
    sentences: int | None = None
    scored: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    at: tuple[float, ...] = ()
    langs: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A row in a language.

    `runs` has a record a seed: `scores`, `learned_from` (sentences of each part in each stage),
    `base`, `seconds`, and what simulated people did in `reviews`. `x` is its place on the axis.
    """

    row: Row
    lang: str
    x: float | None
    runs: Mapping[int, Mapping[str, Any]]

    def spread(self, measure: str = "f1") -> SeedSpread:
        """Of F1, precision or recall, as fractions."""
        return SeedSpread.of([run["scores"][measure] for run in self.runs.values()])

    def to_json(self) -> dict[str, Any]:
        """With every run."""
        return {
            "row": self.row.name,
            "lang": self.lang,
            "preset": self.row.preset,
            "series": self.row.series,
            "x": self.x,
            **{measure: self.spread(measure).to_json() for measure in MEASURES},
            "runs": {str(seed): dict(run) for seed, run in self.runs.items()},
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far our row is ahead of another in a language, as a fraction of F1.

    It is `beyond` chance if that is more than the deviation of the difference, the root of the sum
    of both squared deviations; None where there is one seed only.
    """

    lang: str
    over: str
    difference: float
    deviation: float | None

    @property
    def beyond(self) -> bool | None:
        """Whether it is ahead by more than one standard deviation."""
        return None if self.deviation is None else self.difference > self.deviation

    def to_json(self) -> dict[str, Any]:
        """A plain object."""
        return {**asdict(self), "beyond": self.beyond}


@dataclass(frozen=True, slots=True)
class Results:
    """All cells, in the order of the rows; `skipped` says of what is not there why."""

    experiment: Experiment
    settings: Settings
    langs: tuple[str, ...]
    cells: tuple[Cell, ...]
    skipped: Mapping[str, str]
    data: str

    def cell(self, row: str, lang: str) -> Cell | None:
        """The cell of a row by its name."""
        return next((c for c in self.cells if c.row.name == row and c.lang == lang), None)

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of the rows that have a cell."""
        return tuple(dict.fromkeys(cell.row.name for cell in self.cells))

    @property
    def published(self) -> tuple[Published, ...]:
        """What the paper, and those it compares with, report in these languages."""
        return published_for(self.experiment.name, self.langs)

    @property
    def verdicts(self) -> list[Verdict]:
        """Our row against every other; none where the experiment has no row of ours."""
        found = []
        for cell in self.cells:
            ours = self.cell(self.experiment.ours or "", cell.lang)
            if ours is not None and cell.row.name != ours.row.name:
                found.append(_verdict(ours, cell))
        return found

    def to_json(self) -> dict[str, Any]:
        """The content of results.json; `measured` and `published` are apart."""
        return {
            "schema": SCHEMA,
            "experiment": self.experiment.name,
            "repeats": self.experiment.repeats,
            "data": self.data,
            "settings": asdict(self.settings) | {"changes": dict(self.settings.changes)},
            "measured": [cell.to_json() for cell in self.cells],
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "skipped": dict(self.skipped),
            "published": [asdict(each) for each in self.published],
        }


def _verdict(ours: Cell, other: Cell) -> Verdict:
    one, two = ours.spread(), other.spread()
    deviation: float | None = None
    if one.deviation is not None and two.deviation is not None:
        deviation = hypot(one.deviation, two.deviation)
    return Verdict(other.lang, other.row.name, one.mean - two.mean, deviation)
