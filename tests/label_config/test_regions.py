"""Regions of a `result` list: labels, source spans, marks in the source, and what is refused."""

from typing import Any

import pytest

from label_config.tasks import to_prediction
from projection.records import ProjectedSentence, ReviewStatus
from tests.label_config.test_annotations import SOURCE, TARGET, data_of, refused, review


@pytest.mark.parametrize(
    ("origin", "asked", "label"),
    [
        pytest.param("prediction", "PER", "PER", id="nobody changed it: the page gave it a label"),
        pytest.param("prediction-changed", "PER", "ORG", id="a person did"),
        pytest.param("manual", "PER", "ORG", id="it is no answer"),
        pytest.param("prediction", "ORG", "ORG", id="as it was asked"),
        pytest.param("prediction", " ", "ORG", id="nothing"),
        pytest.param("prediction", ["PER"], "ORG", id="no label"),
    ],
)
def test_an_answer_has_the_label_that_was_asked_for_unless_a_person_changed_it(
    exported: dict[str, Any], origin: str, asked: object, label: str
) -> None:
    region = exported["annotations"][0]["result"][0]
    region.update(origin=origin, meta={"asked": asked})
    after = review(exported)
    assert [entity.label for entity in after.entities] == [label, "LOC"]
    said = "PER “Banco de Portugal” [3, 20) was shown as ORG, which nobody asked for"
    assert (said in after.notes) is (label == "PER")


@pytest.mark.parametrize("source", [[4], [4, 900], [8, 4], "4", [4, "20"], {"start": 4}, 4])
def test_a_source_that_is_no_span_is_refused(exported: dict[str, Any], source: object) -> None:
    exported["annotations"][0]["result"][0]["meta"]["source"] = source
    assert "is not a span of the source" in refused(exported).reason


def marked_in_source(**changes: Any) -> dict[str, Any]:
    value = {
        "start": "/div[1]/span[3]/bdi[1]/text()[1]",
        "startOffset": 0,
        "end": "/div[1]/span[3]/bdi[1]/text()[1]",
        "endOffset": 5,
        "globalOffsets": {"start": 39, "end": 44},
        "text": "Porto",
        "labels": ["LOC"],
    }
    return {
        "id": "s0urce",
        "from_name": "source_entities",
        "to_name": "source",
        "type": "labels",
        "origin": "manual",
        "value": {**value, **changes},
    }


def test_what_was_marked_in_the_source_is_noted_and_never_a_target_entity(
    exported: dict[str, Any],
) -> None:
    before = review(exported)
    exported["annotations"][0]["result"].append(marked_in_source())
    after = review(exported)
    assert (after.entities, after.provenance) == (before.entities, before.provenance)
    assert after.status is ReviewStatus.ACCEPTED
    said = "marked in the source: LOC “Porto” [39, 44)"
    assert after.notes == (*before.notes, f"{said}, not projected")
    exported["annotations"][0]["result"][-1]["meta"] = {"targets": [[3, 8]]}
    assert review(exported).notes == (*before.notes, said)


def test_line_ends_may_look_different_in_the_source(exported: dict[str, Any]) -> None:
    """HTML has one character for them, Label Studio writes it as two, and the offsets hold."""
    exported["data"] = data_of("The Bank of Portugal left Portugal\r\nto Porto.", TARGET)
    crossing = {"globalOffsets": {"start": 26, "end": 38}, "text": r"Portugal \nto"}
    exported["annotations"][0]["result"].append(marked_in_source(**crossing))
    assert review(exported).notes[-1].startswith("marked in the source: LOC “Portugal")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"text": "Lisbon"}, "covers 'Porto', but was shown as 'Lisbon'"),
        ({"globalOffsets": {"start": 38, "end": 43}}, "but was shown as 'Porto'"),
        ({"globalOffsets": {"start": 39, "end": 99}}, "past the text"),
        ({"globalOffsets": None}, "globalOffsets: None where an object"),
        ({"labels": ["LOC", "ORG"]}, "needs exactly one label"),
    ],
    ids=["text", "moved", "out of range", "no offsets", "label"],
)
def test_marks_in_the_source_that_contradict_it_are_refused(
    exported: dict[str, Any], changes: dict[str, Any], what: str
) -> None:
    exported["annotations"][0]["result"].append(marked_in_source(**changes))
    reason = refused(exported).reason
    assert "region s0urce" in reason
    assert what in reason


