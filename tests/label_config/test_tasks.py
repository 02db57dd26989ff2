"""Sentences as tasks and predictions, and tasks as sentences."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from label_studio_sdk.label_interface.interface import LabelInterface

from label_config.annotations import reviewed_of
from label_config.labeling_config import build_config
from label_config.tasks import record_of, sentence_of, to_prediction, to_task
from projection.errors import ReviewError
from projection.io.records_json import encode
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    LabelOrigin,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)
from tests.label_config.conftest import TARGET, entity


@pytest.fixture
def task(overlapping: ProjectedSentence) -> dict[str, Any]:
    return json.loads(json.dumps({"id": 24, **to_task(overlapping)}))


def test_fields_the_data_manager_filters_and_orders_by_are_flat(
    overlapping: ProjectedSentence,
) -> None:
    data = to_task(overlapping)["data"]
    flat = {
        "pair_id": "banks-7",
        "lang": "es",
        "source_lang": "en",
        "origin": "banks.en:7",
        "conflict": "failed_mapping, overlap",
        "conflicts": "failed mapping, overlap",
        "n_conflicts": 2,
        "min_confidence": 0.0,
        "n_entities": 2,
        "propagated": "",
        "audit": "",
        "audit_stratum": "",
        "audit_stratum_size": 0,
        "disagreement": "",
    }
    assert {key: data[key] for key in flat} == flat


def test_a_sentence_without_conflicts_can_be_filtered_for(clean: ProjectedSentence) -> None:
    data = to_task(clean)["data"]
    assert (data["conflict"], data["conflicts"]) == ("none", "")
    assert data["n_conflicts"] == 0


def test_a_task_says_what_is_doubtful_and_how_each_region_looks(
    overlapping: ProjectedSentence,
) -> None:
    said = to_task(overlapping)["data"]["conflicts_html"]
    assert "is claimed by both" in said
    for region in to_prediction(overlapping)["result"]:
        assert f"htx-highlight-{region['id']}-" in said


def whole(text: str, name: str) -> Entity:
    start = text.index(name)
    return Entity(Span(start, start + len(name)), "PER")


def test_doubtful_regions_come_first_and_the_others_in_reading_order() -> None:
    """Label Studio's key for the next region goes through them in this order."""
    text = "Ana Bea Cleo Dora"
    found = tuple(
        Projection(whole(text, name), whole(text, name).span, 0.5) for name in text.split()
    )
    regions = tuple(Entity(p.source.span, "PER", 0.5) for p in found)
    sentence = ParallelSentence("p", text, text, "en", "es", "a:1")
    named = Conflict(ConflictKind.FAILED_MAPPING, "Dora?", (), (regions[3].span,))
    claimed = Conflict(ConflictKind.OVERLAP, "Bea?", (found[1],))
    projected = ProjectedSentence(sentence, regions, found, (named, claimed), 0.5, "v")
    result = to_prediction(projected)["result"]
    assert [region["value"]["text"] for region in result] == ["Bea", "Dora", "Ana", "Cleo"]


def test_a_task_holds_the_record_in_its_one_form(overlapping: ProjectedSentence) -> None:
    assert to_task(overlapping)["data"]["record"] == encode(overlapping)


def test_a_sentence_that_nobody_looked_at_is_not_one_without_entities(
    clean: ProjectedSentence,
) -> None:
    looked_at = replace(clean, sentence=replace(clean.sentence, entities=()))
    assert sentence_of(to_task(clean)).entities is None
    assert sentence_of(to_task(looked_at)).entities == ()


def test_a_prediction_names_model_and_score_and_marks_every_entity(
    overlapping: ProjectedSentence,
) -> None:
    prediction = to_prediction(overlapping)
    assert prediction["model_version"] == "a1b2c3"
    region = prediction["result"][0]
    assert {key: region[key] for key in region if key != "id"} == {
        "from_name": "entities",
        "to_name": "target",
        "type": "labels",
        "value": {"start": 3, "end": 20, "text": "Banco de Portugal", "labels": ["ORG"]},
        "score": 0.66,
        "meta": {"text": ["from 1 “Bank of Portugal” · 0.66"], "source": [4, 20]},
    }


