"""Token classification: the English teacher, and target-language models fine-tuned on reviews."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self, cast

import torch
from torch import Tensor
from transformers import AutoModelForTokenClassification, PreTrainedModel, PreTrainedTokenizerBase

from projection.errors import ModelError
from projection.models.checkpoints import (
    Checkpoint,
    load_checkpoint,
    longest_input,
    on_gpu,
    version_of,
)
from projection.models.windows import Piece, pieces
from projection.records import Entity
from projection.text.words import span_of_words, word_spans

OUTSIDE = "O"
_BEGINS, _CONTINUES = frozenset("BSU"), frozenset("IEL")  # IOB2, BIOES and BILOU alike


class WordTag(NamedTuple):
    """The most probable tag of a word, with its probability."""

    tag: str
    score: float


class Tagger(Checkpoint[PreTrainedModel]):
    """Labels entities in one language's text.

    `labels` maps each of the checkpoint's entity types to one of the project's (None keeps them);
    types in `suppress` are taken for O, as Li et al. (2021) do with MISC for Chinese.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        labels: Mapping[str, str] | None = None,
        suppress: Collection[str] = (),
        batch_size: int = 32,
    ) -> None:
        super().__init__(model, tokenizer, batch_size)
        id2label = cast("dict[int, str]", model.config.id2label)
        self.tags = [id2label[i] for i in range(len(id2label))]
        self.renamed = label_table(self.tags, labels, suppress, str(model.config.name_or_path))

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        labels: Mapping[str, str] | None = None,
        suppress: Collection[str] = (),
    ) -> Self:
        """Load a token-classification checkpoint from a folder or by its name on the hub."""
        model, tokenizer = load_checkpoint(AutoModelForTokenClassification, name_or_path)
        return cls(on_gpu(model), tokenizer, labels, suppress)

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types it can answer with, sorted."""
        return tuple(sorted(set(self.renamed.values())))

    @property
    def version(self) -> str:
        """A hash of weights, settings and labels: changes whenever an answer could."""
        as_saved = label_table(self.tags, None, (), "")
        table = None if self.renamed == as_saved else self.renamed
        return version_of(self.model, self.tokenizer, table)

    def tag(self, texts: Sequence[str], lang: str) -> list[tuple[Entity, ...]]:
        """The entities of each text, in reading order, one tuple a text."""
        words = [word_spans(text, lang) for text in texts]
        tokens = [[w.of(text) for w in spans] for text, spans in zip(texts, words, strict=True)]
        return [
            tuple(
                Entity(span_of_words(spans, start, end), label, score)
                for start, end, label, score in self._entities(tags)
            )
            for spans, tags in zip(words, self.tag_words(tokens), strict=True)
        ]

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTag]]:
        """The checkpoint's own tag of every word; words without subwords are O.

        Sentences longer than the model reads are tagged in overlapping windows.
        """
        answers = [[WordTag(OUTSIDE, 1.0)] * len(words) for words in sentences]
        inputs = pieces(sentences, self.tokenizer, longest_input(self.model, self.tokenizer))
        for batch in self.batches(inputs, lambda piece: piece.length):
            scores, numbers = (values.tolist() for values in self.probabilities(batch).max(-1))
            for row, piece in enumerate(batch):
                for word, i in piece.first_subwords:
                    tag = WordTag(self.tags[numbers[row][i]], scores[row][i])
                    answers[piece.sentence][word] = tag
        return answers

    @torch.inference_mode()
    def probabilities(self, batch: Sequence[Piece]) -> Tensor:
        """Probabilities of the tags: pieces × subwords of the longest piece × tags."""
        padded = self.tokenizer.pad([piece.inputs for piece in batch], return_tensors="pt")
        logits: Tensor = self.model(**padded.to(self.model.device)).logits
        return logits.float().softmax(-1).cpu()

    def _entities(self, tags: Iterable[WordTag]) -> Iterator[tuple[int, int, str, float]]:
        """Runs of words of one type: (start, end, type, mean probability).

        An I- that continues nothing begins an entity.
        """
        start, label, scores = 0, None, list[float]()
        for i, (tag, score) in enumerate([*tags, WordTag(OUTSIDE, 1.0)]):
            found = self.renamed.get(entity_type(tag))
            if label is not None and (found != label or begins(tag)):
                yield start, i, label, sum(scores) / len(scores)
                label = None
            if found is not None:
                if label is None:
                    start, label, scores = i, found, []
                scores.append(score)


def entity_type(tag: str) -> str:
    """`PER` of `B-PER`, `I-PER` or `PER`."""
    prefix, dash, kind = tag.partition("-")
    return kind if dash and prefix in _BEGINS | _CONTINUES else tag


def begins(tag: str) -> bool:
    """Return whether a tag begins an entity: `B-PER` does, `BRAND` and `I-PER` do not."""
    prefix, dash, _ = tag.partition("-")
    return bool(dash) and prefix in _BEGINS


def label_table(
    tags: Iterable[str], labels: Mapping[str, str] | None, suppress: Collection[str], where: str
) -> dict[str, str]:
    """The project's type for each of the checkpoint's; suppressed ones are left out.

    Raises ModelError if a type is neither mapped nor suppressed, or is named but unknown; or if
    there is no O, as in the default labels of an encoder that was never trained to tag.
    """
    kinds = {entity_type(tag) for tag in tags}
    if OUTSIDE not in kinds:
        what = f"its labels are {', '.join(sorted(kinds))}, without an {OUTSIDE}"
        raise ModelError(where, what, "Give a checkpoint fine-tuned for named entities")
    types = sorted(kinds - {OUTSIDE})
    table = dict(labels) if labels is not None else {kind: kind for kind in types}
    if missing := [kind for kind in types if kind not in table and kind not in suppress]:
        what = f"the label table says nothing of {', '.join(missing)}"
        raise ModelError(where, what, "Map each to one of your labels, or suppress it")
    if unknown := sorted(({*table} | {*suppress}) - {*types} - {*table.values()}):
        what = f"has no entity type {', '.join(unknown)}"
        raise ModelError(where, what, f"Its types are {', '.join(types)}")
    return {k: table[k] for k in types if k not in suppress and table[k] not in suppress}
