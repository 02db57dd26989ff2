"""Reading and writing training rows: export folders, `datasets.Dataset`, reviews, CoNLL files."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets, load_from_disk
from datasets import Sequence as ListOf

from projection.addresses import Address
from projection.errors import CorpusError, TrainingError
from projection.io.conll import FOUND, TagColumns, read_conll
from projection.io.folders import recover
from projection.text.iob2 import MASKED, OUTSIDE, TYPES, TaggedSentence, labels_of
from projection.text.unknown_formats import name_file
from training.data.adjudication import adjudicate
from training.data.reviewed import read_reviews
from training.data.rows import GOLD, UNDETERMINED, Row, Rows, row_of

# Of an export folder; training.export.export says what is in them.
IOB2, DATASET, SUMMARY = "data.iob2", "dataset", "summary.json"


def to_dataset(rows: Rows) -> Dataset:
    """Convert to a dataset whose `tags` are a ClassLabel over all tags of `rows.labels`.

    `confidence`, `margin` and `types` are columns if any row has them. If any token is masked,
    `MASKED` is one more tag, the last.
    """
    tag_names = [*rows.tag_names]
    if any(MASKED in row.tags for row in rows):
        tag_names.append(MASKED)
    text, fraction = Value("string"), Value("float64")
    columns_of: dict[str, Any] = dict.fromkeys((field.name for field in fields(Row)), text) | {
        "tokens": ListOf(text),
        "tags": ListOf(ClassLabel(names=tag_names)),
        "label_origin": ListOf(text),
        "confidence": ListOf(fraction),
        "margin": fraction,
        "types": ListOf(text),
    }
    if not any(row.confidence for row in rows):
        del columns_of["confidence"]
    if all(row.margin is None for row in rows):
        del columns_of["margin"]
    if not any(row.types for row in rows):
        del columns_of["types"]
    features = Features(columns_of)
    number = {name: i for i, name in enumerate(tag_names)}
    columns: dict[str, list[Any]] = {
        column: [getattr(row, column) for row in rows] for column in features
    }
    columns["tags"] = [[number[tag] for tag in row.tags] for row in rows]
    columns["label_origin"] = [row.origins for row in rows]
    return Dataset.from_dict(columns, features=features)


def from_dataset(dataset: Dataset) -> Rows:
    """Convert a dataset with `tokens` and `tags`; missing columns keep their defaults.

    Raises TrainingError if `tags` is not a list of ClassLabel.
    """
    feature = dataset.features.get("tags")
    names: list[str] | None = getattr(getattr(feature, "feature", None), "names", None)
    if names is None or "tokens" not in dataset.features:
        what = f"needs tokens and tags (a list of ClassLabel), has {', '.join(dataset.features)}"
        raise TrainingError("dataset", what, "Read it with training.data.dataset.read_rows")
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
    if "types" in columns:
        columns["types"] = map(tuple, columns["types"])
    kept = [field.name for field in fields(Row) if field.name in columns]
    values = zip(*(columns[name] for name in kept), strict=True)
    rows = (Row(**dict(zip(kept, row, strict=True))) for row in values)
    return Rows.of(rows, labels_of(names))


def read_rows(path: Path, part: str | None = None, columns: TagColumns = FOUND) -> Rows:
    """Read an export folder, a saved dataset, a `reviewed.jsonl`, or a CoNLL file, here or by URL.

    `part` is `train`, `validation` or `test` of a folder that was split; data that was not split is
    read whole. `columns` are those of CoNLL files. Raises CorpusError, naming file and line, if a
    file is not what it claims to be; TrainingError if the path is none of these, or was split and
    nothing is in that part.
    """
    if not isinstance(path, Address):
        recover(path)
        if not path.exists():
            raise TrainingError(str(path), "does not exist", "Make one with `spanferry export`")
    if path.is_dir():
        return from_dataset(_load_folder(path, part))
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        decisions = adjudicate(read_reviews(path)).sentences
        was_split = len({r.part for r in decisions if r.part is not None}) > 1
        wanted = [r for r in decisions if part in (None, r.part) or not was_split]
        rows = (row_of(review)[0] for review in wanted if review.usable)
        return Rows.of(row for row in rows if row.tokens)
    if (named := name_file(path.name)) is not None:
        raise CorpusError(str(path), *named)
    return Rows.of(_row_of_file(path, sentence) for sentence in read_conll(path, columns))


def read_all(paths: Sequence[Path], part: str | None = None, columns: TagColumns = FOUND) -> Rows:
    """Read several exports or files as one; `part` and `columns` are as for `read_rows`."""
    return Rows.joined(*(read_rows(path, part, columns) for path in paths))


def part_sizes(path: Path) -> dict[str, int]:
    """Count the sentences in each part of an export folder; nothing for other data."""
    if not (path / DATASET / "dataset_dict.json").is_file():
        return {}
    return {str(name): len(part) for name, part in load_from_disk(str(path / DATASET)).items()}


def _load_folder(path: Path, part: str | None) -> Dataset:
    folder = path / DATASET if (path / DATASET).is_dir() else path
    if not any((folder / name).is_file() for name in ("dataset_info.json", "dataset_dict.json")):
        fix = "Name the folder `spanferry export` wrote"
        raise TrainingError(str(path), "is not an export folder", fix)
    parts = load_from_disk(str(folder))
    if isinstance(parts, Dataset):
        return parts
    if part is None or len(parts) == 1:
        return concatenate_datasets([*parts.values()])
    if part not in parts:
        fix = f"There are {', '.join(parts)}"
        raise TrainingError(str(path), f"has no part {part!r}", fix)
    if not len(parts[part]):
        fix = "Export more, or with another --split or --seed"
        raise TrainingError(str(path), f"part {part!r} is empty", fix)
    return parts[part]


def _row_of_file(path: Path, sentence: TaggedSentence) -> Row:
    comments = sentence.comments
    return Row(
        comments.get("sent_id", f"{path.name}:{sentence.line}"),
        sentence.tokens,
        sentence.tags,
        lang=comments.get("lang", UNDETERMINED),
        status=comments.get("status", GOLD),
        origin=f"{path}:{sentence.line}",
        label_origin=_spread(sentence.tags, iter(comments.get("label_origin", "").split())),
        types=tuple(comments.get(TYPES, "").split()),
    )


def _spread(tags: Sequence[str], origins: Iterator[str]) -> tuple[str, ...]:
    """Repeat the origin of each entity for its tokens; empty if there are no origins."""
    spread: list[str] = []
    for tag in tags:
        if tag.startswith("B-"):
            spread.append(next(origins, ""))
        else:
            spread.append("" if tag in (OUTSIDE, MASKED) else spread[-1])
    return tuple(spread) if any(spread) else ()
