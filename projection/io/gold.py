"""Gold files: sentence pairs with entities on both sides, to score projections against."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from projection.io.corpus import sentence_of
from projection.io.files import read_jsonl
from projection.io.json_fields import Fields
from projection.io.records_json import decode_entities
from projection.records import Entity, ParallelSentence, Span
from projection.text.words import word_spans


@dataclass(frozen=True, slots=True)
class GoldSentence:
    """A sentence pair with gold entities on both sides; the source's are `sentence.entities`.

    The tokens are the gold's own, where it has any. `consistent` is False where the two sides were
    annotated independently and disagree.
    """

    sentence: ParallelSentence
    target_entities: tuple[Entity, ...]
    source_tokens: tuple[Span, ...] | None = None
    target_tokens: tuple[Span, ...] | None = None
    consistent: bool = True

    @property
    def source_words(self) -> tuple[Span, ...]:
        """The words of the source: the gold's tokens, or else ours."""
        if self.source_tokens is not None:
            return self.source_tokens
        return word_spans(self.sentence.source, self.sentence.source_lang)

    @property
    def target_words(self) -> tuple[Span, ...]:
        """The words of the target."""
        if self.target_tokens is not None:
            return self.target_tokens
        return word_spans(self.sentence.target, self.sentence.target_lang)


def read_gold(path: Path, on_skip: Callable[[str], None] | None = None) -> list[GoldSentence]:
    """Read the consistent sentences of a gold file; `on_skip` gets the origin of each other.

    Raises:
        CorpusError: as `read_every_gold`.
    """
    gold = []
    for sentence in read_every_gold(path):
        if sentence.consistent:
            gold.append(sentence)
        elif on_skip is not None:
            on_skip(sentence.sentence.origin)
    return gold


def read_every_gold(path: Path) -> Iterator[GoldSentence]:
    """Stream sentence pairs with gold entities on both sides, inconsistent ones as well.

    A line is `{"id", "source": {"text", "entities"}, "target": {"text", "entities"}, "source_lang",
    "lang"}`. Both sides may bring `tokens`: their text but for white space; tokens of nothing but
    white space do not count. A line that says `"consistent_labels": false` is not `consistent`.

    Raises:
        CorpusError: naming file, line and field.
    """
    for number, row in read_jsonl(path):
        fields = Fields(row, f"{path}:{number}")
        sentence = sentence_of(fields, f"{path.name}:{number}")
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
    """The span of each token; together they must spell the text."""
    if not side.has("tokens"):
        return None
    spans: list[Span] = []
    end = 0
    for index, token in enumerate(side.texts("tokens")):
        if not token.strip():  # no aligner would count it: between spaces it is not there
            continue
        start = len(text) - len(text[end:].lstrip())
        end = start + len(token)
        if text[start:end] != token:
            raise side.error(
                f"tokens[{index}]",
                f"{token!r:.40} where the text has {text[start:end]!r:.40}",
                "Make tokens and text agree, or leave the tokens out",
            )
        spans.append(Span(start, end))
    if (rest := text[end:].strip()) != "":
        raise side.error("tokens", f"end before {rest!r:.40}", "Add the tokens that are missing")
    return tuple(spans)
