"""Fine-tuning a token classifier: one stage of a recipe (`training.tagger.presets`)."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from projection.errors import TrainingError
from projection.interchange.portable import make_portable
from projection.io.files import write_json
from projection.io.folders import (
    content_hash,
    finishing,
    is_main_process,
    refuse_existing,
    wait_for,
    work_folder,
)
from projection.io.records_json import Json
from projection.models.bundled import Bundled, resolve
from projection.models.checkpoints import longest_input, quiet
from projection.models.versions import version_of
from projection.models.windows import Piece, pieces
from projection.text.iob2 import OUTSIDE, labels_of, of_types
from training.data.rows import Rows
from training.evaluation.tagging_scores import TaggingScores, evaluate, score
from training.tagger.features import Example, TargetCollator, example_of, features_of
from training.tagger.head import load_for_training
from training.trainer import trainer as loop
from training.trainer.card import model_card
from training.trainer.freezing import freeze_lower_layers
from training.trainer.losses import IGNORED, loss_of
from training.trainer.low_rank import FASTER, LowRank, require_peft
from training.trainer.settings import NOWHERE, FineTune, Schedule, Tracking, rate_for
from training.trainer.trainer import Dev, OnProgress, made_with

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Material:
    """The examples a training learns from (`fingerprint` is their hash), and the model's `tags`.

    `dev` decides how long to train, `eval` is scored at the end.
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
) -> Json:
    """Train in one stage on all sentences, score on `eval`, and save to `out`, as `learn` does."""
    examples = [example_of(row) for row in train]
    material = Material(examples, train.tag_names, train.fingerprint, eval=eval)
    return learn(material, settings, out, on_progress=on_progress)


def learn(
    material: Material,
    settings: FineTune,
    out: Path,
    *,
    tracking: Tracking = NOWHERE,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Json:
    """Train a model, score it, and save it to the folder `out`, which appears whole.

    An interrupted training is resumed from its last checkpoint when called again with the same
    settings and data. On one CPU a seed gives the same weights bit by bit. Of several processes
    only the main one writes and scores.

    Returns the content of `training.json`: `windowed_sentences` were longer than `max_length` and
    read in pieces; `lost_entities` have a token without a subword; `loss` is the mean over the last
    steps, at most an epoch of them; `dev` has every evaluation on the dev part, `kept` is the step
    whose weights were kept; scores are fractions.

    Raises TrainingError if `out` exists, or there is nothing to train on; ModelError if the base
    cannot be loaded, or has fewer layers than should be frozen.
    """
    _check(material, settings, out)
    examples, tags = material.examples, material.tags
    base = resolve(settings.base, "tagger")
    model, tokenizer, head = load_for_training(base, tags, settings.seed)
    freeze_lower_layers(model, settings.freeze, embeddings=settings.freeze_embeddings)
    if settings.learning_rate is None:
        rate = rate_for(model.config.hidden_size, knows_tags=not head["new"])
        settings = replace(settings, learning_rate=rate * (FASTER if settings.lora else 1))
    adapters = LowRank(model, settings.lora)
    limit = longest_input(model, tokenizer, settings.max_length)
    read = pieces([example.words for example in examples], tokenizer, limit)
    work = work_folder(out, [asdict(settings), material.fingerprint, [*tags]])
    shared = {field.name for field in fields(FineTune)} & {field.name for field in fields(Schedule)}
    outcome = loop.run(
        model,
        tokenizer,
        features_of(read, examples, tags),
        Schedule(**{name: getattr(settings, name) for name in shared}),
        work / "checkpoints",
        loss=loss_of(settings),
        collate=TargetCollator(tokenizer),
        dev=_dev(material, tokenizer, limit),
        tracking=tracking,
        on_progress=on_progress,
    )
    adapters.merge()
    entities = sum(len(example.entities) for example in examples)
    lost = _lost_entities(read, examples)
    record: Json = {
        "schema": SCHEMA,
        "settings": asdict(settings) | {"gamma": settings.effective_gamma},
        "seed": settings.seed,
        "labels": sorted(labels_of(tags)),
        "data": {
            "fingerprint": material.fingerprint,
            "sentences": len(examples),
            "entities": entities,
            "windowed_sentences": len({piece.sentence for piece in read if piece.windowed}),
            "lost_entities": lost,
            "lost_share": lost / entities if entities else 0.0,
        },
        "head": head,
        "steps": outcome.steps,
        "loss": outcome.loss,
        "dev": [{"step": step, "f1": f1} for step, f1 in outcome.dev],
        "kept": outcome.kept,
        "model_version": version_of(model, tokenizer, None),
        "scores": None,
        "made_with": made_with(),
    }
    if is_main_process():
        made = work / "model"
        with quiet():
            model.save_pretrained(made)
            tokenizer.save_pretrained(made)
        make_portable(made)
        if (scores := scores_of(made, material.eval, on_progress)) is not None:
            record["scores"] = scores.to_json()
        write_json(made / "training.json", record)
        (made / "README.md").write_text(model_card(out.name, record), encoding="utf-8")
        with finishing(out):
            made.replace(out)
    wait_for(out)
    loop.wait_for_everyone()
    return record


def scores_of(model: Path, data: Rows | None, on_progress: OnProgress) -> TaggingScores | None:
    """Score a saved model on held-out data, if there are any."""
    if data is None:
        return None
    count = counted(on_progress, "sentences scored", len(data))
    return evaluate(model, data, on_progress=count)


def _check(material: Material, settings: FineTune, out: Path) -> None:
    refuse_existing(out)
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
    require_peft(settings.lora)


def identity_of(name: str | None, kind: Bundled) -> str:
    """Return the hash of a model's folder, or its name on the hub; None is the bundled `kind`."""
    folder = resolve(name, kind)
    return content_hash(Path(folder)) if Path(folder).is_dir() else str(folder)


def counted(on_progress: OnProgress, what: str, total: int) -> Callable[[int], None]:
    """Return a function that takes how many more are done, and reports how many of all are."""
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        on_progress(what, done, total)

    return advance


def _dev(material: Material, tokenizer: PreTrainedTokenizerBase, limit: int) -> Dev | None:
    """Return the dev part as features, scored strictly on words with a subword and a known tag.

    A predicted type that was not looked for in a sentence is no mistake.
    """
    if material.dev is None:
        return None
    # A type the model cannot predict is none it could be kept for.
    known = {*material.tags}
    examples = [
        replace(e, tags=tuple(tag if tag is None or tag in known else OUTSIDE for tag in e.tags))
        for e in map(example_of, material.dev)
    ]
    read = pieces([example.words for example in examples], tokenizer, limit)
    features = features_of(read, examples, material.tags)
    looked_for = [examples[piece.sentence].types for piece in read]

    def f1(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
        scored = labels != IGNORED
        gold, answer = (
            [
                of_types((material.tags[i] for i in row[on]), types)
                for row, on, types in zip(side, scored, looked_for, strict=True)
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
