"""The ledger: the outcome of every proposed entity, with who decided, when and how fast.

ledger.jsonl   one `Entry` a line
ledger.csv     the same for spreadsheets
"""

import csv
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from projection.evaluation.matching import TAGGING_STEPS, Outcome, compare
from projection.io.files import atomic_write, json_line
from projection.io.records_json import Json, encode_entity
from projection.records import Entity, LabelOrigin, ReviewedSentence

SCHEMA = 1
LEDGER, TABLE = "ledger.jsonl", "ledger.csv"

_BYTE_ORDER_MARK = "\ufeff"  # tells spreadsheets that the file is UTF-8
_FORMULA_STARTS = {*"=+-@\t\r\n"}  # a spreadsheet would evaluate such a text


class Change(StrEnum):
    """The outcome of a proposed entity, or the origin of one that was not proposed.

    Proposed and final entities are paired like a tagger's with gold: `Outcome` without wrong
    mentions.
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


class Entry(NamedTuple):
    """One line of the ledger: an entity before (`predicted`) and after (`corrected`) a review.

    A review that decided about no entity (skipped, unusable, unseen, or nothing proposed and none
    marked) is one entry without a `change`. `how` is the origin of the corrected entity, where
    known.
    """

    review: ReviewedSentence
    change: Change | None = None
    predicted: Entity | None = None
    corrected: Entity | None = None
    how: LabelOrigin | None = None


def entries_of(review: ReviewedSentence) -> tuple[Entry, ...]:
    """Return the entries of one review, from left to right; never empty."""
    return tuple(sorted(_changed(review), key=_position)) or (Entry(review),)


def _changed(review: ReviewedSentence) -> Iterator[Entry]:
    """Yield an entry an entity, if a person decided about entities."""
    if not review.judged:
        return
    proposed = review.predicted or ()
    for outcome, gold, predicted in compare(review.entities, proposed, TAGGING_STEPS):
        yield Entry(
            review,
            Change.UNAIDED if review.predicted is None else _CHANGES[outcome],
            None if predicted is None else proposed[predicted],
            None if gold is None else review.entities[gold],
            review.provenance[gold].origin if review.provenance and gold is not None else None,
        )


def _position(entry: Entry) -> tuple[int, int]:
    entity = entry.corrected or entry.predicted
    return (entity.span.start, entity.span.end) if entity else (0, 0)


def write_ledger(reviewed: Iterable[ReviewedSentence], folder: Path) -> None:
    """Write the entries of all reviews as both files, each whole or not at all."""
    rows = [_row(entry) for review in reviewed for entry in entries_of(review)]
    with atomic_write(folder / LEDGER) as file:
        file.writelines(map(json_line, rows))
    with atomic_write(folder / TABLE) as file:
        file.write(_BYTE_ORDER_MARK)
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(map(_cells, rows))


def _row(entry: Entry) -> Json:
    """Return a line of ledger.jsonl.

    `annotator` is Label Studio's user id, `when` the ISO 8601 time of the last change, `seconds`
    how long the sentence was open.
    """
    review, sentence = entry.review, entry.review.sentence
    row = {
        "schema": SCHEMA,
        "sentence": sentence.id,
        "origin": sentence.origin,
        "lang": sentence.target_lang,
        "source": sentence.source,
        "target": sentence.target,
        "annotator": review.annotator,
        "when": review.updated_at,
        "seconds": review.lead_time,
        "model_version": review.model_version,
        "conflicts": review.conflicts,
        "decision": review.status,
        "task_id": review.task_id,
        "annotation_id": review.annotation_id,
        "change": entry.change,
    }
    for side, entity in (("predicted", entry.predicted), ("corrected", entry.corrected)):
        row[side] = entity and encode_entity(entity, sentence.target)
    return {**row, "how": entry.how}


COLUMNS = (
    *("when", "annotator", "decision", "change"),
    *("predicted_label", "predicted_text", "confidence", "corrected_label", "corrected_text"),
    *("how", "conflicts", "lang", "seconds", "model_version"),
    *("predicted_start", "predicted_end", "corrected_start", "corrected_end"),
    *("source", "target", "sentence", "origin", "task_id", "annotation_id"),
)


def _cells(row: Json) -> list[object]:
    """Return one row of the spreadsheet; the csv module writes None as an empty cell."""
    sides = {
        f"{side}_{key}": value
        for side in ("predicted", "corrected")
        for key, value in (row[side] or {}).items()
    }
    flat = {
        **row,
        **sides,
        "confidence": sides.get("predicted_score"),
        "conflicts": ", ".join(row["conflicts"]),
    }
    return [_harmless(flat.get(column)) for column in COLUMNS]


def _harmless(cell: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    if not isinstance(cell, str):
        return cell
    # Spreadsheets also take the full-width signs of East Asian keyboards.
    starts_formula = normalize("NFKC", cell[:1]) in _FORMULA_STARTS
    return f"'{cell}" if starts_formula else cell
