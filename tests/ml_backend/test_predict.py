"""One answer per task, in order; and what an annotator has drawn is left alone."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.engine import project_fitting
from ml_backend.predict import Answers, answer
from ml_backend.wire import PredictRequest
from tests.ml_backend.conftest import BUNDLED_VERSION, LONGEST, FixedProjector, make_task, region

# In the target "😀 Ada Lovelace besuchte Berlin".
ADA, BERLIN = (2, 14), (24, 30)


def ask(*tasks: dict[str, Any], drawn: Sequence[dict[str, Any]] | None = None) -> Answers:
    request = PredictRequest(tasks, None if drawn is None else tuple(drawn))
    return answer(request, BUNDLED_VERSION, partial(project_fitting, FixedProjector()))


def regions(result: Any) -> list[tuple[int, int, str]]:
    """Offsets and labels of the regions in one answer."""
    return [
        (each["value"]["start"], each["value"]["end"], *each["value"]["labels"])
        for each in result["result"]
    ]


def test_a_task_is_answered_with_regions_in_the_target() -> None:
    answers = ask(make_task())
    assert [regions(result) for result in answers.results] == [[(*ADA, "PER"), (*BERLIN, "LOC")]]
    assert (answers.projected, answers.refused) == (1, ())


def test_a_prediction_carries_the_version_and_a_score() -> None:
    (result,) = ask(make_task()).results
    assert isinstance(result, dict)
    assert (result["model_version"], result["score"]) == (BUNDLED_VERSION, 0.75)


def test_a_task_without_entities_has_an_empty_answer_which_is_stored() -> None:
    (result,) = ask(make_task(source_entities=[])).results
    assert result == {"model_version": BUNDLED_VERSION, "score": 1.0, "result": []}


NOT_OURS = {"id": 7, "data": {"src": "other keys", "tgt": "andere Schlüssel"}}


@pytest.mark.parametrize(
    ("task", "reason", "said"),
    [
        pytest.param(NOT_OURS, "not_ours", "task 7", id="other keys"),
        pytest.param({"id": 7}, "not_ours", "task 7", id="no data"),
        pytest.param({"id": 7, "data": None}, "not_ours", "task 7", id="data is null"),
        pytest.param({}, "not_ours", "task None", id="nothing at all"),
        pytest.param(make_task(target=7), "not_ours", "task 101", id="a number for a text"),
        pytest.param(make_task(target="\ud83d"), "not_ours", "surrogates", id="half a character"),
        pytest.param(make_task(source="B"), "not_ours", "task 101", id="entities past the text"),
        pytest.param(make_task(target=" \n"), "empty", "task 101", id="blank target"),
        pytest.param(
            make_task(source="", source_entities=None), "empty", "task 101", id="empty source"
        ),
        pytest.param(
            make_task(source="x" * (LONGEST + 1), source_entities=None),
            "too_long",
            "task 101",
            id="longer than the model reads",
        ),
    ],
)
def test_a_task_that_cannot_be_projected_costs_no_other_its_answer(
    task: dict[str, Any], reason: str, said: str
) -> None:
    answers = ask(make_task(1), task, make_task(2))
    assert [bool(result) for result in answers.results] == [True, False, True]
    assert answers.results[1] == []
    (refused,) = answers.refused
    assert refused.reason == reason
    assert said in refused.what


def test_answers_come_in_the_order_of_the_tasks() -> None:
    tasks = [make_task(n, source_entities=[]) if n % 3 else make_task(n) for n in range(12)]
    tasks[4:4] = [NOT_OURS]
    found = [bool(result) and len(regions(result)) for result in ask(*tasks).results]
    assert found == [2, 0, 0, 2, False, 0, 0, 2, 0, 0, 2, 0, 0]


def test_no_tasks_no_answers() -> None:
    assert ask().results == []


def test_interactive_answers_are_the_same_regions_every_time() -> None:
    first, second = (ask(make_task(), drawn=[]).results for _ in range(2))
    assert first == second == ask(make_task()).results


@pytest.mark.parametrize(
    ("drawn", "left"),
    [
        pytest.param([], [ADA, BERLIN], id="nothing drawn"),
        pytest.param([region(15, 23)], [ADA, BERLIN], id="drawn elsewhere"),
        pytest.param([region(*BERLIN)], [ADA], id="the same words, whatever the label"),
        pytest.param([region(6, 23)], [BERLIN], id="overlapping: the annotator knows better"),
        pytest.param([region(14, 24)], [ADA, BERLIN], id="touching is not overlapping"),
        pytest.param([region(0, 30)], [], id="all covered"),
        pytest.param([{"type": "relation", "from_id": "a"}], [ADA, BERLIN], id="a relation"),
        pytest.param(
            [{"id": "x", "type": "choices", "value": {"choices": ["unusable"]}}],
            [ADA, BERLIN],
            id="a choice",
        ),
        pytest.param(
            [{"id": "x", "value": {"start": "2", "end": None}}], [ADA, BERLIN], id="no offsets"
        ),
        pytest.param([region(9, 9), region(30, 24)], [ADA, BERLIN], id="empty and backwards"),
    ],
)
def test_what_is_drawn_is_not_proposed_again(
    drawn: list[dict[str, Any]], left: list[tuple[int, int]]
) -> None:
    (result,) = ask(make_task(), drawn=drawn).results
    assert [(start, end) for start, end, _ in regions(result)] == left


def accepted(task: dict[str, Any]) -> dict[str, Any]:
    """Our first region, as it is once an annotator has accepted it and changed its label."""
    (result,) = ask(task).results
    assert isinstance(result, dict)
    proposed = result["result"][0]
    return {**proposed, "value": {**proposed["value"], "labels": ["ORG"]}}


def test_an_accepted_region_is_not_sent_again_which_would_undo_a_correction() -> None:
    (result,) = ask(make_task(), drawn=[accepted(make_task())]).results
    assert regions(result) == [(*BERLIN, "LOC")]


@pytest.mark.parametrize("kind", ["drafts", "annotations", "predictions"])
def test_what_is_on_the_screen_already_is_left_alone(kind: str) -> None:
    task = {**make_task(), kind: [{"id": 1, "result": [accepted(make_task())]}]}
    (result,) = ask(task, drawn=[region(15, 23)]).results
    assert regions(result) == [(*BERLIN, "LOC")]


def test_a_batch_is_projected_whatever_was_drawn_before() -> None:
    task = {**make_task(), "annotations": [{"id": 1, "result": [region(0, 30)]}]}
    (result,) = ask(task).results
    assert len(regions(result)) == 2


def test_an_interactive_task_that_is_not_ours_has_a_result_the_editor_can_read() -> None:
    answers = ask(NOT_OURS, drawn=[])
    assert answers.results == [{"model_version": BUNDLED_VERSION, "score": 0.0, "result": []}]
    assert len(answers.refused) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
keys = st.sampled_from(["source", "target", "lang", "source_entities", "pair_id"])
tasks = st.lists(
    st.builds(make_task, st.integers(1, 9))
    | st.builds(
        lambda changed: make_task(**changed), st.dictionaries(keys, json_values, max_size=2)
    )
    | st.fixed_dictionaries({"data": json_values, "annotations": json_values})
    | st.dictionaries(st.text(), json_values),
    max_size=6,
)


@given(tasks, st.none() | st.lists(st.dictionaries(st.text(), json_values) | st.just(region(2, 9))))
def test_every_task_gets_exactly_one_answer(
    tasks: list[dict[str, Any]], drawn: list[dict[str, Any]] | None
) -> None:
    answers = ask(*tasks, drawn=drawn)
    assert len(answers.results) == len(tasks)
    assert answers.projected + len(answers.refused) == len(tasks)
