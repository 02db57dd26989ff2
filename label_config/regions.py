"""Entities as Label Studio's regions, the items of a `result` list, and back."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from label_config.config import ENTITIES, OK, REVIEW, TARGET, UNUSABLE
from label_config.fields import Json, entity_at, list_at, object_of, text_at
from projection.errors import ReviewError
from projection.records import Entity, Span

_MEND = "Open the task in Label Studio, delete what is named here, and submit again"


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


def read_result(result: Sequence[object], text: str, labels: Collection[str], where: str) -> Result:
    """Everything a `result` list says about `text`.

    Raises:
        ReviewError: if anything in it is unknown, contradicts `text` or comes twice.
    """
    entities: list[Entity] = []
    answers: list[str] = []
    seen: set[str] = set()
    relations = 0
    for position, item in enumerate(result, 1):
        record = object_of(item, f"{where} result {position}", _MEND)
        if record.get("type") == "relation":
            relations += 1
            continue
        identity = text_at(record, "id", f"{where} result {position}", _MEND)
        here = f"{where} region {identity}"
        if identity in seen:
            raise ReviewError(here, "this id comes twice", _MEND)
        seen.add(identity)
        if _kind(record, here) == ENTITIES:
            entities.append(_entity(record, text, labels, here))
        else:
            answers.append(_answer(record, here))
    if len(answers) > 1:
        raise ReviewError(where, f"the sentence is reviewed twice: {', '.join(answers)}", _MEND)
    entities.sort(key=lambda entity: (entity.span, entity.label))
    notes = (*_overlaps(entities, text), *_relations(relations))
    return Result(tuple(entities), answers[0] if answers else None, notes)


def _kind(record: Json, where: str) -> str:
    parts = tuple(record.get(key) for key in ("from_name", "to_name", "type"))
    if parts not in ((ENTITIES, TARGET, "labels"), (REVIEW, TARGET, "choices")):
        raise ReviewError(
            where,
            "from_name {!r}, to_name {!r}, type {!r} are not of our labeling config".format(*parts),
            "Give the project the labeling config that spanferry builds, and review the task again",
        )
    return ENTITIES if parts[0] == ENTITIES else REVIEW


def _entity(record: Json, text: str, labels: Collection[str], where: str) -> Entity:
    value = object_of(record.get("value"), where, _MEND)
    given = list_at(value, "labels", where, _MEND)
    if len(given) != 1 or not isinstance(given[0], str):
        raise ReviewError(where, f"needs exactly one label, has {list(given)!r}", _MEND)
    if given[0] not in labels:
        raise ReviewError(
            where,
            f"unknown label {given[0]!r}",
            f"Known are {', '.join(labels)}: relabel it, or name the label set of the project",
        )
    return entity_at({**value, "score": record.get("score")}, given[0], text, where, _MEND)


def _answer(record: Json, where: str) -> str:
    value = object_of(record.get("value"), where, _MEND)
    chosen = list_at(value, "choices", where, _MEND)
    if len(chosen) != 1 or chosen[0] not in (OK, UNUSABLE):
        raise ReviewError(
            where, f"the review is neither {OK!r} nor {UNUSABLE!r} but {list(chosen)!r}", _MEND
        )
    return str(chosen[0])


def _overlaps(entities: Sequence[Entity], text: str) -> list[str]:
    return [
        f"{a.label} “{a.span.of(text)}” {a.span} and {b.label} “{b.span.of(text)}” {b.span} "
        "overlap: IOB2 can hold only one of them"
        for a, b in combinations(entities, 2)
        if a.span.overlaps(b.span)
    ]


def _relations(count: int) -> list[str]:
    return [f"{count} relation(s) between regions were not read"] if count else []
