"""Records as Label Studio's tasks and predictions.

A task's `data` holds the record in its JSON form and, derived from it here, the flat fields that
the page shows and the Data Manager filters and orders by.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from html import escape
from typing import Any, NamedTuple

from label_config.regions import region_id, region_of
from label_config.source_html import (
    conflicts_html,
    numbered_sources,
    possible,
    source_html,
    source_key,
)
from label_config.target_css import Mark
from projection.errors import ReviewError
from projection.io.json_fields import Fields
from projection.io.records_json import encode, read_projected
from projection.records import (
    Entity,
    LabelOrigin,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)
from projection.text.wording import CONFLICT_NAMES, NO_CONFLICT

RECORD, VERSIONS = "record", "versions"  # keys in `data`
ASSIGNED, RANK = "assigned", "rank"

# Scales the scores of sentences with a failed mapping: below all others, and still in order.
TIE_BREAK = 0.001

# Fields that later commands fill in, present from the start so that the Data Manager has columns.
NOT_YET: Mapping[str, Any] = {
    "propagated": "",
    "audit": "",
    "audit_stratum": "",
    "audit_stratum_size": 0,
    "audit_model_version": "",
    "audit_threshold": 0.0,
    "disagreement": "",
    "versions": [],
    "assigned": "",
}

# The list of versions, after the conflicts.
_VERSIONS_START = (
    '<style>.sf-settled{display:block}</style><ul class="sf-conflicts sf-versions">'
    "<li>⚠ Annotators disagree: press the key of the version that holds, or mark it below and "
    "press Shift+0; then submit</li>"
)

_FIX = "Import sentences with `spanferry push`, which writes every field"
_FIX_OLD = "Export the project with that version, then `spanferry push` the export to a new project"


class TaskView(NamedTuple):
    """What a task shows of a projected sentence: its prediction, and fields of its `data`."""

    prediction: dict[str, Any]
    fields: dict[str, Any]


def shown(projected: ProjectedSentence) -> TaskView:
    """Return what a task shows of a sentence as it was projected."""
    return TaskView(to_prediction(projected), task_fields(projected))


def to_task(projected: ProjectedSentence, rank: int = 0) -> dict[str, Any]:
    """Return the task of a sentence: `{"data": {…}}`, with its place in the review queue."""
    return {"data": {**NOT_YET, **task_fields(projected), RANK: rank_field(rank)}}


def rank_field(rank: int) -> str:
    """Return a place as a text that sorts like the number: Label Studio orders data as texts."""
    return f"{rank:08}"


def task_fields(projected: ProjectedSentence, propagated: str = "") -> dict[str, Any]:
    """Return the record and every field derived from it.

    `conflict` lists the kinds, `conflicts` their display names; `min_confidence` is the sentence's
    score. `propagated` describes the corrections of other sentences.
    """
    sentence, kinds = projected.sentence, projected.conflict_kinds
    marks = [region.mark for region in _regions(projected)]
    return {
        RECORD: encode(projected),
        "pair_id": sentence.id,
        "lang": sentence.target_lang,
        "source_lang": sentence.source_lang,
        "source": sentence.source,
        "target": sentence.target,
        "origin": sentence.origin,
        "source_html": source_html(projected),
        "conflicts_html": conflicts_html(projected, marks, propagated),
        "conflict": ", ".join(kinds) or NO_CONFLICT,
        "conflicts": ", ".join(CONFLICT_NAMES[kind] for kind in kinds),
        "n_conflicts": len(projected.conflicts),
        "min_confidence": round(projected.score, 4),
        "n_entities": len(projected.entities),
        "propagated": propagated,
    }


def to_prediction(projected: ProjectedSentence) -> dict[str, Any]:
    """Return the prediction of a sentence: `{"model_version", "score", "result"}`.

    Every entity is a region whose `meta` names its source entity and other likely places; regions
    in a conflict come first, in the order of Label Studio's key for the next region. With a failed
    mapping the score is close to 0 and orders by the confidence of the rest.
    """
    found = (entity.score for entity in projected.entities if entity.score is not None)
    result = [
        region_of(region.mark.region_id, region.entity, projected.sentence.target)
        | {"meta": _meta(projected.sentence, region)}
        for region in _regions(projected)
    ]
    score = projected.score or round(TIE_BREAK * min(found, default=0.0), 6)
    return {"model_version": projected.model_version, "score": score, "result": result}


def record_of(task: Mapping[str, Any], where: str = "task") -> ProjectedSentence:
    """Return the record of a task; ReviewError if it is missing, wrong, or of another text."""
    data = replace(Fields(task, where, ReviewError, _FIX).child("data"), where=f"{where} data")
    if RECORD not in data.row and "source_entities" in data.row:
        raise data.error(RECORD, "missing: an older spanferry pushed this task", _FIX_OLD)
    record = read_projected(data.child(RECORD))
    for side in ("source", "target"):
        if data.text(side) != getattr(record.sentence, side):
            raise data.error(side, "is not the text of the record")
    return record


def sentence_of(task: Mapping[str, Any], where: str = "task") -> ParallelSentence:
    """Return the sentence a task was made of; raises as `record_of`."""
    return record_of(task, where).sentence


def versions_in(task: Mapping[str, Any]) -> list[int]:
    """Return the ids of the annotations that a task lists as versions; one that is gone stays."""
    listed = task["data"].get(VERSIONS)
    return [each for each in listed if isinstance(each, int)] if isinstance(listed, list) else []


def assigned_to(task: Mapping[str, Any]) -> list[str]:
    """Return the e-mail addresses of those who shall label a task; empty if anybody may."""
    return [name for name in str(task["data"].get(ASSIGNED) or "").split(", ") if name]


def with_versions(html: str, versions: Iterable[tuple[int, str, str]]) -> str:
    """Return a task's `conflicts_html` with these versions instead of those it listed, if any.

    Each has its number from 1, whose it is, and what they have. The choice of one is shown, too.
    """
    lines = [
        f'<li><span class="sf-kind">Shift+{number} · {escape(names)}</span> — '
        f"<bdi>{escape(has)}</bdi></li>"
        for number, names, has in versions
    ]
    plain = html.partition(_VERSIONS_START)[0]
    return f"{plain}{_VERSIONS_START}{''.join(lines)}</ul>" if lines else plain


class _Region(NamedTuple):
    mark: Mark
    entity: Entity
    projection: Projection | None


def _regions(projected: ProjectedSentence) -> list[_Region]:
    sources, own = numbered_sources(projected), projected.sentence.target_entities or ()
    in_conflict = {span for conflict in projected.conflicts for span in conflict.spans}
    in_conflict |= {p.target for c in projected.conflicts for p in c.projections if p.target}
    regions = []
    taken: Counter[tuple[object, ...]] = Counter()
    for entity, projection in _with_projections(projected):
        source = projection.source if projection else None
        key = (projected.sentence.id, source.span if source else None, entity.span, entity.label)
        mark = Mark(
            region_id(*key, taken[key]),
            sources.index(source_key(source)) + 1 if source else None,
            entity.label,
            entity.score,
            in_conflict=any(entity.span.overlaps(span) for span in in_conflict),
            propagated=bool(projection.propagated)
            if projection
            else entity.score is None and entity not in own,
        )
        taken[key] += 1
        regions.append(_Region(mark, entity, projection))
    return sorted(regions, key=lambda region: not region.mark.in_conflict)


def _with_projections(projected: ProjectedSentence) -> Iterator[tuple[Entity, Projection | None]]:
    # Two mentions may have the same words and label: each region takes one of them.
    waiting: defaultdict[tuple[Span, str], deque[Projection]] = defaultdict(deque)
    for projection in projected.projections:
        if (proposed := projection.entity) is not None:
            waiting[proposed.span, proposed.label].append(projection)
    for entity in projected.entities:
        found = waiting[entity.span, entity.label]
        yield entity, found.popleft() if found else None


def _meta(sentence: ParallelSentence, region: _Region) -> dict[str, Any]:
    score, projection = region.entity.score, region.projection
    sure = "" if score is None else f" · {score:.2f}"
    if region.entity in (sentence.target_entities or ()):
        return {"text": [f"from the corpus{sure}"], "origin": LabelOrigin.CORPUS.value}
    if projection is None:
        return {"text": [f"found in the target only{sure}"]}
    span = projection.source.span
    others = possible([projection], sentence.target)
    phrase = f"from {region.mark.number} “{span.of(sentence.source)}”{sure}{others}"
    return {"text": [phrase], "source": [span.start, span.end]}
