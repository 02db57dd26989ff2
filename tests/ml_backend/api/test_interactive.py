"""What someone draws in one sentence comes back with what belongs to it in the other."""

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_config.labeling_config import build_config
from label_config.regions import region_id
from label_config.target_css import base_of, suggestion_id
from label_config.tasks import to_task
from ml_backend.api.interactive import find_with, labels_of_interface, respond
from ml_backend.api.predict import Answers
from ml_backend.api.wire import PredictRequest
from projection.protocols import Link
from projection.records import Entity, ParallelSentence, ProjectedSentence, Projection, Span
from tests.ml_backend.conftest import (
    BUNDLED_VERSION,
    LONGEST,
    SENTENCE,
    FixedProjector,
    make_task,
    region,
    source_region,
)

CONFIG = build_config(("PER", "ORG", "LOC"))
# In the target "😀 Ada Lovelace besuchte Berlin" and the source "😀 Ada Lovelace visited Berlin".
ADA, BERLIN, BESUCHTE = (2, 14), (24, 30), (15, 23)
BERLIN_ID = region_id("news-1", Span(23, 29), Span(*BERLIN), "LOC")


def ask(
    *drawn: dict[str, Any],
    task: dict[str, Any] | None = None,
    config: str = CONFIG,
    projector: FixedProjector | None = None,
) -> Answers:
    request = PredictRequest((make_task() if task is None else task,), drawn, config)
    return respond(request, BUNDLED_VERSION, partial(find_with, projector or FixedProjector()))


def result(answers: Answers) -> list[dict[str, Any]]:
    (found,) = answers.results
    assert isinstance(found, dict)
    return found["result"]


def without(thing: dict[str, Any], *path: str) -> dict[str, Any]:
    changed = deepcopy(thing)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return changed


def changed(thing: dict[str, Any], value: object, *path: str) -> dict[str, Any]:
    new = deepcopy(thing)
    inner = new
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return new


SAME = {"id": 1, "result": [region(*BERLIN, "LOC", "other")], "model_version": "older"}
EMPTY = {"id": 2, "result": [], "updated_at": "2026-01-05T10:00:00Z"}
CURRENT = {**EMPTY, "model_version": BUNDLED_VERSION}


