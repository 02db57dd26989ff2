"""The ledger: what became of every proposed entity, and who decided so, when and how fast.

ledger.jsonl   one `Entry` a line, exactly as it is
ledger.csv     the same for spreadsheets
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from projection.evaluation.matching import TAGGING_STEPS, Outcome, compare
from projection.io.files import atomic_write, json_line, read_jsonl
from projection.io.json_fields import Fields
from projection.io.records_json import Json, decode_entities, encode_entity
from projection.records import (
    ConflictKind,
    Entity,
    LabelOrigin,
    ReviewedSentence,
    ReviewStatus,
)

SCHEMA = 1
LEDGER, TABLE = "ledger.jsonl", "ledger.csv"

BYTE_ORDER_MARK = "\ufeff"  # without it, spreadsheets take UTF-8 for something else
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet compute a text


class Change(StrEnum):
    """What became of a proposed entity, or how one came about that was not proposed.

    Proposed and final entities of a sentence are paired as those of a tagger with gold:
    `scoring.Outcome`, without wrong mentions.
    """

    KEPT = "kept"  # proposed, and left as it was
    RELABELLED = "relabelled"  # given another type; its borders may have moved as well
    BORDER_MOVED = "border_moved"  # same type, other borders
    DELETED = "deleted"  # proposed, and removed
    ADDED = "added"  # marked where nothing was proposed
    UNAIDED = "unaided"  # marked in a sentence that came without any prediction


PROPOSED = (Change.KEPT, Change.RELABELLED, Change.BORDER_MOVED, Change.DELETED)

_CHANGES = {
    Outcome.RIGHT: Change.KEPT,
    Outcome.WRONG_LABEL: Change.RELABELLED,
    Outcome.WRONG_BORDER: Change.BORDER_MOVED,
    Outcome.SPURIOUS: Change.DELETED,
    Outcome.MISSING: Change.ADDED,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: an entity before (`predicted`) and after (`corrected`) a review.

    A review that decided about no entity is one entry without a `change`: a sentence that was
    skipped, marked unusable or never seen, or in which nothing was proposed and nothing marked.

    `annotator` is Label Studio's user id. `when` is the ISO 8601 time of the last change of the
    annotation, `seconds` how long the whole sentence was open. `how` tells how the corrected entity
    came about, where that is known.
    """

    sentence: str
    origin: str
    lang: str
    source: str
    target: str
    annotator: str
    when: str | None
    seconds: float | None
    model_version: str | None
    conflicts: tuple[ConflictKind, ...]
    decision: ReviewStatus
    task_id: int | None = None
    annotation_id: int | None = None
    change: Change | None = None
    predicted: Entity | None = None
    corrected: Entity | None = None
    how: LabelOrigin | None = None


def entries_of(review: ReviewedSentence) -> tuple[Entry, ...]:
    """What became of each entity of one review, from left to right; never empty."""
    alone = _sentence_entry(review)
    if not review.judged:
        return (alone,)
    entries = (
        replace(alone, change=change, predicted=old, corrected=new, how=how)
        for change, old, new, how in _changes(review)
    )
    return tuple(sorted(entries, key=_place)) or (alone,)


def ledger_of(reviewed: Iterable[ReviewedSentence]) -> Iterator[Entry]:
    """The entries of all reviews, in their order."""
    for review in reviewed:
        yield from entries_of(review)


def _sentence_entry(review: ReviewedSentence) -> Entry:
    sentence = review.sentence
    return Entry(
        sentence=sentence.id,
        origin=sentence.origin,
        lang=sentence.target_lang,
        source=sentence.source,
        target=sentence.target,
        annotator=review.annotator,
        when=review.updated_at,
        seconds=review.lead_time,
        model_version=review.model_version,
        conflicts=review.conflicts,
        decision=review.status,
        task_id=review.task_id,
        annotation_id=review.annotation_id,
    )


def _changes(
    review: ReviewedSentence,
) -> Iterator[tuple[Change, Entity | None, Entity | None, LabelOrigin | None]]:
    predicted, corrected = review.predicted, review.entities
    for match in compare(corrected, predicted or (), TAGGING_STEPS):
        yield (
            Change.UNAIDED if predicted is None else _CHANGES[match.outcome],
            predicted[match.predicted] if predicted and match.predicted is not None else None,
            None if match.gold is None else corrected[match.gold],
            None if match.gold is None else _origin(review, match.gold),
        )