def test_a_region_says_what_else_its_source_could_be(overlapping: ProjectedSentence) -> None:
    bank, *others = overlapping.projections
    doubtful = replace(bank, alternatives=(Span(0, 2), Span(24, 27)))
    shown = replace(overlapping, projections=(doubtful, *others))
    before, after = (to_prediction(each)["result"] for each in (overlapping, shown))
    meta = {"text": ["from 1 “Bank of Portugal” · 0.66 · possible: “El”, “fue”"], "source": [4, 20]}
    assert after == [{**before[0], "meta": meta}, *before[1:]], "nothing else is proposed"


def test_a_sentence_without_entities_has_an_empty_prediction(clean: ProjectedSentence) -> None:
    assert to_prediction(clean) == {"model_version": "a1b2c3", "score": 1.0, "result": []}


def test_where_something_was_not_found_the_rest_decides_whose_turn_it_is(
    overlapping: ProjectedSentence,
) -> None:
    """All of them come before every other sentence, and below every threshold of an audit."""
    banco, portugal = overlapping.entities
    surer = replace(overlapping, entities=(banco, replace(portugal, score=0.9)))
    nothing = replace(overlapping, entities=())
    unsure = replace(overlapping, score=0.01)
    scores = [to_prediction(each)["score"] for each in (nothing, overlapping, surer, unsure)]
    assert scores == [0.0, 0.00041, 0.00066, 0.01]


def test_an_entity_found_in_the_target_only_says_so(clean: ProjectedSentence) -> None:
    added = replace(clean, entities=(Entity(Span(0, 3), "MISC", 0.7),))
    assert to_prediction(added)["result"][0]["meta"] == {
        "text": ["found in the target only · 0.70"]
    }


def test_entities_of_the_corpus_are_no_projections(overlapping: ProjectedSentence) -> None:
    """None of the page says that the source's were not found; reviews say what came from where."""
    kept, moved = (entity(TARGET, phrase, "LOC") for phrase in ("Portugal", "El Banco"))
    sentence = replace(overlapping.sentence, target_entities=(kept, moved))
    record = ProjectedSentence(sentence, (moved, kept), (), (), 1.0, "a1b2c3")
    task, prediction = to_task(record), to_prediction(record)
    assert "failed" not in task["data"]["source_html"]
    assert "sf-came" not in task["data"]["conflicts_html"]
    assert [region["meta"]["text"] for region in prediction["result"]] == [["from the corpus"]] * 2
    first, second = prediction["result"]
    first = {**first, "origin": "prediction-changed"}
    first["value"] = {**first["value"], "start": 3, "text": "Banco"}
    second = {**second, "origin": "prediction"}
    annotation = {"id": 1, "result": [first, second], "completed_by": 3}
    [review], [] = reviewed_of({"id": 2, **task, "annotations": [annotation]})
    origins = [provenance.origin for provenance in review.provenance]
    assert origins == [LabelOrigin.CHANGED, LabelOrigin.CORPUS]


def test_an_entity_without_a_score_claims_none(clean: ProjectedSentence) -> None:
    certain = replace(clean, entities=(Entity(Span(0, 3), "MISC"),))
    assert "score" not in to_prediction(certain)["result"][0]


def test_asking_twice_gives_the_same_region_ids(overlapping: ProjectedSentence) -> None:
    assert to_prediction(overlapping) == to_prediction(copy.deepcopy(overlapping))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"id": "banks-8"}, id="another sentence"),
        pytest.param({"entities": ()}, id="other source entities"),
    ],
)
def test_other_projections_have_other_region_ids(
    overlapping: ProjectedSentence, change: dict[str, Any]
) -> None:
    other = replace(overlapping, sentence=replace(overlapping.sentence, **change))
    if "entities" in change:
        other = replace(other, projections=())
    here, there = ({r["id"] for r in to_prediction(p)["result"]} for p in (overlapping, other))
    assert not here & there


