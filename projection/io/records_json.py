"""The JSON form of every record, with a `schema` number: in run folders, tasks and exports alike.

Spans are written with the text they cover, and refused on reading if it differs.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from projection.errors import SpanError
from projection.io.json_fields import Fields
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

SCHEMA = 2  # 1 had no `propagated`, `teacher_entities` and `part`
_READ = (1, SCHEMA)

Json = dict[str, Any]
Record = ParallelSentence | ProjectedSentence | ReviewedSentence
_Encoded = Record | Projection | Conflict | Provenance

_CODE_POINTS = "Offsets are Unicode code points, from 0, end exclusive: export this sentence again"


# The fields whose spans lie in the source sentence; all others are of the target.
_OF_SOURCE = {
    (ParallelSentence, "entities"),
    (Projection, "source"),
    (Provenance, "source"),
    (ReviewedSentence, "teacher_entities"),
}
# Not written where they have these values.
_OPTIONAL: Mapping[tuple[type, str], object] = {
    (ParallelSentence, "margin"): None,
    (ParallelSentence, "target_entities"): None,
    (Projection, "alternatives"): (),
    (Projection, "propagated"): None,
    (Provenance, "source"): None,
    (ReviewedSentence, "final"): False,
}


def encode(record: Record) -> Json:
    """Return what `json.dumps` takes, `schema` first, then the fields under their own names."""
    sentence = record if isinstance(record, ParallelSentence) else record.sentence
    return {"schema": SCHEMA, **_encode_fields(record, sentence)}


def encode_entity(entity: Entity, text: str) -> Json:
    """Encode an entity of `text`; without a score there is no `score`."""
    score = {} if entity.score is None else {"score": entity.score}
    return {**_encode_span(entity.span, text), "label": entity.label, **score}


def _encode_span(span: Span, text: str) -> Json:
    return {"start": span.start, "end": span.end, "text": span.of(text)}


def _encode_fields(record: _Encoded, sentence: ParallelSentence) -> Json:
    encoded = {}
    for name in record.__slots__:
        key, value = (type(record), name), getattr(record, name)
        if key not in _OPTIONAL or value != _OPTIONAL[key]:
            text = sentence.source if key in _OF_SOURCE else sentence.target
            encoded[name] = _encode_value(value, text, sentence)
    return encoded


def _encode_value(value: object, text: str, sentence: ParallelSentence) -> object:
    match value:
        case Span():
            return _encode_span(value, text)
        case Entity():
            return encode_entity(value, text)
        case StrEnum():
            return value.value
        case tuple():
            return [_encode_value(each, text, sentence) for each in value]
        case ParallelSentence() | Projection() | Conflict() | Provenance():
            return _encode_fields(value, sentence)
    return value


def decode_parallel(row: Mapping[str, object], where: str) -> ParallelSentence:
    """Decode a ParallelSentence; CorpusError naming `where` and the field that is wrong."""
    return _decode_sentence(_checked(Fields(row, where)))


def decode_projected(row: Mapping[str, object], where: str) -> ProjectedSentence:
    """Decode a ProjectedSentence; raises as `decode_parallel`."""
    return read_projected(Fields(row, where))


def read_projected(fields: Fields) -> ProjectedSentence:
    """Decode a ProjectedSentence; raises the error type of `fields`."""
    sentence = _decode_sentence(_checked(fields).child("sentence"))
    return ProjectedSentence(
        sentence=sentence,
        entities=decode_entities(fields, "entities", sentence.target),
        projections=_decode_projections(fields, sentence),
        conflicts=tuple(
            Conflict(
                kind=conflict.choice("kind", ConflictKind),
                reason=conflict.text("reason"),
                projections=_decode_projections(conflict, sentence),
                spans=_decode_spans(conflict, "spans", sentence.target),
            )
            for conflict in fields.children("conflicts")
        ),
        score=fields.number("score"),
        model_version=fields.text("model_version"),
    )


def decode_reviewed(row: Mapping[str, object], where: str) -> ReviewedSentence:
    """Decode a ReviewedSentence; raises as `decode_parallel`."""
    fields = _checked(Fields(row, where))
    sentence = _decode_sentence(fields.child("sentence"))
    entities = decode_entities(fields, "entities", sentence.target)
    return ReviewedSentence(
        sentence=sentence,
        entities=entities,
        status=fields.choice("status", ReviewStatus),
        annotator=fields.text("annotator"),
        lead_time=fields.number_or_none("lead_time"),
        predicted=decode_entities_or_none(fields, "predicted", sentence.target),
        conflicts=fields.choices("conflicts", ConflictKind),
        model_version=fields.text_or_none("model_version"),
        task_id=fields.integer_or_none("task_id"),
        annotation_id=fields.integer_or_none("annotation_id"),
        updated_at=fields.time_or_none("updated_at"),
        notes=fields.texts("notes"),
        provenance=_decode_provenance(fields, sentence.source, len(entities)),
        teacher_entities=decode_entities_or_none(fields, "teacher_entities", sentence.source),
        part=fields.text_or_none("part"),
        final=fields.flag("final"),
    )


def decode_entities(fields: Fields, key: str, text: str) -> tuple[Entity, ...]:
    """Decode entities of `text`, refused if one covers something else than its `text` field says
    (which may be absent).
    """
    return tuple(_decode_entity(entity, text) for entity in fields.children(key))


def decode_entities_or_none(fields: Fields, key: str, text: str) -> tuple[Entity, ...] | None:
    """Decode as `decode_entities`; None where `key` is absent or null."""
    return decode_entities(fields, key, text) if fields.has(key) else None


def _checked(fields: Fields) -> Fields:
    found = fields.integer("schema")
    if found not in _READ:
        what = f"{found}, but this version reads {' and '.join(map(str, _READ))}"
        raise fields.error("schema", what, "Use the version that wrote it")
    return fields


def _decode_sentence(fields: Fields) -> ParallelSentence:
    source, target = fields.text("source"), fields.text("target")
    return ParallelSentence(
        id=fields.text("id"),
        source=source,
        target=target,
        source_lang=fields.language("source_lang"),
        target_lang=fields.language("target_lang"),
        origin=fields.text("origin"),
        entities=decode_entities_or_none(fields, "entities", source),
        margin=fields.number_or_none("margin"),
        target_entities=decode_entities_or_none(fields, "target_entities", target),
    )


def _decode_entity(fields: Fields, text: str) -> Entity:
    span = _decode_span(fields, text)
    try:
        return Entity(span, fields.text("label"), fields.number_or_none("score"))
    except SpanError as error:
        raise fields.error_here(error.what) from error


def _decode_span(fields: Fields, text: str) -> Span:
    try:
        span = Span(fields.integer("start"), fields.integer("end"))
        covered = span.of(text)
    except SpanError as error:
        raise fields.error_here(f"{error.where} {error.what}", _CODE_POINTS) from error
    shown = fields.text_or_none("text")
    if shown is not None and shown != covered:
        what = f"{span} covers {covered!r}, the record says {shown!r}"
        raise fields.error_here(what, _CODE_POINTS)
    return span


def _decode_spans(fields: Fields, key: str, text: str) -> tuple[Span, ...]:
    return tuple(_decode_span(span, text) for span in fields.children(key))


def _decode_projections(fields: Fields, sentence: ParallelSentence) -> tuple[Projection, ...]:
    return tuple(_decode_projection(each, sentence) for each in fields.children("projections"))


def _decode_projection(fields: Fields, sentence: ParallelSentence) -> Projection:
    source, text = _decode_entity(fields.child("source"), sentence.source), sentence.target
    target = _decode_span(fields.child("target"), text) if fields.has("target") else None
    others = _decode_spans(fields, "alternatives", text) if fields.has("alternatives") else ()
    propagated = fields.text_or_none("propagated")
    try:
        return Projection(source, target, fields.number("score"), others, propagated)
    except SpanError as error:
        raise fields.error_here(f"{error.where} {error.what}") from error


def _decode_provenance(fields: Fields, source: str, entities: int) -> tuple[Provenance, ...]:
    if not fields.has("provenance"):  # written by an earlier version
        return ()
    given = tuple(fields.children("provenance"))
    if len(given) not in (0, entities):
        raise fields.error("provenance", f"{len(given)} provenances for {entities} entities")
    return tuple(
        Provenance(
            each.choice("origin", LabelOrigin),
            _decode_span(each.child("source"), source) if each.has("source") else None,
        )
        for each in given
    )
