"""Fine-tuning a token classifier: one stage of a recipe (`training.tagger.presets`)."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from projection.errors import ModelError, TrainingError
from projection.io.files import write_json
from projection.io.folders import is_main_process, wait_for, work_folder
from projection.models.bundled import resolve
from projection.models.checkpoints import longest_input, quiet, version_of
from projection.models.windows import Piece, pieces
from training.data.iob2 import labels_of
from training.data.rows import Rows
from training.evaluation.tagging_scores import TaggingScores, evaluate, score
from training.tagger.features import Example, TargetCollator, example_of, features_of
from training.tagger.head import HeadChange, load_for_training
from training.trainer import trainer as loop
from training.trainer.card import model_card
from training.trainer.losses import IGNORED, loss_of
from training.trainer.settings import NOWHERE, FineTune, Schedule, Tracking, rate_for
from training.trainer.trainer import Dev, OnProgress, made_with

SCHEMA = 1
SCORING = "sentences scored"


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A finished training: the content of `training.json`.

    `windowed` sentences were longer than `max_length` and read in pieces; `lost_entities` have a
    token without a subword. `loss` is the mean over the last steps, at most an epoch of them. `dev`
    is (step, F1) of every evaluation on the dev part, `kept` the step whose weights were kept.
    """

    settings: FineTune
    data: str  # fingerprint
    labels: tuple[str, ...]
    sentences: int
    entities: int
    windowed: int
    lost_entities: int
    head: HeadChange
    steps: int
    loss: float
    dev: tuple[tuple[int, float], ...]
    kept: int
    model_version: str
    scores: TaggingScores | None

    @property
    def lost_share(self) -> float:
        """The share of entities with a token without a subword."""
        return self.lost_entities / self.entities if self.entities else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; scores are fractions."""
        return {
            "schema": SCHEMA,
            "settings": asdict(self.settings) | {"gamma": self.settings.effective_gamma},
            "seed": self.settings.seed,
            "labels": [*self.labels],
            "data": {
                "fingerprint": self.data,
                "sentences": self.sentences,
                "entities": self.entities,
                "windowed_sentences": self.windowed,
                "lost_entities": self.lost_entities,
                "lost_share": self.lost_share,
            },
            "head": {key: [*tags] for key, tags in asdict(self.head).items()},
            "steps": self.steps,
            "loss": self.loss,
            "dev": [{"step": step, "f1": f1} for step, f1 in self.dev],
            "kept": self.kept,
            "model_version": self.model_version,
            "scores": None if self.scores is None else self.scores.to_json(),
            "made_with": made_with(),
        }


@dataclass(frozen=True, slots=True)
class Material:
    """The examples a training learns from, and the outputs of the model, `tags`.

    `dev` decides how long to train, `eval` is scored at the end. `fingerprint` is a hash of all
    that is learned.
    """

    examples: Sequence[Example]
    tags: tuple[str, ...]
    fingerprint: str
    dev: Rows | None = None
    eval: Rows | None = None


def fine_tune(
    train: Rows,
    settings: FineTune,
    out: Path,
    eval: Rows | None = None,  # noqa: A002  the word everyone looks for
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> TrainingResult:
    """Train in one stage on all sentences, score on `eval`, and save to the new folder `out`.

    Raises: as `learn`.
    """
    material = Material(
        examples=[example_of(row) for row in train],
        tags=train.tag_names,
        fingerprint=train.fingerprint,
        eval=eval,
    )
    return learn(material, settings, out, on_progress=on_progress)


def learn(
    material: Material,
    settings: FineTune,
    out: Path,
    *,
    tracking: Tracking = NOWHERE,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> TrainingResult:
    """Train a model, score it, and save it to the folder `out`, which appears whole.

    An interrupted training is resumed from its last checkpoint when called again with the same
    settings and data. On one CPU a seed gives the same weights bit by bit. Of several processes
    only the main one writes and scores.

    Raises:
        TrainingError: if `out` exists, or there is nothing to train on.
        ModelError: if the base cannot be loaded, or has fewer layers than should be frozen.
    """
    _check(material, settings, out)
    base = resolve(settings.base, "tagger")
    model, tokenizer, head = load_for_training(base, material.tags, settings.seed)
    freeze_lower_layers(model, settings.freeze, embeddings=settings.freeze_embeddings)
    if settings.learning_rate is None:
        settings = replace(settings, learning_rate=rate_for(model.config.hidden_size))
    limit = longest_input(model, tokenizer, settings.max_length)
    read = pieces([example.words for example in material.examples], tokenizer, limit)
    work = work_folder(out, [asdict(settings), material.fingerprint, list(material.tags)])
    outcome = loop.run(
        model,
        tokenizer,
        features_of(read, material.examples, material.tags),
        _schedule(settings),
        work / "checkpoints",
        loss=loss_of(settings),
        collate=TargetCollator(tokenizer),
        dev=_dev(material, tokenizer, limit),
        tracking=tracking,
        on_progress=on_progress,
    )
    result = TrainingResult(
        settings=settings,
        data=material.fingerprint,
        labels=tuple(sorted(labels_of(material.tags))),
        sentences=len(material.examples),
        entities=sum(len(example.entities) for example in material.examples),
        windowed=len({piece.sentence for piece in read if piece.windowed}),
        lost_entities=_lost_entities(read, material.examples),
        head=head,
        steps=outcome.steps,
        loss=outcome.loss,
        dev=tuple(outcome.dev),
        kept=outcome.kept,
        model_version=version_of(model, tokenizer, None),
        scores=None,
    )
    if is_main_process():
        result = _finish(
            model, tokenizer, result, material.eval, work=work, out=out, on_progress=on_progress
        )
    wait_for(out)
    loop.wait_for_everyone()
    return result


def _check(material: Material, settings: FineTune, out: Path) -> None:
    if out.exists():
        raise TrainingError(str(out), "exists already", "Choose another folder, or delete this one")
    if not any(example.words for example in material.examples):
        raise TrainingError("training data", "has no sentence", "Accept or correct some first")
    for name, rows in (("evaluation", material.eval), ("dev", material.dev)):
        if rows is not None and not any(row.tokens for row in rows):
            raise TrainingError(f"{name} data", "has no sentence", "Accept or correct some first")
    taught = all(example.soft is not None for example in material.examples)
    if settings.loss.learns_from_teachers and not taught:
        raise TrainingError(
            f"loss {settings.loss}", "needs teachers", "Use a preset that has them, such as wu2020"
        )


def _finish(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    result: TrainingResult,
    held_out: Rows | None,
    *,
    work: Path,
    out: Path,
    on_progress: OnProgress,
) -> TrainingResult:
    """Save, score, and move into place."""
    made = work / "model"
    with quiet():
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)
    if held_out is not None:
        count = counted(on_progress, SCORING, len(held_out))
        result = replace(result, scores=evaluate(made, held_out, on_progress=count))
    write_json(made / "training.json", result.to_json())
    (made / "README.md").write_text(model_card(out.name, result.to_json()), encoding="utf-8")
    made.replace(out)
    shutil.rmtree(work)
    return result


def freeze_lower_layers(model: PreTrainedModel, n: int, *, embeddings: bool = True) -> None:
    """Freeze the lowest `n` encoder layers and the embeddings (Wu & Dredze 2019).

    `n=0` freezes nothing.

    Raises:
        ModelError: if the model has fewer layers, or no stack of layers we can find.
    """
    if n == 0:
        return
    where = str(model.config.model_type)
    layers = _layers(model)
    if layers is None:
        raise ModelError(where, "no encoder layers found to freeze", "Train with --set freeze=0")
    if n > len(layers):
        raise ModelError(where, f"has {len(layers)} layers, not {n}", f"At most {len(layers)}")
    frozen: list[nn.Module] = list(layers[:n])
    if embeddings:
        # ELECTRA and others project embeddings up to the layers' width in a module of its own.
        base = model.base_model
        frozen += [
            part for name, part in base.named_children() if name.startswith(("embed", "wte", "wpe"))
        ]
    for part in frozen:
        part.requires_grad_(False)


def _layers(model: PreTrainedModel) -> nn.ModuleList | None:
    """Return the transformer layers (`encoder.layer` in BERT): the longest list of modules."""
    stacks = [part for part in model.base_model.modules() if isinstance(part, nn.ModuleList)]
    return max(stacks, key=len, default=None)


def counted(on_progress: OnProgress, what: str, total: int) -> Callable[[int], None]:
    """Return a function that takes how many more are done, and reports how many of all are."""
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        on_progress(what, done, total)

    return advance


def _schedule(settings: FineTune) -> Schedule:
    shared = {field.name for field in fields(FineTune)} & {field.name for field in fields(Schedule)}
    return Schedule(**{name: getattr(settings, name) for name in shared})


def _dev(material: Material, tokenizer: PreTrainedTokenizerBase, limit: int) -> Dev | None:
    """Return the dev part as features, scored strictly on words with a subword."""
    if material.dev is None:
        return None
    # A type the model cannot predict is none it could be kept for.
    known = {*material.tags}
    examples = [example_of(row) for row in material.dev]
    examples = [
        replace(e, tags=tuple(tag if tag in known else "O" for tag in e.tags)) for e in examples
    ]
    read = pieces([example.words for example in examples], tokenizer, limit)
    features = features_of(read, examples, material.tags)

    def f1(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
        scored = labels != IGNORED
        gold, answer = (
            [
                [material.tags[i] for i in row[there]]
                for row, there in zip(side, scored, strict=True)
            ]
            for side in (labels, predicted)
        )
        return score(gold, answer).f1

    return Dev(features, f1)


def _lost_entities(read: Sequence[Piece], examples: Sequence[Example]) -> int:
    seen = {(piece.sentence, word) for piece in read for word, _ in piece.first_subwords}
    return sum(
        any((index, word) not in seen for word in range(start, end))
        for index, example in enumerate(examples)
        for start, end in example.entities
    )
