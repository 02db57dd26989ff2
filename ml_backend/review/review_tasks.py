"""Reviews as the task they were decided on, with its predictions and annotations."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from label_config.annotations import annotation_of
from label_config.regions import with_provenance
from label_config.tasks import VERSIONS, to_prediction, to_task
from ml_backend.label_studio.imported import ImportedReview, meta_of
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    LabelOrigin,
    ProjectedSentence,
    Projection,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from training.data.adjudication import Mark

GONE = 0  # no annotation of a Label Studio
REASON = "in conflict when this was exported"  # an export has the kinds, not the reasons

_Proposal = tuple[str, tuple[Entity, ...]]  # a model version, and what it proposed


def task_of_reviews(
    reviews: Sequence[ReviewedSentence], users: Collection[int] = (), rank: int = 0
) -> dict[str, Any]:
    """Return the task of all reviews of one sentence, as Label Studio imports it.

    Annotations are numbered from 0, and given to their annotators where `users` has their ids. The
    task's `meta` has annotator and time in any case.
    """
    decided = [review for review in reviews if review.status is not ReviewStatus.UNSEEN]
    proposals = _proposals(reviews)
    shown = shown_in(reviews)
    unseen = _provenance_of(r for r in reviews if r.status is ReviewStatus.UNSEEN)
    made_of = (None if (p := _proposal(r)) is None else proposals.index(p) for r in decided)
    kept = [
        ImportedReview(review.annotator, review.updated_at, index, [*review.notes])
        for review, index in zip(decided, made_of, strict=True)
    ]
    task = to_task(shown[-1], rank)
    if any(review.final for review in decided):
        task["data"][VERSIONS] = [GONE]
    return {
        **task,
        "meta": meta_of(kept),
        "predictions": [_prediction(each, unseen) for each in shown[: len(proposals)]],
        "annotations": [_annotation(n, review, users) for n, review in enumerate(decided)],
    }


def shown_in(reviews: Sequence[ReviewedSentence]) -> list[ProjectedSentence]:
    """Return what was proposed for the sentence, once each; without a prediction, nothing found."""
    return [_projected(reviews, proposal) for proposal in _proposals(reviews) or [("", ())]]


def _proposals(reviews: Iterable[ReviewedSentence]) -> list[_Proposal]:
    return [*dict.fromkeys(filter(None, map(_proposal, reviews)))]


def _proposal(review: ReviewedSentence) -> _Proposal | None:
    return None if review.predicted is None else (review.model_version or "", review.predicted)


def _projected(reviews: Sequence[ReviewedSentence], proposal: _Proposal) -> ProjectedSentence:
    """Return a proposal as a projection, with the source entities the reviews know of."""
    version, entities = proposal
    known = _provenance_of(reviews)
    sources = next((r.source_entities for r in reviews if r.source_entities is not None), ())
    projections = []
    for entity in entities:
        provenance = known.get((entity.span, entity.label))
        if provenance and provenance.source:
            projections.append(_projection(entity, provenance.origin, provenance.source, sources))
    found = {projection.source for projection in projections}
    projections += [Projection(source, None, 0.0) for source in sources if source not in found]
    sentence, kinds = reviews[0].sentence, reviews[0].conflicts
    conflicts = tuple(Conflict(kind, REASON) for kind in kinds)
    scores = [entity.score for entity in entities if entity.score is not None]
    score = 0.0 if ConflictKind.FAILED_MAPPING in kinds else min(scores, default=1.0)
    return ProjectedSentence(sentence, entities, tuple(projections), conflicts, score, version)


def _projection(
    entity: Entity, origin: LabelOrigin, span: Span, sources: Sequence[Entity]
) -> Projection:
    there = [source for source in sources if source.span == span]
    there.sort(key=lambda source: source.label != entity.label)  # the same label first
    source = there[0] if there else Entity(span, entity.label)
    propagated = origin is LabelOrigin.PROPAGATED or source.label != entity.label
    label = entity.label if propagated else None
    return Projection(source, entity.span, entity.score or 0.0, propagated=label)


def _provenance_of(reviews: Iterable[ReviewedSentence]) -> dict[Mark, Provenance]:
    # Reviews of older exports have none.
    return {
        (entity.span, entity.label): provenance
        for review in reviews
        for entity, provenance in zip(review.entities, review.provenance, strict=False)
    }


def _prediction(projected: ProjectedSentence, unseen: dict[Mark, Provenance]) -> dict[str, Any]:
    """Return the prediction, which alone has the origin of the labels of an unseen sentence."""
    prediction = to_prediction(projected)
    for region in prediction["result"]:
        value = region["value"]
        provenance = unseen.get((Span(value["start"], value["end"]), value["labels"][0]))
        if provenance and provenance.origin is not LabelOrigin.PROJECTED:
            meta = region["meta"]
            region.update(with_provenance(region, provenance))
            region["meta"] = {**meta, **region["meta"]}
    return prediction


def _annotation(number: int, review: ReviewedSentence, users: Collection[int]) -> dict[str, Any]:
    target, status = review.sentence.target, review.status
    annotation = {
        "id": number,
        "result": annotation_of(
            review.entities, target, status, review.provenance, final=review.final
        ),
        "was_cancelled": status is ReviewStatus.SKIPPED,
        "lead_time": review.lead_time,
        "ground_truth": False,
    }
    if review.annotator.isdecimal() and int(review.annotator) in users:
        annotation["completed_by"] = int(review.annotator)
    return annotation
