"""The one place that runs the Trainer: resumable, quiet, the same for every training."""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    DataCollatorForTokenClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from projection.checkpoints import quiet
from training.recipe import Schedule

SAVE_EVERY = 500  # optimiser steps between checkpoints, at least one an epoch

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done (such as `STEPS`), how much is done, and of how much."""

STEPS = "training steps"

Features = Sequence[dict[str, Any]]
Collate = Callable[[Sequence[dict[str, Any]]], dict[str, torch.Tensor]]
Loss = Callable[..., torch.Tensor]


class Trained(NamedTuple):
    """What became of a training: steps, the last mean loss, and (step, mean loss) on the way."""

    steps: int
    loss: float
    curve: list[tuple[int, float]]


def run(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    features: Features,
    schedule: Schedule,
    checkpoints: Path,
    *,
    loss: Loss | None = None,
    collate: Collate | None = None,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Trained:
    """Train `model` in place, from its last checkpoint if there is one.

    Args:
        model: a model that gives a loss for a batch with labels.
        tokenizer: pads the batches.
        features: each with `input_ids`, by whose length alike ones are put into one batch; for a
            token classifier, model inputs with `labels`.
        schedule: how long and how fast.
        checkpoints: folder they lie in; removing it is the caller's business.
        loss: in the form of the Trainer's `compute_loss_func`; None is the model's own.
        collate: makes a batch of features; None pads those of a token classifier.
        on_progress: hears every optimiser step.

    Returns:
        The steps done, the last mean loss and those on the way, an interrupted beginning included.
    """
    an_epoch = math.ceil(len(features) / (schedule.batch_size * schedule.accumulate))
    steps = schedule.max_steps or math.ceil(schedule.epochs * an_epoch)
    every = min(SAVE_EVERY, an_epoch, steps)
    cuda = torch.cuda.is_available()
    with quiet():
        arguments = TrainingArguments(
            output_dir=str(checkpoints),
            num_train_epochs=schedule.epochs,
            max_steps=schedule.max_steps or -1,
            per_device_train_batch_size=schedule.batch_size,
            gradient_accumulation_steps=schedule.accumulate,
            learning_rate=schedule.learning_rate,
            warmup_steps=schedule.warmup,
            weight_decay=schedule.weight_decay,
            train_sampling_strategy="group_by_length",
            seed=schedule.seed,
            bf16=schedule.bf16,
            use_cpu=not cuda,
            dataloader_pin_memory=cuda,
            save_strategy="steps",
            save_steps=every,
            save_total_limit=1,
            logging_strategy="steps",
            logging_steps=every,  # with each checkpoint, so that the loss survives an interruption
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=collate is None,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            data_collator=collate or DataCollatorForTokenClassification(tokenizer),
            train_dataset=features,
            compute_loss_func=loss,
            callbacks=[_Progress(on_progress)],
        )
        trainer.remove_callback(PrinterCallback)
        output = trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
    history = trainer.state.log_history
    curve = [(int(entry["step"]), float(entry["loss"])) for entry in history if "loss" in entry]
    return Trained(output.global_step, curve[-1][1], curve)


def _last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint; one that was cut short while it was written is removed."""
    for checkpoint in folder.glob("checkpoint-*"):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text())  # written last
        except (OSError, ValueError):
            shutil.rmtree(checkpoint)
    if not folder.is_dir():
        return None
    last: str | None = get_last_checkpoint(str(folder))  # type: ignore[no-untyped-call]
    return last


class _Progress(TrainerCallback):
    def __init__(self, on_progress: OnProgress) -> None:
        self.on_progress = on_progress

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002  the Trainer's interface
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        self.on_progress(STEPS, state.global_step, state.max_steps)
