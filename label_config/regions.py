"""Entities as Label Studio's regions, the items of a `result` list, and back."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

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

# Label Studio 1.23 saves the text of a drag across lines with a backslash and an n for each of
# these; the offsets stay exact.
_LINE_BREAK = re.compile(r"[\r\n]")


# What the page shows of a source sentence has other line breaks, and its text is as it is shown.
_SPACE = re.compile(r"(?:\\n|\s)+")

# `origin` is Label Studio's word, the LabelOrigin in `meta` ours; a region may have one, or none.
_UNCHANGED, _CHANGED, _DRAWN = "prediction", "prediction-changed", "manual"
_THEIR_WORD = {
    LabelOrigin.PROJECTED: _UNCHANGED,
    LabelOrigin.PROPAGATED: _UNCHANGED,
    LabelOrigin.CHANGED: _CHANGED,
    LabelOrigin.SUGGESTED: _DRAWN,
    LabelOrigin.PERSON: _DRAWN,
}

# What an item of a result is about, by its `from_name`, `to_name` and `type`.
_KINDS: Mapping[tuple[object, ...], str] = {
    (ENTITIES, TARGET, "labels"): ENTITIES,
    (SOURCE_ENTITIES, SOURCE, "labels"): SOURCE_ENTITIES,
    (REVIEW, TARGET, "choices"): REVIEW,
}

# Keys of a region's `meta`: where a target region comes from, where an English one went, which
# label an answer was given, and that a correction of other sentences was carried over.
CAME_FROM, WENT_TO, ASKED, PROPAGATED = "source", "targets", "asked", "propagated"


@dataclass(frozen=True, slots=True)
class Region:
    """One labelled region of the target. `entity` has the score the region carried.

    `source` is the source span its `meta` names. `origin` is None where nothing says how the region
    came about but that a person, or a program, put it there. `shown` is the label it had on the
    page, which may be another than its entity's: see `answered`.
    """

    identity: str
    entity: Entity
    origin: LabelOrigin | None
    source: Span | None
    shown: str


@dataclass(frozen=True, slots=True)
class Result:
    """What one `result` list says.

    `regions` are sorted by span and label. `answer` is what was chosen under `review`, if anything.
    `notes` are in plain words.
    """

    regions: tuple[Region, ...]
    answer: str | None
    notes: tuple[str, ...]

    @property
    def entities(self) -> tuple[Entity, ...]:
        """What the regions mark."""
        return tuple(region.entity for region in self.regions)


def region_id(pair_id: str, source: Span | None, target: Span, label: str, nth: int = 0) -> str:
    """The same for the same projection of the same sentence, whenever it is asked for.

    Label Studio overwrites a region whose id it knows, so asking twice does not add a second copy.
    `nth` tells apart what is otherwise equal.
    """
    key = [pair_id, source and [source.start, source.end], target.start, target.end, label, nth]
    return hashlib.blake2b(json.dumps(key).encode(), digest_size=8).hexdigest()


def region_of(identity: str, entity: Entity, text: str) -> dict[str, Any]:
    """One labelled region over `text`. A score is written only if there is one.

    Raises:
        SpanError: if the entity reaches past `text`.
    """
    span = entity.span
    value = {"start": span.start, "end": span.end, "text": span.of(text), "labels": [entity.label]}
    region = {
        "id": identity,
        "from_name": ENTITIES,
        "to_name": TARGET,
        "type": "labels",
        "value": value,
    }
    return region if entity.score is None else {**region, "score": entity.score}


def with_provenance(region: dict[str, Any], provenance: Provenance) -> dict[str, Any]:
    """The region as one that came about like this, so that `read_result` says so again."""
    source = provenance.source
    meta = {"origin": provenance.origin.value}
    place = {} if source is None else {CAME_FROM: [source.start, source.end]}
    return {**region, "origin": _THEIR_WORD[provenance.origin], "meta": {**meta, **place}}


def answered(region: Mapping[str, Any], label: str, **said: object) -> dict[str, Any]:
    """The region as the answer to somebody who is annotating: it keeps `label` whatever is active.

    Label Studio 1.23 gives a region that it takes up the label that happens to be active in its
    text, as after the key for the next one. When a person changes a region it says so in `origin`,
    but not then: so a region that is still as it was answered has the label that was asked for.

    Args:
        region: as it is to be, with or without `meta`.
        label: what was asked for.
        said: more for its `meta`.
    """
    meta = region.get("meta") or {}
    return {**region, "origin": _UNCHANGED, "meta": {**meta, ASKED: label, **said}}


def choice_of(identity: str, answer: str) -> dict[str, Any]:
    """The answer given under `review`, which concerns the whole sentence."""
    return {
        "id": identity,
        "from_name": REVIEW,
        "to_name": TARGET,
        "type": "choices",
        "value": {"choices": [answer]},
    }


def entity_at(fields: Fields, label: str, text: str, score: float | None) -> Entity:
    """The entity that `start`, `end` and `text` of an object describe, if `text` agrees.

    Raises:
        ReviewError: if an offset is missing, outside `text`, or covers something else than what
            the object says it does.
    """
    entity = _entity_between(fields, label, text, score)
    shown, covered = fields.text("text"), entity.span.of(text)
    if shown not in (covered, _LINE_BREAK.sub(r"\\n", covered)):
        raise _contradiction(fields, entity.span, covered, shown)
    return entity


def kind_of(item: Mapping[str, Any]) -> str | None:
    """What an item of a result is about: ENTITIES, SOURCE_ENTITIES or REVIEW, else None."""
    parts = tuple(item.get(key) for key in ("from_name", "to_name", "type"))
    return _KINDS.get(parts) if all(isinstance(part, str) for part in parts) else None


def meta_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """What an item says besides; nothing, if that is no object."""
    meta = item.get("meta")
    return meta if isinstance(meta, dict) else {}


def is_as_predicted(item: Mapping[str, Any]) -> bool:
    """Whether nobody has changed a region since the models proposed it or answered for it."""
    return item.get("origin") == _UNCHANGED


def region_at(
    region: Fields, sentence: ParallelSentence, labels: Collection[str] | None = None
) -> Region:
    """The target region that an item of a result is.

    Args:
        region: the item.
        sentence: whose target it is in.
        labels: that are known; None takes any.

    Raises:
        ReviewError: if the label is unknown, or what it says contradicts the sentence.
    """
    value = region.child("value")
    shown = _label(region, value, labels)
    meta = region.child("meta") if region.has("meta") else replace(region, row={})
    label = _asked(region, meta, labels) or shown
    entity = entity_at(value, label, sentence.target, region.number_or_none("score"))
    came_from = _source(meta, sentence.source)
    return Region(region.text("id"), entity, _origin(region, meta), came_from, shown)


def marked_in_source(region: Fields, source: str, labels: Collection[str]) -> Entity:
    """The source entity that a person marked: a region of the source's HyperText.

    Raises:
        ReviewError: if the label is unknown, or the offsets contradict `source`.
    """
    value = region.child("value")
    meta = replace(region, row=meta_of(region.row))
    label = _asked(region, meta, labels) or _label(region, value, labels)
    entity = _entity_between(value.child("globalOffsets"), label, source, None)
    shown, covered = value.text("text"), entity.span.of(source)
    if _SPACE.sub(" ", shown) != _SPACE.sub(" ", covered):
        raise _contradiction(value, entity.span, covered, shown)
    return entity


def read_result(work: Fields, sentence: ParallelSentence, labels: Collection[str]) -> Result:
    """Everything the `result` list of an annotation or prediction says about `sentence`.

    What was marked in the source is no decision about the target, and comes back as a note.

    Raises:
        ReviewError: if anything in it is unknown, contradicts the sentence or comes twice.
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
        found[_kind(region)].append(region)
    regions = [region_at(region, sentence, labels) for region in found[ENTITIES]]
    regions.sort(key=lambda region: (region.entity.span, region.entity.label))
    answers = [_answer(region) for region in found[REVIEW]]
    if len(answers) > 1:
        raise work.error_here(f"the sentence is reviewed twice: {', '.join(answers)}", _FIX)
    notes = (
        *_overlaps([region.entity for region in regions], sentence.target),
        *_mistaken(regions, sentence.target),
        *(_source_mark(region, sentence.source, labels) for region in found[SOURCE_ENTITIES]),
        *_relations(len(found["relation"])),
    )
    return Result(tuple(regions), answers[0] if answers else None, notes)


