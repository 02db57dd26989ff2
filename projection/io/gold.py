"""Gold files: sentence pairs with entities on both sides, to score projections against."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from projection.errors import SpanError
from projection.io.files import read_jsonl
from projection.io.json_fields import Fields
from projection.io.jsonl import sentence_of
from projection.io.records_json import decode_entities
from projection.records import Entity, ParallelSentence, Span
from projection.text.tokens import find_tokens
from projection.text.words import word_spans


@dataclass(frozen=True, slots=True)
class GoldSentence:
    """A sentence pair with gold entities on both sides; the source's are `sentence.entities`.

    The sentence itself has no `target_entities`, so that a projector does not repeat the gold.
    `consistent` is False if the two sides were annotated independently and disagree.
    """

    sentence: ParallelSentence
    target_entities: tuple[Entity, ...]
    source_tokens: tuple[Span, ...] | None = None
    target_tokens: tuple[Span, ...] | None = None
    consistent: bool = True

    @property
    def source_words(self) -> tuple[Span, ...]:
        """The gold's own tokens of the source, else its words."""
        return self.source_tokens or word_spans(self.sentence.source, self.sentence.source_lang)

    @property
    def target_words(self) -> tuple[Span, ...]:
        """The gold's own tokens of the target, else its words."""
        return self.target_tokens or word_spans(self.sentence.target, self.sentence.target_lang)


def read_gold(path: Path) -> list[GoldSentence]:
    """Read the consistent sentences of a gold file."""
    return [sentence for sentence in read_every_gold(path) if sentence.consistent]


def read_every_gold(path: Path) -> Iterator[GoldSentence]:
    """Stream sentence pairs with gold entities on both sides, inconsistent ones as well.

    A line is `{"id", "source": {"text", "entities"}, "target": {"text", "entities"}, "source_lang",
    "lang"}`. Both sides may have `tokens`, which spell their text but for white space. A line with
    `"consistent_labels": false` is not `consistent`.
    """
    for number, row in read_jsonl(path):
        fields = Fields(row, f"{path}:{number}")
        sentence = replace(sentence_of(fields, f"{path.name}:{number}"), target_entities=None)
        if sentence.entities is None:
            raise fields.error_here("no gold source entities", "Add source.entities, even if []")
        target = fields.child("target")
        nested = isinstance(row["source"], Mapping)
        yield GoldSentence(
            sentence,
            decode_entities(target, "entities", sentence.target),
            _tokens(fields.child("source"), sentence.source) if nested else None,
            _tokens(target, sentence.target),
            consistent=row.get("consistent_labels") is not False,
        )


def _tokens(side: Fields, text: str) -> tuple[Span, ...] | None:
    """The spans of the tokens, which must spell the text."""
    if not side.has("tokens"):
        return None
    try:
        return tuple(find_tokens(text, side.texts("tokens")).values())
    except SpanError as error:
        fix = "Make tokens and text agree, or leave the tokens out"
        raise side.error(error.where, error.what, fix) from error
