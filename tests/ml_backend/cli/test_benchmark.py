"""`spanferry benchmark`: what it prints, and what it refuses."""

import json

import pytest

from ml_backend.benchmark import speed
from tests.ml_backend.cli.conftest import Spanferry

FOUND = {
    "number_format": "bfloat16",
    "sentences_per_second": {"spanferry": 150.0, "one pass an entity": 50.0, "one": 30.0},
    "ours_over_paper_path": 3.1, "ours_over_paper_path_one_by_one": 5.2,
    "eta_pad": 0.95, "eta_kernel": 0.68, "eta_host": 0.8, "gflops_peak": 217.0,
    "passes_per_sentence": 1.1, "seconds_per_1000_lines": {"300": 8.2, "1000": 8.3},
    "peak_memory_mb": 960.0,
}  # fmt: skip


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for measuring, which takes minutes; the parts are tested where they are."""
    monkeypatch.setattr("projection.pipeline.projector.Projector.load", lambda *_: None)
    monkeypatch.setattr(speed, "machine", lambda: {"cores": 2})
    monkeypatch.setattr(speed, "pipeline_speed", lambda *_: {})
    monkeypatch.setattr(speed, "aligner_speed", lambda *_: FOUND)
    of_command = {"cold_start_seconds": 7.5, "two_workers_over_one": 1.8}
    monkeypatch.setattr(speed, "command_speed", lambda *_: of_command)


@pytest.mark.usefixtures("measured")
def test_every_figure_is_shown(spanferry: Spanferry) -> None:
    shown = spanferry("benchmark").out
    for text in ("150 / s", "ours is 3.1 times as fast", "217 GFLOP/s", "1,000 lines", "1.80"):
        assert text in shown


@pytest.mark.usefixtures("measured")
def test_as_json(spanferry: Spanferry) -> None:
    found = json.loads(spanferry("benchmark", "--json").out)
    assert found == FOUND | {"cores": 2, "cold_start_seconds": 7.5, "two_workers_over_one": 1.8}


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        pytest.param(["--sizes", "10,x"], "is no list of numbers", id="sizes"),
        pytest.param(["--other", "awesome"], "is no NAME=COMMAND", id="other"),
        pytest.param(["--source", "a.en"], "needs both sides of a corpus", id="one side"),
        pytest.param(
            ["--source", "memory://no/a", "--target", "memory://no/b", "--target-lang", "de"],
            "memory://no/a: no such object",
            id="address",
        ),
    ],
)
def test_mistakes(spanferry: Spanferry, given: list[str], mistake: str) -> None:
    assert mistake in spanferry("benchmark", *given).mistake
