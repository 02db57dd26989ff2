"""Tagged sentences as a `datasets.Dataset`: read from exports and files, their types renamed."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from datasets import (
    ClassLabel,
    Dataset,
    DatasetDict,
    Features,
    Value,
    concatenate_datasets,
    load_from_disk,
)
from datasets import Sequence as ListOf

from projection.errors import TrainingError
from projection.records import ReviewedSentence
from training.data.adjudication import newest_decisions
from training.data.iob2 import (
    OUTSIDE,
    Misfit,
    TaggedSentence,
    encode,
    labels_of,
    read_iob2,
    tag_names,
)
from training.data.reviewed import read_reviews

# Of an export folder; training.export.export says what is in them.
IOB2, DATASET, SUMMARY = "data.iob2", "dataset", "summary.json"
GOLD = "gold"  # the status of what came without one
UNDETERMINED = "und"  # the language of what does not say, in BCP 47
UNKNOWN = "unknown"  # a label's origin, in exports that did not keep it


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence ready for training: parallel tokens and IOB2 tags, and where they came from.

    `label_origin` is parallel to both and says how each label came about (`LabelOrigin`), nothing
    where there is none; it is empty where that is not known of any. `confidence` is parallel, too:
    the probability that the entity a token is in is right, 1 outside of entities; it is empty where
    nothing was projected. `margin` is how parallel the sentence and its source are, where the
    corpus says so.
    """

    id: str
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    lang: str = UNDETERMINED
    status: str = GOLD
    annotator: str = ""
    model_version: str = ""
    origin: str = ""
    label_origin: tuple[str, ...] = ()
    confidence: tuple[float, ...] = ()
    margin: float | None = None

    @property
    def tagged(self) -> TaggedSentence:
        """The sentence for an IOB2 file, with what comments say of it."""
        comments = {"sent_id": self.id, "lang": self.lang, "status": self.status}
        if self.entity_origins:
            comments["label_origin"] = " ".join(self.entity_origins)
        return TaggedSentence(self.tokens, self.tags, comments=comments)

    @property
    def entity_origins(self) -> list[str]:
        """`label_origin` of each entity, `unknown` where it is not known."""
        origins = zip(self.tags, self.origins, strict=True)
        return [origin or UNKNOWN for tag, origin in origins if tag.startswith("B-")]

    @property
    def corpus(self) -> str:
        """The file it comes from: its origin without the line."""
        return self.origin.rpartition(":")[0] or self.origin

    @property
    def has_entity(self) -> bool:
        """Whether any of its tokens is in one."""
        return any(tag != OUTSIDE for tag in self.tags)

    @property
    def origins(self) -> tuple[str, ...]:
        """`label_origin`, with nothing for every token where it is not known."""
        return self.label_origin or ("",) * len(self.tokens)


def row_of(review: ReviewedSentence) -> tuple[Row, tuple[Misfit, ...]]:
    """A review as a row, which may have no tokens, and what IOB2 could not hold of it."""
    pair = review.sentence
    encoded = encode(pair.target, review.entities, pair.target_lang)
    origins = [each.origin.value for each in review.provenance] or [UNKNOWN] * len(review.entities)
    of_tokens = tuple("" if owner is None else origins[owner] for owner in encoded.owners)
    row = Row(
        id=pair.id,
        tokens=encoded.tokens,
        tags=encoded.tags,
        lang=pair.target_lang,
        status=review.status.value,
        annotator=review.annotator,
        model_version=review.model_version or "",
        origin=pair.origin,
        label_origin=of_tokens if any(of_tokens) else (),
    )
    return row, encoded.misfits


def dataset_of(rows: Sequence[Row], labels: Iterable[str] = ()) -> Dataset:
    """Rows as a `datasets.Dataset`; `tags` is a ClassLabel over `labels` and all types found.

    `confidence` and `margin` are columns if any row has them.
    """
    names = tag_names({*labels, *labels_of(tag for row in rows for tag in row.tags)})
    text, number_of = Value("string"), Value("float64")
    columns_of = {
        "id": text,
        "tokens": ListOf(text),
        "tags": ListOf(ClassLabel(names=names)),
        "lang": text,
        "status": text,
        "annotator": text,
        "model_version": text,
        "origin": text,
        "label_origin": ListOf(text),
    }
    if any(row.confidence for row in rows):
        columns_of["confidence"] = ListOf(number_of)
    if any(row.margin is not None for row in rows):
        columns_of["margin"] = number_of
    features = Features(columns_of)
    number = {name: i for i, name in enumerate(names)}
    columns: dict[str, list[Any]] = {
        column: [getattr(row, column) for row in rows] for column in features
    }
    columns["tags"] = [[number[tag] for tag in row.tags] for row in rows]
    columns["label_origin"] = [row.origins for row in rows]
    return Dataset.from_dict(columns, features=features)


