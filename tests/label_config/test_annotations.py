"""What comes back from Label Studio: bodies shaped as its JSON export shapes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from label_config.annotations import annotation_of, reviewed_of
from label_config.tasks import to_task
from projection.errors import SpanError
from projection.records import (
    ConflictKind,
    Entity,
    LabelOrigin,
    ParallelSentence,
    ProjectedSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
    UnreadableReview,
)

SOURCE = "The Bank of Portugal left Portugal for Porto."
TARGET = "El Banco de Portugal se fue a otra parte."
BANCO, PORTUGAL = Entity(Span(3, 20), "ORG"), Entity(Span(12, 20), "LOC")
CAPTURED = Path(__file__).parents[3] / "shared" / "label-studio"


def data_of(source: str, target: str) -> dict[str, Any]:
    """The data of a task of this pair, without anything projected."""
    sentence = ParallelSentence("banks-7", source, target, "en", "es", "banks.en:7")
    return to_task(ProjectedSentence(sentence, (), (), (), 1.0, "a1b2c3"))["data"]


def review(task: dict[str, Any]) -> ReviewedSentence:
    ((reviewed,), unreadable) = reviewed_of(task, "export.json")
    assert not unreadable
    return reviewed


def refused(task: dict[str, Any]) -> UnreadableReview:
    reviewed, (unreadable,) = reviewed_of(task, "export.json")
    assert not reviewed
    return unreadable


def answer(choice: str) -> dict[str, Any]:
    return {
        "id": "aB3-x",
        "from_name": "review",
        "to_name": "target",
        "type": "choices",
        "value": {"choices": [choice]},
        "origin": "manual",
    }


def test_everything_worth_knowing_is_kept(
    exported: dict[str, Any], overlapping: ProjectedSentence
) -> None:
    assert review(exported) == ReviewedSentence(
        sentence=overlapping.sentence,
        entities=(BANCO, PORTUGAL),
        status=ReviewStatus.ACCEPTED,
        annotator="3",
        lead_time=2.057,
        predicted=overlapping.entities,
        conflicts=(ConflictKind.FAILED_MAPPING, ConflictKind.OVERLAP),
        model_version="a1b2c3",
        task_id=24,
        annotation_id=14,
        updated_at="2026-03-02T11:05:00.000000Z",
        notes=(
            "ORG “Banco de Portugal” [3, 20) and LOC “Portugal” [12, 20) overlap: "
            "IOB2 can hold only one of them",
        ),
        provenance=(
            Provenance(LabelOrigin.PROJECTED, Span(4, 20)),
            Provenance(LabelOrigin.PROJECTED, Span(26, 34)),
        ),
    )


def left_alone(annotation: dict[str, Any]) -> None:
    pass


def approved(annotation: dict[str, Any]) -> None:
    annotation["result"].append(answer("ok"))


def deleted_one(annotation: dict[str, Any]) -> None:
    del annotation["result"][1]


def deleted_all(annotation: dict[str, Any]) -> None:
    annotation["result"].clear()


def relabelled(annotation: dict[str, Any]) -> None:
    annotation["result"][0]["value"]["labels"] = ["MISC"]
    annotation["result"][0]["origin"] = "prediction-changed"


def redrawn(annotation: dict[str, Any]) -> None:
    region = annotation["result"][0]
    region.update(id="uLHko3ImEv", origin="manual")
    region["value"].update(end=8, text="Banco")


def drawn_again_the_same(annotation: dict[str, Any]) -> None:
    region = annotation["result"][0]
    region.update(id="uLHko3ImEv", origin="manual")
    del region["score"], region["meta"]


def marked_unusable(annotation: dict[str, Any]) -> None:
    annotation["result"].append(answer("unusable"))


def skipped(annotation: dict[str, Any]) -> None:
    annotation.update(was_cancelled=True)


def skipped_after_marking(annotation: dict[str, Any]) -> None:
    marked_unusable(annotation)
    skipped(annotation)


@pytest.mark.parametrize(
    ("what_happened", "status"),
    [
        (left_alone, ReviewStatus.ACCEPTED),
        (approved, ReviewStatus.ACCEPTED),
        (drawn_again_the_same, ReviewStatus.ACCEPTED),
        (deleted_one, ReviewStatus.CORRECTED),
        (deleted_all, ReviewStatus.CORRECTED),
        (relabelled, ReviewStatus.CORRECTED),
        (redrawn, ReviewStatus.CORRECTED),
        (marked_unusable, ReviewStatus.UNUSABLE),
        (skipped, ReviewStatus.SKIPPED),
        (skipped_after_marking, ReviewStatus.SKIPPED),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_a_person_did_decides_the_status(
    exported: dict[str, Any], what_happened: Any, status: ReviewStatus
) -> None:
    what_happened(exported["annotations"][0])
    assert review(exported).status is status


BANK = Span(4, 20)  # what the first prediction was projected from


def border_dragged(result: list[dict[str, Any]]) -> None:
    result[0]["origin"] = "prediction-changed"
    result[0]["value"].update(end=8, text="Banco")


def relabelled_in_place(result: list[dict[str, Any]]) -> None:
    result[0]["origin"] = "prediction-changed"
    result[0]["value"]["labels"] = ["MISC"]


def was_propagated(result: list[dict[str, Any]]) -> None:
    result[0]["meta"]["propagated"] = "Banco: LOC → ORG"


def was_propagated_and_changed(result: list[dict[str, Any]]) -> None:
    was_propagated(result)
    relabelled_in_place(result)


def drawn(result: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A region drawn by hand in the place of the first."""
    value = {"start": 3, "end": 8, "text": "Banco", "labels": ["ORG"], **changes}
    result[0] = {
        "id": "uLHko3ImEv",
        "from_name": "entities",
        "to_name": "target",
        "type": "labels",
        "origin": "manual",
        "value": value,
    }
    return result[0]


