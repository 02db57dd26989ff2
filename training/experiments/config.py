"""The data of an experiment, as a TOML file names them (docs/reproducing.md). Nothing is read yet.

Paths are relative to the file, or begin with an environment variable that names a folder:
`$DATA/conll2003/train.iob2`. `sources` lists what may stand where data are named.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, StringConstraints

from projection.errors import TrainingError
from projection.languages import language_tag
from projection.toml_records import ONLY_FIELDS
from training.data.rows import LabelMap
from training.experiments.definition import read_toml, record_of


def _listed(found: Any) -> Any:
    """Accept a text for a list of one."""
    return (
        (found,) if isinstance(found, str) else tuple(found) if isinstance(found, list) else found
    )


Texts = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1)], ...], BeforeValidator(_listed)
]

AS_WRITTEN = ("rename", "ignore")  # keys of tables and texts that hold no paths
MODELS = ("aligners", "teacher", "aligner")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Pseudo-labelled sentences, or a parallel corpus to project first.

    `place` is a run folder or labelled data; None where `source` and `target` are files. At most
    `limit` sentences are used, projected by these models (None: the bundled ones).
    """

    __pydantic_config__: ClassVar[ConfigDict] = ONLY_FIELDS
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

    __pydantic_config__: ClassVar[ConfigDict] = ONLY_FIELDS
    lang: str
    corpora: Mapping[str, Corpus] = field(default_factory=dict)
    teachers: Mapping[str, Corpus] = field(default_factory=dict)
    test: Texts = ()
    dev: Texts = ()
    unlabelled: Texts = ()
    reviews: Texts = ()
    reviews_held_out: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.reviews_held_out < 1:
            raise ValueError(f"reviews_held_out: {self.reviews_held_out} is not a share below 1")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What a file names; `rename` and `ignore` hold for all data, `projected` keeps projections."""

    __pydantic_config__: ClassVar[ConfigDict] = ONLY_FIELDS
    file: Path
    english: Texts = ()
    languages: Mapping[str, Language] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    ignore: Texts = ()
    projected: str = ""
    silver: Texts = ()
    gold: Texts = ()
    aligners: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.languages and not self.gold:
            raise ValueError("names no language and no gold. Add [languages.de]")

    @property
    def labels(self) -> LabelMap:
        """How types are renamed and ignored."""
        return LabelMap(self.rename, self.ignore)

    def chosen(self, there: Collection[str], asked: Sequence[str], what: str) -> tuple[str, ...]:
        """Return the names asked for, or all; raises TrainingError if one is not there."""
        for name in asked:
            if name not in there:
                fix = f"There are {', '.join(there)}"
                raise TrainingError(str(self.file), f"has no {what} {name}", fix)
        return tuple(asked or there)


def read_config(path: Path) -> DataConfig:
    """Read a file.

    Raises TrainingError, naming file and key, if it is not there, not TOML, or not valid;
    LanguageTagError if a language is no tag.
    """
    table = _resolved({"projected": "projected", **read_toml(path)}, "", path)
    languages = table.get("languages")
    for lang, language in languages.items() if isinstance(languages, dict) else ():
        if isinstance(language, dict):  # else the validation refuses it
            language["lang"] = language_tag(lang, f"{path} languages.{lang}")
            for kind in ("corpora", "teachers"):
                if isinstance(named := language.get(kind), dict):
                    language[kind] = {name: _corpus(name, each) for name, each in named.items()}
    return record_of(DataConfig, {**table, "file": str(path)}, str(path))


def _corpus(name: str, found: Any) -> Any:
    """Return the fields of a `Corpus`: a text alone is its place, which is named `from`."""
    row = {"from": found} if isinstance(found, str) else found
    if not isinstance(row, dict):
        return row
    return {"name": name} | {"place" if k == "from" else k: value for k, value in row.items()}


def files(places: Iterable[str]) -> list[Path]:
    """Return local files; the last part of a name may be a pattern such as `*.jsonl`."""
    found: list[Path] = []
    for path in map(Path, places):
        found += sorted(path.parent.glob(path.name)) if "*" in path.name else [path]
    return found


def _resolved(value: Any, key: str, file: Path) -> Any:
    """Return a value of the file with its paths resolved; `key` is that of the text or table."""
    if isinstance(value, Mapping):
        return {
            name: each
            if name in AS_WRITTEN
            else _resolved(each, key if key in MODELS else name, file)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_resolved(each, key, file) for each in value]
    if not isinstance(value, str) or not value:
        return value
    if key in MODELS:  # a folder if it is there, else a name
        return str(file.parent / value) if (file.parent / value).is_dir() else value
    if not value.startswith("$"):
        return str(file.parent / value)
    name, _, rest = value.removeprefix("$").partition("/")
    if not os.environ.get(name):
        fix = f"Such as export {name}=data"
        raise TrainingError(f"{file} {key}", f"there is no variable {name}", fix)
    return str(Path(os.environ[name]).absolute() / rest)
