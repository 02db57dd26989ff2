"""How far a review has come: what became of the tasks, by language and day by day."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Self

from ml_backend.report.source import Reviews
from projection.io.records_json import Json
from projection.records import ReviewedSentence, ReviewStatus
from training.data.adjudication import moment, newest_decisions

ByStatus = Mapping[ReviewStatus, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of some sentences; each counts once, with its newest decision.

    `waiting` are those without any annotation, None where that is not known.
    """

    name: str
    decided: ByStatus
    waiting: int | None

    @property
    def done(self) -> int:
        """Those whose entities a person decided."""
        return self.decided.get(ReviewStatus.ACCEPTED, 0) + self.decided.get(
            ReviewStatus.CORRECTED, 0
        )

    @property
    def total(self) -> int:
        """All sentences that are known of."""
        return sum(self.decided.values()) + (self.waiting or 0)

    def to_json(self) -> Json:
        """Counts by status."""
        statuses = {status.value: self.decided.get(status, 0) for status in ReviewStatus}
        return {"waiting": self.waiting, "done": self.done, "total": self.total, **statuses}


@dataclass(frozen=True, slots=True)
class Progress:
    """Sentences by what became of them, and annotations by day (UTC) of their last change.

    `annotations` are those somebody made; they may be more than sentences, for several people may
    decide about one. `undated` ones are on no day.
    """

    overall: Standing
    by_language: tuple[Standing, ...]
    annotations: int
    by_day: Mapping[date, ByStatus]
    undated: int

    @classmethod
    def of(cls, reviews: Reviews) -> Self:
        """Count.

        Raises:
            TrainingError: if the time of an annotation is none.
        """
        newest, waiting = newest_decisions(reviews.reviewed), reviews.waiting
        languages = sorted({r.sentence.target_lang for r in newest} | set(waiting or ()))
        seen = [r for r in reviews.reviewed if r.status is not ReviewStatus.UNSEEN]
        return cls(
            overall=_standing("all", newest, None if waiting is None else sum(waiting.values())),
            by_language=tuple(
                _standing(
                    lang,
                    [r for r in newest if r.sentence.target_lang == lang],
                    None if waiting is None else waiting.get(lang, 0),
                )
                for lang in languages
            ),
            annotations=len(seen),
            by_day=_by_day(seen),
            undated=sum(review.updated_at is None for review in seen),
        )

    def to_json(self) -> Json:
        """All of it; days as ISO dates."""
        return {
            **self.overall.to_json(),
            "by_language": {each.name: each.to_json() for each in self.by_language},
            "annotations": self.annotations,
            "by_day": {
                day.isoformat(): {status.value: n for status, n in counts.items()}
                for day, counts in self.by_day.items()
            },
            "undated": self.undated,
        }


def _standing(name: str, newest: Sequence[ReviewedSentence], waiting: int | None) -> Standing:
    return Standing(name, Counter(review.status for review in newest), waiting)


def _by_day(seen: Sequence[ReviewedSentence]) -> dict[date, Counter[ReviewStatus]]:
    days: dict[date, Counter[ReviewStatus]] = {}
    for review in seen:
        if review.updated_at is not None:
            days.setdefault(moment(review).astimezone(UTC).date(), Counter())[review.status] += 1
    return dict(sorted(days.items()))