def tag_names_of(dataset: Dataset) -> list[str]:
    """The names behind the numbers in the `tags` column.

    Raises:
        TrainingError: if there are none.
    """
    feature = dataset.features.get("tags")
    names = getattr(getattr(feature, "feature", None), "names", None)
    if names is None or "tokens" not in dataset.features:
        raise TrainingError(
            "dataset",
            f"needs tokens and tags (a list of ClassLabel), has {', '.join(dataset.features)}",
            "Load it with training.data.dataset.load_export",
        )
    return list(names)


def rows_of(dataset: Dataset) -> list[Row]:
    """The sentences of a dataset, with their tags by name; missing columns keep their defaults."""
    names = tag_names_of(dataset)
    columns = dataset.to_dict()
    columns.setdefault("id", [str(i) for i in range(len(dataset))])
    columns["tokens"] = map(tuple, columns["tokens"])
    columns["tags"] = (tuple(names[tag] for tag in tags) for tags in columns["tags"])
    if "label_origin" in columns:
        columns["label_origin"] = (
            tuple(found) if any(found) else () for found in columns["label_origin"]
        )
    if "confidence" in columns:
        columns["confidence"] = map(tuple, columns["confidence"])
    kept = [field.name for field in fields(Row) if field.name in columns]
    values = zip(*(columns[name] for name in kept), strict=True)
    return [Row(**dict(zip(kept, row, strict=True))) for row in values]


def load_export(path: Path, part: str | None = None) -> Dataset:
    """Read an export folder, a saved dataset, a `reviewed.jsonl`, or an IOB2 file.

    Args:
        path: of any of these.
        part: `train`, `validation` or `test`, of a folder that was split. What was not split is all
            there is, and read whole.

    Raises:
        CorpusError: naming file and line, if a file is not what it claims to be.
        TrainingError: if the path is none of these, or was split and nothing is in that part.
    """
    if not path.exists():
        raise TrainingError(str(path), "does not exist", "Make one with `spanferry export`")
    if path.is_dir():
        return _load_folder(path, part)
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        decisions = newest_decisions(read_reviews(path))
        was_split = len({r.part for r in decisions if r.part is not None}) > 1
        wanted = [r for r in decisions if part in (None, r.part) or not was_split]
        rows = (row_of(review)[0] for review in wanted if review.usable)
        return dataset_of([row for row in rows if row.tokens])
    return dataset_of([_row_of_file(path, sentence) for sentence in read_iob2(path)])


def _load_folder(path: Path, part: str | None) -> Dataset:
    folder = path / DATASET if (path / DATASET).is_dir() else path
    if not any((folder / name).is_file() for name in ("dataset_info.json", "dataset_dict.json")):
        raise TrainingError(
            str(path), "is not an export folder", "Name the folder `spanferry export` wrote"
        )
    loaded = load_from_disk(str(folder))
    for dataset in loaded.values() if isinstance(loaded, DatasetDict) else [loaded]:
        tag_names_of(dataset)
    if isinstance(loaded, Dataset):
        return loaded
    return _part_of(loaded, part, path)


def _part_of(parts: DatasetDict, part: str | None, path: Path) -> Dataset:
    if len(parts) == 1:
        return next(iter(parts.values()))
    if part is None:
        return concatenate_datasets([*parts.values()])
    if part not in parts:
        fix = f"There are {', '.join(parts)}"
        raise TrainingError(str(path), f"has no part {part!r}", fix)
    if not len(parts[part]):
        fix = "Export more, or with another --split or --seed"
        raise TrainingError(str(path), f"part {part!r} is empty", fix)
    return parts[part]


def _row_of_file(path: Path, sentence: TaggedSentence) -> Row:
    place, said = f"{path.name}:{sentence.line}", sentence.comments
    origins = iter(said.get("label_origin", "").split())
    return Row(
        said.get("sent_id", place),
        sentence.tokens,
        sentence.tags,
        lang=said.get("lang", UNDETERMINED),
        status=said.get("status", GOLD),
        origin=f"{path}:{sentence.line}",
        label_origin=_spread(sentence.tags, origins),
    )


