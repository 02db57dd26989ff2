"""What becomes of an open sentence: of its prediction, its record and its page."""

import json
import re
from dataclasses import replace
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given, settings

from label_config.tasks import record_of, to_prediction, to_task
from ml_backend.propagation.apply import TaskChange, corrected, propagated, read_open
from ml_backend.review.corrections import Correction, Rules, corrections_in
from projection.errors import ReviewError
from projection.pipeline.conflicts import PAPER_CHECKS, find_conflicts, low_confidence
from projection.pipeline.projector import unprojected
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)
from tests.label_config.test_round_trip import projected_sentences
from tests.label_config.test_source_html import Page
from tests.ml_backend.corrections import (
    BAYERN,
    BAYERN_CLUB,
    Marks,
    add,
    delete,
    entities,
    pair,
    relabel,
    review,
)

VERSION = "fixed-1"


def open_task(text: str, marks: Marks, lang: str = "de", **data: Any) -> dict[str, Any]:
    """A task nobody has touched, as Label Studio exports it."""
    sentence = ProjectedSentence(pair(text, lang), entities(text, marks, 0.9), (), (), 0.9, VERSION)
    prediction = {"id": 7, "created_at": "2026-01-01", **to_prediction(sentence)}
    return {
        "id": 3,
        "data": {**to_task(sentence)["data"], **data},
        "annotations": [],
        "drafts": [],
        "predictions": [prediction],
    }


def change_of(
    task: dict[str, Any], *corrections: Correction, sentences: int = 3
) -> TaskChange | None:
    sentence = read_open(task, VERSION)
    assert sentence is not None
    said_by = dict.fromkeys(corrections, sentences)
    return corrected(sentence, Rules(corrections), said_by)


def marks_of(change: TaskChange) -> list[tuple[str, str]]:
    regions = sorted(change.result, key=lambda item: item["value"]["start"])
    return [(item["value"]["labels"][0], item["value"]["text"]) for item in regions]


@pytest.mark.parametrize(
    ("text", "marks", "corrections", "expected"),
    [
        pytest.param(
            "Siemens mag Siemens.",
            [("LOC", "Siemens"), ("LOC", "Siemens")],
            [relabel("Siemens", "LOC", "ORG")],
            [("ORG", "Siemens"), ("ORG", "Siemens")],
            id="every occurrence gets the label",
        ),
        pytest.param(
            "Siemens mag Siemens.",
            [("LOC", "Siemens"), ("PER", "Siemens")],
            [relabel("Siemens", "LOC", "ORG")],
            [("ORG", "Siemens"), ("PER", "Siemens")],
            id="but not one predicted otherwise",
        ),
        pytest.param(
            "Am Montag kam Ada.",
            [("PER", "Montag"), ("PER", "Ada")],
            [delete("Montag", "PER")],
            [("PER", "Ada")],
            id="what is no entity goes",
        ),
        pytest.param(
            "Hier ist der FC Bayern.",
            [("ORG", "der FC Bayern")],
            [BAYERN],
            [("ORG", "FC Bayern")],
            id="borders move inwards",
        ),
        pytest.param(
            "Der FC Bayern in Bayern.",
            [("LOC", "Bayern"), ("LOC", "Bayern")],
            [BAYERN_CLUB],
            [("ORG", "FC Bayern"), ("LOC", "Bayern")],
            id="outwards only where the text goes on like that",
        ),
        pytest.param(
            "Siemens baut, Siemensstadt nicht; Siemens.",
            [("ORG", "Siemens")],
            [add("Siemens", "ORG")],
            [("ORG", "Siemens"), ("ORG", "Siemens")],
            id="added where it stands free and whole",
        ),
        pytest.param(
            "中国和中国人。",
            [("LOC", "中国")],
            [add("中国", "LOC", "zh")],
            [("LOC", "中国"), ("LOC", "中国")],
            id="without spaces every occurrence is whole",
        ),
        pytest.param(
            "FC Bayern und Bayern.",
            [],
            [add("Bayern", "LOC"), add("FC Bayern", "ORG")],
            [("ORG", "FC Bayern"), ("LOC", "Bayern")],
            id="the longer phrase first",
        ),
        pytest.param(
            "Seit der FC Bayern siegt.",
            [("LOC", "der FC Bayern")],
            [delete("der FC Bayern", "LOC"), add("FC Bayern", "ORG")],
            [("ORG", "FC Bayern")],
            id="what a deletion leaves free can be marked",
        ),
        pytest.param(
            "Siemens baut.",
            [("LOC", "Siemens")],
            [
                relabel("Siemens", "LOC", "ORG"),
                Correction("de", "Siemens", "ORG", "ORG", "Siemens baut"),
            ],
            [("ORG", "Siemens")],
            id="nothing is changed twice",
        ),
    ],
)
def test_an_open_sentence_is_corrected(
    text: str, marks: Marks, corrections: list[Correction], expected: Marks
) -> None:
    task = open_task(text, marks, corrections[0].lang)

    change = change_of(task, *corrections)

    assert change is not None
    assert marks_of(change) == list(expected)
    # A second run finds nothing to do.
    task["predictions"][0]["result"] = change.result
    assert change_of(task, *corrections) is None


