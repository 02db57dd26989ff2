"""Projected sentences as data to train on, with how sure each word's label is."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from datasets import Dataset

from projection.io.files import read_lines
from projection.pipeline.run import load_run
from projection.records import ProjectedSentence, ReviewStatus
from projection.text.words import word_spans
from training.data.dataset import (
    AS_IS,
    LabelMap,
    Row,
    dataset_of,
    load_export,
    map_labels,
    rows_of,
    tag_names_of,
)
from training.data.iob2 import OUTSIDE, encode, labels_of
from training.data.reviewed import REVIEWED, read_reviews

Place = tuple[str, str]
"""Where a sentence is from: its id and origin."""

Text = tuple[str, ...]
"""The tokens of a sentence."""

PROJECTED = "projected"  # the status of a sentence nobody has looked at
UNCHECKED = frozenset({PROJECTED, "unseen"})


def load_projected(runs: Iterable[Path], labels: LabelMap = AS_IS) -> Dataset:
    """What `spanferry project` kept and flagged in some run folders, its types under `labels`.

    Raises:
        RunError: if one is not a run folder.
        CorpusError: naming file and line, if a record is damaged.
    """
    sentences = (sentence for run in runs for sentence in load_run(run))
    return map_labels(projected_dataset(sentences), labels)


def is_run(path: Path) -> bool:
    """Whether a folder was written by `spanferry project`."""
    return (path / "run.json").is_file()


def load_tagged(path: Path, part: str | None = None) -> Dataset:
    """A run folder, or whatever `load_export` reads."""
    return load_projected([path]) if is_run(path) else load_export(path, part)


def projected_dataset(projected: Iterable[ProjectedSentence]) -> Dataset:
    """Projected sentences as rows that say how sure each label is. Empty ones are passed over."""
    rows = map(_row, projected)
    return dataset_of([row for row in rows if row.tokens])


def _row(projected: ProjectedSentence) -> Row:
    pair = projected.sentence
    encoded = encode(pair.target, projected.entities, pair.target_lang)
    sure = confidences_of(projected)
    return Row(
        id=pair.id,
        tokens=encoded.tokens,
        tags=encoded.tags,
        lang=pair.target_lang,
        status=PROJECTED,
        model_version=projected.model_version,
        origin=pair.origin,
        confidence=tuple(1.0 if owner is None else sure[owner] for owner in encoded.owners),
        margin=pair.margin,
    )


def confidences_of(projected: ProjectedSentence) -> list[float]:
    """For every entity the probability that it was found and placed right.

    It is the teacher's probability times the aligner's. What no projection stands behind has the
    score it came with.
    """
    chances = {
        each.target: _known(each.source.score) * each.score
        for each in projected.projections
        if each.target is not None
    }
    return [chances.get(entity.span, _known(entity.score)) for entity in projected.entities]


def _known(score: float | None) -> float:
    """A person or gold has no score, and is right."""
    return 1.0 if score is None else score


def by_trust(dataset: Dataset) -> tuple[Dataset | None, Dataset | None]:
    """What people or gold stand behind, and what nobody has looked at; None where there is none."""
    unchecked = [row.status in UNCHECKED for row in rows_of(dataset)]
    trusted = [i for i, doubtful in enumerate(unchecked) if not doubtful]
    doubtful = [i for i, doubtful in enumerate(unchecked) if doubtful]
    return (
        dataset.select(trusted) if trusted else None,
        dataset.select(doubtful) if doubtful else None,
    )


def read_text(paths: Iterable[Path], lang: str) -> Dataset:
    """Plain text, a sentence a line, as rows without labels; blank lines are passed over.

    Raises:
        CorpusError: naming file and line, if a line is not UTF-8.
    """
    rows = []
    for path in paths:
        for number, line in read_lines(path):
            words = tuple(span.of(line) for span in word_spans(line, lang))
            place = f"{path.name}:{number}"
            if words:
                tags = (OUTSIDE,) * len(words)
                rows.append(Row(place, words, tags, lang, status="unlabelled", origin=place))
    return dataset_of(rows)


def together(*datasets: Dataset | None) -> Dataset | None:
    """Some datasets as one, over the types of all."""
    given = [dataset for dataset in datasets if dataset is not None]
    if len(given) < 2:
        return next(iter(given), None)
    labels = labels_of(name for dataset in given for name in tag_names_of(dataset))
    return dataset_of([row for dataset in given for row in rows_of(dataset)], labels)


def decided_in(data: Iterable[Path]) -> set[Place]:
    """The sentences of exports that are no longer anybody's guess, whatever was decided.

    Those people skipped still are. What is no export has none.

    Raises:
        CorpusError: naming file and line.
    """
    return {place for path in data for place in _decided(path)}


def _decided(path: Path) -> Iterator[Place]:
    file = path / REVIEWED if path.is_dir() else path
    if not file.name.removesuffix(".gz").endswith(".jsonl") or not file.is_file():
        return
    for review in read_reviews(file):
        if review.status is not ReviewStatus.SKIPPED:
            yield review.sentence.id, review.sentence.origin


def without(dataset: Dataset, known: Collection[Place], texts: Collection[Text]) -> Dataset:
    """What is left without the sentences of some places and with some texts."""
    kept = [
        i
        for i, row in enumerate(rows_of(dataset))
        if (row.id, row.origin) not in known and row.tokens not in texts
    ]
    return dataset if len(kept) == len(dataset) else dataset.select(kept)
