"""The data of an experiment, as a TOML file names them (docs/reproducing.md). Nothing is read yet.

Paths are relative to the file, or begin with an environment variable that names a folder:
`$DATA/conll2003/train.iob2`. `sources` lists what may stand where data are named.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from projection.errors import TrainingError
from projection.io.json_fields import Fields
from training.data.rows import LabelMap
from training.experiments.definition import READERS, read_toml, record_of

AS_WRITTEN = ("rename", "ignore")  # keys of tables and texts that hold no paths
MODELS = ("aligners", "teacher", "aligner")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Pseudo-labelled sentences, or a parallel corpus to project first.

    `place` is a run folder or labelled data; None where `source` and `target` are files. At most
    `limit` sentences are used, projected by these models (None: the bundled ones).
    """

    name: str
    place: str | None = None
    source: str | None = None
    target: str | None = None
    limit: int | None = None
    teacher: str | None = None
    aligner: str | None = None

    def __post_init__(self) -> None:
        if (self.place is None) == (self.source is None) or bool(self.source) != bool(self.target):
            raise ValueError('needs source and target, or from, such as from = "runs/news"')
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit: {self.limit} is no number of sentences")


@dataclass(frozen=True, slots=True)
class Language:
    """The data of a target language.

    `reviews` are gold files for projection, from which reviewers are simulated; models are scored
    on the share `reviews_held_out` of it (0: on `test`).
    """

    lang: str
    corpora: Mapping[str, Corpus] = field(default_factory=dict)
    teachers: Mapping[str, Corpus] = field(default_factory=dict)
    test: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    reviews: tuple[str, ...] = ()
    reviews_held_out: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.reviews_held_out < 1:
            raise ValueError(f"reviews_held_out: {self.reviews_held_out} is not a share below 1")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What a file names; `rename` and `ignore` hold for all data, `projected` keeps projections."""

    file: Path
    english: tuple[str, ...] = ()
    languages: Mapping[str, Language] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    projected: str = ""
    silver: tuple[str, ...] = ()
    gold: tuple[str, ...] = ()
    aligners: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.languages and not self.gold:
            raise ValueError("names no language and no gold. Add [languages.de]")

    @property
    def labels(self) -> LabelMap:
        """How types are renamed and ignored."""
        return LabelMap(self.rename, self.ignore)

    def chosen(self, there: Collection[str], asked: Sequence[str], what: str) -> tuple[str, ...]:
        """Return the names asked for, or all.

        Raises:
            TrainingError: if one is not there.
        """
        for name in asked:
            if name not in there:
                fix = f"There are {', '.join(there)}"
                raise TrainingError(str(self.file), f"has no {what} {name}", fix)
        return tuple(asked or there)


def read_config(path: Path) -> DataConfig:
    """Read a file.

    Raises:
        TrainingError: naming file and key, if it is not there, not TOML, or not valid.
    """
    table = read_toml(path)
    resolved = _resolved({"projected": "projected", **table.row}, "", table, path.parent)
    return record_of(DataConfig, replace(table, row=resolved), file=path)


def files(places: Iterable[str]) -> list[Path]:
    """Return local files; the last part of a name may be a pattern such as `*.jsonl`."""
    found: list[Path] = []
    for path in map(Path, places):
        found += sorted(path.parent.glob(path.name)) if "*" in path.name else [path]
    return found


def _languages(table: Fields, key: str) -> dict[str, Language]:
    named = table.child(key)
    return {lang: record_of(Language, named.child(lang), lang=lang) for lang in named.row}


def _corpora(table: Fields, key: str) -> dict[str, Corpus]:
    named, found = table.child(key), {}
    for name, place in named.row.items():
        row = {"from": place} if isinstance(place, str) else named.child(name).row
        row = {"place" if key == "from" else key: value for key, value in row.items()}
        where = f"{named.where}.{name}"
        found[name] = record_of(Corpus, replace(named, row=row, where=where), name=name)
    return found


def _texts_by_name(table: Fields, key: str) -> dict[str, str]:
    return {name: table.child(key).text(name) for name in table.child(key).row}


READERS |= {
    Mapping[str, Language]: _languages,
    Mapping[str, Corpus]: _corpora,
    Mapping[str, str]: _texts_by_name,
}


def _resolved(value: Any, key: str, table: Fields, folder: Path) -> Any:
    """Return a value of the file with its paths resolved."""
    if isinstance(value, Mapping):
        return {
            name: each
            if name in AS_WRITTEN
            else _resolved(each, key if key in MODELS else name, table, folder)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_resolved(each, key, table, folder) for each in value]
    if not isinstance(value, str) or not value:
        return value
    if key in MODELS:  # a folder if it is there, else a name
        return str(folder / value) if (folder / value).is_dir() else value
    return _place(value, key, table, folder)


def _place(text: str, key: str, table: Fields, folder: Path) -> str:
    if not text.startswith("$"):
        return str(folder / text)
    name, _, rest = text.removeprefix("$").partition("/")
    if not os.environ.get(name):
        raise table.error(key, f"there is no variable {name}", f"Such as export {name}=data")
    return str(Path(os.environ[name]).absolute() / rest)
