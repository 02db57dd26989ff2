"""The results of an experiment: a cell for every row and column, with its spread over the seeds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from scipy.stats import ttest_rel

from projection.io.records_json import Json
from training.experiments.definition import Experiment, ExperimentOptions, ExperimentRow
from training.tagger.seeds import MEASURES, SeedSpread

SCHEMA = 2
LEVEL = 0.95  # of the intervals over the seeds


@dataclass(frozen=True, slots=True)
class Cell:
    """A row in one column: a language, or a gold file.

    `runs` has a record for each seed: `scores`, `learned_from` (sentences of each part in each
    stage), `steps`, `base`, `seconds`, and the counts of simulated `reviews`.
    """

    row: ExperimentRow
    column: str
    runs: Mapping[int, Mapping[str, Any]]

    @property
    def x(self) -> float | None:
        """The place on the axis: what the row says, or how long all reviews take."""
        reviews = next(iter(self.runs.values()))["reviews"]
        return float(reviews["minutes"]) if self.row.x is None and reviews else self.row.x

    def spread(self, measure: str = "f1") -> SeedSpread:
        """Return F1, precision or recall, as fractions."""
        return SeedSpread.of([run["scores"][measure] for run in self.runs.values()])

    @property
    def whiskers(self) -> tuple[float, float]:
        """One deviation around the mean F1; of a single seed, its interval if that was drawn."""
        (run, *_) = self.runs.values()
        if len(self.runs) == 1 and (interval := run["scores"].get("f1_interval")) is not None:
            return interval["low"], interval["high"]
        deviation = self.spread().deviation or 0.0
        return self.spread().mean - deviation, self.spread().mean + deviation

    def to_json(self) -> Json:
        """Convert to JSON, with every run."""
        return {
            "row": self.row.name,
            "column": self.column,
            "preset": self.row.preset,
            "series": self.row.series,
            "x": self.x,
            **{measure: self.spread(measure).to_json() for measure in MEASURES},
            "runs": {str(seed): dict(run) for seed, run in self.runs.items()},
        }


class SeedComparison(NamedTuple):
    """The lead of our row over another in one column, over the seeds.

    `lead` is the mean difference in F1, with its deviation. `interval` is its 95 % confidence
    interval by the paired t-test (a seed draws the same data in all rows); None where there are
    fewer than two seeds, or all differences are alike.
    """

    column: str
    over: str
    lead: SeedSpread
    interval: tuple[float, float] | None

    @property
    def beyond_chance(self) -> bool | None:
        """True if the interval excludes 0; None without an interval."""
        return None if self.interval is None else not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True, slots=True)
class Results:
    """All cells, in the order of the rows; `skipped` holds the reason for each missing one."""

    experiment: Experiment
    options: ExperimentOptions
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]
    skipped: Mapping[str, str]
    data: str

    def cell(self, row: str, column: str) -> Cell | None:
        """Return the cell of a row by its name."""
        cells = (c for c in self.cells if c.row.name == row and c.column == column)
        return next(cells, None)

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of the rows that have a cell."""
        return tuple(dict.fromkeys(cell.row.name for cell in self.cells))

    @property
    def published(self) -> list[Json]:
        """Scores that others report in these columns."""
        found = self.experiment.published
        return [asdict(each) for each in found if each.column in self.columns]

    @property
    def ceilings(self) -> dict[str, float]:
        """The best F1 that projection could reach, of each column that has a ceiling."""
        runs = ((cell.column, run) for cell in self.cells for run in cell.runs.values())
        return {c: run["scores"]["ceiling"] for c, run in runs if "ceiling" in run["scores"]}

    @property
    def comparisons(self) -> list[SeedComparison]:
        """Our row against every other, on an axis at its place; empty if there is none of ours."""
        found = []
        for cell in self.cells:
            ours = self._ours(cell)
            if ours is not None and cell.row.name != ours.row.name:
                found.append(compared(ours, cell))
        return found

    def _ours(self, other: Cell) -> Cell | None:
        """Return the cell to compare with another."""
        ours = self.experiment.ours
        for cell in self.cells if ours else ():
            at_place = cell.row.series == ours and cell.row.x == other.row.x
            if cell.column == other.column and (cell.row.name == ours or at_place):
                return cell
        return None

    def to_json(self) -> Json:
        """Convert to JSON, with `measured` and `published` scores apart."""
        return {
            "schema": SCHEMA,
            "experiment": self.experiment.name,
            "repeats": self.experiment.repeats,
            "data": self.data,
            "options": asdict(self.options),
            "measured": [cell.to_json() for cell in self.cells],
            "ceilings": self.ceilings,
            "comparisons": [
                {
                    **each._asdict(),
                    "lead": each.lead.to_json(),
                    "beyond_chance": each.beyond_chance,
                }
                for each in self.comparisons
            ],
            "skipped": dict(self.skipped),
            "published": self.published,
        }


def compared(ours: Cell, other: Cell) -> SeedComparison:
    """Compare two rows of a column, which have the same seeds in the same order."""
    one, two = ours.spread().values, other.spread().values
    lead = SeedSpread.of([a - b for a, b in zip(one, two, strict=True)])
    interval = None
    if lead.deviation:
        found = ttest_rel(one, two).confidence_interval(LEVEL)
        interval = float(found.low), float(found.high)
    return SeedComparison(other.column, other.row.name, lead, interval)