class TestFromTheSource:
    DRAWN = source_region("Berlin", "LOC")

    def test_the_target_span_is_proposed_with_where_it_comes_from(self) -> None:
        proposed, _ = result(ask(self.DRAWN))
        assert proposed == {
            "id": suggestion_id(BERLIN_ID, "drawn", "LOC", 0.75),
            "origin": "prediction",
            "from_name": "entities",
            "to_name": "target",
            "type": "labels",
            "value": {
                "start": 24,
                "end": 30,
                "text": "Berlin",
                "labels": ["LOC"],
                "globalOffsets": {"start": 24, "end": 30},
            },
            "score": 0.75,
            "meta": {
                "text": ["from “Berlin” · 0.75"],
                "said": ["from “Berlin” · 0.75"],
                "source": [23, 29],
                "suggested": True,
                "asked": "LOC",
            },
        }

    def test_the_drawn_region_comes_back_as_it_was_with_where_it_went(self) -> None:
        _, drawn = result(ask(self.DRAWN))
        text = ["to “Berlin” · 0.75"]
        meta = {"text": text, "said": text, "targets": [[24, 30]], "asked": "LOC"}
        assert drawn == {**self.DRAWN, "origin": "prediction", "meta": meta}

    def test_what_is_not_found_says_so(self) -> None:
        answers = ask(source_region("visited"))
        [mark] = result(answers)
        assert mark["meta"]["text"] == ["not found in the translation: draw it below"]
        assert mark["meta"]["targets"] == []
        assert answers.refused == ()

    def test_only_what_was_drawn_is_proposed(self) -> None:
        """The sentence has Ada Lovelace too, who may have been deleted."""
        proposed = [r["value"]["text"] for r in result(ask(self.DRAWN)) if r["to_name"] == "target"]
        assert proposed == ["Berlin"]

    def test_several_at_once_are_all_answered(self) -> None:
        """When two are drawn quickly Label Studio forgets the first answer."""
        found = result(ask(self.DRAWN, source_region("Ada Lovelace", "LOC", "second")))
        assert [(each["to_name"], each["value"]["text"]) for each in found] == [
            ("target", "Berlin"),
            ("source", "Berlin"),
            ("target", "Ada Lovelace"),
            ("source", "Ada Lovelace"),
        ]

    def test_the_same_words_marked_twice_are_proposed_once(self) -> None:
        """Label Studio would give the region two results, and no export could be read."""
        found = result(ask(self.DRAWN, source_region("Berlin", "LOC", "second")))
        assert [base_of(each["id"]) for each in found] == [BERLIN_ID, "drawn", "second"]

    def test_another_mark_never_overwrites_what_was_proposed_for_the_first(self) -> None:
        """What became of that may not be saved yet, and so not be known here."""
        (first, _), (second, _) = (
            result(ask(source_region("Berlin", "LOC", mark))) for mark in ("one", "other")
        )
        assert first["id"] != second["id"]
        assert first["value"] == second["value"]

    def test_a_region_that_was_answered_is_not_answered_again(self) -> None:
        """What it led to may have been deleted."""
        _, drawn = result(ask(self.DRAWN))
        assert result(ask(drawn)) == []
        found = result(ask(drawn, source_region("Ada Lovelace", "LOC", "second")))
        assert {each["value"]["text"] for each in found} == {"Ada Lovelace"}

    def test_notes_that_are_there_stay(self) -> None:
        _, drawn = result(ask({**self.DRAWN, "meta": {"text": ["mine"], "lead_time": 3}}))
        assert drawn["meta"]["text"] == ["mine", "to “Berlin” · 0.75"]
        assert drawn["meta"]["lead_time"] == 3
        _, drawn = result(ask({**self.DRAWN, "meta": {"text": "mine"}}))
        assert drawn["meta"]["text"] == ["mine", "to “Berlin” · 0.75"]

    def test_several_phrases_are_several_proposals(self) -> None:
        class Twice(FixedProjector):
            def suggest(
                self, sentence: ParallelSentence, marked: Sequence[Entity]
            ) -> list[tuple[Projection, ...]]:
                spans = (Span(*ADA), Span(*BERLIN))
                return [tuple(Projection(mark, span, 0.5) for span in spans) for mark in marked]

        *proposed, drawn = result(ask(self.DRAWN, projector=Twice()))
        assert [each["value"]["text"] for each in proposed] == ["Ada Lovelace", "Berlin"]
        assert drawn["meta"]["targets"] == [[2, 14], [24, 30]]
        assert drawn["meta"]["text"] == ["to “Ada Lovelace” · 0.50, “Berlin” · 0.50"]

    @pytest.mark.parametrize(
        ("shown", "proposed"),
        [
            pytest.param([], True, id="nothing there"),
            pytest.param([region(*BERLIN, "LOC", "other")], False, id="the same, drawn by hand"),
            pytest.param([region(*BERLIN, "ORG", "other")], True, id="another label"),
            pytest.param([region(15, 30, "LOC", "other")], True, id="other borders"),
            pytest.param([region(*BERLIN, "LOC", BERLIN_ID)], False, id="itself, as predicted"),
            pytest.param(
                [region(*BERLIN, "ORG", suggestion_id(BERLIN_ID, "mark", "LOC", 0.7))],
                False,
                id="itself, with another label",
            ),
            pytest.param(
                [region(15, 30, "LOC", suggestion_id(BERLIN_ID, "mark", "LOC", 0.7))],
                False,
                id="itself, with other borders",
            ),
            pytest.param([{"id": "x", "type": "choices", "value": {}}], True, id="a choice"),
            pytest.param([{"from_name": "entities", "value": {"labels": [1]}}], True, id="broken"),
            pytest.param(
                [{"from_name": "entities", "value": {"start": 9, "end": 2, "labels": ["LOC"]}}],
                True,
                id="backwards",
            ),
        ],
    )
    @pytest.mark.parametrize("kind", ["drafts", "predictions"])
    def test_what_is_on_the_screen_is_not_proposed_once_more(
        self, shown: list[dict[str, Any]], proposed: bool, kind: str
    ) -> None:
        found = result(ask(self.DRAWN, task={**make_task(), kind: [{"id": 1, "result": shown}]}))
        assert [each["to_name"] for each in found] == ["target"] * proposed + ["source"]

    @pytest.mark.parametrize(
        ("others", "proposed"),
        [
            pytest.param({"annotations": [SAME]}, True, id="somebody's annotation"),
            pytest.param({"predictions": [SAME], "drafts": [EMPTY]}, True, id="not in the draft"),
            pytest.param({"drafts": [SAME, EMPTY]}, True, id="not in the draft saved last"),
            pytest.param({"drafts": [EMPTY, {**SAME, "updated_at": "2027"}]}, False, id="in it"),
            pytest.param({"predictions": [SAME, CURRENT]}, True, id="an older model's prediction"),
            pytest.param({"predictions": [SAME]}, False, id="only an older model has predicted"),
        ],
    )
    def test_only_what_is_on_this_screen_counts(
        self, others: dict[str, Any], proposed: bool
    ) -> None:
        found = result(ask(self.DRAWN, task={**make_task(), **others}))
        assert [each["to_name"] for each in found] == ["target"] * proposed + ["source"]


