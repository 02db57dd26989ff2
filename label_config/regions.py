"""Entities as Label Studio's regions, items of a `result` list, and back."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from label_config.labeling_config import (
    ENTITIES,
    REVIEW,
    SETTLED,
    SOURCE,
    SOURCE_ENTITIES,
    TARGET,
)
from projection.errors import SpanError
from projection.io.json_fields import Fields
from projection.records import Entity, LabelOrigin, ParallelSentence, Provenance, Span

# Label Studio 1.23 saves a line break as a backslash and an n; the offsets stay exact.
_SPACE = re.compile(r"(?:\\n|\s)+")
_DIGITS = re.compile(r"[0-9]{1,9}")

# `origin` of a region is Label Studio's, the LabelOrigin in its `meta` ours; either may be missing.
_UNCHANGED, _CHANGED, _DRAWN = "prediction", "prediction-changed", "manual"
_THEIR_ORIGIN = {
    LabelOrigin.PROJECTED: _UNCHANGED,
    LabelOrigin.CORPUS: _UNCHANGED,
    LabelOrigin.PROPAGATED: _UNCHANGED,
    LabelOrigin.CHANGED: _CHANGED,
}  # of any other: _DRAWN

# What tells the kind of an item of a result.
_KIND = ("from_name", "to_name", "type")
_KINDS: Mapping[tuple[object, ...], str] = {
    (ENTITIES, TARGET, "labels"): ENTITIES,
    (SOURCE_ENTITIES, SOURCE, "labels"): SOURCE_ENTITIES,
    (REVIEW, TARGET, "choices"): REVIEW,
    (SETTLED, TARGET, "choices"): SETTLED,
}

# Keys of a region's `meta`: the source span of a target region, the target spans of a source
# region, the label an interactive answer was given, and the correction that was propagated.
CAME_FROM, WENT_TO, ASKED, PROPAGATED = "source", "targets", "asked", "propagated"
# What a backend wrote into `text`, beside what a person may have written there.
SAID = "said"


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


def choice_of(identity: str, answer: str, question: str = REVIEW) -> dict[str, Any]:
    """Return an answer to REVIEW or SETTLED, which is about the whole sentence."""
    kind = {"from_name": question, "to_name": TARGET, "type": "choices"}
    return {"id": identity, **kind, "value": {"choices": [answer]}}


def kind_of(item: Mapping[str, Any]) -> str | None:
    """Return the kind of an item of a result, the name of our control, or None."""
    parts = tuple(item.get(key) for key in _KIND)
    return _KINDS.get(parts) if all(isinstance(part, str) for part in parts) else None


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

    ReviewError if the label is unknown, or the region contradicts the sentence. Programs other than
    Label Studio leave out id and text, and write numbers as 0.0 or "0".
    """
    value = region.child("value")
    shown = _label(region, value, labels)
    meta = region.child("meta") if region.has("meta") else replace(region, row={})
    label = _asked(region, meta, labels) or shown
    entity = _entity_at(value, value, label, sentence.target, _score(region))
    came_from = _source(meta, sentence.source)
    identity = region.text_or_none("id") or ""
    return Region(identity, entity, _origin(region, meta), came_from, shown)


def marked_in_source(region: Fields, source: str, labels: Collection[str] | None = None) -> Entity:
    """Read a region of the source's HyperText, an entity that a person marked, as `region_at`."""
    value = region.child("value")
    meta = replace(region, row=meta_of(region.row))
    label = _asked(region, meta, labels) or _label(region, value, labels)
    return _entity_at(value, value.child("globalOffsets"), label, source, None)


def _entity_at(
    value: Fields, offsets: Fields, label: str, text: str, score: float | None
) -> Entity:
    """Return the entity between two offsets if they agree with what the annotator saw there.

    White space may differ: pages show and save other line breaks, and trim the ends.
    """
    try:
        span = Span(_offset(offsets, "start"), _offset(offsets, "end"))
        covered, entity = span.of(text), Entity(span, label, score)
    except SpanError as error:
        raise offsets.error_here(str(error)) from error
    shown = value.text_or_none("text")
    if shown is not None and _words(shown) != _words(covered):
        what = f"{span} covers {covered!r}, but was shown as {shown!r}"
        raise value.error_here(what)
    return entity


def _words(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _offset(fields: Fields, key: str) -> int:
    value = fields.row.get(key)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return fields.integer(key)


def _score(region: Fields) -> float | None:
    """Return the score, or None for what is no probability: it says nothing about the region."""
    given = region.row.get("score")
    try:
        score = float(given) if isinstance(given, int | float | str) else -1.0
    except (ValueError, OverflowError):
        return None
    return score if 0 <= score <= 1 else None


def _label(region: Fields, value: Fields, labels: Collection[str] | None) -> str:
    given = value.texts("labels")
    if len(given) != 1:
        raise region.error_here(f"needs exactly one label, has {list(given)!r}")
    label = given[0].strip()
    if labels is not None and label not in labels:
        raise region.error_here(f"unknown label {label!r}", f"Known are {', '.join(labels)}")
    return label


def _asked(region: Fields, meta: Fields, labels: Collection[str] | None) -> str | None:
    """Return the label an answer was given, if nobody has changed it since."""
    asked: Any = meta.row.get(ASKED)
    known = isinstance(asked, str) and (asked in labels if labels is not None else asked.strip())
    return asked if known and is_as_predicted(region.row) else None


def _origin(region: Fields, meta: Fields) -> LabelOrigin | None:
    said = meta.choice("origin", LabelOrigin) if meta.has("origin") else None
    # What a person drew stays theirs, however often they change it.
    if region.row.get("origin") == _CHANGED and said is not LabelOrigin.PERSON:
        return LabelOrigin.CHANGED
    if meta.row.get(PROPAGATED):
        return LabelOrigin.PROPAGATED
    if said is not None:
        return said
    if meta.row.get("suggested"):
        return LabelOrigin.SUGGESTED
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
