"""Which data an experiment is run on, as a small TOML file says. Nothing is read yet.

    english = "conll2003/train.iob2"
    rename = { OTH = "MISC" }
    ignore = ["*deriv", "*part"]

    [languages.de]
    test = "germeval/test.iob2"

    [languages.de.corpora]
    newstest = "runs/newstest-de"
    europarl = { source = "europarl.en", target = "europarl.de", limit = 40_000 }
    books = { from = "opus:opus_books/de-en", limit = 20_000 }

Paths are relative to the file, or begin with a variable of the environment that names a folder:
`$DATA/conll2003/train.iob2`. `sources` says what may stand where data are named.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from projection.errors import TrainingError
from training.data.rows import AS_IS, LabelMap

OPUS, HUB = "opus:", "hub:"


@dataclass(frozen=True, slots=True)
class Corpus:
    """Pseudo-labelled sentences, or a parallel corpus they are to be made from.

    `place` is a run folder, labelled data, or `opus:…`; None where `pair` names two files. The rest
    is for what has to be projected: how many sentences at most, and by which models (None: the
    bundled ones).
    """

    name: str
    place: str | None = None
    pair: tuple[Path, Path] | None = None
    limit: int | None = None
    teacher: str | None = None
    aligner: str | None = None

    @property
    def is_projected_first(self) -> bool:
        """Whether it is text that has no labels yet."""
        return self.pair is not None or str(self.place).startswith(OPUS)


@dataclass(frozen=True, slots=True)
class Language:
    """The data of a target language.

    `reviews` are projection gold, from which people are simulated; of it the share
    `reviews_held_out` is what they are judged on (0: `test`).
    """

    lang: str
    test: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    corpora: Mapping[str, Corpus] = field(default_factory=dict)
    teachers: Mapping[str, Corpus] = field(default_factory=dict)
    reviews: tuple[str, ...] = ()
    reviews_held_out: float = 0.0


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What a file names. `labels` holds for all data, `projected` is where projections are kept."""

    file: Path
    english: tuple[str, ...]
    languages: Mapping[str, Language]
    projected: Path
    labels: LabelMap = AS_IS

    def of(self, langs: Sequence[str] = ()) -> tuple[Language, ...]:
        """The languages asked for, or all.

        Raises:
            TrainingError: if one is not there.
        """
        for lang in langs:
            if lang not in self.languages:
                fix = f"There are {', '.join(self.languages)}"
                raise TrainingError(str(self.file), f"has no language {lang}", fix)
        return tuple(self.languages[lang] for lang in langs or self.languages)


