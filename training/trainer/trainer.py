"""Runs the transformers Trainer: resumable and quiet, with settings shared by every training.

Under `torchrun` one training runs in several processes.
"""

import json
import logging
import math
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from transformers import (
    DataCollatorForTokenClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_pt_utils import LengthGroupedSampler, get_length_grouped_indices
from transformers.trainer_utils import get_last_checkpoint

from projection.errors import TrainingError
from projection.io.folders import is_main_process
from projection.models.checkpoints import quiet
from projection.models.packed_weights import own_shared
from training.trainer.losses import Loss, cross_entropy
from training.trainer.settings import NOWHERE, Schedule, Tracker, Tracking
from training.trainer.tracking import PROJECT, run_of_wandb, tensorboard

log = logging.getLogger(__name__)

_SAVE_EVERY = 500  # optimiser steps between checkpoints, at least one an epoch
TARGETS = (
    "weights",
    "doubts",
    "alternatives",
    "soft_labels",
)  # columns of a batch that only a loss reads

OnProgress = Callable[[str, int, int], None]
"""Called with the name of a stage (such as `STEPS`), what is done of it, and its size (0: unknown).
"""

STEPS = "training steps"

Features = Sequence[dict[str, Any]]
Collate = Callable[[Sequence[dict[str, Any]]], dict[str, torch.Tensor]]


class Dev(NamedTuple):
    """Development data for early stopping.

    `f1` takes the likeliest label numbers and those of `features`: arrays of sentences × longest
    length, the latter `IGNORED` where there is no label.
    """

    features: Features
    f1: Callable[[Any, Any], float]


class TrainingRun(NamedTuple):
    """A finished training: its steps, the last mean loss, and (step, mean loss) on the way.

    `dev` is (step, F1) of every evaluation; `kept` the step whose weights the model has.
    """

    steps: int
    loss: float
    curve: list[tuple[int, float]]
    dev: list[tuple[int, float]]
    kept: int


def run(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    features: Features,
    schedule: Schedule,
    checkpoints: Path,
    *,
    loss: Loss | None = None,
    collate: Collate | None = None,
    dev: Dev | None = None,
    tracking: Tracking = NOWHERE,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> TrainingRun:
    """Train `model` in place, from its last checkpoint if there is one; record all of its steps.

    `features` have `input_ids`; those of similar length share a batch, made by `collate` or, for a
    token classifier (None), padded by `tokenizer`. `loss` is the Trainer's `compute_loss_func`,
    given the `TARGETS` of the batch as well; None is the model's own. With `dev` the best
    checkpoint is kept, and the training stops early. The caller removes `checkpoints`.
    TrainingError if the weights diverge.
    """
    own_shared(model)
    arguments = _arguments(len(features), schedule, checkpoints, tracking, has_dev=dev is not None)
    with quiet(), run_of_wandb(tracking):
        trainer = _Trainer(
            model=model,
            args=arguments,
            data_collator=collate or DataCollatorForTokenClassification(tokenizer),
            train_dataset=features,
            eval_dataset=None if dev is None else dev.features,
            compute_loss_func=loss,
            compute_metrics=None if dev is None else lambda found: {"f1": dev.f1(*found)},
            preprocess_logits_for_metrics=_likeliest,
            callbacks=[_Callback(on_progress, schedule.patience), *tensorboard(tracking)],
        )
        trainer.remove_callback(PrinterCallback)
        output = trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
    if not all(weights.isfinite().all() for weights in model.parameters()):
        what = f"after {output.global_step} steps the weights are not numbers (NaN)"
        raise TrainingError("training", what, "Lower learning_rate, or start from another base")
    history = trainer.state.log_history
    curve = [(int(entry["step"]), float(entry["loss"])) for entry in history if "loss" in entry]
    scores = [(int(e["step"]), float(e["eval_f1"])) for e in history if "eval_f1" in e]
    kept = trainer.state.best_global_step if scores else None
    return TrainingRun(output.global_step, curve[-1][1], curve, scores, kept or output.global_step)


def _arguments(
    examples: int, schedule: Schedule, checkpoints: Path, tracking: Tracking, *, has_dev: bool
) -> TrainingArguments:
    an_epoch = math.ceil(examples / (schedule.batch_size * schedule.accumulate * processes()))
    steps = schedule.max_steps or math.ceil(schedule.epochs * an_epoch)
    # Dev data are scored twice an epoch.
    every = min(_SAVE_EVERY, math.ceil(an_epoch / 2) if has_dev else an_epoch, steps)
    cuda = torch.cuda.is_available()
    if cuda:
        torch.set_float32_matmul_precision("high")  # TensorFloat-32
    remote = tracking.tracker in (Tracker.WANDB, Tracker.TRACKIO)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=schedule.epochs,
        max_steps=schedule.max_steps or -1,
        per_device_train_batch_size=schedule.batch_size,
        per_device_eval_batch_size=schedule.batch_size,
        gradient_accumulation_steps=schedule.accumulate,
        learning_rate=schedule.learning_rate,
        warmup_steps=schedule.warmup,
        weight_decay=schedule.weight_decay,
        seed=schedule.seed,
        bf16=cuda and torch.cuda.is_bf16_supported() if schedule.bf16 is None else schedule.bf16,
        use_cpu=not cuda,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=cuda,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=1,
        logging_strategy="steps",
        logging_steps=every,  # with each checkpoint, so that the loss survives an interruption
        eval_strategy="steps" if has_dev else "no",
        eval_steps=every if has_dev else None,
        load_best_model_at_end=has_dev,
        metric_for_best_model="f1" if has_dev else None,
        greater_is_better=True if has_dev else None,
        report_to=[tracking.tracker.value] if remote else [],
        run_name=tracking.run,
        project=PROJECT,
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    if arguments.n_gpu > 1:
        # One process takes one GPU: the Trainer would part each batch, but not the loss, over all.
        arguments._n_gpu = 1
    return arguments


def wait_for_everyone() -> None:
    """Wait until all processes of this training are here."""
    if processes() == 1:
        return
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group()
    cuda = torch.cuda.is_available()
    torch.distributed.barrier(device_ids=[int(os.environ["LOCAL_RANK"])] if cuda else None)


def processes() -> int:
    """The number of processes of this training."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def made_with() -> dict[str, Any]:
    """Versions of the libraries, and the machine."""
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "gpus": torch.cuda.device_count(),
    }


def _likeliest(logits: Any, _labels: Any) -> torch.Tensor:
    """Reduce logits to label numbers, so that an evaluation keeps one number a token."""
    first: torch.Tensor = logits[0] if isinstance(logits, tuple) else logits
    return first.argmax(-1)


def _last_checkpoint(folder: Path) -> str | None:
    """Return the newest complete checkpoint, and remove incomplete ones."""
    if is_main_process():
        for checkpoint in folder.glob("checkpoint-*"):
            try:
                json.loads((checkpoint / "trainer_state.json").read_text())  # written last
            except (OSError, ValueError):
                shutil.rmtree(checkpoint)
    wait_for_everyone()
    if not folder.is_dir():
        return None
    last: str | None = get_last_checkpoint(str(folder))  # type: ignore[no-untyped-call]
    return last


class _Trainer(Trainer):
    """A Trainer with a resumable order of examples, whose loss gets the `TARGETS` of a batch.

    The original sampler shares its random numbers with dropout: resumed in the middle of an epoch,
    or in several processes, a training would see some sentences twice and others never.
    """

    def _get_train_sampler(self, train_dataset: Any = None) -> "ByLength":
        features: Any = self.train_dataset if train_dataset is None else train_dataset
        return ByLength(
            [len(feature["input_ids"]) for feature in features],
            self.args.train_batch_size * self.args.gradient_accumulation_steps,
            self.args.seed,
        )

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """As the Trainer's, which calls `compute_loss_func` with the tags alone."""
        plain: Any = self.compute_loss_func
        if plain is None:
            return super().compute_loss(model, inputs, *args, **kwargs)
        targets = {name: inputs.pop(name) for name in TARGETS if name in inputs}
        # Dev data have tags and nothing else, whatever the training learns from.
        self.compute_loss_func = partial(plain if model.training else cross_entropy(), **targets)
        try:
            return super().compute_loss(model, inputs, *args, **kwargs)
        finally:
            self.compute_loss_func = plain


class ByLength(LengthGroupedSampler):
    """Indices of sentences in an order set by seed and epoch, those of similar length together."""

    def __init__(self, lengths: list[int], batch_size: int, seed: int) -> None:
        super().__init__(batch_size, lengths=lengths)
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, counted from 0."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Yield the index of each sentence once."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        grouped: Any = get_length_grouped_indices  # which has no types
        return iter(grouped(self.lengths, self.batch_size, generator=generator))


class _Callback(TrainerCallback):
    """Reports every step, and stops by the history of scores, which survives an interruption."""

    def __init__(self, on_progress: OnProgress, patience: int) -> None:
        self.on_progress, self.patience, self.loss = on_progress, patience, math.nan

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self.on_progress(STEPS, state.global_step, state.max_steps)

    def on_log(
        self,
        args: Any,
        state: TrainerState,
        control: Any,  # noqa: ARG002
        logs: dict[str, float] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        figures = logs or {}
        self.loss = figures.get("loss", self.loss)
        f1 = figures.get("eval_f1")
        # With dev data the loss waits for the score of the same step.
        if f1 is None and ("loss" not in figures or args.eval_strategy != "no"):
            return
        dev = "" if f1 is None else f", dev F1 {100 * f1:.2f}"
        course = f"epoch {state.epoch or 0:.1f}, step {state.global_step} of {state.max_steps}"
        log.info("%s: loss %.4f%s", course, self.loss, dev)

    def on_evaluate(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        scores = [entry["eval_f1"] for entry in state.log_history if "eval_f1" in entry]
        if len(scores) - 1 - scores.index(max(scores)) >= self.patience:
            control.should_training_stop = True
