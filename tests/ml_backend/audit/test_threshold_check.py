"""An audit beside an export: the thresholds it covers, and what the data card says of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from ml_backend.audit.report import AuditReport
from ml_backend.audit.threshold_check import (
    read_audit,
    refuse_another_model,
    threshold_warnings,
)
from projection.errors import CorpusError, ReviewError
from tests.ml_backend.audit.tasks import (
    VERSION,
    draw,
    predicted_again,
    report,
    review_all,
    task,
)
from training.export.export import ExportSettings, write_export
from training.trainer.card import data_card

WHERE = "--audit audit.json"


@pytest.fixture
def shown() -> AuditReport:
    """From 0.98 on precision holds; below, in one of eight sentences a border is off."""
    tasks = draw([task(n, (0.85, 0.99)[n % 2]) for n in range(2000)], 300)
    sampled = [each for each in tasks if each["data"]["audit"]]
    unsure = [n for n, each in enumerate(sampled) if not each["id"] % 2]
    return report(review_all(tasks, unsure[:40]))


@pytest.fixture
def unproven() -> AuditReport:
    """Too few to show anything, and some not reviewed yet."""
    tasks = draw([task(n) for n in range(100)], 20)
    return report(review_all(tasks[:50]) + tasks[50:])


def written(found: AuditReport, folder: Path) -> Path:
    path = folder / "audit.json"
    path.write_text(json.dumps(found.to_json()), "utf-8")
    return path


def test_what_the_report_wrote_is_read_as_it_is(shown: AuditReport, tmp_path: Path) -> None:
    assert read_audit(written(shown, tmp_path)) == json.loads(json.dumps(shown.to_json()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("[]", "a JSON list, not an object", id="no object"),
        pytest.param(
            '{"schema": 2}', r"audit\.json schema: 2, but this version reads 1", id="newer"
        ),
        pytest.param(
            '{"schema": 1, "title": "x"}', r"audit\.json project.*report --out", id="other"
        ),
    ],
)
def test_what_is_no_report_of_an_audit_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "audit.json"
    path.write_text(content, "utf-8")
    with pytest.raises((ReviewError, CorpusError), match=message):
        read_audit(path)


def test_an_audit_of_the_model_shown_is_taken(shown: AuditReport) -> None:
    refuse_another_model(shown.to_json(), VERSION, WHERE)


def test_one_of_another_model_is_refused(shown: AuditReport) -> None:
    with pytest.raises(
        ReviewError, match=r"about predictions of v1, and the project shows those of v2"
    ):
        refuse_another_model(shown.to_json(), "v2", WHERE)


def test_one_that_was_no_longer_true_when_it_was_reported_is_refused() -> None:
    tasks = review_all(draw([task(n) for n in range(100)], 20))
    again = [each if each["annotations"] else predicted_again(each) for each in tasks]
    with pytest.raises(ReviewError, match="Draw and review a new audit"):
        refuse_another_model(report(again, version="v2").to_json(), VERSION, WHERE)


def test_what_is_taken_from_below_the_threshold_is_warned_of(shown: AuditReport) -> None:
    audit = shown.to_json()
    assert list(threshold_warnings(audit, 0.98)) == list(threshold_warnings(audit, 0.99)) == []
    assert list(threshold_warnings(audit, 0.8)) == [
        "audit 'a' shows a precision of 95 % from 0.98 on, and not from 0.8 on"
    ]


def test_so_is_an_audit_without_a_threshold(unproven: AuditReport) -> None:
    assert list(threshold_warnings(unproven.to_json(), 0.99)) == [
        "audit 'a' shows no confidence with a precision of 95 %"
    ]


class TestCard:
    """The data card says what the audit found, and its caveats, in sentences."""

    def card(self, tmp_path: Path, found: AuditReport, accept_above: float | None) -> str:
        settings = ExportSettings(accept_above=accept_above, audit=found.to_json())
        write_export([], tmp_path / "out", title="Test", settings=settings)
        return " ".join((tmp_path / "out" / "README.md").read_text("utf-8").split())

    def test_figures_with_intervals(self, tmp_path: Path, shown: AuditReport) -> None:
        card = self.card(tmp_path, shown, 0.98)
        precision = shown.precision
        low, high = 100 * precision.low, 100 * precision.high
        assert (
            "Audit “a” of the project “News”, predictions of `v1`: 300 sentences drawn at random, "
            "300 of them reviewed. They tell of 1,700 sentences like them, with 3,400 labels, that "
            "nobody looked at: precision of the labels "
            f"93.3 % (95 % interval {low:.1f} to {high:.1f}), recall 93.3 %"
        ) in card
        assert "unusable sentences 0.0 % (95 % interval 0.0 to" in card
        assert (
            "From a confidence of 0.98 on, precision is at least 95 % (95 % sure). Included here "
            "is what has a confidence of at least 0.98. Of all that has at least 0.98, the "
            "precision is 100.0 % (95 % interval"
        ) in card
        assert "- Reviewers saw the proposals before they decided" in card

    def test_a_threshold_that_is_not_covered(self, tmp_path: Path, shown: AuditReport) -> None:
        card = self.card(tmp_path, shown, 0.9)
        assert (
            "at least 0.9, which the audit does not support. Of all that has at least 0.8" in card
        )

    def test_what_was_not_shown_and_every_caveat(
        self, tmp_path: Path, unproven: AuditReport
    ) -> None:
        card = self.card(tmp_path, unproven, 0.95)
        assert "No confidence was shown to have a precision of 95 %." in card
        assert "of the sample not reviewed yet: the figures are preliminary." in card
        for note in unproven.to_json()["notes"]:  # type: ignore[attr-defined]
            assert f"- {note}." in card

    def test_nothing_is_said_of_what_is_included_if_nothing_unseen_is(
        self, tmp_path: Path, shown: AuditReport
    ) -> None:
        card = self.card(tmp_path, shown, None)
        assert "From a confidence of 0.98 on" in card
        assert "Included here" not in card

    def test_what_is_not_known(self, tmp_path: Path) -> None:
        found = report(draw([task(n) for n in range(30)], 10))
        assert "precision of the labels not known" in self.card(tmp_path, found, None)


def test_a_card_without_an_audit_is_silent(tmp_path: Path) -> None:
    write_export([], tmp_path / "out", title="Test")
    summary: dict[str, Any] = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert "Audit" not in data_card(summary)
