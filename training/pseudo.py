"""Projected sentences as data to train on, with how sure each word's label is."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from datasets import Dataset

from projection.files import read_lines
from projection.records import ProjectedSentence
from projection.run import load_run
from projection.words import word_spans
from training.dataset import AS_IS, LabelMap, Row, dataset_of, rows_of, tag_names_of
from training.iob2 import OUTSIDE, encode, labels_of

CONFIDENCE = "confidence"
"""A column beside those of `training.dataset`: for every token the probability that the entity it
is in is right; 1 outside of entities, of which nothing is known."""

MARGIN = "margin"
"""A column some corpora bring: how parallel the two sentences are (WikiMatrix)."""

PROJECTED = "projected"  # the status of a sentence nobody has looked at
UNCHECKED = frozenset({PROJECTED, "unseen"})


def load_projected(runs: Iterable[Path], labels: LabelMap = AS_IS) -> Dataset:
    """What `spanferry project` kept and flagged in some run folders, its types under `labels`.

    Raises:
        RunError: if one is not a run folder.
        CorpusError: naming file and line, if a record is damaged.
    """
    return projected_dataset((sentence for run in runs for sentence in load_run(run)), labels)


def projected_dataset(projected: Iterable[ProjectedSentence], labels: LabelMap = AS_IS) -> Dataset:
    """Projected sentences as rows, with the column `CONFIDENCE`. Empty ones are passed over."""
    rows, confidences = [], []
    for sentence in projected:
        pair = sentence.sentence
        encoded = encode(pair.target, sentence.entities, pair.target_lang)
        if encoded.tokens:
            rows.append(
                Row(
                    id=pair.id,
                    tokens=encoded.tokens,
                    tags=labels.tags(encoded.tags),
                    lang=pair.target_lang,
                    status=PROJECTED,
                    model_version=sentence.model_version,
                    origin=pair.origin,
                )
            )
            sure = confidences_of(sentence)
            confidences.append([1.0 if o is None else sure[o] for o in encoded.owners])
    return dataset_of(rows).add_column(CONFIDENCE, confidences)


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
    """Some datasets as one, over the types of all, with the columns any of them has."""
    given = [dataset for dataset in datasets if dataset is not None]
    if len(given) < 2:
        return next(iter(given), None)
    labels = labels_of(name for dataset in given for name in tag_names_of(dataset))
    rows = [rows_of(dataset) for dataset in given]
    whole = dataset_of([row for part in rows for row in part], labels)
    for column in (CONFIDENCE, MARGIN):
        if any(column in dataset.column_names for dataset in given):
            values = (
                dataset[column] if column in dataset.column_names else [None] * len(dataset)
                for dataset in given
            )
            whole = whole.add_column(column, [*chain.from_iterable(values)])
    return whole
