"""Inputs and targets of a token classifier."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from projection.errors import TrainingError
from projection.models.windows import Piece
from projection.text.iob2 import MASKED, OUTSIDE, chunks, in_words
from training.data.rows import Row
from training.trainer.losses import IGNORED
from training.trainer.trainer import TARGETS

Soft = NDArray[np.float32]
"""The probabilities of a teacher: words × tags."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence, and what to learn from each of its words (tag None: nothing).

    `weights` and `doubts` are those of `trainer.losses` (None: 1 for every word). `soft` is for
    losses that learn from teachers. There must be one of each for every word. `types` are those
    that were looked for, as in a `Row`.
    """

    words: tuple[str, ...]
    tags: tuple[str | None, ...]
    weights: tuple[float, ...] | None = None
    doubts: tuple[float, ...] | None = None
    soft: Soft | None = None
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for given in (self.tags, self.weights, self.doubts, self.soft):
            if given is not None and len(given) != len(self.words):
                what = f"{len(given)} of something for {len(self.words)} words"
                raise TrainingError(f"“{' '.join(self.words)[:40]}”", what)

    @property
    def entities(self) -> list[tuple[int, int]]:
        """Half-open ranges of words."""
        found = chunks([tag or OUTSIDE for tag in self.tags])
        return [(chunk.start, chunk.end) for chunk in found]


def example_of(
    row: Row, *, weights: Sequence[float] | None = None, doubt: float | None = None
) -> Example:
    """Convert a row, with the weights of its tokens and the doubt of all its words.

    Its tokens are split into words as running text is.
    """
    parted = [in_words([t], [tag], row.lang) for t, tag in zip(row.tokens, row.tags, strict=True)]
    words = [*chain.from_iterable(parted)]
    if weights is not None:
        weights = [w for w, parts in zip(weights, parted, strict=True) for _ in parts]
    return Example(
        words=tuple(word for word, _ in words),
        tags=tuple(None if tag == MASKED else tag for _, tag in words),
        weights=None if weights is None else tuple(weights),
        doubts=None if doubt is None else (doubt,) * len(words),
        types=row.types,
    )


def features_of(
    read: Iterable[Piece], examples: Sequence[Example], tags: Sequence[str]
) -> list[dict[str, Any]]:
    """Return model inputs with targets at the first subword of each word.

    `labels` holds the number of the tag, or `IGNORED`; the other `TARGETS` are there if any example
    has them: `alternatives` if the types looked for are not those of all `tags`.
    """
    number = {tag: i for i, tag in enumerate(tags)}
    fields = {"weights": "weights", "doubts": "doubts", "soft_labels": "soft"}
    used = {
        target: field
        for target, field in fields.items()
        if any(getattr(example, field) is not None for example in examples)
    }
    features = []
    open_types = {example.types: _others(tags, example.types) for example in examples}
    is_partial = any(others.any() for others in open_types.values())
    for piece in read:
        example = examples[piece.sentence]
        labels = [IGNORED] * piece.length
        for word, position in reversed(piece.first_subwords):  # of a subword, its first word counts
            tag = example.tags[word]
            labels[position] = IGNORED if tag is None else number[tag]
        targets: dict[str, NDArray[Any]] = {
            target: _at_first_subwords(piece, getattr(example, field), len(tags), target)
            for target, field in used.items()
        }
        if is_partial:
            targets["alternatives"] = np.zeros((piece.length, len(tags)), dtype=np.uint8)
            for word, position in piece.first_subwords:
                if labels[position] == number[OUTSIDE] and example.tags[word] == OUTSIDE:
                    targets["alternatives"][position] = open_types[example.types]
        features.append({**piece.inputs, "labels": labels, **targets})
    return features


def _others(tags: Sequence[str], types: Collection[str]) -> NDArray[np.uint8]:
    """Return 1 for each tag of a type that was not looked for; no `types`: all were."""
    other = [bool(types) and tag != OUTSIDE and tag.partition("-")[2] not in types for tag in tags]
    return np.array(other, dtype=np.uint8)


def _at_first_subwords(
    piece: Piece, values: Sequence[float] | Soft | None, tags: int, target: str
) -> NDArray[np.float32]:
    shape = (piece.length, tags) if target == "soft_labels" else (piece.length,)
    if values is None:
        return np.ones(shape, dtype=np.float32)
    placed = np.zeros(shape, dtype=np.float32)
    for word, position in reversed(piece.first_subwords):
        placed[position] = values[word]
    return placed


@dataclass(frozen=True, slots=True)
class TargetCollator:
    """Collates features to one batch, padded to the longest."""

    tokenizer: PreTrainedTokenizerBase

    def __call__(self, features: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Pad inputs by the tokenizer, and targets alike."""
        targets = [name for name in ("labels", *TARGETS) if name in features[0]]
        inputs = [
            {name: value for name, value in feature.items() if name not in targets}
            for feature in features
        ]
        batch: dict[str, Tensor] = dict(self.tokenizer.pad(inputs, return_tensors="pt"))
        length = batch["input_ids"].shape[1]
        for name in targets:
            fill = IGNORED if name == "labels" else 0
            rows = [torch.as_tensor(np.asarray(feature[name])) for feature in features]
            batch[name] = torch.stack([*self._padded(rows, length, fill)])
        return batch

    def _padded(self, rows: Iterable[Tensor], length: int, fill: int) -> Iterator[Tensor]:
        for row in rows:
            padding = row.new_full((length - len(row), *row.shape[1:]), fill)
            left = self.tokenizer.padding_side == "left"
            yield torch.cat((padding, row) if left else (row, padding))
