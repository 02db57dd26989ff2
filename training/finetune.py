"""Fine-tuning a token classifier on an export or on IOB2 files, with the plain Trainer.

The paper's recipe (Li, He & Xu 2021) is `FineTune(base="xlm-roberta-large", loss=LossName.RW)` with
frozen lower layers; an English teacher is trained by the same code with plain cross-entropy.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from datasets import Dataset
from torch import nn
from transformers import PreTrainedModel

from projection.bundled import resolve
from projection.checkpoints import longest_input, quiet
from projection.errors import ModelError, TrainingError
from projection.files import write_json
from projection.windows import Piece, pieces
from training import loop
from training.card import model_card
from training.classifier import HeadChange, load_for_training
from training.dataset import Row, fingerprint, rows_of, tag_names_of
from training.evaluate import Scores, evaluate
from training.folders import move_into_place, work_folder
from training.iob2 import chunks, in_words, labels_of
from training.loop import OnProgress
from training.losses import IGNORED, loss_of
from training.recipe import FineTune, Schedule
from training.record import made_with

SCHEMA = 1
SCORING = "sentences scored"


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a training was and what came of it: the content of `training.json`.

    `windowed` sentences were longer than `max_length` and read in pieces; `lost_entities` of the
    gold entities hold a token that the tokenizer makes nothing of. `loss` is the mean over the last
    steps, at most an epoch of them.
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
    scores: Scores | None

    @property
    def lost_share(self) -> float:
        """The share of gold entities the model could not learn from in full."""
        return self.lost_entities / self.entities if self.entities else 0.0

    def to_json(self) -> dict[str, Any]:
        """A plain object; scores are fractions."""
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
            "scores": None if self.scores is None else self.scores.to_json(),
            "made_with": made_with(),
        }


def fine_tune(
    train: Dataset,
    settings: FineTune,
    out: Path,
    eval: Dataset | None = None,  # noqa: A002  the word everyone looks for
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> TrainingResult:
    """Train, score on `eval`, and save the model to the folder `out`, which appears whole.

    An interrupted training goes on from its last checkpoint when called again with the same
    settings and data. For one seed on one CPU the weights are the same bit by bit.

    Raises:
        TrainingError: if `out` exists, or there is nothing to train on.
        ModelError: if the base cannot be loaded, or has fewer layers than should be frozen.
    """
    if out.exists():
        raise TrainingError(str(out), "exists already", "Choose another folder, or delete this one")
    rows, tags = [_in_words(row) for row in rows_of(train)], tag_names_of(train)
    for name, dataset in (("training data", train), ("evaluation data", eval)):
        if dataset is not None and not any(row.tokens for row in rows_of(dataset)):
            raise TrainingError(name, "has no sentence", "Accept or correct some first")
    base = resolve(settings.base, "tagger")
    model, tokenizer, head = load_for_training(base, tags, settings.seed)
    freeze_lower_layers(model, settings.freeze, embeddings=settings.freeze_embeddings)
    max_length = longest_input(model, tokenizer, settings.max_length)
    examples = pieces([row.tokens for row in rows], tokenizer, max_length)
    data = fingerprint(train)
    work = work_folder(out, [asdict(settings), data, list(tags)])
    trained = loop.run(
        model,
        tokenizer,
        _features(examples, rows, tags),
        _schedule(settings),
        work / "checkpoints",
        loss=loss_of(settings),
        on_progress=on_progress,
    )
    made = work / "model"
    with quiet():
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)
    result = TrainingResult(
        settings=settings,
        data=data,
        labels=tuple(sorted(labels_of(tags))),
        sentences=len(rows),
        entities=sum(len(chunks(row.tags)) for row in rows),
        windowed=len({piece.sentence for piece in examples if piece.windowed}),
        lost_entities=_lost_entities(examples, rows),
        head=head,
        steps=trained.steps,
        loss=trained.loss,
        scores=None if eval is None else _score(made, eval, on_progress),
    )
    write_json(made / "training.json", result.to_json())
    (made / "README.md").write_text(model_card(out.name, result.to_json()), encoding="utf-8")
    move_into_place(made, out)
    shutil.rmtree(work)
    return result


def freeze_lower_layers(model: PreTrainedModel, n: int, *, embeddings: bool = True) -> None:
    """Keep the lowest `n` encoder layers, and with them the embeddings, out of training.

    Wu & Dredze (2019) freeze the embeddings and the first n layers; `n=0` freezes nothing.

    Raises:
        ModelError: if the model has fewer layers, or no stack of layers we can find.
    """
    if n == 0:
        return
    where = str(model.config.model_type)
    layers = _layers(model)
    if layers is None:
        raise ModelError(where, "no encoder layers found to freeze", "Train with --freeze 0")
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
    """The stack of transformer layers: the longest list of modules in the encoder.

    It is `encoder.layer` in BERT, RoBERTa and ELECTRA, `transformer.layer` in DistilBERT,
    `layers` in ModernBERT.
    """
    stacks = [part for part in model.base_model.modules() if isinstance(part, nn.ModuleList)]
    return max(stacks, key=len, default=None)


def _in_words(row: Row) -> Row:
    parted = in_words(row.tokens, row.tags, row.lang)
    return replace(
        row,
        tokens=tuple(word for word, _ in parted),
        tags=tuple(tag for _, tag in parted),
    )


def _score(model: Path, dataset: Dataset, on_progress: OnProgress) -> Scores:
    done = 0

    def on_scored(more: int) -> None:
        nonlocal done
        done += more
        on_progress(SCORING, done, len(dataset))

    return evaluate(model, dataset, on_progress=on_scored)


def _schedule(settings: FineTune) -> Schedule:
    return Schedule(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup=settings.warmup,
        seed=settings.seed,
        accumulate=settings.accumulate,
        weight_decay=settings.weight_decay,
        bf16=settings.bf16,
    )


def _features(
    examples: Sequence[Piece], rows: Sequence[Row], tags: Sequence[str]
) -> list[dict[str, list[int]]]:
    """Model inputs with `labels`: the tag's number at a word's first subword, else ignored."""
    number = {tag: i for i, tag in enumerate(tags)}
    features = []
    for piece in examples:
        labels = [IGNORED] * piece.length
        for word, position in piece.first_subwords:
            labels[position] = number[rows[piece.sentence].tags[word]]
        features.append({**piece.inputs, "labels": labels})
    return features


def _lost_entities(examples: Sequence[Piece], rows: Sequence[Row]) -> int:
    seen = {(piece.sentence, word) for piece in examples for word, _ in piece.first_subwords}
    return sum(
        any((index, word) not in seen for word in range(chunk.start, chunk.end))
        for index, row in enumerate(rows)
        for chunk in chunks(row.tags)
    )
