"""Our sentences as Label Studio's tasks and predictions, and back.

`task["data"]` is flat where the Data Manager filters or orders by it.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from label_config.regions import entity_at, region_id, region_of
from label_config.source_html import (
    confidence,
    doubts_html,
    numbered_sources,
    place_of,
    possible,
    source_html,
)
from label_config.target_css import Mark
from projection.errors import ReviewError
from projection.io.json_fields import Fields
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)
from projection.text.wording import CONFLICT_NAMES, NO_CONFLICT

Json = Mapping[str, Any]


# In the review queue a sentence in which something was not found comes before all others, and among
# those the one whose rest is least sure. No threshold is as low as what this leaves of a score.
TIE_BREAK = 0.001

# What is found out about a task later. Here from the start: so the Data Manager has the columns.
NOT_YET: Mapping[str, Any] = {
    "propagated": "",
    "audit": "",
    "audit_stratum": "",
    "audit_stratum_size": 0,
    "audit_model_version": "",
    "audit_threshold": 0.0,
    "disagreement": "",
}

_FIX = "Import sentences with `spanferry push`, which writes every field"


def to_task(projected: ProjectedSentence) -> dict[str, Any]:
    """The task an annotator gets: `{"data": {…}}`.

    `source_entities` is null where the corpus brought none along (`ParallelSentence.entities`),
    `conflict` lists the kinds once each, and `doubts` the same in plain words; `min_confidence` is
    the sentence's score to four digits. `projections` has what the page was made of, to make it
    anew.
    """
    sentence, regions = projected.sentence, _regions(projected)
    return {
        "data": {
            "pair_id": sentence.id,
            "lang": sentence.target_lang,
            "source_lang": sentence.source_lang,
            "source": sentence.source,
            "target": sentence.target,
            "origin": sentence.origin,
            "source_html": source_html(projected),
            "doubts_html": doubts_html(projected, [region.mark for region in regions]),
            **conflict_fields(projected),
            "min_confidence": round(projected.score, 4),
            "n_entities": len(projected.entities),
            "source_entities": _source_entities(sentence),
            "projections": [_projection(p, regions) for p in projected.projections],
            **NOT_YET,
        }
    }


def to_prediction(projected: ProjectedSentence) -> dict[str, Any]:
    """The prediction that goes with the task: `{"model_version", "score", "result"}`.

    Every entity is a region, whose `meta` names the source entity it comes from, and what else
    that could be. Doubtful ones come first: in this order Label Studio's key for the next region
    goes through them. A sentence without entities has an empty `result`, which is an answer too.
    Where something was not found, the score is next to nothing, and tells how sure the rest is.
    """
    return {
        "model_version": projected.model_version,
        "score": projected.score or round(TIE_BREAK * _rest(projected), 6),
        "result": [region.as_json(projected.sentence) for region in _regions(projected)],
    }


def conflict_fields(projected: ProjectedSentence) -> dict[str, Any]:
    """What a task says of the conflicts of a sentence."""
    return {
        "conflict": ", ".join(projected.conflict_kinds) or NO_CONFLICT,
        "doubts": ", ".join(CONFLICT_NAMES[kind] for kind in projected.conflict_kinds),
        "n_conflicts": len(projected.conflicts),
        "conflicts": [_conflict(conflict) for conflict in projected.conflicts],
    }


def sentence_of(task_or_data: Json, where: str = "task") -> ParallelSentence:
    """The sentence a task was made of; takes the task or its `data`.

    Raises:
        ReviewError: if a field is missing or of the wrong type, or an offset contradicts the text.
    """
    data = _data(task_or_data, where)
    source = data.text("source")
    return ParallelSentence(
        id=data.text("pair_id"),
        source=source,
        target=data.text("target"),
        source_lang=data.text("source_lang"),
        target_lang=data.text("lang"),
        origin=data.text("origin"),
        entities=_read_source_entities(data, source),
    )


def conflicts_of(task_or_data: Json, where: str = "task") -> tuple[ConflictKind, ...]:
    """The kinds of conflict a task was sent with, each once, in the order of `ConflictKind`.

    Raises:
        ReviewError: if they are missing or unknown.
    """
    conflicts = _data(task_or_data, where).children("conflicts")
    found = {conflict.choice("kind", ConflictKind) for conflict in conflicts}
    return tuple(kind for kind in ConflictKind if kind in found)


def _data(task_or_data: Json, where: str) -> Fields:
    task = Fields(task_or_data, where, ReviewError, _FIX)
    data = task.child("data") if "data" in task.row else task
    return replace(data, where=f"{where} data")


def _source_entities(sentence: ParallelSentence) -> list[dict[str, Any]] | None:
    if sentence.entities is None:
        return None
    return [
        {
            "start": entity.span.start,
            "end": entity.span.end,
            "label": entity.label,
            "text": entity.span.of(sentence.source),
            "score": entity.score,
        }
        for entity in sentence.entities
    ]


def _read_source_entities(data: Fields, source: str) -> tuple[Entity, ...] | None:
    if "source_entities" in data.row and not data.has("source_entities"):
        return None
    return tuple(
        entity_at(entity, entity.text("label"), source, entity.number_or_none("score"))
        for entity in data.children("source_entities")
    )


def _conflict(conflict: Conflict) -> dict[str, Any]:
    spans = [[span.start, span.end] for span in conflict.spans]
    return {"kind": str(conflict.kind), "reason": conflict.reason, "spans": spans}


def projection_fields(
    source: Entity, region: str | None, alternatives: Iterable[Span]
) -> dict[str, Any]:
    """Where a source entity went, as a task has it: `region` is the id of what it became."""
    return {
        "source": [source.span.start, source.span.end],
        "label": source.label,
        "region": region,
        "alternatives": [[place.start, place.end] for place in alternatives],
    }


def _projection(projection: Projection, regions: Iterable["_Region"]) -> dict[str, Any]:
    own = [region for region in regions if region.projection is projection]
    # Of two mentions with the same place and score there may be one region.
    became = own or [region for region in regions if region.entity == projection.entity]
    identity = became[0].identity if became else None
    return projection_fields(projection.source, identity, projection.alternatives)


def _rest(projected: ProjectedSentence) -> float:
    """How sure the least sure of the entities is that were found; 0 if nothing was."""
    return min((e.score for e in projected.entities if e.score is not None), default=0.0)


@dataclass(frozen=True, slots=True)
class _Region:
    """A target entity, and the projection and the numbered source entity it comes from."""

    identity: str
    entity: Entity
    projection: Projection | None
    number: int | None
    doubtful: bool

    @property
    def mark(self) -> Mark:
        """How it is shown."""
        entity = self.entity
        return Mark(self.identity, self.number, entity.label, entity.score, self.doubtful)

    def as_json(self, sentence: ParallelSentence) -> dict[str, Any]:
        """The item of a prediction's `result`."""
        region = region_of(self.identity, self.entity, sentence.target)
        return {**region, "meta": _meta(sentence, self.entity, self.projection, self.number)}