@pytest.mark.parametrize(
    ("text", "marks", "correction"),
    [
        pytest.param("", [], add("Siemens", "ORG"), id="no text"),
        pytest.param("SIEMENS.", [("LOC", "SIEMENS")], relabel("Siemens", "LOC", "ORG"), id="case"),
        pytest.param("AFC Bayern.", [("LOC", "Bayern")], BAYERN_CLUB, id="it would cut a word"),
        pytest.param(
            "Bayern.", [("LOC", "Bayern")], BAYERN_CLUB, id="it would begin before the text"
        ),
        pytest.param(
            "FC Bayern.",
            [("ORG", "FC"), ("LOC", "Bayern")],
            BAYERN_CLUB,
            id="it would meet another entity",
        ),
        pytest.param(
            "Siemens baut.", [("PER", "Siemens")], add("Siemens", "ORG"), id="it is not free"
        ),
    ],
)
def test_an_open_sentence_without_the_mistake_stays(
    text: str, marks: Marks, correction: Correction
) -> None:
    assert change_of(open_task(text, marks), correction) is None


def test_borders_may_move_within_what_overlapped_before() -> None:
    task = open_task("der FC Bayern", [("ORG", "der FC Bayern"), ("LOC", "Bayern")])

    change = change_of(task, BAYERN)

    assert change is not None
    assert marks_of(change) == [("ORG", "FC Bayern"), ("LOC", "Bayern")]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_normal_form_of_the_text_does_not_matter_and_stays(form: str) -> None:
    text = normalize(form, "In São Paulo und São Paulo.")  # type: ignore[arg-type]
    name = normalize(form, "São Paulo")  # type: ignore[arg-type]
    corrections = [relabel("São Paulo", "ORG", "LOC", "es"), add("São Paulo", "LOC", "es")]

    change = change_of(open_task(text, [("ORG", name)], "es"), *corrections)

    assert change is not None
    assert marks_of(change) == [("LOC", name), ("LOC", name)]