class TestFromTheTarget:
    DRAWN = region(*BERLIN, "ORG")

    def test_the_region_stays_as_drawn_and_says_where_it_comes_from(self) -> None:
        (linked,) = result(ask(self.DRAWN))
        offsets = {"start": 24, "end": 30}
        assert linked == {
            **self.DRAWN,
            "origin": "prediction",
            "value": {**self.DRAWN["value"], "globalOffsets": offsets},
            "meta": {
                "text": ["from “Berlin” · 0.50"],
                "said": ["from “Berlin” · 0.50"],
                "source": [23, 29],
                "origin": "person",
                "asked": "ORG",
            },
        }

    def test_what_comes_from_nowhere_is_answered_with_nothing(self) -> None:
        assert result(ask(region(*BESUCHTE))) == []

    def test_a_region_that_says_where_it_comes_from_is_left_alone(self) -> None:
        (linked,) = result(ask(self.DRAWN))
        assert result(ask(linked)) == []

    def test_what_was_predicted_is_left_alone(self) -> None:
        """`found in the target only` is an answer: a second opinion has no source."""
        assert result(ask({**self.DRAWN, "origin": "prediction"})) == []

    def test_one_of_several_is_linked(self) -> None:
        predicted = {**region(*ADA, "ORG", "p1"), "origin": "prediction"}
        (linked,) = result(ask(predicted, self.DRAWN))
        assert linked["id"] == self.DRAWN["id"]


