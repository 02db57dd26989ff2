"""Where the course of a training is written."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.training.trainer.conftest import material_of
from training.data.rows import Rows
from training.tagger.finetune import learn
from training.trainer.settings import FineTune, Tracker, Tracking
from training.trainer.tracking import run_of_wandb


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Weights & Biases itself, which writes to `tmp_path` alone."""
    wandb = pytest.importorskip("wandb", reason="pip install wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    yield wandb
    wandb.teardown()  # it reads the environment once


@pytest.mark.parametrize(("asked", "project"), [(None, "spanferry"), ("ours", "ours")])
def test_runs_are_in_the_project_that_is_asked_for(
    offline: Any, monkeypatch: pytest.MonkeyPatch, asked: str | None, project: str
) -> None:
    if asked:
        monkeypatch.setenv("WANDB_PROJECT", asked)
    with run_of_wandb(Tracking(Tracker.WANDB, run="model")):
        assert offline.run.project == project


def test_every_training_is_a_run_of_its_own(
    offline: Any, settings: FineTune, made_data: Callable[[int, int], Rows], tmp_path: Path
) -> None:
    for stage in ("english", "target"):
        learn(
            material_of(made_data(16, 1)),
            settings,
            tmp_path / stage,
            tracking=Tracking(Tracker.WANDB, run=f"model/{stage}"),
        )
        assert offline.run is None
    # Folders of two runs of one second are in no order.
    written = [run.read_bytes() for run in (tmp_path / "wandb").glob("offline-run-*/*.wandb")]
    named = [[name for name in (b"model/english", b"model/target") if name in r] for r in written]
    assert sorted(named) == [[b"model/english"], [b"model/target"]]
    assert all(b"spanferry" in run for run in written)