# “São Paulo” was corrected in a text of one form, and is predicted in one of another. Before it
# stands a letter that takes one code point in the one and two in the other.
@pytest.mark.parametrize(("made_in", "open_in"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_borders_move_by_letters_in_whatever_normal_form(made_in: str, open_in: str) -> None:
    def text(form: str) -> tuple[str, str, str]:
        words = ("Já não é o São Paulo é.", "o São Paulo é", "São Paulo")
        whole, wrong, right = (normalize(form, each) for each in words)  # type: ignore[arg-type]
        return whole, wrong, right

    whole, wrong, right = text(made_in)
    [correction] = corrections_in(review(whole, [("LOC", wrong)], [("LOC", right)], lang="es"))
    whole, wrong, right = text(open_in)

    change = change_of(open_task(whole, [("LOC", wrong)], "es"), correction)

    assert change is not None
    assert marks_of(change) == [("LOC", right)]
    back = Correction("es", "São Paulo", "LOC", "LOC", "o São Paulo é")
    outwards = change_of(open_task(whole, [("LOC", right)], "es"), back)
    assert outwards is not None
    assert marks_of(outwards) == [("LOC", wrong)]


def test_a_region_says_what_it_was_and_why_it_is_not_so_any_more() -> None:
    task = open_task("Bei Siemens.", [("LOC", "Siemens")])
    [before] = task["predictions"][0]["result"]

    change = change_of(task, relabel("Siemens", "LOC", "ORG"), sentences=3)

    assert change is not None
    [after] = change.result
    assert after["id"] != before["id"], "its page is made of the new record"
    assert after["value"] == {"start": 4, "end": 11, "text": "Siemens", "labels": ["ORG"]}
    assert "score" not in after, "0.9 was about LOC"
    assert after["meta"] == {
        "text": [
            "found in the target only · 0.90 · propagated: LOC → ORG, as in 3 reviewed sentences"
        ],
        "propagated": "LOC → ORG, as in 3 reviewed sentences",
        "was": {"start": 4, "end": 11, "text": "Siemens", "label": "LOC", "score": 0.9},
    }


def test_an_added_region_has_an_id_of_its_own_and_was_nothing() -> None:
    change = change_of(open_task("Bei Siemens.", []), add("Siemens", "ORG"), sentences=1)

    assert change is not None
    [region] = change.result
    assert region["meta"]["propagated"] == "no entity → ORG, as in 1 reviewed sentence"
    assert "was" not in region["meta"]
    assert region["id"]


def test_the_task_says_in_plain_words_what_was_propagated() -> None:
    task = open_task("Am Montag baut Siemens.", [("PER", "Montag")], audit="May")
    change = change_of(task, delete("Montag", "PER"), add("Siemens", "ORG"))

    assert change is not None
    data = {**task["data"], **change.fields(task)}
    assert data["propagated"] == "Montag: PER → no entity; Siemens: no entity → ORG"
    assert (data["n_entities"], data["audit"]) == (1, "May")


def test_a_task_says_what_was_propagated_before_too() -> None:
    task = open_task("Bei Siemens.", [], propagated="Siemens: LOC → no entity")
    change = change_of(task, add("Siemens", "ORG"))

    assert change is not None
    assert change.fields(task)["propagated"] == (
        "Siemens: LOC → no entity; Siemens: no entity → ORG"
    )


def test_what_stands_between_two_corrections_may_stand_in_a_phrase() -> None:
    task = open_task("Das Haus; drei und Ada.", [("LOC", "Haus; drei"), ("LOC", "Ada")])
    change = change_of(task, relabel("Haus; drei", "LOC", "ORG"), relabel("Ada", "LOC", "PER"))

    assert change is not None
    data = change.fields(task)
    assert data["propagated"] == "Haus; drei: LOC → ORG; Ada: LOC → PER"
    assert change.fields({"data": data}) == data, "an interrupted run is finished"


def test_the_page_follows_and_what_was_changed_comes_first() -> None:
    task = open_task("Ada bei Siemens.", [("PER", "Ada"), ("LOC", "Siemens")])
    change = change_of(task, relabel("Siemens", "LOC", "ORG"))

    assert change is not None
    assert change.result[0]["value"]["text"] == "Siemens"
    data = change.fields(task)
    assert f'htx-highlight-{change.result[0]["id"]}-"]{{--sf-edge:dotted' in data["conflicts_html"]
    assert data["conflicts_html"].count("sf-propagated") == 1


def test_a_change_says_what_is_marked_before_and_after() -> None:
    change = change_of(
        open_task("Ada bei Siemens.", [("PER", "Ada"), ("LOC", "Siemens")]),
        relabel("Siemens", "LOC", "ORG"),
    )

    assert change is not None
    assert change.to_json() == {
        "task": 3,
        "target": "Ada bei Siemens.",
        "before": ["“Ada” PER", "“Siemens” LOC"],
        "after": ["“Ada” PER", "“Siemens” ORG"],
        "corrections": ["Siemens: LOC → ORG"],
    }


def test_other_items_of_a_result_stay() -> None:
    task = open_task("Bei Siemens.", [("LOC", "Siemens")])
    choice = {"id": "x", "from_name": "review", "type": "choices", "value": {"choices": ["ok"]}}
    task["predictions"][0]["result"].insert(0, choice)

    change = change_of(task, delete("Siemens", "LOC"))

    assert change is not None
    assert change.result == [choice]
    assert change.fields(task)["n_entities"] == 0


def test_the_prediction_that_is_shown_is_the_one_that_counts() -> None:
    task = open_task("Bei Siemens.", [("LOC", "Siemens")])
    [first] = task["predictions"]
    newer = {**first, "id": 8, "created_at": "2026-02-01", "result": []}
    other = {**first, "id": 9, "created_at": "2026-03-01", "model_version": "fixed-2"}
    task["predictions"] = [newer, first, other]

    shown = {version: read_open(task, version) for version in (VERSION, "fixed-2", "")}

    assert {version: s and s.prediction["id"] for version, s in shown.items()} == {
        VERSION: 8,
        "fixed-2": 9,
        "": 9,
    }
    assert read_open(task, "fixed-3") is None


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ({"start": 4, "end": 11, "text": "Bosch", "labels": ["LOC"]}, "covers 'Siemens'"),
        ({"start": 4, "end": 99, "text": "Siemens.", "labels": ["LOC"]}, "reaches past the text"),
        ({"start": 4, "end": 11, "text": "Siemens", "labels": ["LOC", "ORG"]}, "exactly one label"),
    ],
)
def test_a_prediction_that_contradicts_its_task_is_named(
    broken: dict[str, Any], complaint: str
) -> None:
    task = open_task("Bei Siemens.", [("LOC", "Siemens")])
    task["predictions"][0]["result"][0]["value"] = broken

    with pytest.raises(ReviewError, match=rf"task 3 prediction 7.*{complaint}.*repredict"):
        read_open(task, VERSION)


