"""What became of each proposed entity, and both files that say so."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.report.ledger import (
    COLUMNS,
    LEDGER,
    PROPOSED,
    TABLE,
    entries_of,
    write_ledger,
)
from ml_backend.report.source import ReviewedProject
from projection.io.records_json import encode_entity
from projection.records import (
    ConflictKind,
    Entity,
    LabelOrigin,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from tests.ml_backend.reviews import (
    ALL,
    ANNA,
    BERN,
    DAY,
    RIGHT,
    SIEMENS,
    SIEMENS_ORG,
    TARGET,
    UGLY,
    WEBER,
    by_person,
    review,
)


@pytest.mark.parametrize(
    ("predicted", "corrected", "changes"),
    [
        pytest.param([ANNA], [ANNA], ["kept"], id="left alone"),
        pytest.param([SIEMENS], [SIEMENS_ORG], ["relabelled"], id="another type"),
        pytest.param([WEBER], [ANNA], ["border_moved"], id="longer"),
        pytest.param([BERN], [], ["deleted"], id="removed"),
        pytest.param([], [BERN], ["added"], id="nothing was proposed there"),
        pytest.param(
            [WEBER], [replace(ANNA, label="ORG")], ["relabelled"], id="another type and longer"
        ),
        pytest.param(
            [SIEMENS], [BERN], ["deleted", "added"], id="the same type elsewhere is another entity"
        ),
        pytest.param(
            [ANNA], [Entity(Span(0, 4), "PER"), WEBER], ["border_moved", "added"], id="split in two"
        ),
        pytest.param([ANNA, WEBER], [ANNA], ["kept", "deleted"], id="one of two that overlap"),
        pytest.param(
            [ANNA, SIEMENS, BERN],
            [WEBER, SIEMENS_ORG],
            ["border_moved", "relabelled", "deleted"],
            id="from left to right",
        ),
        pytest.param(None, [ANNA, BERN], ["unaided", "unaided"], id="no prediction"),
    ],
)
def test_what_became_of_each_entity(
    predicted: list[Entity] | None, corrected: list[Entity], changes: list[str]
) -> None:
    assert [e.change for e in entries_of(review(predicted, corrected))] == changes


def test_an_entry_says_who_when_how_fast_and_of_what_model(tmp_path: Path) -> None:
    decided = review(
        [SIEMENS],
        [SIEMENS_ORG],
        annotator="7",
        seconds=12.5,
        conflicts=(ConflictKind.LOW_CONFIDENCE,),
        provenance=(Provenance(LabelOrigin.CHANGED, Span(16, 23)),),
    )
    [entry] = entries_of(decided)
    assert (entry.predicted, entry.corrected) == (SIEMENS, SIEMENS_ORG)
    assert entry.how is LabelOrigin.CHANGED
    [row] = write(tmp_path, decided)
    [line] = lines(tmp_path)
    assert (line["annotator"], line["when"], line["seconds"]) == ("7", DAY, 12.5)
    assert (line["model_version"], line["lang"]) == ("spanferry-1", "de")
    assert (line["decision"], line["conflicts"], line["how"]) == (
        "corrected", ["low_confidence"], "changed",
    )  # fmt: skip
    for name in ("annotator", "when", "seconds", "decision", "model_version", "lang"):
        assert row[name] == str(line[name])
    assert (row["conflicts"], row["how"]) == ("low_confidence", "changed")


def test_each_label_keeps_its_own_origin() -> None:
    decided = review(
        [ANNA, BERN],
        [ANNA, SIEMENS_ORG],
        provenance=(Provenance(LabelOrigin.PROJECTED), Provenance(LabelOrigin.SUGGESTED)),
    )
    found = [(entry.change, entry.how) for entry in entries_of(decided)]
    assert found == [("kept", "projected"), ("added", "suggested"), ("deleted", None)]


@pytest.mark.parametrize(
    "status", [ReviewStatus.SKIPPED, ReviewStatus.UNUSABLE, ReviewStatus.UNSEEN]
)
def test_where_nobody_decided_about_entities_the_sentence_is_one_entry(
    status: ReviewStatus,
) -> None:
    [entry] = entries_of(review(ALL, ALL, status=status))
    assert entry == (entry.review, None, None, None, None)
    assert entry.review.status is status


def test_so_is_an_accepted_sentence_without_entities() -> None:
    [entry] = entries_of(review((), ()))
    assert (entry.review.status, entry.change) == ("accepted", None)


spans = st.tuples(st.integers(0, 33), st.integers(1, 12)).map(
    lambda pair: Span(pair[0], min(pair[0] + pair[1], len(TARGET)))
)
entities = st.builds(Entity, spans, st.sampled_from(["PER", "LOC"]), st.none() | st.floats(0, 1))
marked = st.lists(entities, max_size=5)


@given(st.none() | marked, marked)
def test_every_entity_is_in_exactly_one_entry(
    predicted: list[Entity] | None, corrected: list[Entity]
) -> None:
    entries = entries_of(review(predicted, corrected))
    before = [e.predicted for e in entries if e.predicted is not None]
    after = [e.corrected for e in entries if e.corrected is not None]
    assert sorted(before, key=str) == sorted(predicted or [], key=str)
    assert sorted(after, key=str) == sorted(by_person(*corrected), key=str)
    assert all((e.predicted is not None) == (e.change in PROPOSED) for e in entries)


def write(folder: Path, *reviewed: ReviewedSentence) -> list[dict[str, str]]:
    """The rows of the table, by column."""
    write_ledger(reviewed, folder)
    with (folder / TABLE).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LEDGER).read_text("utf-8").splitlines()]


@pytest.mark.parametrize("these", UGLY.values(), ids=UGLY)
def test_both_files_hold_every_entry(these: ReviewedProject, tmp_path: Path) -> None:
    entries = [entry for each in these.reviewed for entry in entries_of(each)]
    rows = write(tmp_path, *these.reviewed)
    assert [(line["target"], line["change"]) for line in lines(tmp_path)] == [
        (entry.review.sentence.target, entry.change) for entry in entries
    ]
    assert len(rows) == len(entries)


@given(predicted=st.none() | marked, corrected=marked)
def test_whatever_was_marked(
    predicted: list[Entity] | None,
    corrected: list[Entity],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    decided = review(predicted, corrected)
    write(folder, decided)
    for line, entry in zip(lines(folder), entries_of(decided), strict=True):
        for side, entity in (("predicted", entry.predicted), ("corrected", entry.corrected)):
            assert line[side] == (entity and encode_entity(entity, TARGET))


def test_a_line_of_the_ledger_names_the_phrases(tmp_path: Path) -> None:
    write(tmp_path, review([SIEMENS], [SIEMENS_ORG]))
    line = json.loads((tmp_path / LEDGER).read_text("utf-8"))
    assert line["schema"] == 1
    assert line["predicted"] == {
        "start": 19, "end": 26, "text": "Siemens", "label": "LOC", "score": 0.55,
    }  # fmt: skip
    assert line["corrected"] == {"start": 19, "end": 26, "text": "Siemens", "label": "ORG"}
    assert line["change"] == "relabelled"


def test_the_table_has_a_row_an_entity(tmp_path: Path) -> None:
    first, second = write(tmp_path, review([SIEMENS], [SIEMENS_ORG, BERN]))
    assert list(first) == list(COLUMNS)
    assert (first["predicted_label"], first["predicted_text"]) == ("LOC", "Siemens")
    assert (first["confidence"], first["corrected_label"]) == ("0.55", "ORG")
    assert (second["change"], second["predicted_text"], second["confidence"]) == ("added", "", "")
    assert (second["corrected_text"], second["corrected_start"]) == ("Bern", "30")


def test_a_border_at_the_beginning_is_a_zero_not_nothing(tmp_path: Path) -> None:
    [row] = write(tmp_path, review([replace(ANNA, score=0.0)], [ANNA]))
    assert (row["predicted_start"], row["confidence"]) == ("0", "0.0")


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-5", "@home", "\tx", "＝1+1", "＠home"])
def test_no_text_is_computed_by_a_spreadsheet(text: str, tmp_path: Path) -> None:
    entity = Entity(Span(0, len(text)), "MISC", 0.5)
    [row] = write(tmp_path, review([entity], [], target=text))
    assert row["predicted_text"] == row["target"] == f"'{text}"
    assert lines(tmp_path)[0]["target"] == text


def test_spreadsheets_are_told_the_encoding(tmp_path: Path) -> None:
    write(tmp_path, review(ALL, ALL))
    assert (tmp_path / TABLE).read_bytes().startswith(b"\xef\xbb\xbfwhen,")


def test_an_older_ledger_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, review(ALL, RIGHT), review(ALL, ALL, number=2))
    write(tmp_path)
    assert lines(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [TABLE, LEDGER]