def _entity_between(fields: Fields, label: str, text: str, score: float | None) -> Entity:
    try:
        span = Span(fields.integer("start"), fields.integer("end"))
        span.of(text)
        return Entity(span, label, score)
    except SpanError as error:
        raise fields.error_here(str(error)) from error


def _contradiction(fields: Fields, span: Span, covered: str, shown: str) -> SpanferryError:
    return fields.error_here(f"{span} covers {covered!r}, but was shown as {shown!r}")


def _kind(region: Fields) -> str:
    kind = kind_of(region.row)
    if kind is None:
        parts = (region.row.get(key) for key in ("from_name", "to_name", "type"))
        raise region.error_here(
            "from_name {!r}, to_name {!r}, type {!r} are not of our labeling config".format(*parts),
            "Give the project the labeling config that spanferry builds, and review the task again",
        )
    return kind


def _label(region: Fields, value: Fields, labels: Collection[str] | None) -> str:
    given = value.texts("labels")
    if len(given) != 1:
        raise region.error_here(f"needs exactly one label, has {list(given)!r}")
    if labels is not None and given[0] not in labels:
        raise region.error_here(
            f"unknown label {given[0]!r}",
            f"Known are {', '.join(labels)}: relabel it, or name the label set of the project",
        )
    return given[0]


def _asked(region: Fields, meta: Fields, labels: Collection[str] | None) -> str | None:
    """The label an answer was given, if nobody has changed it since."""
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
        raise region.error_here(
            f"the review is neither {OK!r} nor {UNUSABLE!r} but {list(chosen)!r}"
        )
    return chosen[0]


def _overlaps(entities: Sequence[Entity], text: str) -> list[str]:
    return [
        f"{a.label} “{a.span.of(text)}” {a.span} and {b.label} “{b.span.of(text)}” {b.span} "
        "overlap: IOB2 can hold only one of them"
        for a, b in combinations(entities, 2)
        if a.span.overlaps(b.span)
    ]


def _mistaken(regions: Sequence[Region], text: str) -> list[str]:
    return [
        f"{r.entity.label} “{r.entity.span.of(text)}” {r.entity.span} was shown as {r.shown}, "
        "which nobody asked for"
        for r in regions
        if r.shown != r.entity.label
    ]


def _source_mark(region: Fields, source: str, labels: Collection[str]) -> str:
    entity = marked_in_source(region, source, labels)
    went = "" if meta_of(region.row).get(WENT_TO) else ", not projected"
    return f"marked in the source: {entity.label} “{entity.span.of(source)}” {entity.span}{went}"


def _relations(count: int) -> list[str]:
    return [f"{count} relation(s) between regions were not read"] if count else []