# The record and the page that is made of it


@pytest.fixture
def doubtful() -> ProjectedSentence:
    """Every kind of conflict, and a region that has no source."""
    source, target = "The Bank of Portugal left Portugal for Porto.", "El Banco de Portugal se fue."
    bank, country, city = entities(
        source, [("ORG", "Bank of Portugal"), ("LOC", "Portugal"), ("LOC", "Porto.")], 0.9
    )
    sentence = ParallelSentence("banks-7", source, target, "en", "es", "banks.en:7")
    found = (
        Projection(bank, Span(3, 20), 0.66, (Span(24, 27),)),
        Projection(country, Span(12, 20), 0.41),
        Projection(city, None, 0.0),
    )
    conflicts = (
        *find_conflicts(sentence, found, (*PAPER_CHECKS, low_confidence(0.7))),
        *unprojected(sentence, [EXTRA]),
    )
    known = (EXTRA, *(p.entity for p in found if p.entity))
    return ProjectedSentence(sentence, known, found, conflicts, 0.0, VERSION)


BANCO, PORTUGAL = Entity(Span(3, 20), "ORG", 0.66), Entity(Span(12, 20), "LOC", 0.41)
EXTRA = Entity(Span(0, 2), "MISC", 0.99)


def page(record: ProjectedSentence) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(to_task(record)["data"]))
    assert record_of({"data": data}) == record
    return data


def doubts(record: ProjectedSentence) -> list[str]:
    return [line.split(" — ")[0] for line in Page(page(record)["conflicts_html"]).lines("li")]


def chips(record: ProjectedSentence) -> list[str]:
    return Page(page(record)["source_html"]).chip_tags()


def declared(record: ProjectedSentence, phrase: str, label: str) -> set[str]:
    """The properties that the rules of a task give one region, hovering aside."""
    [identity] = [
        region["id"]
        for region in to_prediction(record)["result"]
        if (region["value"]["text"], region["value"]["labels"]) == (phrase, [label])
    ]
    mine = f'.htx-highlight[class*="htx-highlight-{identity}-"]'
    rules = [r for r in Page(page(record)["conflicts_html"]).rules() if r.startswith(mine)]
    return {name for rule in rules for name in re.findall(r"(--sf-\w+):", rule)}


def test_another_label_ends_the_doubt_whether_it_was_right(doubtful: ProjectedSentence) -> None:
    after = propagated(doubtful, [(PORTUGAL, Entity(PORTUGAL.span, "MISC"))])

    assert chips(after) == ["1 ORG 0.66", "2 LOC ↪ MISC", "3 LOC failed mapping"]
    assert doubts(after) == [
        "⚠ failed mapping 3",
        "⚠ overlap 1, 2",
        "⚠ one-to-many 1",
        "⚠ low confidence 1",
        "⚠ target only",
    ]
    mine = declared(after, "Portugal", "MISC")
    assert {"--sf-number", "--sf-came"} <= mine
    assert "--sf-sure" not in mine, "0.41 was about another label"
    assert "0.41" not in Page(page(after)["conflicts_html"]).text
    assert after.source_entities == doubtful.source_entities


def test_other_borders_end_what_was_doubted_about_the_old_ones(doubtful: ProjectedSentence) -> None:
    after = propagated(doubtful, [(BANCO, Entity(Span(3, 8), "ORG"))])

    assert doubts(after) == ["⚠ failed mapping 3", "⚠ low confidence 2", "⚠ target only"]
    assert chips(after)[0] == "1 ORG ↪"
    data = page(after)
    assert (data["n_conflicts"], data["conflicts"]) == (
        3,
        "failed mapping, low confidence, target only",
    )


def test_what_is_no_entity_is_not_looked_for_in_the_translation(
    doubtful: ProjectedSentence,
) -> None:
    after = propagated(doubtful, [(BANCO, None)])

    assert chips(after) == ["1 ORG ↪ no entity", "2 LOC 0.41", "3 LOC failed mapping"]
    assert doubts(after) == ["⚠ failed mapping 3", "⚠ low confidence 2", "⚠ target only"]
    assert page(after)["n_entities"] == 2
    assert after.source_entities == doubtful.source_entities