def drawn_shorter(result: list[dict[str, Any]]) -> None:
    drawn(result)


def drawn_the_same(result: list[dict[str, Any]]) -> None:
    drawn(result, end=20, text="Banco de Portugal")


def drawn_with_another_label(result: list[dict[str, Any]]) -> None:
    drawn(result, labels=["MISC"])


def drawn_elsewhere(result: list[dict[str, Any]]) -> None:
    drawn(result, start=21, end=23, text="se")


def drawn_as_suggested(result: list[dict[str, Any]]) -> None:
    drawn(result)["meta"] = {"text": ["from 3"], "source": [39, 44], "suggested": True}


def drawn_as_suggested_and_changed(result: list[dict[str, Any]]) -> None:
    drawn_as_suggested(result)
    result[0]["origin"] = "prediction-changed"


def drawn_and_linked(result: list[dict[str, Any]]) -> None:
    meta = {"source": [39, 44], "asked": "ORG", "origin": "person"}
    drawn(result).update(origin="prediction", meta=meta)


def drawn_linked_and_changed(result: list[dict[str, Any]]) -> None:
    drawn_and_linked(result)
    result[0]["origin"] = "prediction-changed"


def written_by_a_program(result: list[dict[str, Any]]) -> None:
    del drawn(result, start=21, end=23, text="se")["origin"]


