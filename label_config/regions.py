"""Entities as Label Studio's regions, the items of a `result` list, and back."""

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from label_config.config import ENTITIES, OK, REVIEW, TARGET, UNUSABLE
from projection.errors import SpanError
from projection.fields import Fields
from projection.records import Entity, Span

_MEND = "Open the task in Label Studio, delete what is named here, and submit again"

# Label Studio 1.23 saves the text of a drag across lines with a backslash and an n for each of
# these; the offsets stay exact.
_LINE_BREAK = re.compile(r"[\r\n]")


@dataclass(frozen=True, slots=True)
class Result:
    """What one `result` list says.

    `entities` are sorted by span and label, with the scores the regions carried. `answer` is what
    was chosen under `review`, if anything. `notes` are in plain words.
    """

    entities: tuple[Entity, ...]
    answer: str | None
    notes: tuple[str, ...]


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
    try:
        span = Span(fields.integer("start"), fields.integer("end"))
        covered = span.of(text)
        entity = Entity(span, label, score)
    except SpanError as error:
        raise fields.error_here(str(error)) from error
    shown = fields.text("text")
    if shown not in (covered, _LINE_BREAK.sub(r"\\n", covered)):
        raise fields.error_here(f"{span} covers {covered!r}, but was shown as {shown!r}")
    return entity


def read_result(work: Fields, text: str, labels: Collection[str]) -> Result:
    """Everything the `result` list of an annotation or prediction says about `text`.

    Raises:
        ReviewError: if anything in it is unknown, contradicts `text` or comes twice.
    """
    entities: list[Entity] = []
    answers: list[str] = []
    seen: set[str] = set()
    relations = 0
    for item in work.children("result"):
        if item.row.get("type") == "relation":
            relations += 1
            continue
        identity = replace(item, mend=_MEND).text("id")
        region = replace(item, where=f"{work.where} region {identity}", mend=_MEND)
        if identity in seen:
            raise region.error_here("this id comes twice")
        seen.add(identity)
        if _kind(region) == ENTITIES:
            entities.append(_entity(region, text, labels))
        else:
            answers.append(_answer(region))
    if len(answers) > 1:
        raise work.error_here(f"the sentence is reviewed twice: {', '.join(answers)}", _MEND)
    entities.sort(key=lambda entity: (entity.span, entity.label))
    notes = (*_overlaps(entities, text), *_relations(relations))
    return Result(tuple(entities), answers[0] if answers else None, notes)


def _kind(region: Fields) -> str:
    parts = tuple(region.row.get(key) for key in ("from_name", "to_name", "type"))
    if parts not in ((ENTITIES, TARGET, "labels"), (REVIEW, TARGET, "choices")):
        raise region.error_here(
            "from_name {!r}, to_name {!r}, type {!r} are not of our labeling config".format(*parts),
            "Give the project the labeling config that spanferry builds, and review the task again",
        )
    return ENTITIES if parts[0] == ENTITIES else REVIEW


def _entity(region: Fields, text: str, labels: Collection[str]) -> Entity:
    value = region.child("value")
    given = value.texts("labels")
    if len(given) != 1:
        raise region.error_here(f"needs exactly one label, has {list(given)!r}")
    if given[0] not in labels:
        raise region.error_here(
            f"unknown label {given[0]!r}",
            f"Known are {', '.join(labels)}: relabel it, or name the label set of the project",
        )
    return entity_at(value, given[0], text, region.number_or_none("score"))


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


def _relations(count: int) -> list[str]:
    return [f"{count} relation(s) between regions were not read"] if count else []
