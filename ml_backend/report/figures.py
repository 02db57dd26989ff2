"""All figures of a report, and their JSON form."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from ml_backend.report.acceptance import Acceptance, calibration_of, with_entries
from ml_backend.report.corrections import Added, Corrected, most_added, most_corrected
from ml_backend.report.filters import Filters
from ml_backend.report.progress import Progress
from ml_backend.report.source import Reviews
from ml_backend.report.timing import IDLE_SECONDS, Drawing, Saving, Times, measure_drawing
from ml_backend.review.agreement import Agreement, agreement
from projection.io.records_json import Json
from projection.records import ReviewedSentence
from training.data.adjudication import decisions
from training.evaluation.reliability import Reliability

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Report:
    """What a review has come to. `made_at` is an ISO 8601 time in UTC.

    `calibration` is None where no proposal had a confidence, `filters` where no run was named.
    `annotators` are Label Studio's user ids.
    """

    title: str
    made_at: str
    annotators: tuple[str, ...]
    model_versions: tuple[str, ...]
    progress: Progress
    acceptance: Acceptance
    calibration: Reliability | None
    times: Times
    saving: Saving
    agreement: Agreement
    corrected: tuple[Corrected, ...]
    added: tuple[Added, ...]
    filters: Filters | None

    @classmethod
    def of(
        cls,
        reviews: Reviews,
        *,
        filters: Filters | None = None,
        idle_seconds: float = IDLE_SECONDS,
        seconds_per_entity: float | None = None,
    ) -> Self:
        """Work out every figure.

        Args:
            reviews: all annotations, those that decide nothing included. Of an annotator who
                decided about a sentence several times, the newest decision counts.
            filters: what happened before the review.
            idle_seconds: a sentence that was open for longer was left alone, and has no time.
            seconds_per_entity: how long drawing an entity takes; None: measure it.

        Raises:
            TrainingError: if the time of an annotation is none.
        """
        decided = with_entries(decisions(reviews.reviewed))
        drawing = (
            measure_drawing(decided, idle_seconds)
            if seconds_per_entity is None
            else Drawing(seconds_per_entity, given=True)
        )
        return cls(
            title=reviews.title,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            annotators=tuple(sorted({r.annotator for r in reviews.reviewed if r.annotator})),
            model_versions=_model_versions(reviews.reviewed),
            progress=Progress.of(reviews),
            acceptance=Acceptance.of(decided),
            calibration=calibration_of(decided),
            times=Times.of(decided, idle_seconds),
            saving=Saving.of(decided, drawing),
            agreement=agreement(reviews.reviewed),
            corrected=most_corrected(decided),
            added=most_added(decided),
            filters=filters,
        )

    def to_json(self) -> Json:
        """The content of report.json: shares as fractions, times in seconds."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            "made_at": self.made_at,
            "annotators": list(self.annotators),
            "model_versions": list(self.model_versions),
            "progress": self.progress.to_json(),
            "acceptance": self.acceptance.to_json(),
            "calibration": self.calibration and self.calibration.to_json(),
            "times": self.times.to_json(),
            "saving": self.saving.to_json(),
            "agreement": self.agreement.to_json(),
            "most_corrected": [each.to_json() for each in self.corrected],
            "most_added": [each.to_json() for each in self.added],
            "filters": self.filters and self.filters.to_json(),
        }


def _model_versions(reviewed: Sequence[ReviewedSentence]) -> tuple[str, ...]:
    return tuple(sorted({r.model_version for r in reviewed if r.model_version}))
