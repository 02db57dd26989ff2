"""Entities as Label Studio's regions, the items of a `result` list, and back."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple

from label_config.labeling_config import (
    ENTITIES,
    OK,
    REVIEW,
    SOURCE,
    SOURCE_ENTITIES,
    TARGET,
    UNUSABLE,
)
from projection.errors import SpanError, SpanferryError
from projection.io.json_fields import Fields
from projection.records import Entity, LabelOrigin, ParallelSentence, Provenance, Span

_FIX = "Open the task in Label Studio, delete what is named here, and submit again"

# Label Studio 1.23 saves each of these as a backslash and an n; the offsets stay exact.
_LINE_BREAK = re.compile(r"[\r\n]")
# The page shows a source sentence with other line breaks, and saves the text as shown.
_SPACE = re.compile(r"(?:\\n|\s)+")

# `origin` of a region is Label Studio's, the LabelOrigin in its `meta` ours; either may be missing.
_UNCHANGED, _CHANGED, _DRAWN = "prediction", "prediction-changed", "manual"
_THEIR_ORIGIN = {
    LabelOrigin.PROJECTED: _UNCHANGED,
    LabelOrigin.PROPAGATED: _UNCHANGED,
    LabelOrigin.CHANGED: _CHANGED,
}  # of any other: _DRAWN

# What tells the kind of an item of a result.
_KIND = ("from_name", "to_name", "type")
_KINDS: Mapping[tuple[object, ...], str] = {
    (ENTITIES, TARGET, "labels"): ENTITIES,
    (SOURCE_ENTITIES, SOURCE, "labels"): SOURCE_ENTITIES,
    (REVIEW, TARGET, "choices"): REVIEW,
}

# Keys of a region's `meta`: the source span of a target region, the target spans of a source
# region, the label an interactive answer was given, and the correction that was propagated.
CAME_FROM, WENT_TO, ASKED, PROPAGATED = "source", "targets", "asked", "propagated"


class Region(NamedTuple):
    """A labelled region of the target; `entity` has the region's score.

    `source` is the source span its `meta` names. `origin` is None where it does not say. `shown` is
    its label on the page, which may differ from its entity's: see `answered`.
    """

    identity: str
    entity: Entity
    origin: LabelOrigin | None
    source: Span | None
    shown: str


def region_id(pair_id: str, source: Span | None, target: Span, label: str, nth: int = 0) -> str:
    """Hash what a region is about: always the same for the same projection of a sentence.

    Label Studio overwrites a region whose id it knows, so asking twice adds no second copy. `nth`
    tells apart what is otherwise equal.
    """
    key = [pair_id, source and [source.start, source.end], target.start, target.end, label, nth]
    return hashlib.blake2b(json.dumps(key).encode(), digest_size=8).hexdigest()


def region_of(identity: str, entity: Entity, text: str) -> dict[str, Any]:
    """Return a labelled region over `text`, with a score if the entity has one."""
    span = entity.span
    value = {"start": span.start, "end": span.end, "text": span.of(text), "labels": [entity.label]}
    kind = {"from_name": ENTITIES, "to_name": TARGET, "type": "labels"}
    score = {} if entity.score is None else {"score": entity.score}
    return {"id": identity, **kind, "value": value, **score}


def with_provenance(region: dict[str, Any], provenance: Provenance) -> dict[str, Any]:
    """Write provenance into a region, from which `read_result` reads it again."""
    source, origin = provenance.source, provenance.origin
    place = {} if source is None else {CAME_FROM: [source.start, source.end]}
    theirs = _THEIR_ORIGIN.get(origin, _DRAWN)
    return {**region, "origin": theirs, "meta": {"origin": origin.value, **place}}


def answered(region: Mapping[str, Any], label: str, **said: object) -> dict[str, Any]:
    """Return a region as an interactive answer, which keeps `label` whatever label is active.

    Label Studio 1.23 gives an answered region the label that happens to be active in its text, as
    after the key for the next region. Unlike a change by a person, this does not show in `origin`:
    so a region with unchanged `origin` has the label that was asked for. `said` goes into `meta`.
    """
    given = region.get("meta")
    meta = given if isinstance(given, dict) else {}
    return {**region, "origin": _UNCHANGED, "meta": {**meta, ASKED: label, **said}}


def choice_of(identity: str, answer: str) -> dict[str, Any]:
    """Return the choice under `review`, which is about the whole sentence."""
    kind = {"from_name": REVIEW, "to_name": TARGET, "type": "choices"}
    return {"id": identity, **kind, "value": {"choices": [answer]}}


def kind_of(item: Mapping[str, Any]) -> str | None:
    """Return the kind of an item of a result: ENTITIES, SOURCE_ENTITIES or REVIEW, else None."""
    parts = tuple(item.get(key) for key in _KIND)
    return _KINDS.get(parts) if all(isinstance(part, str) for part in parts) else None


def labels_in(result: object) -> Iterator[str]:
    """Yield the labels of the target regions of a `result`; what cannot be read is passed over."""
    for item in result if isinstance(result, list) else ():
        if isinstance(item, dict) and kind_of(item) == ENTITIES:
            value = item.get("value")
            given = value.get("labels") if isinstance(value, dict) else None
            for label in given if isinstance(given, list) else ():
                yield str(label).strip()


def meta_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `meta` of an item; empty if it is no object."""
    meta = item.get("meta")
    return meta if isinstance(meta, dict) else {}


