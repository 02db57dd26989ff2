"""What an export could not carry, each with the reason: nothing is dropped without a line here."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from projection.io.records_json import encode_entity
from projection.records import Entity, ReviewedSentence, ReviewStatus
from training.data.adjudication import by_sentence, marks_of
from training.data.iob2 import Misfit, MisfitKind


class LossKind(StrEnum):
    """What became of an annotation, or of one entity of it."""

    SUPERSEDED = "superseded"  # another decision on the sentence holds
    SKIPPED = "skipped"  # nobody decided
    UNUSABLE = "unusable"  # marked as not fit for training
    EMPTY = "empty"  # a sentence without a visible character
    OUTVOTED = "outvoted"  # an entity that is not in the decision that holds
    WIDENED = MisfitKind.WIDENED.value
    OVERLAP = MisfitKind.OVERLAP.value
    BLANK = MisfitKind.BLANK.value


# Of whole sentences; the others are of entities.
_OF_SENTENCES = {ReviewStatus.SKIPPED: LossKind.SKIPPED, ReviewStatus.UNUSABLE: LossKind.UNUSABLE}
_REASONS = {
    LossKind.SKIPPED: "skipped by the annotator: nobody decided",
    LossKind.UNUSABLE: "marked as not fit for training",
    LossKind.EMPTY: "no visible character in the target",
}


@dataclass(frozen=True, slots=True)
class Loss:
    """One annotation, or one entity of it, that is not in the training data as it was left."""

    kind: LossKind
    review: ReviewedSentence
    reason: str
    entity: Entity | None = None

    def to_json(self) -> dict[str, object]:
        """A line of `losses.jsonl`; `entity` is null where it is the whole sentence."""
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
    """What settling on one decision a sentence, in the order of `by_sentence`, left behind.

    Of several annotations of a sentence all but one are superseded, and so are the entities of each
    that the decision does not have.
    """
    for group, decision in zip(by_sentence(reviewed), decisions, strict=True):
        standing = _standing(group, decision)
        for review in group:
            if review is not standing:
                reason = f"the decision of {_who(decision)} holds"
                yield Loss(LossKind.SUPERSEDED, review, reason)
            yield from _outvoted(review, decision)
        if kind := _OF_SENTENCES.get(decision.status):
            yield Loss(kind, decision, _REASONS[kind])


def empty_loss(review: ReviewedSentence) -> Loss:
    """A usable sentence that has no word to tag."""
    return Loss(LossKind.EMPTY, review, _REASONS[LossKind.EMPTY])


def misfit_loss(review: ReviewedSentence, misfit: Misfit) -> Loss:
    """An entity that tags cannot hold as it was."""
    return Loss(LossKind(misfit.kind.value), review, misfit.reason, misfit.entity)


def _standing(group: Sequence[ReviewedSentence], decision: ReviewedSentence) -> ReviewedSentence:
    """The annotation that the decision is, or was put together from last."""
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


def _outvoted(review: ReviewedSentence, decision: ReviewedSentence) -> Iterator[Loss]:
    if not (review.usable and decision.usable):
        return
    kept = marks_of(decision.entities)
    for entity in review.entities:
        if (entity.span, entity.label) not in kept:
            shown = f"{entity.label} “{entity.span.of(review.sentence.target)}” {entity.span}"
            reason = f"{shown} is not in the decision of {_who(decision)}"
            yield Loss(LossKind.OUTVOTED, review, reason, entity)


def _who(decision: ReviewedSentence) -> str:
    return f"annotator {decision.annotator}" if decision.annotator else "no annotator"


def table_line(what: str, count: int) -> str:
    """A line of the table an export ends with."""
    return f"{what:34}{count:>8}"
