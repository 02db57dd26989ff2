"""The progress of a review: sentences by outcome and language, annotations by day."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import NamedTuple, Self

from ml_backend.report.source import ReviewedProject
from projection.io.records_json import Json
from projection.records import ReviewStatus
from training.data.adjudication import moment, newest_decisions

ByStatus = Mapping[ReviewStatus, int]


class Standing(NamedTuple):
    """Sentences by newest decision; `waiting` ones have none (None: their number is not known)."""

    name: str
    decided: ByStatus
    waiting: int | None

    @property
    def done(self) -> int:
        """The sentences that were accepted or corrected."""
        return sum(self.decided.get(s, 0) for s in (ReviewStatus.ACCEPTED, ReviewStatus.CORRECTED))

    @property
    def total(self) -> int:
        """All known sentences."""
        return sum(self.decided.values()) + (self.waiting or 0)

    @property
    def parts(self) -> list[tuple[str, int]]:
        """Counts by outcome, in the order in which they are drawn; `waiting` comes last."""
        decided = [(status.value, self.decided.get(status, 0)) for status in ReviewStatus]
        return [*decided, ("waiting", self.waiting or 0)]

    def to_json(self) -> Json:
        """Counts by status."""
        counts = dict(self.parts)
        return {**counts, "waiting": self.waiting, "done": self.done, "total": self.total}


@dataclass(frozen=True, slots=True)
class Progress:
    """Sentences by outcome, and annotations by the day (UTC) of their last change.

    `annotations` may exceed the sentences: several people may decide about one. `undated` ones are
    on no day. `unreadable` annotations are in none of these.
    """

    overall: Standing
    by_language: tuple[Standing, ...]
    annotations: int
    by_day: Mapping[date, ByStatus]
    undated: int
    unreadable: int

    @classmethod
    def of(cls, project: ReviewedProject) -> Self:
        """Count annotations and tasks."""
        waiting = project.waiting
        decided: dict[str, Counter[ReviewStatus]] = {lang: Counter() for lang in waiting or ()}
        for review in newest_decisions(project.reviewed):
            decided.setdefault(review.sentence.target_lang, Counter())[review.status] += 1
        seen = [r for r in project.reviewed if r.status is not ReviewStatus.UNSEEN]
        by_day: defaultdict[date, Counter[ReviewStatus]] = defaultdict(Counter)
        for review in seen:
            if review.updated_at is not None:
                by_day[moment(review).astimezone(UTC).date()][review.status] += 1
        return cls(
            overall=Standing(
                "all",
                sum(decided.values(), Counter()),
                None if waiting is None else sum(waiting.values()),
            ),
            by_language=tuple(
                Standing(lang, counts, None if waiting is None else waiting.get(lang, 0))
                for lang, counts in sorted(decided.items())
            ),
            annotations=len(seen),
            by_day=dict(sorted(by_day.items())),
            undated=sum(review.updated_at is None for review in seen),
            unreadable=len(project.unreadable),
        )

    def to_json(self) -> Json:
        """All of it; days as ISO dates."""
        return {
            **self.overall.to_json(),
            "by_language": {each.name: each.to_json() for each in self.by_language},
            "annotations": self.annotations,
            "by_day": {day.isoformat(): dict(counts) for day, counts in self.by_day.items()},
            "undated": self.undated,
            "unreadable": self.unreadable,
        }
