"""What an export leaves out or changes, each with the reason: nothing is dropped without a line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from projection.io.records_json import encode_entity
from projection.records import Entity, ReviewedSentence, ReviewStatus, UnreadableReview
from projection.text.iob2 import MisfitKind
from training.data.adjudication import Adjudicated, by_sentence, marks_of, opinions, sentence_key

LOSSES = "losses.jsonl"


class LossKind(StrEnum):
    """The fate of an annotation, or of one entity of it."""

    SUPERSEDED = "superseded"  # another annotation of the sentence stands for it
    DISAGREED = "disagreed"  # annotators disagree, and nobody has settled it
    SKIPPED = "skipped"  # nobody decided
    UNUSABLE = "unusable"  # marked as not fit for training
    EMPTY = "empty"  # a sentence without a visible character
    UNREADABLE = "unreadable"  # what Label Studio has of it cannot be read
    OUTVOTED = "outvoted"  # an entity that is not in the decision that holds
    WIDENED = MisfitKind.WIDENED.value
    OVERLAP = MisfitKind.OVERLAP.value
    BLANK = MisfitKind.BLANK.value


@dataclass(frozen=True, slots=True)
class Loss:
    """One annotation, or one entity of it, that is not in the training data as it was left."""

    kind: LossKind
    review: ReviewedSentence | UnreadableReview
    reason: str
    entity: Entity | None = None

    def to_json(self) -> dict[str, object]:
        """Return a line of `losses.jsonl`; `entity` is null where it is the whole sentence."""
        review, entity = self.review, None
        if isinstance(review, UnreadableReview):
            place = (review.sentence_id, review.origin)
        else:
            place = (review.sentence.id, review.sentence.origin)
            entity = self.entity and encode_entity(self.entity, review.sentence.target)
        return {
            "kind": self.kind.value,
            "id": place[0],
            "origin": place[1],
            "annotator": review.annotator,
            "task_id": review.task_id,
            "annotation_id": review.annotation_id,
            "entity": entity,
            "reason": self.reason,
        }


def decision_losses(
    reviewed: Iterable[ReviewedSentence], adjudicated: Adjudicated
) -> Iterator[Loss]:
    """Yield what adjudication left behind, in the order of `by_sentence`.

    Of several annotations of a sentence all but one are superseded, and so are entities that the
    decision does not have.
    """
    decisions = {sentence_key(each): each for each in adjudicated.sentences}
    still_open = (each for each in adjudicated.disagreements if not each.settled)
    for group in by_sentence(reviewed):
        decision = decisions.get(sentence_key(group[0]))
        if decision is None:
            newest = opinions(group)[-1]
            yield Loss(
                LossKind.DISAGREED, newest, f"annotators disagree: {next(still_open).differs}"
            )
            others = (review for review in group if review is not newest)
            yield from (Loss(LossKind.SUPERSEDED, each, "annotators disagree") for each in others)
            continue
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
