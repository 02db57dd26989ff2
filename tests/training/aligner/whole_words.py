"""What tests of both kinds of aligners train on: whole words, and names with a right place."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from projection.pipeline.projector import pair
from projection.protocols import Aligns
from projection.records import Entity, Span
from training.aligner.silver import SilverSentence

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def save_tokenizer(words: Iterable[str], folder: Path) -> int:
    """Write a tokenizer that reads words whole, in pairs of at most 32; return its size."""
    ids = {word: i for i, word in enumerate((*SPECIAL, *words))}
    backend = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    ).save_pretrained(folder)
    return len(ids)


def place(text: str, word: str) -> Span:
    start = text.index(word)
    return Span(start, start + len(word))


def right(aligner: Aligns, sentences: Sequence[SilverSentence]) -> float:
    """Share of names that go to exactly the right place."""
    pairs = [
        replace(
            pair(sentence.source, sentence.target, sentence.lang),
            entities=tuple(Entity(source, "LOC") for source, _ in sentence.phrases),
        )
        for sentence in sentences
    ]
    hits = [
        projection.target == target
        for sentence, answer in zip(sentences, aligner.align(pairs), strict=True)
        for projection, (_, target) in zip(answer, sentence.phrases, strict=True)
    ]
    return sum(hits) / len(hits)