@pytest.mark.parametrize(
    ("what_happened", "origin", "source"),
    [
        (border_dragged, LabelOrigin.CHANGED, BANK),
        (relabelled_in_place, LabelOrigin.CHANGED, BANK),
        (was_propagated, LabelOrigin.PROPAGATED, BANK),
        (was_propagated_and_changed, LabelOrigin.CHANGED, BANK),
        (drawn_shorter, LabelOrigin.CHANGED, BANK),
        (drawn_the_same, LabelOrigin.PROJECTED, BANK),
        (drawn_with_another_label, LabelOrigin.PERSON, None),
        (drawn_elsewhere, LabelOrigin.PERSON, None),
        (drawn_as_suggested, LabelOrigin.SUGGESTED, Span(39, 44)),
        (drawn_as_suggested_and_changed, LabelOrigin.CHANGED, Span(39, 44)),
        (drawn_and_linked, LabelOrigin.PERSON, Span(39, 44)),
        (drawn_linked_and_changed, LabelOrigin.PERSON, Span(39, 44)),
        (written_by_a_program, LabelOrigin.PERSON, None),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_label_knows_where_it_comes_from(
    exported: dict[str, Any], what_happened: Any, origin: LabelOrigin, source: Span | None
) -> None:
    result = exported["annotations"][0]["result"]
    del result[1]  # so that no other region could be meant
    exported["predictions"][0]["result"].pop()
    what_happened(result)
    assert review(exported).provenance == (Provenance(origin, source),)


def test_a_region_drawn_over_two_deleted_ones_comes_from_neither(exported: dict[str, Any]) -> None:
    for region in exported["predictions"][0]["result"]:
        region["value"]["labels"] = ["ORG"]
    result = exported["annotations"][0]["result"]
    del result[1]
    drawn(result, start=9, end=20, text="de Portugal")
    assert review(exported).provenance == (Provenance(LabelOrigin.PERSON),)


def test_a_region_drawn_beside_one_that_was_kept_does_not_come_from_it(
    exported: dict[str, Any],
) -> None:
    result = exported["annotations"][0]["result"]
    kept = json.loads(json.dumps(result[0]))
    drawn(result)
    result[1] = kept
    assert review(exported).provenance == (
        Provenance(LabelOrigin.PERSON),
        Provenance(LabelOrigin.PROJECTED, BANK),
    )


def test_every_annotation_is_a_record_of_its_own(exported: dict[str, Any]) -> None:
    second = json.loads(json.dumps(exported["annotations"][0]))
    second.update(id=15, completed_by=8)
    deleted_one(second)
    exported["annotations"].append(second)
    found = [(r.annotation_id, r.annotator, r.status) for r in reviewed_of(exported).reviewed]
    assert found == [(14, "3", ReviewStatus.ACCEPTED), (15, "8", ReviewStatus.CORRECTED)]


def test_a_task_nobody_opened_has_no_reviews(exported: dict[str, Any]) -> None:
    exported["annotations"] = []
    assert reviewed_of(exported) == ([], [])


@pytest.mark.parametrize(
    ("completed_by", "annotator"),
    [
        pytest.param(3, "3", id="an id"),
        pytest.param({"id": 3, "email": "r@example.com"}, "3", id="a user"),
        pytest.param(None, "unknown", id="a deleted user"),
    ],
)
def test_annotators_are_ids_never_names(
    exported: dict[str, Any], completed_by: object, annotator: str
) -> None:
    exported["annotations"][0]["completed_by"] = completed_by
    assert review(exported).annotator == annotator


def older_and_newer(task: dict[str, Any]) -> None:
    newer = {"id": 31, "result": [], "model_version": "d4e5f6", "created_at": "2026-03-09"}
    task["predictions"].insert(0, newer)


class TestWhatTheAnnotatorSaw:
    def test_is_the_prediction_the_annotation_began_from(self, exported: dict[str, Any]) -> None:
        older_and_newer(exported)
        assert review(exported).model_version == "a1b2c3"

    def test_is_the_copy_in_the_annotation_if_predictions_are_bare_ids(
        self, exported: dict[str, Any]
    ) -> None:
        (exported["annotations"][0]["prediction"],) = exported["predictions"]
        exported["predictions"] = [26]
        assert review(exported).status is ReviewStatus.ACCEPTED

    def test_is_taken_to_be_the_newest_if_the_annotation_does_not_say(
        self, exported: dict[str, Any]
    ) -> None:
        older_and_newer(exported)
        exported["annotations"][0].update(parent_prediction=None, prediction={})
        reviewed = review(exported)
        assert (reviewed.model_version, reviewed.status) == ("d4e5f6", ReviewStatus.CORRECTED)
        assert not any("newest" in note for note in reviewed.notes)

    def test_is_the_newest_with_a_note_if_it_was_deleted(self, exported: dict[str, Any]) -> None:
        older_and_newer(exported)
        exported["annotations"][0]["parent_prediction"] = 9
        reviewed = review(exported)
        assert reviewed.model_version == "d4e5f6"
        assert reviewed.notes[0].startswith("prediction 9, which the annotator saw, is gone")

    @pytest.mark.parametrize("predictions", [[26], [], None], ids=["ids", "none", "null"])
    def test_is_unknown_without_predictions(
        self, exported: dict[str, Any], predictions: object
    ) -> None:
        exported["predictions"] = predictions
        reviewed = review(exported)
        assert (reviewed.predicted, reviewed.model_version) == (None, None)
        assert reviewed.status is ReviewStatus.CORRECTED

    def test_can_be_nothing(self, exported: dict[str, Any]) -> None:
        exported["predictions"][0]["result"] = []
        exported["annotations"][0]["result"] = []
        reviewed = review(exported)
        assert (reviewed.predicted, reviewed.status) == ((), ReviewStatus.ACCEPTED)


def _in(*path: Any, value: object) -> Any:
    """A change of the export: sets what lies at the end of `path`."""

    def change(task: dict[str, Any]) -> None:
        place: Any = task
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def _without(*path: Any) -> Any:
    def change(task: dict[str, Any]) -> None:
        place: Any = task
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


def _more(item: dict[str, Any]) -> Any:
    def change(task: dict[str, Any]) -> None:
        task["annotations"][0]["result"].append(item)

    return change


def twice_the_same_id(task: dict[str, Any]) -> None:
    result = task["annotations"][0]["result"]
    result[1]["id"] = result[0]["id"]


def reviewed_twice(task: dict[str, Any]) -> None:
    task["annotations"][0]["result"] += [answer("ok"), {**answer("unusable"), "id": "other"}]


ANNOTATION = ("annotations", 0)
REGION = (*ANNOTATION, "result", 0)
VALUE = (*REGION, "value")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(_in(*VALUE, "text", value="Banca"), "was shown as 'Banca'", id="text"),
        pytest.param(_in(*VALUE, "text", value=7), "text: 7 where text should", id="not a text"),
        pytest.param(_in(*VALUE, "start", value=4), "covers 'anco de", id="offsets moved"),
        pytest.param(_in(*VALUE, "start", value=-3), "before the text", id="negative offset"),
        pytest.param(_in(*VALUE, "end", value=500), "past the text", id="out of range"),
        pytest.param(
            _in(*VALUE, "end", value="20 "), "end: '20 ' where a whole", id="offset as text"
        ),
        pytest.param(_without(*VALUE, "end"), ".value end: missing", id="no offset"),
        pytest.param(_in(*VALUE, "end", value=20.5), "end: 20.5 where a whole", id="half"),
        pytest.param(_in(*VALUE, "labels", value=[" "]), "without a label", id="blank label"),
        pytest.param(_in(*VALUE, "labels", value=["\ud800"]), "surrogate", id="half a character"),
        pytest.param(_in(*VALUE, "labels", value=[]), "exactly one label", id="no label"),
        pytest.param(_without(*VALUE, "labels"), ".value labels: missing", id="labels missing"),
        pytest.param(
            _in(*VALUE, "labels", value=["ORG", "LOC"]), "exactly one label", id="two labels"
        ),
        pytest.param(_in(*REGION, "from_name", value="ner"), "'ner'", id="unknown from_name"),
        pytest.param(_in(*REGION, "to_name", value="source"), "'source'", id="another's to_name"),
        pytest.param(_in(*REGION, "type", value="hypertextlabels"), "not of our", id="type"),
        pytest.param(_in(*REGION, "id", value=3), "result[0] id: 3 where text", id="id"),
        pytest.param(_without(*VALUE), " value: missing", id="no value"),
        pytest.param(_in(*REGION, value=[1]), "result[0]: [1] where an object", id="not a region"),
        pytest.param(twice_the_same_id, "this id comes twice", id="region ids twice"),
        pytest.param(
            reviewed_twice, "the review is answered twice: ok, unusable", id="reviewed twice"
        ),
        pytest.param(_more(answer("conflict")), "neither 'ok' nor", id="unknown answer"),
        pytest.param(_without(*ANNOTATION, "result"), " result: missing", id="no result"),
        pytest.param(
            _in(*ANNOTATION, "result", value=None), "result: None where a list", id="result is null"
        ),
        pytest.param(
            _in(*ANNOTATION, "was_cancelled", value=0),
            "was_cancelled: 0 is neither true",
            id="cancelled",
        ),
        pytest.param(
            _in(*ANNOTATION, "updated_at", value="yesterday"),
            "updated_at: 'yesterday' where an ISO 8601 time should be",
            id="time",
        ),
        pytest.param(
            _in(*ANNOTATION, "updated_at", value="0001-01-01T00:00:00+14:00"),
            "where an ISO 8601 time should be",
            id="before time",
        ),
        pytest.param(
            _in(*ANNOTATION, "lead_time", value=float("nan")),
            "lead_time: nan where a finite number",
            id="no number",
        ),
        pytest.param(
            _in(*ANNOTATION, "lead_time", value="2 s"),
            "lead_time: '2 s' where a number",
            id="lead time",
        ),
        pytest.param(
            _in(*ANNOTATION, "completed_by", value="Ana"),
            "completed_by: 'Ana' where a whole",
            id="a name",
        ),
    ],
)
def test_annotations_that_cannot_be_believed_are_refused(
    exported: dict[str, Any], change: Any, what: str
) -> None:
    second = {**json.loads(json.dumps(exported["annotations"][0])), "id": 15}
    exported["annotations"].append(second)
    change(exported)
    (good,), (bad,) = reviewed_of(exported, "export.json")
    assert good.annotation_id == 15
    assert (bad.task_id, bad.annotation_id, str(bad)) == (24, 14, "task 24 annotation 14")
    assert (bad.sentence_id, bad.origin) == ("banks-7", "banks.en:7")
    assert bad.reason.startswith("export.json task 24 annotation 14")
    assert what in bad.reason
    assert ". Open the task in" in bad.reason or ". Give the project" in bad.reason


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        pytest.param(_without("data"), "export.json task 24 data", "missing", id="no data"),
        pytest.param(
            _without("data", "target"), "export.json task 24 data target", "missing", id="no target"
        ),
        pytest.param(
            _without("annotations"), "export.json task 24 annotations", "missing", id="none"
        ),
        pytest.param(
            _in("annotations", 0, value=14),
            "export.json task 24 annotations[0]",
            "14 where an object should be",
            id="id",
        ),
        pytest.param(
            _in("id", value="24"),
            "export.json id",
            "'24' where a whole number should be",
            id="task",
        ),
    ],
)
def test_tasks_that_cannot_be_believed_are_refused(
    exported: dict[str, Any], change: Any, where: str, what: str
) -> None:
    change(exported)
    bad = refused(exported)
    assert bad.reason.startswith(where)
    assert what in bad.reason


