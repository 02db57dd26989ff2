"""Where the course of a training is written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.trainer.conftest import material_of
from training.data.rows import Rows
from training.tagger.finetune import learn
from training.trainer.settings import FineTune, Tracker, Tracking


def test_every_training_is_a_run_of_its_own(
    settings: FineTune,
    made_data: Callable[[int, int], Rows],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Weights & Biases itself, offline."""
    wandb = pytest.importorskip("wandb", reason="pip install wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    for stage in ("english", "target"):
        learn(
            material_of(made_data(16, 1)),
            settings,
            tmp_path / stage,
            tracking=Tracking(Tracker.WANDB, run=f"model/{stage}"),
        )
        assert wandb.run is None
    runs = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    written = [run.read_bytes() for run in runs]
    assert [b"model/english" in each for each in written] == [True, False]
    assert [b"model/target" in each for each in written] == [False, True]
    assert all(b"spanferry" in each for each in written)
