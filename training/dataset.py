"""Reviewed sentences as a folder anyone can train on, and back.

reviewed.jsonl   every annotation as it came from Label Studio, nothing left out
data.iob2        the usable sentences in CoNLL form
dataset/         the same as a `datasets.Dataset`, with where each sentence came from
summary.json     what was left out or changed, and why
README.md        the data card
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, Features, Value, load_from_disk
from datasets import Sequence as ListOf
from datasets.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from projection.errors import TrainingError
from projection.files import atomic_write, json_line, read_jsonl, write_json
from projection.json_form import decode_reviewed
from projection.json_form import encode as to_json_form
from projection.records import ReviewedSentence, ReviewStatus
from training.card import data_card
from training.folders import new_folder
from training.iob2 import (
    Misfit,
    MisfitKind,
    chunks,
    encode,
    labels_of,
    read_iob2,
    tag_names,
    write_iob2,
)

SCHEMA = 1
REVIEWED, IOB2, DATASET, SUMMARY, CARD = (
    "reviewed.jsonl",
    "data.iob2",
    "dataset",
    "summary.json",
    "README.md",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence ready for training: parallel tokens and IOB2 tags, and where they came from."""

    id: str
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    lang: str = "und"
    status: str = "gold"
    annotator: str = ""
    model_version: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What became of the annotations of an export.

    `annotations = sentences + superseded`, where a sentence annotated twice counts once and its
    newest decision holds; `sentences = accepted + corrected + unusable + skipped + empty`. `newest`
    is when the data last changed. `misfits` name each entity that IOB2 could not hold as it was.
    """

    title: str
    newest: str | None
    annotations: int
    superseded: int
    accepted: int
    corrected: int
    unusable: int
    skipped: int
    empty: int
    entities: int
    by_label: Mapping[str, int]
    by_language: Mapping[str, int]
    labels: tuple[str, ...]
    model_versions: tuple[str, ...]
    misfits: tuple[tuple[str, Misfit], ...]  # (sentence id, what happened)

    @property
    def sentences(self) -> int:
        """Sentences somebody opened."""
        return self.usable + self.unusable + self.skipped + self.empty

    @property
    def usable(self) -> int:
        """Sentences in `data.iob2` and `dataset/`."""
        return self.accepted + self.corrected

    def misfit_count(self, kind: MisfitKind) -> int:
        """How many entities met this fate."""
        return sum(misfit.kind is kind for _, misfit in self.misfits)

    def to_json(self) -> dict[str, object]:
        """The content of `summary.json`."""
        plain = asdict(self) | {"labels": [*self.labels], "model_versions": [*self.model_versions]}
        plain["misfits"] = [
            {"id": sentence, "kind": misfit.kind.value, "reason": misfit.reason}
            for sentence, misfit in self.misfits
        ]
        counts = {
            "sentences": self.sentences,
            "usable": self.usable,
            "widened": self.misfit_count(MisfitKind.WIDENED),
            "overlap_lost": self.misfit_count(MisfitKind.OVERLAP),
            "blank_lost": self.misfit_count(MisfitKind.BLANK),
        }
        return {"schema": SCHEMA, **plain, **counts}

    def lines(self) -> Iterator[tuple[str, int]]:
        """What the summary table says: a line each, in order."""
        yield "annotations", self.annotations
        yield "… superseded by a newer one", self.superseded
        yield "… skipped by the annotator", self.skipped
        yield "… marked unusable", self.unusable
        yield "… without a visible character", self.empty
        yield "… accepted as proposed", self.accepted
        yield "… corrected", self.corrected
        yield "sentences for training", self.usable
        yield "entities", self.entities
        yield "… widened to whole words", self.misfit_count(MisfitKind.WIDENED)
        yield "… lost to an overlapping one", self.misfit_count(MisfitKind.OVERLAP)
        yield "… lost because blank", self.misfit_count(MisfitKind.BLANK)

    def __str__(self) -> str:
        return "\n".join(f"{what:32}{count:>8}" for what, count in self.lines())


def write_export(
    reviewed: Sequence[ReviewedSentence], out: Path, *, title: str, labels: Collection[str] = ()
) -> ExportSummary:
    """Write an export folder; an older export at `out` is replaced whole.

    `labels` are the types of the labeling config: they enter the schema even when nobody used them.

    Raises:
        TrainingError: if `out` holds something that is not an export.
    """
    if out.exists() and not (out / SUMMARY).is_file():
        raise TrainingError(str(out), "exists and is not an export", "Choose another folder")
    latest = newest_decisions(reviewed)
    rows, misfits = _rows(sentence for sentence in latest if sentence.usable)
    summary = _summarise(
        title=title, reviewed=reviewed, latest=latest, rows=rows, misfits=misfits, labels=labels
    )
    with new_folder(out, replace=True) as folder:
        with atomic_write(folder / REVIEWED) as file:
            for sentence in reviewed:
                file.write(json_line(to_json_form(sentence)))
        write_iob2(((row.tokens, row.tags) for row in rows), folder / IOB2)
        _save(dataset_of(rows, summary.labels), folder / DATASET)
        write_json(folder / SUMMARY, summary.to_json())
        (folder / CARD).write_text(data_card(summary.to_json()), encoding="utf-8")
    return summary


def _save(dataset: Dataset, folder: Path) -> None:
    bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        # One shard even for no rows, for which `datasets` would write none and then fail to load.
        dataset.save_to_disk(folder, num_shards=1)
    finally:
        if bars:
            enable_progress_bars()


def newest_decisions(reviewed: Iterable[ReviewedSentence]) -> list[ReviewedSentence]:
    """One annotation a sentence, in the order sentences first appear.

    The newest wins, but skipping decides nothing: it only stands where nobody decided.
    """
    chosen: dict[tuple[str, str, str], ReviewedSentence] = {}
    for sentence in reviewed:
        key = (sentence.sentence.id, sentence.sentence.origin, sentence.sentence.target)
        chosen[key] = max(chosen.get(key, sentence), sentence, key=_decisiveness)
    return list(chosen.values())


def _decisiveness(sentence: ReviewedSentence) -> tuple[bool, datetime, int]:
    return (
        sentence.status is not ReviewStatus.SKIPPED,
        _moment(sentence),
        sentence.annotation_id or 0,
    )


def _moment(sentence: ReviewedSentence) -> datetime:
    if sentence.updated_at is None:
        return datetime.min.replace(tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(sentence.updated_at)
    except ValueError as error:
        where = f"{sentence.sentence.origin} updated_at"
        raise TrainingError(where, f"{sentence.updated_at!r} is not an ISO 8601 time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _rows(usable: Iterable[ReviewedSentence]) -> tuple[list[Row], list[tuple[str, Misfit]]]:
    rows: list[Row] = []
    misfits: list[tuple[str, Misfit]] = []
    for review in usable:
        pair = review.sentence
        encoded = encode(pair.target, review.entities, pair.target_lang)
        misfits += ((pair.id, misfit) for misfit in encoded.misfits)
        if encoded.tokens:
            rows.append(
                Row(
                    id=pair.id,
                    tokens=encoded.tokens,
                    tags=encoded.tags,
                    lang=pair.target_lang,
                    status=review.status.value,
                    annotator=review.annotator,
                    model_version=review.model_version or "",
                    origin=pair.origin,
                )
            )
    return rows, misfits


def _summarise(
    *,
    title: str,
    reviewed: Sequence[ReviewedSentence],
    latest: Sequence[ReviewedSentence],
    rows: Sequence[Row],
    misfits: Sequence[tuple[str, Misfit]],
    labels: Collection[str],
) -> ExportSummary:
    by_status = Counter(row.status for row in rows)
    decided = Counter(sentence.status for sentence in latest)
    by_label = Counter(chunk.label for row in rows for chunk in chunks(row.tags))
    newest = max((s for s in reviewed if s.updated_at), key=_moment, default=None)
    return ExportSummary(
        title=title,
        newest=newest.updated_at if newest else None,
        annotations=len(reviewed),
        superseded=len(reviewed) - len(latest),
        accepted=by_status[ReviewStatus.ACCEPTED],
        corrected=by_status[ReviewStatus.CORRECTED],
        unusable=decided[ReviewStatus.UNUSABLE],
        skipped=decided[ReviewStatus.SKIPPED],
        empty=sum(sentence.usable for sentence in latest) - len(rows),
        entities=by_label.total(),
        by_label=dict(sorted(by_label.items())),
        by_language=dict(sorted(Counter(row.lang for row in rows).items())),
        labels=tuple(sorted({*labels, *by_label})),
        model_versions=tuple(sorted({s.model_version for s in reviewed if s.model_version})),
        misfits=tuple(misfits),
    )


def dataset_of(rows: Sequence[Row], labels: Iterable[str] = ()) -> Dataset:
    """Rows as a `datasets.Dataset`; `tags` is a ClassLabel over `labels` and all types found."""
    names = tag_names({*labels, *labels_of(tag for row in rows for tag in row.tags)})
    text = Value("string")
    features = Features(
        {
            "id": text,
            "tokens": ListOf(text),
            "tags": ListOf(ClassLabel(names=names)),
            "lang": text,
            "status": text,
            "annotator": text,
            "model_version": text,
            "origin": text,
        }
    )
    number = {name: i for i, name in enumerate(names)}
    columns: dict[str, list[Any]] = {
        column: [getattr(row, column) for row in rows] for column in features
    }
    columns["tags"] = [[number[tag] for tag in row.tags] for row in rows]
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
            "Load it with training.dataset.load_export",
        )
    return list(names)


def rows_of(dataset: Dataset) -> list[Row]:
    """The sentences of a dataset, with their tags by name; missing columns keep their defaults."""
    names = tag_names_of(dataset)
    columns = dataset.to_dict()
    columns.setdefault("id", [str(i) for i in range(len(dataset))])
    columns["tokens"] = map(tuple, columns["tokens"])
    columns["tags"] = (tuple(names[tag] for tag in tags) for tags in columns["tags"])
    kept = [field.name for field in fields(Row) if field.name in columns]
    values = zip(*(columns[name] for name in kept), strict=True)
    return [Row(**dict(zip(kept, row, strict=True))) for row in values]


def load_export(path: Path) -> Dataset:
    """Read an export folder, a saved dataset, a `reviewed.jsonl`, or an IOB2 file.

    Raises:
        CorpusError: naming file and line, if a file is not what it claims to be.
        TrainingError: if the path is none of these.
    """
    if not path.exists():
        raise TrainingError(str(path), "does not exist", "Make one with `spanferry export`")
    if path.is_dir():
        folder = path / DATASET if (path / DATASET).is_dir() else path
        if not (folder / "dataset_info.json").is_file():
            raise TrainingError(
                str(path), "is not an export folder", "Name the folder `spanferry export` wrote"
            )
        dataset = load_from_disk(str(folder))
        tag_names_of(dataset)
        return dataset
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        reviewed = [decode_reviewed(row, f"{path}:{line}") for line, row in read_jsonl(path)]
        rows, _ = _rows(s for s in newest_decisions(reviewed) if s.usable)
        return dataset_of(rows)
    return dataset_of(
        [
            Row(f"{path.name}:{s.line}", s.tokens, s.tags, origin=f"{path}:{s.line}")
            for s in read_iob2(path)
        ]
    )


def load_all(paths: Sequence[Path]) -> Dataset:
    """Several exports or files as one dataset, over the types of all of them."""
    loaded = [load_export(path) for path in paths]
    labels = labels_of(name for dataset in loaded for name in tag_names_of(dataset))
    return dataset_of([row for dataset in loaded for row in rows_of(dataset)], labels)


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
            raise TrainingError(f"--map-labels {text}", "is not OLD=NEW", "Such as OTH=MISC")
        pairs[old] = new
    return LabelMap(pairs, tuple(ignore))


def map_labels(dataset: Dataset, mapping: LabelMap) -> Dataset:
    """The dataset with its types renamed or ignored."""
    if mapping == AS_IS:
        return dataset
    mapped = (mapping.label(label) for label in labels_of(tag_names_of(dataset)))
    rows = [replace(row, tags=mapping.tags(row.tags)) for row in rows_of(dataset)]
    return dataset_of(rows, [label for label in mapped if label])


def fingerprint(dataset: Dataset) -> str:
    """A hash of tokens and tags in order: equal data trains equal models."""
    digest = hashlib.sha256()
    for row in rows_of(dataset):
        digest.update(json.dumps([row.tokens, row.tags], ensure_ascii=False).encode())
    return digest.hexdigest()[:16]