def test_the_texts_of_a_task_that_are_not_those_of_its_record_are_named_with_the_task(
    exported: dict[str, Any],
) -> None:
    exported["data"]["target"] += " "
    reason = "export.json task 24 data target: is not the text of the record"
    assert refused(exported).reason.startswith(reason)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_without(*VALUE, "text"), id="no text to check"),
        pytest.param(_in(*VALUE, "text", value=" Banco de Portugal\n"), id="white space"),
        pytest.param(_in(*VALUE, "start", value=3.0), id="a whole number as a float"),
        pytest.param(_in(*VALUE, "end", value="20"), id="and as a text"),
        pytest.param(_in(*VALUE, "labels", value=[" ORG "]), id="white space around the label"),
        pytest.param(_without(*REGION, "score"), id="no score"),
        pytest.param(_in(*REGION, "score", value="0"), id="a score as a text"),
        pytest.param(_in(*REGION, "score", value=7), id="a score that is no probability"),
        pytest.param(_without(*ANNOTATION, "lead_time"), id="no time"),
    ],
)
def test_what_is_written_another_way_is_read(exported: dict[str, Any], change: Any) -> None:
    before = review(exported)
    change(exported)
    assert review(exported).entities == before.entities


def test_a_region_without_an_id_is_read(exported: dict[str, Any]) -> None:
    for region in exported["annotations"][0]["result"]:
        del region["id"]
    assert review(exported).status is ReviewStatus.ACCEPTED


