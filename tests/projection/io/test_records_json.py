"""Every record has one JSON form, and comes back from it as it was."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.io.files import json_line, parse_object
from projection.io.records_json import (
    SCHEMA,
    decode_parallel,
    decode_projected,
    decode_reviewed,
    encode,
)
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    LabelOrigin,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)

# What texts really hold, so that hypothesis need not find it by chance.
PIECES = (
    "Köln",
    "e\u0301",
    "👨‍👩‍👧",
    "🇩🇪",
    "𠮷野",
    "大西洋",
    "שלום",
    "a\r\nb",
    "x\u2028y",
    "\ufeff",
    "\x00",
    '"\\',
)
texts = st.one_of(
    st.text(min_size=1, max_size=20),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(" ".join),
)
names = st.text(max_size=8)
labels = st.sampled_from(["PER", "ORG", "weather/attribute", "地名"])
scores = st.floats(0, 1)
kinds = st.sampled_from(ConflictKind)


def tuples_of(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=3).map(tuple)


def spans_in(text: str) -> st.SearchStrategy[Span]:
    ends = st.integers(1, len(text))
    return ends.flatmap(lambda end: st.builds(Span, st.integers(0, end - 1), st.just(end)))


def entities_in(text: str) -> st.SearchStrategy[Entity]:
    return st.builds(Entity, spans_in(text), labels, st.none() | scores)


@st.composite
def parallel(draw: st.DrawFn) -> ParallelSentence:
    source, target = draw(texts), draw(texts)
    return ParallelSentence(
        id=draw(names),
        source=source,
        target=target,
        source_lang="en",
        target_lang=draw(st.sampled_from(["de", "zh-Hans"])),
        origin=draw(names),
        entities=draw(st.none() | tuples_of(entities_in(source))),
        margin=draw(st.none() | st.floats(0, 2)),
        target_entities=draw(st.none() | tuples_of(entities_in(target))),
    )


def projections_of(sentence: ParallelSentence) -> st.SearchStrategy[Projection]:
    places = st.lists(spans_in(sentence.target), max_size=3).map(apart)
    return st.builds(
        lambda source, found, placed, score, label: Projection(
            source,
            found[0] if placed and found else None,
            score,
            tuple(found[placed:]),
            label if label is None or (placed and found) else "",
        ),
        entities_in(sentence.source),
        places,
        st.booleans(),
        scores,
        st.none() | labels,
    )


def apart(spans: list[Span]) -> list[Span]:
    """Those that share no character with one before."""
    kept: list[Span] = []
    for span in spans:
        if not any(span.overlaps(other) for other in kept):
            kept.append(span)
    return kept


@st.composite
def projected(draw: st.DrawFn) -> ProjectedSentence:
    sentence = draw(parallel())
    found = tuples_of(projections_of(sentence))
    conflicts = st.builds(Conflict, kinds, texts, found, tuples_of(spans_in(sentence.target)))
    return ProjectedSentence(
        sentence=sentence,
        entities=draw(tuples_of(entities_in(sentence.target))),
        projections=draw(found),
        conflicts=draw(tuples_of(conflicts)),
        score=draw(scores),
        model_version=draw(names),
    )


@st.composite
def reviewed(draw: st.DrawFn) -> ReviewedSentence:
    sentence = draw(parallel())
    entities = tuples_of(entities_in(sentence.target))
    left = draw(entities)
    provenance = st.builds(
        Provenance, st.sampled_from(LabelOrigin), st.none() | spans_in(sentence.source)
    )
    known = st.lists(provenance, min_size=len(left), max_size=len(left)).map(tuple)
    return ReviewedSentence(
        sentence=sentence,
        entities=left,
        status=draw(st.sampled_from(ReviewStatus)),
        annotator=draw(names),
        lead_time=draw(st.none() | st.floats(0, 1e6)),
        predicted=draw(st.none() | entities),
        conflicts=draw(tuples_of(kinds)),
        model_version=draw(st.none() | names),
        task_id=draw(st.none() | st.integers()),
        annotation_id=draw(st.none() | st.integers()),
        updated_at=draw(st.none() | st.datetimes(min_value=datetime(1970, 1, 2)).map(str)),
        notes=draw(tuples_of(names)),
        provenance=draw(st.just(()) | known),
        teacher_entities=draw(st.none() | tuples_of(entities_in(sentence.source))),
        part=draw(st.sampled_from([None, "train", "validation", "test"])),
        final=draw(st.booleans()),
    )


@given(parallel())
def test_a_parallel_sentence_comes_back(sentence: ParallelSentence) -> None:
    assert decode_parallel(parse_object(json_line(encode(sentence)), "x:1"), "x:1") == sentence


@given(projected())
def test_a_projected_sentence_comes_back(sentence: ProjectedSentence) -> None:
    assert decode_projected(parse_object(json_line(encode(sentence)), "x:1"), "x:1") == sentence


@given(reviewed())
def test_a_reviewed_sentence_comes_back(sentence: ReviewedSentence) -> None:
    assert decode_reviewed(parse_object(json_line(encode(sentence)), "x:1"), "x:1") == sentence


@given(parallel() | projected() | reviewed())
def test_the_schema_comes_first(
    record: ParallelSentence | ProjectedSentence | ReviewedSentence,
) -> None:
    assert next(iter(encode(record).items())) == ("schema", SCHEMA)


ANNA = Entity(Span(0, 4), "PER", 0.9)
SENTENCE = ParallelSentence("7", "Anna met Bo.", "Bo traf Anna.", "en", "de", "news.en:7", (ANNA,))
WENT = Projection(ANNA, Span(8, 12), 0.75)
PROJECTED = ProjectedSentence(
    sentence=SENTENCE,
    entities=(Entity(Span(8, 12), "PER", 0.75),),
    projections=(WENT,),
    conflicts=(Conflict(ConflictKind.LOW_CONFIDENCE, "only …", (WENT,), (Span(8, 12),)),),
    score=0.75,
    model_version="v1",
)
REVIEWED = ReviewedSentence(
    SENTENCE,
    PROJECTED.entities,
    ReviewStatus.ACCEPTED,
    "7",
    provenance=(Provenance(LabelOrigin.PROJECTED, Span(0, 4)),),
)


def test_the_form_itself() -> None:
    """Written out once, because others read these files too."""
    assert encode(PROJECTED) == {
        "schema": 2,
        "sentence": {
            "id": "7",
            "source": "Anna met Bo.",
            "target": "Bo traf Anna.",
            "source_lang": "en",
            "target_lang": "de",
            "origin": "news.en:7",
            "entities": [{"start": 0, "end": 4, "text": "Anna", "label": "PER", "score": 0.9}],
        },
        "entities": [{"start": 8, "end": 12, "text": "Anna", "label": "PER", "score": 0.75}],
        "projections": [
            {
                "source": {"start": 0, "end": 4, "text": "Anna", "label": "PER", "score": 0.9},
                "target": {"start": 8, "end": 12, "text": "Anna"},
                "score": 0.75,
            }
        ],
        "conflicts": [
            {
                "kind": "low_confidence",
                "reason": "only …",
                "projections": [
                    {
                        "source": {
                            "start": 0,
                            "end": 4,
                            "text": "Anna",
                            "label": "PER",
                            "score": 0.9,
                        },
                        "target": {"start": 8, "end": 12, "text": "Anna"},
                        "score": 0.75,
                    }
                ],
                "spans": [{"start": 8, "end": 12, "text": "Anna"}],
            }
        ],
        "score": 0.75,
        "model_version": "v1",
    }


def test_a_propagated_label_is_written_where_there_is_one() -> None:
    relabelled = replace(WENT, score=0.0, propagated="ORG")
    row: Any = encode(replace(PROJECTED, projections=(relabelled,)))
    assert row["projections"][0]["propagated"] == "ORG"
    assert relabelled.entity == Entity(Span(8, 12), "ORG")


OLD_SENTENCE = {
    "id": "7",
    "source": "Anna met Bo.",
    "target": "Bo traf Anna.",
    "source_lang": "en",
    "target_lang": "de",
    "origin": "news.en:7",
    "entities": None,
}
OLD_ENTITY = {"start": 8, "end": 12, "text": "Anna", "label": "PER", "score": 0.75}
OLD_PROJECTION = {
    "source": {"start": 0, "end": 4, "text": "Anna", "label": "PER", "score": 0.9},
    "target": {"start": 8, "end": 12, "text": "Anna"},
    "score": 0.75,
}


def test_a_run_of_schema_1_is_read() -> None:
    row = {
        "schema": 1,
        "sentence": OLD_SENTENCE,
        "entities": [OLD_ENTITY],
        "projections": [OLD_PROJECTION],
        "conflicts": [],
        "score": 0.75,
        "model_version": "v1",
    }
    read = decode_projected(row, "projected.jsonl:1")
    assert read == replace(PROJECTED, sentence=replace(SENTENCE, entities=None), conflicts=())
    assert read.source_entities == (ANNA,)


def test_a_review_of_schema_1_is_read_and_knows_neither_part_nor_teacher() -> None:
    row = {
        "schema": 1,
        "sentence": OLD_SENTENCE,
        "entities": [{"start": 8, "end": 12, "text": "Anna", "label": "PER"}],
        "status": "accepted",
        "annotator": "7",
        "lead_time": 2.5,
        "predicted": [OLD_ENTITY],
        "conflicts": ["low_confidence"],
        "model_version": "v1",
        "task_id": 3,
        "annotation_id": 4,
        "updated_at": "2026-01-05T10:00:00Z",
        "notes": [],
        "provenance": [{"origin": "projected", "source": {"start": 0, "end": 4, "text": "Anna"}}],
    }
    read = decode_reviewed(row, "reviewed.jsonl:1")
    assert (read.part, read.teacher_entities, read.source_entities) == (None, None, None)
    assert read.predicted == (Entity(Span(8, 12), "PER", 0.75),)


CHOSEN = replace(WENT, alternatives=(Span(0, 2), Span(3, 7)))
CHOSEN_OVER = replace(PROJECTED, projections=(CHOSEN,))


def test_alternatives_are_written_in_their_order_and_only_if_there_are_any() -> None:
    [row] = encode(CHOSEN_OVER)["projections"]  # type: ignore[misc]  the form is checked above
    assert row["alternatives"] == [
        {"start": 0, "end": 2, "text": "Bo"},
        {"start": 3, "end": 7, "text": "traf"},
    ]
    assert "alternatives" not in json_line(encode(PROJECTED))


@pytest.mark.parametrize("said", [None, []])
def test_alternatives_may_be_absent_or_empty(said: object) -> None:
    """Older files do not know them."""
    row = changed(CHOSEN_OVER, "projections.0.alternatives", said)
    assert decode_projected(row, "run:3").projections == (WENT,)
    del row["projections"][0]["alternatives"]
    assert decode_projected(row, "run:3").projections == (WENT,)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("0.alternatives", {}, r"\[0\] alternatives: {} where a list", id="no list"),
        pytest.param(
            "0.alternatives.1", 3, r"alternatives\[1\]: 3 where an object", id="no object"
        ),
        pytest.param(
            "0.alternatives.1.end",
            99,
            r"run:3 projections\[0\].alternatives\[1\]: \[3, 99\) reaches past the text",
            id="past the text",
        ),
        pytest.param(
            "0.alternatives.0.end", 1, "covers 'B', the record says 'Bo'", id="text mismatch"
        ),
        pytest.param(
            "0.alternatives.0",
            {"start": 11, "end": 13},
            r"run:3 projections\[0\]: \[11, 13\) no alternative to \[8, 12\)",
            id="shares a character with the target",
        ),
    ],
)
def test_a_wrong_alternative_is_named_with_its_place(
    path: str, value: object, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        decode_projected(changed(CHOSEN_OVER, f"projections.{path}", value), "run:3")


def changed(record: ProjectedSentence | ReviewedSentence, path: str, value: object) -> Any:
    """The JSON form with one field, such as `entities.0.end`, set to something else."""
    row = json.loads(json.dumps(encode(record)))
    *way, last = (int(key) if key.isdigit() else key for key in path.split("."))
    place: Any = row
    for key in way:
        place = place[key]
    place[last] = value
    return row


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("schema", 3, "run:3 schema: 3, but this version reads 1 and 2", id="later"),
        pytest.param("schema", None, "schema: None where a whole number", id="no schema"),
        pytest.param("schema", True, "schema: True where a whole number", id="true is not 1"),
        pytest.param("score", "0.5", "run:3 score: '0.5' where a number", id="text for number"),
        pytest.param("sentence", [], r"run:3 sentence: \[\] where an object", id="list for object"),
        pytest.param("sentence.id", 7, "run:3 sentence id: 7 where text", id="number for text"),
        pytest.param("entities", {}, r"run:3 entities: {} where a list", id="object for list"),
        pytest.param("entities.0", 1, r"entities\[0\]: 1 where an object", id="entity for number"),
        pytest.param(
            "entities.0.end",
            41,
            r"entities\[0\]: \[8, 41\) reaches past the text",
            id="past the text",
        ),
        pytest.param("entities.0.end", 8, r"entities\[0\]: \[8, 8\) empty", id="empty span"),
        pytest.param("entities.0.end", 12.0, "end: 12.0 where a whole", id="fractional offset"),
        pytest.param(
            "entities.0.start",
            7,
            r"\[7, 12\) covers ' Anna', the record says 'Anna'. Offsets are Unicode code points",
            id="text mismatch",
        ),
        pytest.param("entities.0.score", 1.5, "1.5 is not a probability", id="not a probability"),
        pytest.param("entities.0.label", "", "without a label", id="no label"),
        pytest.param(
            "projections.0.source.end",
            3,
            r"run:3 projections\[0\].source: \[0, 3\) covers 'Ann'",
            id="nested place",
        ),
        pytest.param(
            "conflicts.0.kind", "odd", "'odd' is none of failed_mapping", id="unknown kind"
        ),
    ],
)
def test_a_contradiction_is_named_with_its_place(path: str, value: object, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        decode_projected(changed(PROJECTED, path, value), "run:3")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("status", "maybe", "'maybe' is none of accepted, corrected", id="status"),
        pytest.param("conflicts", ["odd"], "'odd' is none of", id="conflict kind"),
        pytest.param("notes", [1], "1 where a list of texts", id="notes"),
        pytest.param("task_id", "7", "'7' where a whole number", id="task id"),
        pytest.param(
            "provenance", [{"origin": "person"}] * 2, "2 provenances for 1", id="too many"
        ),
        pytest.param("provenance.0.origin", "odd", "'odd' is none of projected", id="origin"),
        pytest.param("provenance.0.source.end", 99, "reaches past the text", id="source span"),
    ],
)
def test_a_review_is_held_to_its_form(path: str, value: object, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        decode_reviewed(changed(REVIEWED, path, value), "reviewed.jsonl:3")


@pytest.mark.parametrize(
    ("decode", "record"),
    [
        pytest.param(decode_parallel, SENTENCE, id="parallel"),
        pytest.param(decode_projected, PROJECTED, id="projected"),
        pytest.param(decode_reviewed, REVIEWED, id="reviewed"),
    ],
)
def test_a_missing_field_is_named(
    decode: Callable[[Any, str], object],
    record: ParallelSentence | ProjectedSentence | ReviewedSentence,
) -> None:
    may_be_absent = {"lead_time", "predicted", "model_version", "task_id", "annotation_id"}
    may_be_absent |= {"updated_at", "provenance", "teacher_entities", "part"}
    if record is PROJECTED:
        may_be_absent = set()
    if record is SENTENCE:
        may_be_absent = {"entities"}
    for key in encode(record).keys() - may_be_absent:
        row = {k: v for k, v in encode(record).items() if k != key}
        with pytest.raises(CorpusError, match=f"here:1 {key}: missing"):
            decode(row, "here:1")


def test_a_review_of_an_earlier_version_has_no_provenance() -> None:
    row = {key: value for key, value in encode(REVIEWED).items() if key != "provenance"}
    assert decode_reviewed(row, "here:1") == replace(REVIEWED, provenance=())


def test_an_entity_need_not_repeat_its_text() -> None:
    row = encode(SENTENCE) | {"entities": [{"start": 0, "end": 4, "label": "PER"}]}
    assert decode_parallel(row, "x").entities == (Entity(Span(0, 4), "PER"),)