def _origin(review: ReviewedSentence, index: int) -> LabelOrigin | None:
    return review.provenance[index].origin if review.provenance else None


def _place(entry: Entry) -> tuple[int, int]:
    entity = entry.corrected or entry.predicted
    return (entity.span.start, entity.span.end) if entity else (0, 0)


# Writing and reading


def write_ledger(entries: Sequence[Entry], folder: Path) -> None:
    """Write both files into `folder`, each whole or not at all."""
    with atomic_write(folder / LEDGER) as file:
        file.writelines(json_line(_encode(entry)) for entry in entries)
    with atomic_write(folder / TABLE) as file:
        file.write(BYTE_ORDER_MARK)
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(_cells(entry) for entry in entries)


def read_ledger(path: Path) -> Iterator[Entry]:
    """Stream a ledger.jsonl.

    Raises:
        CorpusError: naming file, line and field, if a line is not an entry of this schema.
    """
    for line, row in read_jsonl(path):
        yield _decode(Fields(row, f"{path}:{line}"))


def _encode(entry: Entry) -> Json:
    return {
        "schema": SCHEMA,
        "sentence": entry.sentence,
        "origin": entry.origin,
        "lang": entry.lang,
        "source": entry.source,
        "target": entry.target,
        "annotator": entry.annotator,
        "when": entry.when,
        "seconds": entry.seconds,
        "model_version": entry.model_version,
        "conflicts": [kind.value for kind in entry.conflicts],
        "decision": entry.decision.value,
        "task_id": entry.task_id,
        "annotation_id": entry.annotation_id,
        "change": entry.change,
        "predicted": _encode_entity(entry.predicted, entry.target),
        "corrected": _encode_entity(entry.corrected, entry.target),
        "how": entry.how,
    }


def _encode_entity(entity: Entity | None, text: str) -> Json | None:
    return None if entity is None else encode_entity(entity, text)


def _decode(fields: Fields) -> Entry:
    if (schema := fields.integer("schema")) != SCHEMA:
        raise fields.error("schema", f"{schema}, but this version reads {SCHEMA}")
    target = fields.text("target")
    return Entry(
        sentence=fields.text("sentence"),
        origin=fields.text("origin"),
        lang=fields.text("lang"),
        source=fields.text("source"),
        target=target,
        annotator=fields.text("annotator"),
        when=fields.text_or_none("when"),
        seconds=fields.number_or_none("seconds"),
        model_version=fields.text_or_none("model_version"),
        conflicts=fields.choices("conflicts", ConflictKind),
        decision=fields.choice("decision", ReviewStatus),
        task_id=fields.integer_or_none("task_id"),
        annotation_id=fields.integer_or_none("annotation_id"),
        change=fields.choice("change", Change) if fields.has("change") else None,
        predicted=_decode_entity(fields, "predicted", target),
        corrected=_decode_entity(fields, "corrected", target),
        how=fields.choice("how", LabelOrigin) if fields.has("how") else None,
    )


def _decode_entity(fields: Fields, key: str, text: str) -> Entity | None:
    if not fields.has(key):
        return None
    (entity,) = decode_entities(replace(fields, row={key: [fields.row[key]]}), key, text)
    return entity


COLUMNS = (
    *("when", "annotator", "decision", "change"),
    *("predicted_label", "predicted_text", "confidence", "corrected_label", "corrected_text"),
    *("how", "conflicts", "lang", "seconds", "model_version"),
    *("predicted_start", "predicted_end", "corrected_start", "corrected_end"),
    *("source", "target", "sentence", "origin", "task_id", "annotation_id"),
)


def _cells(entry: Entry) -> list[object]:
    """One row of the spreadsheet. The csv module writes None as an empty cell."""
    old, new = entry.predicted, entry.corrected
    texts = [entity and entity.span.of(entry.target) for entity in (old, new)]
    cells: list[object] = [
        *(entry.when, entry.annotator, entry.decision, entry.change),
        *(old and old.label, texts[0], old and old.score, new and new.label, texts[1]),
        *(entry.how, ", ".join(entry.conflicts), entry.lang, entry.seconds, entry.model_version),
        *(old and old.span.start, old and old.span.end),
        *(new and new.span.start, new and new.span.end),
        *(entry.source, entry.target, entry.sentence, entry.origin),
        *(entry.task_id, entry.annotation_id),
    ]
    return [_harmless(cell) for cell in cells]


def _harmless(cell: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
