"""All figures of a report together."""

import json
from typing import Any

import pytest

from ml_backend.report.acceptance import Share
from ml_backend.report.figures import Report
from ml_backend.report.source import ReviewedProject
from projection.records import ReviewStatus
from tests.ml_backend.reviews import ALL, ANNA, RIGHT, UGLY, review, reviews


@pytest.mark.parametrize("these", UGLY.values(), ids=UGLY)
def test_ugly_reviews_have_figures_json_can_hold(these: ReviewedProject) -> None:
    told: dict[str, Any] = json.loads(json.dumps(Report.of(these).to_json(), allow_nan=False))
    assert told["schema"] == 1
    assert told["acceptance"]["overall"]["kept"]["whole"] >= 0


def test_a_report_names_annotators_and_versions() -> None:
    found = Report.of(
        reviews(review(ALL, ALL), review(ALL, RIGHT, annotator="2"), review(None, (), number=2))
    )
    assert (found.annotators, found.model_versions) == (["1", "2"], ["spanferry-1"])
    [pair] = found.agreement.pairs
    assert (pair.annotators, pair.sentences) == (("1", "2"), 1)
    assert pair.f1 == pytest.approx(2 / 3)


def test_a_decision_that_was_changed_afterwards_counts_as_it_is_now() -> None:
    """Each person has one voice a sentence: figures are of decisions, not of annotations."""
    first = review(ALL, [ANNA], at="2026-03-02T09:00:00Z", seconds=30)
    found = Report.of(reviews(first, review(ALL, ALL), review(ALL, RIGHT, annotator="2")))
    assert found.progress.annotations == 3
    assert found.acceptance.overall.accepted == Share(1, 2)
    assert found.acceptance.overall.changes == {"kept": 5, "relabelled": 1}
    assert found.calibration is not None
    assert found.calibration.n == 6
    assert found.times.overall is not None
    assert found.times.overall.n == 2


def test_skipping_afterwards_takes_no_decision_back() -> None:
    later = review(ALL, (), status=ReviewStatus.SKIPPED, at="2026-03-03T10:00:00Z")
    assert Report.of(reviews(review(ALL, ALL), later)).acceptance.overall.accepted == Share(1, 1)
