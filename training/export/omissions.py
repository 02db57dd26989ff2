"""What an export leaves out or changes, each with the reason: nothing is dropped without a line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from projection.io.records_json import encode_entity
from projection.records import Entity, ReviewedSentence, ReviewStatus
from training.data.adjudication import by_sentence, marks_of
from training.data.iob2 import MisfitKind


class LossKind(StrEnum):
    """The fate of an annotation, or of one entity of it."""

    SUPERSEDED = "superseded"  # another decision on the sentence holds
    SKIPPED = "skipped"  # nobody decided
    UNUSABLE = "unusable"  # marked as not fit for training
    EMPTY = "empty"  # a sentence without a visible character
    OUTVOTED = "outvoted"  # an entity that is not in the decision that holds
    WIDENED = MisfitKind.WIDENED.value
    OVERLAP = MisfitKind.OVERLAP.value
    BLANK = MisfitKind.BLANK.value


@dataclass(frozen=True, slots=True)
class Loss:
    """One annotation, or one entity of it, that is not in the training data as it was left."""

    kind: LossKind
    review: ReviewedSentence
    reason: str
    entity: Entity | None = None

    def to_json(self) -> dict[str, object]:
        """Return a line of `losses.jsonl`; `entity` is null where it is the whole sentence."""
        pair, entity = self.review.sentence, self.entity
        return {
            "kind": self.kind.value,
            "id": pair.id,
            "origin": pair.origin,
            "annotator": self.review.annotator,
            "annotation_id": self.review.annotation_id,
            "entity": None if entity is None else encode_entity(entity, pair.target),
            "reason": self.reason,
        }


def decision_losses(
    reviewed: Iterable[ReviewedSentence], decisions: Sequence[ReviewedSentence]
) -> Iterator[Loss]:
    """Yield what adjudication left behind; `decisions` are in the order of `by_sentence`.

    Of several annotations of a sentence all but one are superseded, and so are entities that the
    decision does not have.
    """
    for group, decision in zip(by_sentence(reviewed), decisions, strict=True):
        holder = f"annotator {decision.annotator}" if decision.annotator else "no annotator"
        standing = _standing(group, decision)
        kept = marks_of(decision.entities)
        for review in group:
            if review is not standing:
                yield Loss(LossKind.SUPERSEDED, review, f"the decision of {holder} holds")
            for entity in review.entities if review.usable and decision.usable else ():
                if (entity.span, entity.label) not in kept:
                    shown = f"{entity.label} “{entity.span.of(review.sentence.target)}”"
                    reason = f"{shown} {entity.span} is not in the decision of {holder}"
                    yield Loss(LossKind.OUTVOTED, review, reason, entity)
        if decision.status is ReviewStatus.SKIPPED:
            yield Loss(LossKind.SKIPPED, decision, "skipped by the annotator: nobody decided")
        if decision.status is ReviewStatus.UNUSABLE:
            yield Loss(LossKind.UNUSABLE, decision, "marked as not fit for training")


def _standing(group: Sequence[ReviewedSentence], decision: ReviewedSentence) -> ReviewedSentence:
    """Return the annotation that the decision is, or was put together from last."""
    return max(
        group,
        key=lambda review: (
            review is decision,
            review.annotation_id == decision.annotation_id,
            review.usable is decision.usable,
            review.updated_at == decision.updated_at,
            review.annotation_id or 0,
        ),
    )


def table_line(what: str, count: int) -> str:
    """Format a line of the table an export ends with."""
    return f"{what:34}{count:>8}"