def test_a_label_that_the_project_does_not_offer_any_more_is_kept(
    exported: dict[str, Any],
) -> None:
    _in(*VALUE, "labels", value=["Company, Inc"])(exported)
    assert [entity.label for entity in review(exported).entities] == ["Company, Inc", "LOC"]


class TestPredictions:
    """They are only compared with: nothing in them makes a review unreadable."""

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ((0, "value", "labels"), ["GONE", "TOO"]),
            ((0, "value", "end"), 900),
            ((0, "value", "text"), "Banca"),
            ((0, "value"), None),
            ((0, "meta"), {"source": "?"}),
        ],
        ids=["labels", "offsets", "text", "no value", "source"],
    )
    def test_regions_that_cannot_be_read_are_noted(
        self, exported: dict[str, Any], path: Any, value: object
    ) -> None:
        _in("predictions", 0, "result", *path, value=value)(exported)
        after = review(exported)
        assert after.entities == (BANCO, PORTUGAL)
        assert [entity.label for entity in after.predicted or ()] == ["LOC"]
        said = "1 region(s) of prediction 26 cannot be read: not compared to them"
        assert after.notes[0] == said

    @pytest.mark.parametrize("result", [None, "x", {}, [None, 3, "x", [], {}]])
    def test_a_result_that_is_none_proposes_nothing(
        self, exported: dict[str, Any], result: object
    ) -> None:
        exported["predictions"][0]["result"] = result
        exported["predictions"][0]["model_version"] = 3
        after = review(exported)
        assert (after.predicted, after.model_version) == ((), None)

    def test_labels_are_compared_without_the_white_space_around(
        self, exported: dict[str, Any]
    ) -> None:
        _in("predictions", 0, "result", 0, "value", "labels", value=[" ORG "])(exported)
        assert review(exported).status is ReviewStatus.ACCEPTED


