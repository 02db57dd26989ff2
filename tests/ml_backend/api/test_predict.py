"""One answer per task, in order."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.api.predict import Answers, answer
from ml_backend.api.wire import PredictRequest
from ml_backend.serving.model_queue import project_fitting
from tests.ml_backend.conftest import BUNDLED_VERSION, LONGEST, FixedProjector, make_task, region

# In the target "😀 Ada Lovelace besuchte Berlin".
ADA, BERLIN = (2, 14), (24, 30)


def ask(*tasks: dict[str, Any]) -> Answers:
    return answer(PredictRequest(tasks, None), partial(project_fitting, FixedProjector()))


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
    (result,) = ask(make_task(entities=[])).results
    assert result == {"model_version": BUNDLED_VERSION, "score": 1.0, "result": []}


NOT_OURS = {"id": 7, "data": {"src": "other keys", "tgt": "andere Schlüssel"}}


@pytest.mark.parametrize(
    ("task", "reason", "said"),
    [
        pytest.param(NOT_OURS, "not_ours", "task 7", id="other keys"),
        pytest.param({"id": 7}, "not_ours", "task 7", id="no data"),
        pytest.param({"id": 7, "data": None}, "not_ours", "task 7", id="data is null"),
        pytest.param({}, "not_ours", "a task without an id", id="nothing at all"),
        pytest.param(make_task(target=7), "not_ours", "task 101", id="a number for a text"),
        pytest.param(make_task(target="\ud83d"), "not_ours", "surrogates", id="half a character"),
        pytest.param(make_task(source="B"), "not_ours", "task 101", id="entities past the text"),
        pytest.param(make_task(target=" \n"), "empty", "task 101", id="blank target"),
        pytest.param(make_task(source="", entities=None), "empty", "task 101", id="empty source"),
        pytest.param(
            make_task(source="x" * (LONGEST + 1), entities=None),
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
    assert said in f"{refused.where}: {refused.what}"


def test_answers_come_in_the_order_of_the_tasks() -> None:
    tasks = [make_task(n, entities=[]) if n % 3 else make_task(n) for n in range(12)]
    tasks[4:4] = [NOT_OURS]
    found = [bool(result) and len(regions(result)) for result in ask(*tasks).results]
    assert found == [2, 0, 0, 2, False, 0, 0, 2, 0, 0, 2, 0, 0]


def test_no_tasks_no_answers() -> None:
    assert ask().results == []


def test_a_batch_is_projected_whatever_was_drawn_before() -> None:
    task = {**make_task(), "annotations": [{"id": 1, "result": [region(0, 30)]}]}
    (result,) = ask(task).results
    assert len(regions(result)) == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
keys = st.sampled_from(["source", "target", "target_lang", "entities", "id"])
tasks = st.lists(
    st.builds(make_task, st.integers(1, 9))
    | st.builds(
        lambda changed: make_task(**changed), st.dictionaries(keys, json_values, max_size=2)
    )
    | st.fixed_dictionaries({"data": json_values, "annotations": json_values})
    | st.dictionaries(st.text(), json_values),
    max_size=6,
)


@given(tasks)
def test_every_task_gets_exactly_one_answer(tasks: list[dict[str, Any]]) -> None:
    answers = ask(*tasks)
    assert len(answers.results) == len(tasks)
    assert answers.projected + len(answers.refused) == len(tasks)