def is_as_predicted(item: Mapping[str, Any]) -> bool:
    """Return whether a region is unchanged since the models proposed it or answered with it."""
    return item.get("origin") == _UNCHANGED


def region_at(
    region: Fields, sentence: ParallelSentence, labels: Collection[str] | None = None
) -> Region:
    """Read an item of a result as a target region; `labels` None takes any label.

    ReviewError if the label is unknown, or the region contradicts the sentence.
    """
    value = region.child("value")
    shown = _label(region, value, labels)
    meta = region.child("meta") if region.has("meta") else replace(region, row={})
    label = _asked(region, meta, labels) or shown
    entity = _entity_between(value, label, sentence.target, region.number_or_none("score"))
    text, covered = value.text("text"), entity.span.of(sentence.target)
    if text not in (covered, _LINE_BREAK.sub(r"\\n", covered)):
        raise _contradiction(value, entity.span, covered, text)
    came_from = _source(meta, sentence.source)
    return Region(region.text("id"), entity, _origin(region, meta), came_from, shown)


def marked_in_source(region: Fields, source: str, labels: Collection[str]) -> Entity:
    """Read a region of the source's HyperText, an entity that a person marked, as `region_at`."""
    value = region.child("value")
    meta = replace(region, row=meta_of(region.row))
    label = _asked(region, meta, labels) or _label(region, value, labels)
    entity = _entity_between(value.child("globalOffsets"), label, source, None)
    shown, covered = value.text("text"), entity.span.of(source)
    if _SPACE.sub(" ", shown) != _SPACE.sub(" ", covered):
        raise _contradiction(value, entity.span, covered, shown)
    return entity


def read_result(
    work: Fields, sentence: ParallelSentence, labels: Collection[str]
) -> tuple[list[Region], str | None, list[str]]:
    """Read the `result` list of an annotation or prediction: its regions, sorted by span and label,
    the choice under `review`, and notes for people, such as on entities marked in the source.

    ReviewError if anything is unknown, contradicts the sentence or comes twice.
    """
    found: defaultdict[str, list[Fields]] = defaultdict(list)
    seen: set[str] = set()
    for item in work.children("result"):
        if item.row.get("type") == "relation":
            found["relation"].append(item)
            continue
        identity = replace(item, fix=_FIX).text("id")
        region = replace(item, where=f"{work.where} region {identity}", fix=_FIX)
        if identity in seen:
            raise region.error_here("this id comes twice")
        seen.add(identity)
        if not (kind := kind_of(item.row)):
            given = ", ".join(f"{key} {item.row.get(key)!r}" for key in _KIND)
            fix = "Give the project the labeling config that spanferry builds, and review it again"
            raise region.error_here(f"{given} are not of our labeling config", fix)
        found[kind].append(region)
    regions = [region_at(region, sentence, labels) for region in found[ENTITIES]]
    regions.sort(key=lambda region: (region.entity.span, region.entity.label))
    answers, relations = [_answer(region) for region in found[REVIEW]], len(found["relation"])
    if len(answers) > 1:
        raise work.error_here(f"the sentence is reviewed twice: {', '.join(answers)}", _FIX)
    notes = [*_notes(regions, sentence.target)]
    for region in found[SOURCE_ENTITIES]:
        shown = _quoted(marked_in_source(region, sentence.source, labels), sentence.source)
        went = "" if meta_of(region.row).get(WENT_TO) else ", not projected"
        notes.append(f"marked in the source: {shown}{went}")
    if relations:
        notes.append(f"{relations} relation(s) between regions were not read")
    return regions, answers[0] if answers else None, notes