class TestWhatCannotBeAnswered:
    SOURCE, TARGET = source_region("Berlin", "LOC"), region(*BERLIN, "LOC")

    @pytest.mark.parametrize(
        ("drawn", "said"),
        [
            pytest.param(
                without(SOURCE, "value", "globalOffsets"), "globalOffsets: missing", id="none"
            ),
            pytest.param(
                changed(SOURCE, None, "value", "globalOffsets"), "an object should be", id="null"
            ),
            pytest.param(
                changed(SOURCE, {"start": -3, "end": 4}, "value", "globalOffsets"),
                "[-3, 4)",
                id="negative",
            ),
            pytest.param(
                changed(SOURCE, {"start": 9, "end": 4}, "value", "globalOffsets"),
                "[9, 4)",
                id="backwards",
            ),
            pytest.param(
                changed(SOURCE, {"start": 4, "end": 400}, "value", "globalOffsets"),
                "[4, 400)",
                id="past the text",
            ),
            pytest.param(
                changed(SOURCE, {"start": 22, "end": 28}, "value", "globalOffsets"),
                "was shown as 'Berlin'",
                id="other words",
            ),
            pytest.param(
                changed(SOURCE, {"start": "23.5", "end": 29}, "value", "globalOffsets"),
                "a whole number should be",
                id="text for a number",
            ),
            pytest.param(changed(SOURCE, ["EVENT"], "value", "labels"), "'EVENT'", id="label"),
            pytest.param(changed(SOURCE, [], "value", "labels"), "one label", id="no label"),
            pytest.param(without(SOURCE, "value"), "value: missing", id="no value"),
            pytest.param(changed(TARGET, -1, "value", "start"), "[-1, 30)", id="target negative"),
            pytest.param(changed(TARGET, 25, "value", "start"), "shown as", id="target shifted"),
            pytest.param(changed(TARGET, ["EVENT"], "value", "labels"), "'EVENT'", id="target"),
            pytest.param(without(TARGET, "id"), "id: missing", id="target without id"),
        ],
    )
    def test_a_region_that_contradicts_the_sentence_is_refused_and_no_other(
        self, drawn: dict[str, Any], said: str
    ) -> None:
        other = source_region("Ada Lovelace", "PER", "good")
        answers = ask(drawn, other)
        assert {each["value"]["text"] for each in result(answers)} == {"Ada Lovelace"}
        (refused,) = answers.refused
        assert refused.reason == "bad_region"
        assert said in refused.what
        assert refused.where == "task 101, region 1"

    @pytest.mark.parametrize(
        "drawn",
        [
            {},
            {"type": "relation", "from_id": "a", "to_id": "b"},
            {"id": "x", "from_name": "review", "type": "choices", "value": {"choices": ["ok"]}},
            {"id": "x", "from_name": "entities", "meta": {"source": None}},
            {"id": "x", "from_name": ["entities"], "meta": 7},
            changed(TARGET, "source", "to_name"),
            changed(TARGET, [], "type"),
        ],
    )
    def test_what_is_no_drawn_span_is_none_of_our_business(self, drawn: dict[str, Any]) -> None:
        answers = ask(drawn)
        assert (result(answers), answers.refused) == ([], ())

    @pytest.mark.parametrize("config", ["", "<View/>", "<View", "7", "<!DOCTYPE x><View/>"])
    def test_without_a_readable_labeling_config_every_label_is_unknown(self, config: str) -> None:
        assert labels_of_interface(config) == frozenset()
        answers = ask(self.SOURCE, config=config)
        assert result(answers) == []
        assert answers.refused[0].reason == "bad_region"

    def test_an_external_entity_in_the_labeling_config_is_not_followed(self) -> None:
        config = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><View>&e;</View>'
        assert labels_of_interface(config) == frozenset()

    def test_the_labels_are_those_of_the_target(self) -> None:
        assert labels_of_interface(CONFIG) == {"PER", "ORG", "LOC"}

    @pytest.mark.parametrize(
        ("task", "reason"),
        [
            pytest.param({"id": 7, "data": {"text": "something else"}}, "not_ours", id="not ours"),
            pytest.param(make_task(target=" "), "empty", id="empty"),
        ],
    )
    def test_a_task_that_cannot_be_read_is_refused(self, task: dict[str, Any], reason: str) -> None:
        answers = ask(self.SOURCE, task=task)
        expected = {"model_version": BUNDLED_VERSION, "score": 0.0, "result": []}
        assert answers.results == [expected]
        assert [refused.reason for refused in answers.refused] == [reason]

    def test_a_sentence_that_is_too_long_is_refused_and_the_mark_says_so(self) -> None:
        task = make_task(source=SENTENCE.source + " " + "x" * LONGEST)
        answers = ask(self.SOURCE, self.TARGET, task=task)
        (told,) = result(answers)
        assert told["meta"]["text"] == ["too long a sentence for the models: draw it below"]
        assert [refused.reason for refused in answers.refused] == ["too_long"]
        assert result(ask(told, task=task)) == [], "once is enough"

    def test_the_models_are_not_asked_when_nothing_waits(self) -> None:
        class Sleeping(FixedProjector):
            def fits(self, sentence: ParallelSentence) -> bool:
                raise AssertionError("nothing to do")

        assert result(ask(projector=Sleeping())) == []


class TestWhatLabelStudioDoesToAnswers:
    """It gives them the label that is active, and takes up only the answer to its last call."""

    def shown_as(self, answered: dict[str, Any], label: str, origin: str) -> dict[str, Any]:
        return {**changed(answered, [label], "value", "labels"), "origin": origin}

    @pytest.mark.parametrize("drawn", [source_region("Berlin", "LOC"), region(*BERLIN, "LOC")])
    def test_a_label_that_nobody_asked_for_is_put_right(self, drawn: dict[str, Any]) -> None:
        (answered, *_) = result(ask(drawn))
        mistaken = self.shown_as(answered, "PER", "prediction")
        assert result(ask(mistaken)) == [answered]

    @pytest.mark.parametrize("origin", ["prediction-changed", "manual"])
    def test_a_label_that_a_person_gave_is_left_alone(self, origin: str) -> None:
        (answered, _) = result(ask(source_region("Berlin", "LOC")))
        assert result(ask(self.shown_as(answered, "PER", origin))) == []

    def test_a_label_that_is_not_known_any_more_is_left_alone(self) -> None:
        (answered, _) = result(ask(source_region("Berlin", "LOC")))
        lost = changed(answered, "EVENT", "meta", "asked")
        assert result(ask(self.shown_as(lost, "PER", "prediction"))) == []

    FIRST = source_region("Ada Lovelace", "PER", "first")

    @pytest.mark.parametrize(
        ("saved", "drawn", "answered"),
        [
            pytest.param([FIRST], [source_region("Berlin", "LOC")], True, id="of another label"),
            pytest.param([FIRST], [region(*BERLIN, "PER")], True, id="in the other sentence"),
            pytest.param([FIRST], [], False, id="something was deleted: perhaps this"),
            pytest.param(
                [FIRST], [source_region("Berlin", "PER")], False, id="the page no longer has it"
            ),
            pytest.param(
                [{**FIRST, "meta": {"targets": []}}],
                [source_region("Berlin", "LOC")],
                False,
                id="it has an answer",
            ),
            pytest.param(
                [region(*ADA, "PER", "first")],
                [source_region("Berlin", "LOC")],
                False,
                id="a target region may have been changed since",
            ),
        ],
    )
    def test_what_was_left_without_an_answer_gets_one_with_the_next_call(
        self, saved: list[dict[str, Any]], drawn: list[dict[str, Any]], answered: bool
    ) -> None:
        task = {**make_task(), "drafts": [{"id": 1, "result": saved}]}
        told = {each["id"] for each in result(ask(*drawn, task=task))}
        assert ("first" in told) is answered


