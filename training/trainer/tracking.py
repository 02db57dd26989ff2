"""Where the course of a training is written: TensorBoard, Weights & Biases, Trackio."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from transformers import TrainerCallback
from transformers.integrations.integration_utils import TensorBoardCallback

from projection.errors import TrainingError
from projection.io.folders import is_main_process
from training.trainer.settings import Tracker, Tracking

PROJECT = "spanferry"  # where remote trackers keep runs


def tracker_or_none(tracker: Tracker | None) -> Tracker:
    """Return the tracker asked for (a TrainingError if it is not installed), else TensorBoard."""
    if tracker is None:
        return Tracker.TENSORBOARD if find_spec("tensorboard") else Tracker.NONE
    if tracker is not Tracker.NONE and find_spec(tracker.value) is None:
        fix = f"pip install {tracker.value}"
        raise TrainingError(f"--set log={tracker.value}", "is not installed", fix)
    return tracker


@contextmanager
def run_of_wandb(tracking: Tracking) -> Iterator[None]:
    """Start a new run of wandb: the Trainer's callback would reuse the last one."""
    if tracking.tracker is not Tracker.WANDB or not is_main_process():
        yield
        return
    import wandb  # noqa: PLC0415  not a dependency

    project = os.environ.get("WANDB_PROJECT", PROJECT)
    with wandb.init(project=project, name=tracking.run, reinit="finish_previous"):
        yield


def tensorboard(tracking: Tracking) -> list[TrainerCallback]:
    """What writes the course of a training for TensorBoard, where that is asked for."""
    if tracking.tracker is not Tracker.TENSORBOARD or not is_main_process():
        return []
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  an extra

    return [TensorBoardCallback(SummaryWriter(str(tracking.folder)))]  # type: ignore[no-untyped-call]