def _entity_between(fields: Fields, label: str, text: str, score: float | None) -> Entity:
    try:
        span = Span(fields.integer("start"), fields.integer("end"))
        span.of(text)
        return Entity(span, label, score)
    except SpanError as error:
        raise fields.error_here(str(error)) from error


def _contradiction(fields: Fields, span: Span, covered: str, shown: str) -> SpanferryError:
    return fields.error_here(f"{span} covers {covered!r}, but was shown as {shown!r}")


def _label(region: Fields, value: Fields, labels: Collection[str] | None) -> str:
    given = value.texts("labels")
    if len(given) != 1:
        raise region.error_here(f"needs exactly one label, has {list(given)!r}")
    if labels is not None and given[0] not in labels:
        fix = f"Known are {', '.join(labels)}: relabel it, or name the label set of the project"
        raise region.error_here(f"unknown label {given[0]!r}", fix)
    return given[0]


def _asked(region: Fields, meta: Fields, labels: Collection[str] | None) -> str | None:
    """Return the label an answer was given, if nobody has changed it since."""
    asked: Any = meta.row.get(ASKED)
    known = isinstance(asked, str) and (labels is None or asked in labels)
    return asked if known and is_as_predicted(region.row) else None


def _origin(region: Fields, meta: Fields) -> LabelOrigin | None:
    said = meta.choice("origin", LabelOrigin) if meta.has("origin") else None
    # What a person drew stays theirs, however often they change it.
    if region.row.get("origin") == _CHANGED and said is not LabelOrigin.PERSON:
        return LabelOrigin.CHANGED
    if said is not None:
        return said
    if meta.row.get("suggested"):
        return LabelOrigin.SUGGESTED
    if meta.row.get(PROPAGATED):
        return LabelOrigin.PROPAGATED
    return LabelOrigin.PROJECTED if region.row.get("origin") == _UNCHANGED else None


def _source(meta: Fields, source: str) -> Span | None:
    given: Any = meta.row.get(CAME_FROM)
    if given is None:
        return None
    try:
        span = Span(*given)
        span.of(source)
    except (SpanError, TypeError) as error:
        raise meta.error(CAME_FROM, f"{given!r:.40} is not a span of the source") from error
    return span


def _answer(region: Fields) -> str:
    chosen = region.child("value").texts("choices")
    if len(chosen) != 1 or chosen[0] not in (OK, UNUSABLE):
        what = f"the review is neither {OK!r} nor {UNUSABLE!r} but {list(chosen)!r}"
        raise region.error_here(what)
    return chosen[0]


def _notes(regions: Sequence[Region], text: str) -> Iterator[str]:
    for a, b in combinations([region.entity for region in regions], 2):
        if a.span.overlaps(b.span):
            both = f"{_quoted(a, text)} and {_quoted(b, text)}"
            yield f"{both} overlap: IOB2 can hold only one of them"
    for region in regions:
        if region.shown != region.entity.label:
            shown = f"{_quoted(region.entity, text)} was shown as {region.shown}"
            yield f"{shown}, which nobody asked for"


def _quoted(entity: Entity, text: str) -> str:
    return f"{entity.label} “{entity.span.of(text)}” {entity.span}"
