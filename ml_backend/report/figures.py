"""All figures of a report, and their JSON form."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Self

from ml_backend.report.acceptance import Acceptance, calibration_of, with_entries
from ml_backend.report.corrections import (
    AddedPhrase,
    CorrectedPhrase,
    most_added,
    most_corrected,
)
from ml_backend.report.filters import Filters
from ml_backend.report.progress import Progress
from ml_backend.report.source import ReviewedProject
from ml_backend.report.timing import IDLE_SECONDS, Times
from ml_backend.review.agreement import Agreement, agreement
from projection.io.records_json import Json
from training.data.adjudication import decisions
from training.evaluation.reliability import Reliability

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a review. `made_at` is an ISO 8601 time in UTC.

    `calibration` is None if no proposal had a confidence, `filters` if no run was named.
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
    agreement: Agreement
    corrected: tuple[CorrectedPhrase, ...]
    added: tuple[AddedPhrase, ...]
    filters: Filters | None

    @classmethod
    def of(
        cls,
        project: ReviewedProject,
        *,
        filters: Filters | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> Self:
        """Compute every figure.

        Args:
            project: all annotations. Of several decisions of one annotator about one sentence, the
                newest counts.
            filters: what happened before the review.
            idle_seconds: times above are set aside.

        Raises:
            TrainingError: if the time of an annotation is not ISO 8601.
        """
        reviewed = project.reviewed
        newest = decisions(reviewed)
        decided = with_entries(newest)
        return cls(
            title=project.title,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            annotators=tuple(sorted({r.annotator for r in reviewed if r.annotator})),
            model_versions=tuple(sorted({r.model_version for r in reviewed if r.model_version})),
            progress=Progress.of(project),
            acceptance=Acceptance.of(decided),
            calibration=calibration_of(decided),
            times=Times.of(newest, idle_seconds),
            agreement=agreement(reviewed),
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
            "agreement": asdict(self.agreement),
            "most_corrected": [asdict(each) for each in self.corrected],
            "most_added": [asdict(each) for each in self.added],
            "filters": self.filters and self.filters.to_json(),
        }
