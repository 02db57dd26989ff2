"""All figures of a report, and their JSON form."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Self

from ml_backend.report.acceptance import Acceptance, calibration_of, with_entries
from ml_backend.report.corrections import most_added, most_corrected
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
    annotators: Sequence[str]
    model_versions: Sequence[str]
    progress: Progress
    acceptance: Acceptance
    calibration: Reliability | None
    times: Times
    agreement: Agreement
    most_corrected: Sequence[Json]
    most_added: Sequence[Json]
    filters: Json | None

    @classmethod
    def of(
        cls,
        project: ReviewedProject,
        *,
        filters: Json | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> Self:
        """Compute every figure.

        Of several decisions of one annotator about one sentence, the newest counts. `filters` come
        from `filters_of`; times above `idle_seconds` are set aside.
        """
        reviewed = project.reviewed
        newest = decisions(reviewed)
        decided = with_entries(newest)
        return cls(
            title=project.title,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            annotators=sorted({r.annotator for r in reviewed if r.annotator}),
            model_versions=sorted({r.model_version for r in reviewed if r.model_version}),
            progress=Progress.of(project),
            acceptance=Acceptance.of(decided),
            calibration=calibration_of(decided),
            times=Times.of(newest, idle_seconds),
            agreement=agreement(reviewed),
            most_corrected=most_corrected(decided),
            most_added=most_added(decided),
            filters=filters,
        )

    def to_json(self) -> Json:
        """The content of report.json: shares as fractions, times in seconds."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        nested = {k: v.to_json() for k, v in found.items() if hasattr(v, "to_json")}
        return {"schema": SCHEMA, **found, **nested, "agreement": asdict(self.agreement)}