def read_config(path: Path) -> DataConfig:
    """Read a file.

    Raises:
        TrainingError: naming file and key, if it is not there, is not TOML, or says what cannot be.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(str(path), "no such file", "See docs/experiments") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(str(path), f"is not TOML ({error})") from error
    table = _Table(content, str(path), path.parent)
    table.only("english", "languages", "rename", "ignore", "projected")
    languages = table.child("languages")
    if not languages.content:
        raise TrainingError(str(path), "names no language", "Add [languages.de]")
    return DataConfig(
        file=path,
        english=table.places("english"),
        languages={lang: _language(lang, languages.child(lang)) for lang in languages.content},
        projected=table.path("projected", "projected"),
        labels=LabelMap(table.child("rename").all_texts(), table.texts("ignore")),
    )


def _language(lang: str, table: "_Table") -> Language:
    table.only(
        "test", "dev", "unlabelled", "corpora", "teachers", "reviews", "reviews_held_out"
    )  # fmt: skip
    share = table.number("reviews_held_out", 0.0)
    if not 0 <= share < 1:
        raise table.error("reviews_held_out", f"{share} is not a share of the sentences")
    return Language(
        lang=lang,
        test=table.places("test"),
        dev=table.places("dev"),
        unlabelled=table.places("unlabelled"),
        corpora=_corpora(table.child("corpora")),
        teachers=_corpora(table.child("teachers")),
        reviews=table.places("reviews"),
        reviews_held_out=share,
    )


def _corpora(table: "_Table") -> dict[str, Corpus]:
    return {name: _corpus(name, table) for name in table.content}


def _corpus(name: str, parent: "_Table") -> Corpus:
    if isinstance(parent.content[name], str):
        return Corpus(name, place=parent.places(name)[0])
    table = parent.child(name)
    table.only("from", "source", "target", "limit", "teacher", "aligner")
    named = {key for key in ("from", "source", "target") if key in table.content}
    if named not in ({"from"}, {"source", "target"}):
        raise table.error("", "needs source and target, or from", 'Such as from = "opus:…"')
    limit = table.content.get("limit")
    if limit is not None and not (isinstance(limit, int) and limit > 0):
        raise table.error("limit", f"{limit!r} is no number of sentences")
    return Corpus(
        name,
        place=table.places("from")[0] if "from" in named else None,
        pair=(table.path("source"), table.path("target")) if "source" in named else None,
        limit=limit,
        teacher=table.model("teacher"),
        aligner=table.model("aligner"),
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the file that knows where it stands, for errors."""

    content: Mapping[str, Any]
    where: str
    folder: Path

    def error(self, key: str, what: str, fix: str = "") -> TrainingError:
        return TrainingError(f"{self.where} {key}".rstrip(), what, fix)

    def only(self, *known: str) -> None:
        for key in self.content:
            if key not in known:
                raise self.error(key, "no such key", f"There are {', '.join(known)}")

    def child(self, key: str) -> "_Table":
        found = self.content.get(key, {})
        if not isinstance(found, dict):
            raise self.error(key, f"{found!r} is not a table")
        joint = "." if " " in self.where else " "
        return _Table(found, f"{self.where}{joint}{key}", self.folder)

    def text(self, key: str, default: str) -> str:
        found = self.content.get(key, default)
        if not isinstance(found, str) or not found:
            raise self.error(key, f"{found!r} is not a text")
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """A text or a list of them."""
        found = self.content.get(key, [])
        found = [found] if isinstance(found, str) else found
        if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
            raise self.error(key, f"{found!r} is neither a text nor a list of them")
        return tuple(found)

    def all_texts(self) -> dict[str, str]:
        return {key: self.text(key, "") for key in self.content}

    def number(self, key: str, default: float) -> float:
        found = self.content.get(key, default)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise self.error(key, f"{found!r} is not a number")
        return float(found)

    def path(self, key: str, default: str = "") -> Path:
        return self._path(key, self.text(key, default))

    def _path(self, key: str, text: str) -> Path:
        """From here, unless it begins with a variable: that one's from where the user is."""
        if not text.startswith("$"):
            return self.folder / text
        name, _, rest = text.removeprefix("$").partition("/")
        if not os.environ.get(name):
            raise self.error(key, f"there is no variable {name}", f"Such as export {name}=data")
        return Path(os.environ[name]).absolute() / rest

    def places(self, key: str) -> tuple[str, ...]:
        """Names of data, those that are paths from here."""
        return tuple(self._place(key, text) for text in self.texts(key))

    def _place(self, key: str, text: str) -> str:
        if text.startswith(HUB):
            name, colon, rest = text.removeprefix(HUB).partition(":")
            return HUB + self._if_here(name) + colon + rest
        if text.startswith(OPUS):
            name, slash, pair = text.removeprefix(OPUS).rpartition("/")
            return OPUS + self._if_here(name) + slash + pair
        return str(self._path(key, text))

    def model(self, key: str) -> str | None:
        """A model's folder from here, or its name as it is."""
        return self._if_here(self.text(key, "")) if key in self.content else None

    def _if_here(self, name: str) -> str:
        return str(self.folder / name) if (self.folder / name).is_dir() else name