def test_a_corrected_second_opinion_is_no_opinion(doubtful: ProjectedSentence) -> None:
    without = propagated(doubtful, [(EXTRA, None)])
    relabelled = propagated(doubtful, [(EXTRA, Entity(EXTRA.span, "PER"))])

    assert "⚠ target only" not in [*doubts(without), *doubts(relabelled)]
    assert without.conflict_kinds[-1] is ConflictKind.LOW_CONFIDENCE


def test_an_added_region_has_no_number(doubtful: ProjectedSentence) -> None:
    after = propagated(doubtful, [(None, Entity(Span(21, 23), "ORG"))])

    assert page(after)["n_entities"] == 4
    assert declared(after, "se", "ORG") == {"--sf-edge", "--sf-conflict", "--sf-came"}


def test_a_kind_that_comes_from_elsewhere_stays(doubtful: ProjectedSentence) -> None:
    """An export has no reasons: its conflicts cannot be checked again."""
    pushed = replace(doubtful, conflicts=(Conflict(ConflictKind.FAILED_MAPPING, "exported"),))
    pushed = replace(pushed, projections=doubtful.projections[:2])

    assert doubts(propagated(pushed, [(BANCO, None)])) == ["⚠ failed mapping"]


def test_what_an_interrupted_run_has_changed_is_not_changed_again(
    doubtful: ProjectedSentence,
) -> None:
    changes = [
        (BANCO, Entity(Span(3, 8), "ORG")),
        (PORTUGAL, None),
        (None, Entity(Span(21, 23), "ORG")),
    ]

    assert propagated(propagated(doubtful, changes), changes) == propagated(doubtful, changes)


def test_the_record_of_another_prediction_is_left_alone() -> None:
    task = open_task("Bei Siemens.", [])
    sentence = pair("Bei Siemens.")
    newer = ProjectedSentence(
        sentence, entities("Bei Siemens.", [("LOC", "Siemens")], 0.8), (), (), 0.8, VERSION
    )
    task["predictions"] = [{"id": 8, "created_at": "2026-02-01", **to_prediction(newer)}]

    change = change_of(task, relabel("Siemens", "LOC", "ORG"))

    assert change is not None
    assert marks_of(change) == [("ORG", "Siemens")]
    assert record_of({"data": change.fields(task)}) == record_of(task)
    assert "sf-propagated" in change.fields(task)["conflicts_html"]


def test_the_page_and_the_prediction_have_the_same_regions(doubtful: ProjectedSentence) -> None:
    task = {
        **open_task("", []),
        **to_task(doubtful),
        "predictions": [{"id": 7, "created_at": "2026-01-01", **to_prediction(doubtful)}],
    }
    club = Correction("es", "Banco de Portugal", "ORG", "PER", "Banco")

    change = change_of(task, relabel("Portugal", "LOC", "ORG", "es"), club, add("se", "ORG", "es"))

    assert change is not None
    record = record_of({"data": change.fields(task)})
    made = {region["id"]: region["value"] for region in to_prediction(record)["result"]}
    assert {region["id"]: region["value"] for region in change.result} == made
    assert chips(record) == ["1 ORG ↪ PER", "2 LOC ↪ ORG", "3 LOC failed mapping"]


@settings(deadline=None)  # a busy machine is not a failure
@given(projected_sentences())
def test_a_change_of_what_is_not_there_changes_nothing(record: ProjectedSentence) -> None:
    absent = Entity(Span(900, 901), "PER")
    assert propagated(record, [(absent, None), (absent, replace(absent, label="ORG"))]) == record


def test_what_the_teacher_doubted_ends_with_its_phrase(doubtful: ProjectedSentence) -> None:
    bank, *_ = doubtful.projections
    unsure = Conflict(ConflictKind.TYPE_UNSURE, "unsure", (bank,), (BANCO.span,))
    missed = Conflict(ConflictKind.TYPE_UNSURE, "missed")
    before = replace(doubtful, conflicts=(unsure, missed))
    same = propagated(before, [(PORTUGAL, Entity(PORTUGAL.span, "MISC"))])
    assert [c.reason for c in same.conflicts] == ["unsure", "missed"]
    relabelled = propagated(before, [(BANCO, Entity(BANCO.span, "MISC"))])
    assert [c.reason for c in relabelled.conflicts] == ["missed"]
