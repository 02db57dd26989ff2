"""What the checks of a run flagged and dropped."""

from pathlib import Path

import pytest

from ml_backend.report.filters import filters_of
from projection.errors import RunError
from projection.pipeline.conflicts import Policy
from projection.pipeline.run import project_corpus
from tests.label_studio.examples import BY_ID, FixedProjector


def run_of(folder: Path, policy: Policy) -> Path:
    examples = [BY_ID[name].sentence for name in ("plain", "overlap", "none")]
    project_corpus(
        examples, FixedProjector(), folder, policy=policy, settings={}, on_progress=lambda _: None
    )
    return folder


def test_what_the_filters_dropped_and_why(tmp_path: Path) -> None:
    filters = filters_of(run_of(tmp_path / "run", Policy.DROP))
    counts = [filters[name] for name in ("read", "kept", "flagged", "dropped")]
    assert counts == [3, 2, 0, 1]
    reason = filters["reasons"][0]
    assert (reason["kind"], reason["flagged"], reason["dropped"]) == ("failed_mapping", 0, 1)
    assert "was not found in the translation" in reason["example"]


def test_what_they_flagged(tmp_path: Path) -> None:
    filters = filters_of(run_of(tmp_path / "run", Policy.FLAG))
    assert (filters["flagged"], filters["dropped"]) == (1, 0)
    found = {
        (reason["kind"], reason["flagged"], reason["example"]) for reason in filters["reasons"]
    }
    assert found >= {("failed_mapping", 1, "")}


def test_a_run_that_is_none_or_not_done_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        filters_of(tmp_path)
    (run_of(tmp_path / "run", Policy.DROP) / "summary.json").unlink()
    with pytest.raises(RunError, match=r"not done \(no summary.json\)"):
        filters_of(tmp_path / "run")