def test_the_score_of_an_answer_is_its_least_sure_part() -> None:
    (found,) = ask(source_region("Berlin", "LOC"), region(*BERLIN, "LOC")).results
    assert isinstance(found, dict)
    assert found["score"] == 0.5


def test_a_source_with_line_breaks_is_found_as_the_page_shows_it() -> None:
    source = SENTENCE.source.replace(" visited ", "\r\nvisited ")
    task = make_task(source=source, entities=None)
    drawn = source_region("Lovelace visited", "PER")
    drawn["value"]["globalOffsets"]["end"] += 1
    drawn["value"]["text"] = "Lovelace\\nvisited"
    answers = ask(drawn, task=task)
    assert answers.refused == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
drawn_regions = st.sampled_from([source_region("Berlin", "LOC"), region(*BERLIN, "LOC")]).flatmap(
    lambda whole: st.builds(
        lambda changes, value: {**whole, "value": {**whole["value"], **value}, **changes},
        st.dictionaries(st.sampled_from([*whole, "meta"]), json_values, max_size=2),
        st.dictionaries(st.sampled_from([*whole["value"]]), json_values, max_size=2),
    )
)


@given(st.lists(drawn_regions | st.dictionaries(st.text(), json_values), max_size=4), json_values)
def test_whatever_comes_there_is_one_answer_and_the_same_each_time(
    drawn: list[dict[str, Any]], drafts: object
) -> None:
    task = {**make_task(), "drafts": drafts}
    first, second = (ask(*drawn, task=task) for _ in range(2))
    assert len(first.results) == 1
    assert json.dumps(first.results) == json.dumps(second.results)


@given(st.lists(st.sampled_from(["Berlin", "Ada Lovelace", "visited"]), unique=True))
def test_answering_the_answer_adds_nothing(phrases: list[str]) -> None:
    regions = [source_region(phrase, "LOC", phrase) for phrase in phrases]
    answered = {each["id"]: each for each in result(ask(*regions))}
    again = [answered.get(each["id"], each) for each in regions]
    assert result(ask(*again)) == []


def test_links_and_projections_meet_their_regions_by_position() -> None:
    class Lossy(FixedProjector):
        def link(self, sentence: ParallelSentence, marked: Sequence[Span]) -> list[Link | None]:
            return super().link(sentence, marked)[1:]

    with pytest.raises(ValueError, match="shorter"):
        ask(region(*BERLIN, "LOC"), projector=Lossy())


def test_the_teacher_is_not_asked_again() -> None:
    """What it found is in the record of the task."""
    ada = Entity(Span(2, 14), "PER", 0.8)
    sentence = replace(SENTENCE, entities=None)
    record = ProjectedSentence(sentence, (), (Projection(ada, None, 0.0),), (), 0.0, "v")
    asked: list[ParallelSentence] = []

    class Recording(FixedProjector):
        def link(self, sentence: ParallelSentence, marked: Sequence[Span]) -> list[Link | None]:
            asked.append(sentence)
            return super().link(sentence, marked)

    task = {**make_task(), **to_task(record)}
    ask(region(*BERLIN, "LOC"), task=task, projector=Recording())
    assert [each.entities for each in asked] == [(ada,)]


def test_a_teacher_that_saw_nothing_is_no_hindrance() -> None:
    sentence = replace(SENTENCE, entities=None)
    assert FixedProjector().suggest(sentence, [Entity(Span(23, 29), "LOC")])[0]