def test_a_drag_across_lines_is_believed_as_label_studio_writes_it(
    exported: dict[str, Any],
) -> None:
    exported["data"] = data_of(SOURCE, "El Banco\r\nde Portugal se fue a otra parte.")
    value = {"start": 3, "end": 21, "text": r"Banco\n\nde Portugal", "labels": ["ORG"]}
    value["end"] = exported["data"]["target"].index(" se")
    exported["predictions"] = []
    region = {**exported["annotations"][0]["result"][0], "value": value}
    exported["annotations"][0]["result"] = [region]
    (entity,) = review(exported).entities
    assert entity.span.of(exported["data"]["target"]) == "Banco\r\nde Portugal"


def test_relations_are_left_aside_and_mentioned(exported: dict[str, Any]) -> None:
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    exported["annotations"][0]["result"].append(relation)
    reviewed = review(exported)
    assert len(reviewed.entities) == 2
    assert "1 relation(s) between regions were not read" in reviewed.notes


def question(kind: str, **value: object) -> dict[str, Any]:
    """The answer to a question that somebody added to the labeling config."""
    return {"id": "q", "from_name": "extra", "to_name": "target", "type": kind, "value": value}


@pytest.mark.parametrize(
    ("item", "note"),
    [
        (question("textarea", text=["hm", "so\nso"]), "extra: hm, so so"),
        (question("choices", choices=["rare"]), "extra: rare"),
        (question("rating", rating=3), "extra (rating) was not read"),
        (question("textarea"), "extra (textarea) was not read"),
    ],
    ids=["textarea", "choices", "rating", "nothing"],
)
def test_answers_to_other_questions_are_notes(
    exported: dict[str, Any], item: dict[str, Any], note: str
) -> None:
    item["id"] = exported["annotations"][0]["result"][0]["id"]  # asked about a region
    exported["annotations"][0]["result"].append(item)
    after = review(exported)
    assert len(after.entities) == 2
    assert after.notes[-1] == note


@pytest.mark.parametrize(
    "item",
    [
        question("labels", start=0, end=2, labels=["X"]),
        {**question("hypertextlabels"), "from_name": "entities"},
        {**question("choices", choices=["ok"]), "from_name": "review", "to_name": "source"},
        {},
        {"from_name": None, "type": "choices"},
    ],
    ids=["other entities", "other kind", "other text", "empty", "nameless"],
)
def test_what_might_be_an_entity_or_a_decision_is_never_passed_over(
    exported: dict[str, Any], item: dict[str, Any]
) -> None:
    exported["annotations"][0]["result"].append(item)
    assert "are not of our labeling config" in refused(exported).reason


class TestWhatPeopleWriteOnRegions:
    def test_is_a_note_without_the_words_of_the_prediction(
        self, exported: dict[str, Any], overlapping: ProjectedSentence
    ) -> None:
        before = review(exported).notes
        said = [region["meta"]["text"][0] for region in to_prediction(overlapping)["result"]]
        result = exported["annotations"][0]["result"]
        result[0]["meta"]["text"] = [said[0], "why\nthis?"]
        result[1]["meta"]["text"] = f"{said[1]} and\u2028that"
        assert review(exported).notes == (
            *before,
            "note on ORG “Banco de Portugal”: why this?",
            "note on LOC “Portugal”: and that",
        )

    @pytest.mark.parametrize("text", [None, [], "", [None, 3], {"a": "b"}, ["  "]])
    def test_may_be_nothing(self, exported: dict[str, Any], text: object) -> None:
        before = review(exported).notes
        exported["annotations"][0]["result"][0]["meta"]["text"] = text
        assert review(exported).notes == before

    def test_is_told_apart_from_what_the_backend_answered(self, exported: dict[str, Any]) -> None:
        region = marked_in_source()
        region["meta"] = {"text": ["sure?", "to “Porto” · 0.80"], "said": ["to “Porto” · 0.80"]}
        exported["annotations"][0]["result"].append(region)
        assert review(exported).notes[-1] == "note on LOC “Porto”: sure?"