class TestAnnotationOf:
    def test_carries_regions_and_the_answer(self) -> None:
        text = "El Banco de Portugal se fue a otra parte."
        region, choice = annotation_of([BANCO], text, ReviewStatus.UNUSABLE)
        assert region["value"]["text"] == "Banco de Portugal"
        assert choice["value"] == {"choices": ["unusable"]}

    def test_carries_where_each_label_comes_from(self) -> None:
        text = "El Banco de Portugal se fue a otra parte."
        provenance = [Provenance(LabelOrigin.CHANGED, BANK), Provenance(LabelOrigin.PERSON)]
        regions = annotation_of([BANCO, PORTUGAL], text, ReviewStatus.CORRECTED, provenance)
        assert [(region["origin"], region["meta"]) for region in regions] == [
            ("prediction-changed", {"origin": "changed", "source": [4, 20]}),
            ("manual", {"origin": "person"}),
        ]

    def test_refuses_provenances_that_do_not_go_with_the_entities(self) -> None:
        by_hand = Provenance(LabelOrigin.PERSON)
        with pytest.raises(ValueError, match="shorter"):
            annotation_of([BANCO, PORTUGAL], "x" * 20, ReviewStatus.CORRECTED, [by_hand])

    def test_says_unusable(self) -> None:
        (choice,) = annotation_of([], "x", ReviewStatus.UNUSABLE)
        assert choice["value"] == {"choices": ["unusable"]}

    def test_decides_nothing_for_a_skipped_task(self) -> None:
        assert annotation_of([], "x", ReviewStatus.SKIPPED) == []

    def test_refuses_entities_past_the_text(self) -> None:
        with pytest.raises(SpanError, match="past the text"):
            annotation_of([BANCO], "El Banco", ReviewStatus.CORRECTED)


def _renamed(captured: dict[str, Any]) -> dict[str, Any]:
    """A captured body of an earlier layout, under the names of this one."""
    data = data_of(captured["data"]["src"], captured["data"]["tgt"])
    text = json.dumps({**captured, "data": data})
    return json.loads(text.replace('"tgt_ner"', '"entities"').replace('"tgt_text"', '"target"'))


@pytest.mark.shared
class TestCapturedBodies:
    @pytest.fixture
    def corrected(self) -> dict[str, Any]:
        file = CAPTURED / "task_corrected_full.json"
        if not file.exists():
            pytest.skip(f"{file.name} is not part of the repository")
        return _renamed(json.loads(file.read_text(encoding="utf-8")))

    def test_an_answer_to_another_question_is_a_note(self, corrected: dict[str, Any]) -> None:
        annotation = corrected["annotations"][0]
        answers = [
            r["value"]["choices"] for r in annotation["result"] if r["from_name"] == "reason"
        ]
        assert f"reason: {answers[0][0]}" in review(corrected).notes

    def test_a_correction_in_the_browser_is_read(self, corrected: dict[str, Any]) -> None:
        annotation = corrected["annotations"][0]
        annotation["result"] = [r for r in annotation["result"] if r["from_name"] != "reason"]
        reviewed = review(corrected)
        assert reviewed.status is ReviewStatus.CORRECTED
        assert (reviewed.annotator, reviewed.lead_time, reviewed.model_version) == (
            "1",
            2.057,
            "proj-v1",
        )
        assert [entity.label for entity in reviewed.entities] == ["PER", "ORG", "ORG"]
        assert reviewed.predicted is not None
        assert [entity.label for entity in reviewed.predicted] == ["PER", "LOC", "ORG"]
