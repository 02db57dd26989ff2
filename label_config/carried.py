"""What a task says once corrections of other sentences have changed its prediction.

The task was pushed with what its page is made of (`projections`): so the page can be made anew for
the regions that are there now. What was changed is no doubt of the models any more; other doubts
stay where they still hold.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from label_config.labeling_config import ENTITIES
from label_config.regions import CARRIED, kind_of, meta_of, region_at
from label_config.source_html import doubts_html, numbered_sources, place_of, source_html
from label_config.target_css import Mark
from label_config.tasks import conflict_fields, disputed, projection_fields, sentence_of
from projection.errors import ReviewError
from projection.io.json_fields import Fields
from projection.pipeline.conflicts import PAPER_CHECKS, find_conflicts
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)

NO_ENTITY = "no entity"

Json = Mapping[str, Any]

_FIX = "Bring new predictions with `spanferry repredict`"
# Said of one phrase: once that is changed, it is said of something that is not there.
_OF_ONE_PHRASE = (ConflictKind.LOW_CONFIDENCE, ConflictKind.UNPROJECTED)


@dataclass(frozen=True, slots=True)
class _Target:
    """A target region; `carried` is one that a correction changed."""

    entity: Entity
    carried: bool


@dataclass(frozen=True, slots=True)
class _Source:
    """A source entity and the id of the region it became; None where it was not found.

    `gone` is one whose region a correction took away.
    """

    entity: Entity
    region: str | None
    alternatives: tuple[Span, ...]
    gone: bool

    def among(self, targets: Mapping[str, _Target]) -> "_Source":
        """The same, gone if its region is."""
        lost = self.region is not None and self.region not in targets
        return replace(self, region=None, alternatives=(), gone=True) if lost else self

    def projection(self, targets: Mapping[str, _Target]) -> Projection:
        """Where it went. What people corrected is no longer doubted by what the models believe."""
        if self.region is None:
            return Projection(self.entity, None, 0.0, self.alternatives)
        target = targets[self.region]
        others = () if target.carried else self.alternatives
        return Projection(self.entity, target.entity.span, target.entity.score or 0.0, others)

    def became(self, targets: Mapping[str, _Target]) -> str | None:
        """What a correction made of it: a new label, "" for the same, no entity; None: none did."""
        if self.region is None or not targets[self.region].carried:
            return NO_ENTITY if self.gone else None
        label = targets[self.region].entity.label
        return "" if label == self.entity.label else label


def told_anew(
    data: Json, before: Sequence[Json], after: Sequence[Json], where: str
) -> dict[str, Any]:
    """The fields of a task's data that have to change with its prediction.

    Args:
        data: of the task.
        before: the result of the prediction that is shown.
        after: what becomes of that.
        where: what to name in errors.

    Returns:
        What to put into `data`; nothing if the page was not made of this prediction, which Label
        Studio may have fetched later, or was made by an older spanferry.

    Raises:
        ReviewError: if the task is not one that was pushed, or a result contradicts it.
    """
    if "projections" not in data:
        return {}
    sentence, task = sentence_of(data, where), Fields(data, f"{where} data", ReviewError, _FIX)
    sources = [*map(_source, task.children("projections"))]
    was, now = (_targets(result, sentence, where) for result in (before, after))
    if any(source.region not in was for source in sources if source.region is not None):
        return {}
    old = [*map(_conflict, task.children("conflicts"))]
    checked = {c.kind for c in find_conflicts(sentence, _found(sources, was), PAPER_CHECKS)}
    sources = [source.among(now) for source in sources]
    return _page(sentence, sources, now, _holding(sentence, old, checked, sources, now))


def _page(
    sentence: ParallelSentence,
    sources: Sequence[_Source],
    targets: Mapping[str, _Target],
    conflicts: Iterable[Conflict],
) -> dict[str, Any]:
    entities = sorted((t.entity for t in targets.values()), key=lambda e: (e.span, e.label))
    projected = ProjectedSentence(
        sentence,
        tuple(entities),
        tuple(source.projection(targets) for source in sources),
        tuple(conflicts),
        score=0.0,
        model_version="",
    )
    changed = ((place_of(source.entity), source.became(targets)) for source in sources)
    became = {place: what for place, what in changed if what is not None}
    return {
        "source_html": source_html(projected, became),
        "doubts_html": doubts_html(projected, _marks(projected, sources, targets)),
        **conflict_fields(projected),
        "n_entities": len(entities),
        "projections": [
            {**projection_fields(s.entity, s.region, s.alternatives), "gone": s.gone}
            for s in sources
        ],
    }


def _marks(
    projected: ProjectedSentence, sources: Iterable[_Source], targets: Mapping[str, _Target]
) -> Iterator[Mark]:
    numbers = {place: number for number, place in enumerate(numbered_sources(projected), 1)}
    number_of = {source.region: numbers[place_of(source.entity)] for source in sources}
    doubtful = disputed(projected.conflicts)
    for identity, target in targets.items():
        entity, number = target.entity, number_of.get(identity)
        in_doubt = any(entity.span.overlaps(span) for span in doubtful)
        yield Mark(identity, number, entity.label, entity.score, in_doubt, target.carried)


def _found(sources: Iterable[_Source], targets: Mapping[str, _Target]) -> list[Projection]:
    return [source.projection(targets) for source in sources if not source.gone]


def _holding(
    sentence: ParallelSentence,
    old: Sequence[Conflict],
    checked: Iterable[ConflictKind],
    sources: Sequence[_Source],
    targets: Mapping[str, _Target],
) -> Iterator[Conflict]:
    """The conflicts that hold: those the checks find again, and those of what stayed as it was.

    A kind that the checks did not find before (`checked`) comes from elsewhere, and stays.
    """
    found = _found(sources, targets)
    kinds = {conflict.kind for conflict in old}
    yield from (c for c in find_conflicts(sentence, found, PAPER_CHECKS) if c.kind in kinds)
    untouched = {target.entity.span for target in targets.values() if not target.carried}
    for conflict in old:
        if conflict.kind in _OF_ONE_PHRASE and untouched.issuperset(conflict.spans):
            about = tuple(p for p in found if p.target in conflict.spans)
            yield replace(conflict, projections=about)
        elif conflict.kind not in (*_OF_ONE_PHRASE, *checked):
            yield conflict


def _targets(result: Sequence[Json], sentence: ParallelSentence, where: str) -> dict[str, _Target]:
    """The target regions of a result by their ids, in its order."""
    items = [item for item in result if kind_of(item) == ENTITIES]
    read = (region_at(Fields(item, where, ReviewError, _FIX), sentence) for item in items)
    return {
        region.identity: _Target(region.entity, CARRIED in meta_of(item))
        for region, item in zip(read, items, strict=True)
    }


def _source(fields: Fields) -> _Source:
    (span,) = _spans([fields.row.get("source")], fields)
    return _Source(
        Entity(span, fields.text("label")),
        fields.text_or_none("region"),
        _spans(fields.row.get("alternatives"), fields),
        fields.row.get("gone") is True,
    )


def _conflict(fields: Fields) -> Conflict:
    spans = _spans(fields.row.get("spans", ()), fields)
    return Conflict(fields.choice("kind", ConflictKind), fields.text("reason"), (), spans)


def _spans(given: Any, fields: Fields) -> tuple[Span, ...]:
    try:
        return tuple(Span(*ends) for ends in given)
    except TypeError as error:
        raise fields.error_here(f"{given!r:.60} where spans should be") from error