def _regions(projected: ProjectedSentence) -> list[_Region]:
    sources = numbered_sources(projected)
    doubtful_spans = disputed(projected.conflicts)
    regions = []
    taken: Counter[tuple[object, ...]] = Counter()
    for entity, projection in _with_projections(projected):
        source = projection.source if projection else None
        key = (projected.sentence.id, source.span if source else None, entity.span, entity.label)
        identity = region_id(*key, taken[key])
        taken[key] += 1
        number = sources.index(place_of(source)) + 1 if source else None
        doubtful = any(entity.span.overlaps(span) for span in doubtful_spans)
        regions.append(_Region(identity, entity, projection, number, doubtful))
    return sorted(regions, key=lambda region: not region.doubtful)


def disputed(conflicts: Iterable[Conflict]) -> set[Span]:
    """The places in the target that conflicts are about."""
    named = {span for conflict in conflicts for span in conflict.spans}
    claimed = {p.target for conflict in conflicts for p in conflict.projections if p.target}
    return named | claimed


def _with_projections(
    projected: ProjectedSentence,
) -> Iterator[tuple[Entity, Projection | None]]:
    # Two mentions may land on the same words with the same label: each region takes one of them.
    waiting: defaultdict[tuple[Span, str], deque[Projection]] = defaultdict(deque)
    for projection in projected.projections:
        if projection.target is not None:
            waiting[projection.target, projection.source.label].append(projection)
    for entity in projected.entities:
        found = waiting[entity.span, entity.label]
        yield entity, found.popleft() if found else None


def _meta(
    sentence: ParallelSentence, entity: Entity, projection: Projection | None, number: int | None
) -> dict[str, Any]:
    doubt = "" if entity.score is None else f" · {confidence(entity.score)}"
    if projection is None:
        return {"text": [f"found in the target only{doubt}"]}
    span = projection.source.span
    others = possible([projection], sentence.target)
    phrase = f"from {number} “{span.of(sentence.source)}”{doubt}{others}"
    return {"text": [phrase], "source": [span.start, span.end]}