def _spread(tags: Sequence[str], origins: Iterator[str]) -> tuple[str, ...]:
    """Origins, one an entity, as one a token; nothing at all if there are none."""
    spread: list[str] = []
    for tag in tags:
        if tag.startswith("B-"):
            spread.append(next(origins, ""))
        else:
            spread.append("" if tag == OUTSIDE else spread[-1])
    return tuple(spread) if any(spread) else ()


def load_all(paths: Sequence[Path], part: str | None = None) -> Dataset:
    """Several exports or files as one dataset, over the types of all of them.

    `part` is as for `load_export`.
    """
    loaded = [load_export(path, part) for path in paths]
    labels = labels_of(name for dataset in loaded for name in tag_names_of(dataset))
    return dataset_of([row for dataset in loaded for row in rows_of(dataset)], labels)


def in_language(dataset: Dataset, lang: str) -> Dataset:
    """The dataset with `lang` for what does not say its language, as IOB2 files seldom do."""
    rows = rows_of(dataset)
    if all(row.lang != UNDETERMINED for row in rows):
        return dataset
    said = (replace(row, lang=lang) if row.lang == UNDETERMINED else row for row in rows)
    return dataset_of([*said], labels_of(tag_names_of(dataset)))


@dataclass(frozen=True, slots=True)
class LabelMap:
    """How the types of some data are read: first renamed by `rename`, then ignored.

    An ignored type (a shell pattern such as `*deriv`) becomes `O`.
    """

    rename: Mapping[str, str]
    ignore: tuple[str, ...] = ()

    def label(self, label: str) -> str | None:
        """The type to use for `label`, or None if it is ignored."""
        label = self.rename.get(label, label)
        return None if any(fnmatchcase(label, pattern) for pattern in self.ignore) else label

    def tags(self, tags: Sequence[str]) -> tuple[str, ...]:
        """`tags` under this map."""
        mapped = []
        for tag in tags:
            prefix, _, label = tag.partition("-")
            kept = self.label(label) if label else None
            mapped.append(f"{prefix}-{kept}" if kept else "O")
        return tuple(mapped)


AS_IS = LabelMap({})


def parse_label_map(renames: Iterable[str], ignore: Iterable[str]) -> LabelMap:
    """A map from `OLD=NEW` texts.

    Raises:
        TrainingError: at a text that is not of that form.
    """
    pairs = {}
    for text in renames:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise TrainingError(f"--map-label {text}", "is not OLD=NEW", "Such as OTH=MISC")
        pairs[old] = new
    return LabelMap(pairs, tuple(ignore))


def map_labels(dataset: Dataset, mapping: LabelMap) -> Dataset:
    """The dataset with its types renamed or ignored."""
    if mapping == AS_IS:
        return dataset
    mapped = (mapping.label(label) for label in labels_of(tag_names_of(dataset)))
    rows = [_mapped(row, mapping) for row in rows_of(dataset)]
    return dataset_of(rows, [label for label in mapped if label])


def _mapped(row: Row, mapping: LabelMap) -> Row:
    tags = mapping.tags(row.tags)
    outside = [tag == OUTSIDE for tag in tags]
    origins = ("" if out else each for out, each in zip(outside, row.origins, strict=True))
    sure = (1.0 if out else each for out, each in zip(outside, row.confidence, strict=False))
    return replace(
        row,
        tags=tags,
        label_origin=tuple(origins) if row.label_origin else (),
        confidence=tuple(sure),
    )


def fingerprint(dataset: Dataset) -> str:
    """A hash of all that is learned from, in order: equal data trains equal models."""
    return fingerprint_of(rows_of(dataset))


def fingerprint_of(rows: Iterable[Row]) -> str:
    """The same of rows."""
    digest = hashlib.sha256()
    for row in rows:
        learned: list[Any] = [row.tokens, row.tags]
        if row.confidence or row.margin is not None:
            learned += [row.confidence, row.margin]
        digest.update(json.dumps(learned, ensure_ascii=False).encode())
    return digest.hexdigest()[:16]


def languages_of(rows: Iterable[Row]) -> list[str]:
    """The languages there are, sorted."""
    return sorted({row.lang for row in rows})


CORPORA_NAMED = 20


def described(rows: Sequence[Row]) -> dict[str, Any]:
    """What a record says of some data: how much of it, of which files and languages, its hash.

    Of many files the largest are named, without the folders they lay in.
    """
    corpora = Counter(Path(row.corpus).name for row in rows)
    return {
        "fingerprint": fingerprint_of(rows),
        "sentences": len(rows),
        "entities": sum(tag.startswith("B-") for row in rows for tag in row.tags),
        "languages": languages_of(rows),
        "corpora": dict(corpora.most_common(CORPORA_NAMED)),
    }