def test_two_mentions_on_the_same_words_are_two_regions() -> None:
    first, second = Entity(Span(0, 3), "PER"), Entity(Span(8, 11), "PER")
    sentence = ParallelSentence("p", "Ana and Ana", "Ana", "en", "es", "a:1", (first, second))
    both = tuple(Projection(source, Span(0, 3), 0.5) for source in (first, second))
    entity = Entity(Span(0, 3), "PER", 0.5)
    # The third has no source of its own, nor has the fourth: still four different ids.
    projected = ProjectedSentence(sentence, (entity,) * 4, both, (), 0.5, "v")
    result = to_prediction(projected)["result"]
    assert len({region["id"] for region in result}) == 4
    assert [region["meta"].get("source") for region in result] == [[0, 3], [8, 11], None, None]


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(("PER", "ORG", "LOC", "MISC"), id="news"),
        pytest.param(("weather/attribute", "datetime"), id="slashes"),
        pytest.param(('the "best"', "R&D <b>"), id="quotes and ampersands"),
    ],
)
def test_label_studio_accepts_what_we_send(labels: tuple[str, ...]) -> None:
    entities = tuple(Entity(Span(n, n + 1), label, 0.5) for n, label in enumerate(labels))
    sentence = ParallelSentence("p", "abcd", "efgh", "en", "es", "a:1", entities)
    found = tuple(Projection(entity, entity.span, 0.5) for entity in entities)
    projected = ProjectedSentence(sentence, entities, found, (), 0.5, "v")
    interface = LabelInterface(build_config(labels))
    assert interface.validate_task(to_task(projected))
    assert interface.validate_prediction(to_prediction(projected), return_errors=True) == []


def test_the_record_comes_back_with_what_the_teacher_found_and_the_margin(
    task: dict[str, Any], overlapping: ProjectedSentence
) -> None:
    assert record_of(task) == overlapping
    assert sentence_of(task) == overlapping.sentence
    teacher = tuple(replace(p.source, score=0.8) for p in overlapping.projections)
    mined = replace(
        overlapping,
        sentence=replace(overlapping.sentence, entities=None, margin=1.2),
        projections=tuple(
            replace(p, source=source)
            for p, source in zip(overlapping.projections, teacher, strict=True)
        ),
    )
    back = record_of(json.loads(json.dumps(to_task(mined))))
    assert (back.sentence.entities, back.sentence.margin) == (None, 1.2)
    assert back.source_entities == teacher


DATA = "task 24 data"
SENTENCE = f"{DATA}.record.sentence"
FIRST = f"{SENTENCE}.entities[0]"


@pytest.mark.parametrize(
    ("path", "value", "where", "what"),
    [
        *[
            pytest.param(
                ["record", "sentence", key],
                None,
                f"{SENTENCE} {key}",
                "None where text should be",
                id=f"{key} is null",
            )
            for key in ("id", "target_lang", "source_lang", "source", "target", "origin")
        ],
        pytest.param(["record"], [], f"{DATA} record", "[] where an object", id="no object"),
        pytest.param(
            ["source"], ["x"], f"{DATA} source", "['x'] where text should be", id="a list"
        ),
        pytest.param(["target"], "El Banco", f"{DATA} target", "not the text", id="another text"),
        pytest.param(
            ["record", "sentence", "entities", 0, "start"], 5, FIRST, "covers 'ank of", id="moved"
        ),
        pytest.param(
            ["record", "sentence", "entities", 0, "end"], 900, FIRST, "past the text", id="too far"
        ),
        pytest.param(
            ["record", "conflicts", 1, "kind"],
            "gossip",
            f"{DATA}.record.conflicts[1] kind",
            "'gossip' is none of failed_mapping",
            id="an unknown kind of conflict",
        ),
    ],
)
def test_a_task_that_contradicts_itself_is_refused(
    task: dict[str, Any], path: list[Any], value: object, where: str, what: str
) -> None:
    *parents, last = path
    inner = task["data"]
    for step in parents:
        inner = inner[step]
    inner[last] = value
    with pytest.raises(ReviewError) as caught:
        record_of(task, "task 24")
    assert caught.value.where == where
    assert what in caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize("key", ["record", "target"])
def test_a_missing_field_is_named(task: dict[str, Any], key: str) -> None:
    del task["data"][key]
    with pytest.raises(ReviewError, match=f"task 24 data {key}: missing.*spanferry push"):
        sentence_of(task, "task 24")


def test_a_task_of_an_older_version_is_refused_with_the_fix() -> None:
    data = {
        "pair_id": "plain-1",
        "lang": "de",
        "source_lang": "en",
        "source": "It rained.",
        "target": "Hat geregnet.",
        "origin": "plain.en:1",
        "conflict": "none",
        "conflicts": [],
        "source_entities": None,
        "projections": [],
    }
    with pytest.raises(ReviewError) as caught:
        record_of({"id": 3, "data": data}, "task 3")
    assert str(caught.value) == (
        "task 3 data record: missing: an older spanferry pushed this task. Export the project with "
        "that version, then `spanferry push` the export to a new project"
    )
