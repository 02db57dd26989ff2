"""Entities in the shapes of annotation tools are read; what else looks like them is named."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.io.annotations import entities_beside, label_fault, unverified
from projection.io.json_fields import Fields
from projection.records import Entity, Span

TEXT = "Angela Merkel visited Paris."
ANGELA = (Entity(Span(0, 13), "PER"),)
SPAN = {"start": 0, "end": 13, "label": "PER"}


def read(row: dict[str, Any]) -> tuple[Entity, ...] | None:
    return entities_beside(Fields({"source": TEXT, **row}, "a.jsonl:1"), TEXT)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"entities": [SPAN]}, id="our own"),
        pytest.param(
            {
                "spans": [{**SPAN, "token_start": 0, "token_end": 1}],
                "tokens": [{"text": "Angela", "start": 0, "end": 6, "id": 0}],
                "answer": "accept",
            },
            id="Prodigy",
        ),
        pytest.param({"label": [[0, 13, "PER"]]}, id="doccano, old"),
        pytest.param({"labels": [[0, 13, "PER"]]}, id="doccano, older"),
        pytest.param(
            {
                "entities": [{"id": 1, "label": "PER", "start_offset": 0, "end_offset": 13}],
                "relations": [{"from_id": 1, "to_id": 2, "type": "x"}],
                "Comments": [],
            },
            id="doccano",
        ),
        pytest.param({"entities": [[0, 13, "PER"]]}, id="spaCy"),
        pytest.param({"ents": [{"start": 0, "end": 13, "label": "PER"}]}, id="displaCy"),
        pytest.param(
            {"label": [{"start": 0, "end": 13, "text": TEXT[:13], "labels": ["PER"]}]},
            id="Label Studio, JSON-MIN",
        ),
        pytest.param(
            {
                "annotations": [
                    {"value": {"start": 0, "end": 13, "labels": ["PER"]}, "type": "labels"}
                ]
            },
            id="Label Studio, regions",
        ),
        pytest.param(
            {"entities": [{"entity_group": "PER", "word": "angela", "start": 0, "end": 13}]},
            id="transformers",
        ),
        pytest.param(
            {"source_entities": [{"start": "0", "end": 13.0, "type": "PER"}]}, id="a table"
        ),
        pytest.param({"entities": [SPAN], "spans": [[0, 13, "PER"]]}, id="twice the same"),
    ],
)
def test_shapes_of_tools(row: dict[str, Any]) -> None:
    assert read(row) == ANGELA


@pytest.mark.parametrize(
    "row", [{"entities": []}, {"label": []}, {"spans": [], "labels": ["news"]}]
)
def test_an_empty_list_says_that_there_are_none(row: dict[str, Any]) -> None:
    assert read(row) == ()


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"entities": None},
        {"label": "positive", "labels": ["politics", "news"], "tags": ["a"], "score": 3},
        {"target": {"text": "x", "entities": [SPAN]}},
        {"alignment": [[0, 0], [1, 1]], "annotation": [{"user": 3, "rating": 5}]},
    ],
)
def test_what_is_no_annotation_of_the_source_is_passed_over(row: dict[str, Any]) -> None:
    assert read(row) is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({"Entities": [SPAN]}, "Entities: looks like annotation", id="letter case"),
        pytest.param({"entites": []}, "entites: looks like annotation", id="typo, empty"),
        pytest.param({"marks": [SPAN]}, "marks: looks like annotation", id="another key"),
        pytest.param({"meta": {"gold": [[0, 6, "X"]]}}, "meta: looks like", id="deeper"),
        pytest.param(
            {"nltk": {"entities": [SPAN]}}, r"Entities of the source go under entities", id="object"
        ),
        pytest.param({"bio": ["B-PER", "I-PER", "O"]}, "bio: looks like", id="tags"),
        pytest.param({"tokens": ["a"], "ner_tags": [0]}, "ner_tags: looks like", id="numbers"),
        pytest.param({"entities": {"PER": ["Angela"]}}, "entities: no list", id="an object"),
        pytest.param({"entities": ["Angela"]}, r"entities\[0\]: 'Angela' where an", id="texts"),
        pytest.param(
            {"entities": [{"start": 0, "end": 1}]}, r"\[0\] label: missing", id="no label"
        ),
        pytest.param({"spans": [{"end": 1, "label": "X"}]}, r"\[0\] start: missing", id="no start"),
        pytest.param(
            {"entities": [], "spans": [SPAN]}, "entities: contradicts spans. Keep one", id="two"
        ),
        pytest.param(
            {"label": [{**SPAN, "labels": ["A"], "label": ["A", "B"]}]}, "label: ", id="two labels"
        ),
        pytest.param({"spans": [{**SPAN, "text": "Merkel"}]}, "the record says", id="other text"),
    ],
)
def test_others_are_refused_by_name(row: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read(row)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 30)
    | st.floats()
    | st.sampled_from(["PER", "0", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["start", "end", "label", "text", "value", "type", "score", "spans"]),
            inner,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(["entities", "spans", "label", "annotations", "x"]), VALUES))
def test_any_value_is_read_or_a_mistake_in_the_corpus(row: dict[str, Any]) -> None:
    try:
        found = read(row)
    except CorpusError:
        return
    assert all(entity.span.end <= len(TEXT) for entity in found or ())


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"entities": [SPAN]}, True),
        ({"entities": [{**SPAN, "text": "Angela Merkel"}]}, False),
        ({"label": [[0, 13, "PER"]]}, True),
        ({"entities": []}, False),
    ],
)
def test_entities_without_their_text_are_known(row: dict[str, Any], expected: bool) -> None:
    assert unverified(Fields(row, "x")) is expected


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        ("PER", None),
        ("City, Country", None),
        ("BRAND", None),
        ("O", "tag"),
        ("I-PER", "tag"),
        ("$X", "$"),
    ],
)
def test_labels_that_cannot_be_types(label: str, fault: str | None) -> None:
    found = label_fault(label)
    assert found is None if fault is None else fault in str(found)
