"""Experiment definitions: rows, axis and published scores, read from TOML files."""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from projection.errors import TrainingError
from projection.io.json_fields import Fields

DEFINITIONS = Path(str(resources.files("training.experiments"))) / "definitions"
NAMES = tuple(sorted(path.stem for path in DEFINITIONS.glob("*.toml")))

Record = TypeVar("Record")


class Reads(StrEnum):
    """What the rows learn from: sentences of the target language, or silver data for aligners."""

    CORPORA = "corpora"
    TEACHERS = "teachers"
    REVIEWS = "reviews"
    SILVER = "silver"


class ReviewOrder(StrEnum):
    """The order in which sentences are reviewed."""

    RANDOM = "random order"
    DOUBTFUL_FIRST = "lowest confidence first"


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """A recipe or an aligner, and what it is given.

    `preset` is a tagger's recipe; or `paper-pair`, `context-joint`, `exact-match`, `eflomal`, or an
    aligner that the data name. `set` has changes for `presets.changed`, or fields of a `Decoding`.
    `corpus` is the one corpus (or teacher) to learn from, None for all. `sentences` pseudo-labelled
    sentences are drawn, None for as many as in all rows. The share `reviewed` is corrected before
    training. `x` is the place on the axis; a plot joins the rows of one `series`. A row that is
    `apart` is never marked as the best.
    """

    name: str
    preset: str = ""
    set: Mapping[str, Any] = field(default_factory=dict)
    corpus: str | None = None
    sentences: int | None = None
    reviewed: float | None = None
    order: ReviewOrder = ReviewOrder.RANDOM
    x: float | None = None
    series: str = ""
    apart: bool = False

    def __post_init__(self) -> None:
        if not self.preset:
            raise ValueError("names no preset, and the experiment has none")
        if self.reviewed is not None and not 0 <= self.reviewed <= 1:
            raise ValueError(f"{self.reviewed} reviewed is not a share of the sentences")


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """An F1 in per cent, as its source gives it."""

    column: str
    f1: float
    test: str
    system: str
    source: str


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
    name none. `axis` says what the places `at` count. The others are compared with the row `ours`.
    In the templates `rows`, `{name}` makes a row of each corpus, teacher or aligner that the data
    name, `{at}` or `{percent}` a row of each place; `{preset}` is the recipe.
    """

    name: str
    title: str
    reads: Reads
    rows: tuple[Fields, ...]
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

    def expand(
        self, names: Sequence[str], preset: str | None = None, at: Sequence[float] = ()
    ) -> tuple[ExperimentRow, ...]:
        """Return the rows, by another recipe or at other places if these are given.

        Raises:
            TrainingError: if the experiment has no such choice, or a row is not valid.
        """
        if preset is not None and self.preset is None:
            raise TrainingError("--preset", f"the rows of {self.name} are recipes themselves")
        if at and not self.at:
            raise TrainingError("--at", f"{self.name} has no axis")
        found: dict[str, ExperimentRow] = {}
        for template in self.rows:
            for row in _expanded(template, names, sorted(at or self.at), preset or self.preset):
                if row.name in found:
                    raise template.error("name", f"two rows are named {row.name!r}")
                found[row.name] = row
        return tuple(found.values())


def read_experiment(name_or_path: str) -> Experiment:
    """Read an experiment that ships with the package, or a TOML file of your own.

    Raises:
        TrainingError: naming file and key, if there is none or it is not valid.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if name_or_path not in NAMES:
            fix = f"There are {', '.join(NAMES)}; or name a TOML file"
            raise TrainingError(f"experiment {name_or_path}", "no such experiment", fix)
        path = DEFINITIONS / f"{name_or_path}.toml"
    table = read_toml(path)
    experiment = record_of(Experiment, table, name=path.stem)
    names = [row.name for row in experiment.expand(["name"])]
    if experiment.ours and experiment.ours not in names:
        raise table.error("ours", f"no row {experiment.ours!r}", f"There are {', '.join(names)}")
    return experiment


def read_toml(path: Path) -> Fields:
    """Read a TOML file.

    Raises:
        TrainingError: if it is not there or not TOML.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(str(path), "no such file", "See docs/reproducing.md") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(str(path), f"is not TOML ({error})") from error
    return Fields(content, str(path), TrainingError)


def record_of(kind: type[Record], table: Fields, **given: Any) -> Record:
    """Build a dataclass from a table whose keys are its fields, beside those that are `given`.

    Raises:
        TrainingError: at an unknown or missing key, or a value that the field cannot hold.
    """
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind) if f.name not in given}  # type: ignore[arg-type]
    for key in table.row:
        if key not in known:
            raise table.error(key, "no such key", f"There are {', '.join(known)}")
    for key, each in known.items():
        if key in table.row or (each.default is MISSING and each.default_factory is MISSING):
            given[key] = READERS[hints[key]](table, key)
    try:
        return kind(**given)
    except ValueError as error:
        raise table.error_here(str(error)) from error


def _numbers(table: Fields, key: str) -> tuple[float, ...]:
    found = table.row[key]
    if not isinstance(found, list) or not all(isinstance(n, int | float) for n in found):
        raise table.error(key, f"{found!r} is not a list of numbers")
    return tuple(map(float, found))


def _texts(table: Fields, key: str) -> tuple[str, ...]:
    """Read a text or a list of them."""
    found = table.row[key]
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise table.error(key, f"{found!r} is neither a text nor a list of them")
    return tuple(texts)


def _flag(table: Fields, key: str) -> bool:
    if not isinstance(table.row[key], bool):
        raise table.error(key, f"{table.row[key]!r} is neither true nor false")
    return bool(table.row[key])


def _published(table: Fields, key: str) -> tuple[PublishedScore, ...]:
    return tuple(record_of(PublishedScore, each) for each in table.children(key))


READERS: dict[Any, Callable[[Fields, str], Any]] = {
    str: Fields.text,
    str | None: Fields.text_or_none,
    int: Fields.integer,
    int | None: Fields.integer_or_none,
    float: Fields.number,
    float | None: Fields.number_or_none,
    bool: _flag,
    Mapping[str, Any]: lambda table, key: table.child(key).row,
    tuple[str, ...]: _texts,
    tuple[float, ...]: _numbers,
    tuple[Fields, ...]: lambda table, key: tuple(table.children(key)),
    tuple[PublishedScore, ...]: _published,
    Reads: lambda table, key: table.choice(key, Reads),
    ReviewOrder: lambda table, key: table.choice(key, ReviewOrder),
}


def _expanded(
    template: Fields, names: Sequence[str], places: Sequence[float], preset: str | None
) -> Iterator[ExperimentRow]:
    text = repr(template.row)
    on_axis = "{at" in text or "{percent" in text
    for name in names if "{name}" in text else [""]:
        for at in places if on_axis else [0.0]:
            given = {"name": name, "at": at, "percent": 100 * at, "preset": preset}
            try:
                filled = _filled(template.row, given)
            except (KeyError, IndexError, ValueError) as error:
                fix = "Placeholders are {name}, {at}, {percent} and {preset}"
                raise template.error_here(f"cannot be filled in ({error})", fix) from error
            row = {"preset": preset or "", **filled}
            yield record_of(ExperimentRow, replace(template, row=row), x=at if on_axis else None)


def _filled(value: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(each, given) for key, each in value.items()}
    if value == "{at}":
        return int(given["at"]) if given["at"] == int(given["at"]) else given["at"]
    return value.format(**given) if isinstance(value, str) else value
