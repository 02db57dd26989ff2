"""Experiment definitions: rows, axis and published scores, read from TOML files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from projection import toml_records
from projection.errors import TrainingError
from projection.io.records_json import Json
from projection.toml_records import ONLY_FIELDS, Record

DEFINITIONS = Path(str(resources.files("training.experiments"))) / "definitions"
NAMES = tuple(sorted(path.stem for path in DEFINITIONS.glob("*.toml")))

_SEE = "See docs/reproducing.md"


class Reads(StrEnum):
    """What the rows learn from: sentences of the target language, or silver data for aligners.

    From gold nothing is learned: reviewed is a corpus with gold.
    """

    CORPORA = "corpora"
    TEACHERS = "teachers"
    REVIEWS = "reviews"
    SILVER = "silver"
    GOLD = "gold"


class ReviewOrder(StrEnum):
    """The order in which sentences are reviewed; the last is that of `spanferry push`."""

    RANDOM = "random order"
    DOUBTFUL_FIRST = "lowest confidence first"
    DOUBTFUL_PHRASES = "doubtful phrases first"


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """A recipe or an aligner, and what it is given.

    `preset` is a tagger's recipe; or `paper-pair`, `context-joint`, `exact-match`, `eflomal`, or an
    aligner that the data name. `set` has changes for `changed`, or fields of a `Decoding`.
    `corpus` is the one corpus (or teacher) to learn from, None for all. `sentences` pseudo-labelled
    sentences are drawn, None for as many as in all rows. What is reviewed in so many `minutes` is
    corrected first; inf is everything. `x` is the place on the axis; a plot gives the rows of one
    `series` one colour. A row that is `apart` is never marked as the best.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ONLY_FIELDS
    name: str
    preset: str = ""
    set: Mapping[str, Any] = field(default_factory=dict)
    corpus: str | None = None
    sentences: int | None = None
    minutes: float | None = None
    order: ReviewOrder = ReviewOrder.RANDOM
    x: float | None = None
    series: str = ""
    apart: bool = False

    def __post_init__(self) -> None:
        if not self.preset:
            raise ValueError("names no preset, and the experiment has none")
        if self.minutes is not None and not self.minutes >= 0:
            raise ValueError(f"minutes: {self.minutes} is below 0")


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """An F1 in per cent, as its source gives it; precision and recall where it has them."""

    __pydantic_config__: ClassVar[ConfigDict] = ONLY_FIELDS
    column: str
    f1: float
    test: str
    system: str
    source: str
    precision: float | None = None
    recall: float | None = None


@dataclass(frozen=True, slots=True)
class ExperimentOptions:
    """What is the same for all rows of one run.

    `base` None leaves every recipe its own. At most `sentences` of each part of the data (of silver
    data: of each language) are drawn, and the first `scored` are scored. `at`, `columns` and `rows`
    empty stand for all; `seeds` empty for as many as the experiment says, from 0 on.
    """

    seeds: tuple[int, ...] = ()
    base: str | None = None
    sentences: int | None = None
    scored: int | None = None
    set: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    at: tuple[float, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Experiment:
    """A table or a figure.

    `repeats` is the part of the paper that is measured again. `preset` is the recipe of rows that
    name none. `axis` says what the places `at` count. The others are compared with the row `ours`,
    or with the row of the series `ours` at their place.
    In the templates `rows`, `{name}` makes a row of each corpus, teacher or aligner that the data
    name, `{at}` or `{percent}` a row of each place; `{preset}` is the recipe.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ONLY_FIELDS
    file: str
    title: str
    reads: Reads
    rows: tuple[Mapping[str, Any], ...]
    repeats: str = ""
    preset: str | None = None
    axis: str = ""
    at: tuple[float, ...] = ()
    ours: str = ""
    seeds: int = 3
    set: Mapping[str, Any] = field(default_factory=dict)
    published: tuple[PublishedScore, ...] = ()

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds: {self.seeds} is not above 0")

    @property
    def name(self) -> str:
        """The name of the file."""
        return Path(self.file).stem

    def expand(
        self, names: Sequence[str], preset: str | None = None, at: Sequence[float] = ()
    ) -> tuple[ExperimentRow, ...]:
        """Return the rows, by another recipe or at other places if these are given.

        Raises TrainingError if the experiment has no such choice, or a row is not valid.
        """
        if preset is not None and self.preset is None:
            raise TrainingError("--preset", f"the rows of {self.name} are recipes themselves")
        if at and not self.at:
            raise TrainingError("--at", f"{self.name} has no axis")
        found: dict[str, ExperimentRow] = {}
        for number, template in enumerate(self.rows):
            where, places = f"{self.file} rows[{number}]", sorted(at or self.at)
            for row in _expanded(template, where, names, places, preset or self.preset):
                if row.name in found:
                    raise TrainingError(f"{where} name", f"two rows are named {row.name!r}")
                found[row.name] = row
        return tuple(found.values())


def read_experiment(name_or_path: str) -> Experiment:
    """Read an experiment that ships with the package, or a TOML file of your own.

    Raises TrainingError, naming file and key, if there is none or it is not valid.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if name_or_path not in NAMES:
            fix = f"There are {', '.join(NAMES)}; or name a TOML file"
            raise TrainingError(f"experiment {name_or_path}", "no such experiment", fix)
        path = DEFINITIONS / f"{name_or_path}.toml"
    experiment = record_of(Experiment, {**read_toml(path), "file": str(path)}, str(path))
    rows = experiment.expand(["name"])
    names = [*dict.fromkeys([row.name for row in rows] + [r.series for r in rows if r.series])]
    if experiment.ours and experiment.ours not in names:
        fix = f"There are {', '.join(names)}"
        raise TrainingError(f"{path} ours", f"no row {experiment.ours!r}", fix)
    return experiment


def read_toml(path: Path) -> Json:
    """Read a TOML file; raises TrainingError if it is not there or not TOML."""
    return toml_records.read_toml(path, TrainingError, _SEE)


def record_of(kind: type[Record], table: Mapping[str, Any], where: str) -> Record:
    """Build a dataclass of a table; raises TrainingError as `toml_records.record_of` says."""
    return toml_records.record_of(kind, table, where, TrainingError, _SEE)


def _expanded(
    template: Mapping[str, Any],
    where: str,
    names: Sequence[str],
    places: Sequence[float],
    preset: str | None,
) -> Iterator[ExperimentRow]:
    text = repr(template)
    on_axis = "{at" in text or "{percent" in text
    for name in names if "{name}" in text else [""]:
        for at in places if on_axis else [0.0]:
            given = {"name": name, "at": at, "percent": 100 * at, "preset": preset}
            try:
                filled = _filled(template, given)
            except (KeyError, IndexError, ValueError) as error:
                fix = "Placeholders are {name}, {at}, {percent} and {preset}"
                raise TrainingError(where, f"cannot be filled in ({error})", fix) from error
            row = {"preset": preset or "", **filled, "x": at if on_axis else None}
            yield record_of(ExperimentRow, row, where)


def _filled(value: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(each, given) for key, each in value.items()}
    if value == "{at}":
        return int(given["at"]) if given["at"] == int(given["at"]) else given["at"]
    return value.format(**given) if isinstance(value, str) else value
