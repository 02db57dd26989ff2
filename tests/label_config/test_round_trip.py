"""Nothing is lost on the way to Label Studio and back, whatever the text is written in."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.label_interface.interface import LabelInterface

from label_config.annotations import annotation_of, reviewed_of
from label_config.labeling_config import build_config
from label_config.tasks import record_of, to_prediction, to_task
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    LabelOrigin,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Provenance,
    ReviewStatus,
    Span,
)

LABELS = ("PER", "ORG", "weather/attribute", 'R&D "x"')
patient = settings(deadline=None)  # a busy machine is not a failure

INTERFACE = LabelInterface(build_config(LABELS))

# Where offsets go wrong elsewhere: several code units, several code points a character, several
# directions, and white space that others collapse.
TRICKY = (
    "😀",
    "👨‍👩‍👧",
    "🇵🇹",
    "𠮷野家",
    "e\u0301",
    "नि",
    "سامي",
    "שלום",
    "日本",
    "\r\n",
    "\n",
    "\u00a0",
    "  ",
    "\u200f",
    "<b>",
    "&amp;",
    '"',
    "\\n",
    "Ana",
)
texts = st.lists(st.sampled_from(TRICKY) | st.text(max_size=3), max_size=12).map("".join)
probabilities = st.floats(0, 1)
labels = st.sampled_from(LABELS)


def spans_in(text: str) -> st.SearchStrategy[Span]:
    borders = st.integers(0, len(text) - 1)
    return st.builds(lambda a, b: Span(min(a, b), max(a, b) + 1), borders, borders)


def entities_in(text: str, scores: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Entity]]:
    if not text:
        return st.just([])
    return st.lists(st.builds(Entity, spans_in(text), labels, scores), max_size=5)


@st.composite
def projected_sentences(draw: st.DrawFn) -> ProjectedSentence:
    source, target = draw(texts), draw(texts)
    found = draw(entities_in(source, st.none() | probabilities))
    known = draw(st.sampled_from([tuple(found), None]))
    places = st.none() | spans_in(target) if target else st.none()
    projections = [Projection(entity, draw(places), draw(probabilities)) for entity in found]
    entities = [p.entity for p in projections if p.entity is not None]
    entities += draw(entities_in(target, probabilities))
    sentence = ParallelSentence(
        draw(st.text(min_size=1, max_size=5)), source, target, "en", "ar", draw(texts), known
    )
    return ProjectedSentence(
        sentence,
        tuple(sorted(entities, key=lambda entity: entity.span)),
        tuple(projections),
        draw(st.lists(st.builds(Conflict, st.sampled_from(ConflictKind), texts)).map(tuple)),
        draw(probabilities),
        "a1b2c3",
    )


def sent(value: object) -> Any:
    """As it arrives after a journey over the wire."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode())


def placed(entities: tuple[Entity, ...] | list[Entity]) -> list[tuple[Span, str]]:
    return sorted((entity.span, entity.label) for entity in entities)


def exported(
    projected: ProjectedSentence, result: list[dict[str, Any]], *, cancelled: bool = False
) -> dict[str, Any]:
    annotation = {
        "id": 1,
        "result": result,
        "completed_by": 1,
        "was_cancelled": cancelled,
        "parent_prediction": 5,
    }
    prediction = {"id": 5, **to_prediction(projected)}
    task = {"id": 1, **to_task(projected)}
    return sent({**task, "annotations": [annotation], "predictions": [prediction]})


@patient
@given(projected_sentences())
def test_a_task_gives_its_record_back(projected: ProjectedSentence) -> None:
    assert record_of(sent(to_task(projected))) == projected


@patient
@given(projected_sentences())
def test_label_studio_finds_nothing_to_object_to(projected: ProjectedSentence) -> None:
    assert INTERFACE.validate_task(sent(to_task(projected)))
    assert INTERFACE.validate_prediction(sent(to_prediction(projected)), return_errors=True) == []


@patient
@given(projected_sentences())
def test_submitting_a_prediction_untouched_accepts_it(projected: ProjectedSentence) -> None:
    task = exported(projected, to_prediction(projected)["result"])
    (reviewed,) = reviewed_of(task).reviewed
    assert reviewed.status is ReviewStatus.ACCEPTED
    assert reviewed.sentence == projected.sentence
    assert reviewed.source_entities == projected.source_entities
    assert placed(list(reviewed.entities)) == placed(projected.entities)
    assert reviewed.predicted is not None
    by_all = [(e.span, e.label, e.score or 0) for e in reviewed.predicted]
    assert sorted(by_all) == sorted((e.span, e.label, e.score or 0) for e in projected.entities)


@patient
@given(st.data(), projected_sentences(), st.sampled_from(ReviewStatus))
def test_what_a_person_left_comes_back_exactly(
    data: st.DataObject, projected: ProjectedSentence, status: ReviewStatus
) -> None:
    text = projected.sentence.target
    left = data.draw(entities_in(text, st.none()))
    result = annotation_of(left, text, status)
    task = exported(projected, result, cancelled=status is ReviewStatus.SKIPPED)
    (reviewed,) = reviewed_of(task).reviewed
    assert list(reviewed.entities) == sorted(left, key=lambda e: (e.span, e.label))
    unchanged = placed(left) == placed(projected.entities)
    decided = ReviewStatus.ACCEPTED if unchanged else ReviewStatus.CORRECTED
    assert reviewed.status is (decided if reviewed.usable else status)
    assert INTERFACE.validate_annotation({"result": result})


@patient
@given(st.data(), projected_sentences())
def test_where_labels_come_from_survives_another_journey(
    data: st.DataObject, projected: ProjectedSentence
) -> None:
    """Export, push beside other predictions, export."""
    sentence = projected.sentence
    left = data.draw(entities_in(sentence.target, st.none()))
    left.sort(key=lambda e: (e.span, e.label))
    sources = st.none() | spans_in(sentence.source) if sentence.source else st.none()
    origins = st.builds(Provenance, st.sampled_from(LabelOrigin), sources)
    provenance = [data.draw(origins) for _ in left]
    result = annotation_of(left, sentence.target, ReviewStatus.CORRECTED, provenance)
    (reviewed,) = reviewed_of(exported(projected, result)).reviewed
    assert list(reviewed.provenance) == provenance
    assert INTERFACE.validate_annotation({"result": result})


@patient
@given(projected_sentences())
def test_no_two_regions_share_an_id(projected: ProjectedSentence) -> None:
    ids = [region["id"] for region in to_prediction(projected)["result"]]
    assert len(ids) == len(set(ids))
