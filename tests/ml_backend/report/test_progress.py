"""The progress of a review, counted by hand."""

from ml_backend.report.progress import Progress
from projection.records import ReviewStatus
from tests.ml_backend.reviews import ALL, RIGHT, review, reviews


def test_progress_counts_each_sentence_once_by_language() -> None:
    progress = Progress.of(
        reviews(
            review(ALL, ALL, at="2026-03-01T10:00:00Z"),
            review(ALL, RIGHT, annotator="2", at="2026-03-02T10:00:00Z"),
            review(ALL, (), number=2, status=ReviewStatus.SKIPPED),
            review(ALL, ALL, number=3, lang="es", status=ReviewStatus.UNUSABLE),
            review(ALL, ALL, number=4, status=ReviewStatus.UNSEEN, annotator="", at=None),
            waiting={"de": 5, "nl": 1},
        )
    )
    assert dict(progress.overall.decided) == {
        "corrected": 1, "skipped": 1, "unusable": 1, "unseen": 1,
    }  # fmt: skip
    assert (progress.overall.done, progress.overall.waiting, progress.overall.total) == (1, 6, 10)
    assert [(p.name, p.done, p.waiting, p.total) for p in progress.by_language] == [
        ("de", 1, 5, 8),
        ("es", 0, 0, 1),
        ("nl", 0, 1, 1),
    ]
    assert (progress.annotations, progress.undated) == (4, 0)
    assert {day.isoformat(): dict(n) for day, n in progress.by_day.items()} == {
        "2026-03-01": {"accepted": 1},
        "2026-03-02": {"corrected": 1, "skipped": 1, "unusable": 1},
    }


def test_days_are_those_of_utc() -> None:
    late = review(ALL, ALL, at="2026-03-01T23:30:00-05:00")
    assert [day.isoformat() for day in Progress.of(reviews(late)).by_day] == ["2026-03-02"]


def test_without_a_project_nobody_knows_what_waits() -> None:
    progress = Progress.of(reviews(review(ALL, ALL)))
    assert (progress.overall.waiting, progress.by_language[0].waiting) == (None, None)
    assert progress.to_json()["waiting"] is None
