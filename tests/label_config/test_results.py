"""A `result` list, whatever stands in it: read, or refused with one error."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from label_config.annotations import reviewed_of
from label_config.results import labels_in, phrases_in, read_prediction
from label_config.tasks import to_task
from projection.errors import ReviewError
from projection.io.files import json_line
from projection.io.json_fields import Fields
from projection.io.records_json import decode_reviewed, encode
from projection.records import ParallelSentence, ProjectedSentence

SENTENCE = ParallelSentence("n1", "Anna left Bonn.", "Anna verließ Bonn.", "en", "de", "a.en:1")
DATA = to_task(ProjectedSentence(SENTENCE, (), (), (), 1.0, "v1"))["data"]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
scalars |= st.sampled_from(["entities", "target", "labels", "0", " PER ", "\ud800", "Anna", "ok"])
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def either(*usual: object) -> Any:
    """Mostly what should be there, sometimes anything."""
    return st.sampled_from([*usual] * 3) | anything


regions = st.fixed_dictionaries(
    {
        "from_name": either("entities", "source_entities", "review", "extra"),
        "to_name": either("target", "source"),
        "type": either("labels", "choices", "textarea", "relation"),
    },
    optional={
        "id": either("a", "b", "c"),
        "origin": either("manual", "prediction", "prediction-changed"),
        "score": either(0.5, "0", 7),
        "meta": anything
        | st.fixed_dictionaries(
            {},
            optional={
                "text": either(["from 1"], "why?"),
                "source": either([0, 4]),
                "said": either(["from 1"]),
                "asked": either("PER"),
                "origin": either("person"),
            },
        ),
        "value": anything
        | st.fixed_dictionaries(
            {},
            optional={
                "start": either(0, 0.0, "0"),
                "end": either(4, 4.0, "4"),
                "globalOffsets": either({"start": 0, "end": 4}),
                "text": either("Anna", ["hm"]),
                "labels": either(["PER"], ["Company, Inc"], [" "]),
                "choices": either(["ok"], ["unusable"]),
            },
        ),
    },
)
results = st.lists(regions | anything, max_size=4) | anything
annotations = st.fixed_dictionaries(
    {"id": st.integers(), "result": results},
    optional={
        "completed_by": either(1, {"id": 3}),
        "was_cancelled": either(False),
        "lead_time": either(2.5),
        "updated_at": either("2026-03-02T10:00:00Z") | st.datetimes().map(str),
        "parent_prediction": either(5),
        "prediction": st.fixed_dictionaries({"result": results}) | anything,
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(annotations, max_size=3), results)
def test_each_annotation_is_a_review_or_a_loss_and_a_review_can_be_written(
    made: list[dict[str, Any]], predicted: object
) -> None:
    task = {
        "id": 24,
        "data": DATA,
        "annotations": made,
        "predictions": [{"id": 5, "model_version": "v1", "result": predicted}],
    }
    reviewed, unreadable = reviewed_of(task)
    assert len(reviewed) + len(unreadable) == len(made)
    assert all(bad.reason.startswith("export task 24 annotation ") for bad in unreadable)
    for review in reviewed:
        assert decode_reviewed(encode(review), "x") == review
        json_line(encode(review)).encode()


@settings(max_examples=200, deadline=None)
@given(results)
def test_a_prediction_is_read_as_far_as_it_can_be(result: object) -> None:
    found, unread = read_prediction(Fields({"result": result}, "p", ReviewError), SENTENCE)
    assert unread >= 0
    assert all(region.entity.span.of(SENTENCE.target) for region in found)
    assert all(isinstance(each, str) for each in (*labels_in(result), *phrases_in(result)))
