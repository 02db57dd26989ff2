"""One IOB2 file of several English NER sets, to train a teacher that works on more than news.

`mixed_ner.toml` says what becomes of each set. Types without a counterpart in CoNLL-2003, and spans
drawn differently there, are masked (`iob2.MASKED`); types that a set does not annotate are not
among the `types` of its sentences, so that `O` is not learned of them.
"""

import operator
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import training
from projection.errors import TrainingError
from projection.io.conll import read_conll, write_iob2
from projection.text.iob2 import (
    MASKED,
    OUTSIDE,
    TYPES,
    Chunk,
    TaggedSentence,
    chunks,
)

MANIFEST = Path(__file__).with_name("mixed_ner.toml")
PACKAGE = Path(training.__file__).parent  # holds the sets that are `packaged`
MISC = "MISC"


@dataclass(frozen=True, slots=True)
class NerSet:
    """What becomes of one set. Spans are matched as words joined by a space.

    Attributes:
        name: as in the table of what was written.
        files: IOB2 files, below the data folder.
        licence: of text and annotation.
        free: its licence allows all uses.
        packaged: `files` are below the package `training` instead.
        first: how many sentences to read.
        repeat: how often each sentence is written.
        types: the types looked for; empty: all.
        labels: type to write for each type of the set; empty: as they are.
        masked: types to mask, or to read as `O` where a span has no capital.
        names_only: types (`*`: all) of which spans with lower-case words or a comma are masked.
        nationalities: types of which spans that are a nationality become MISC, whatever `labels`.
        trim: for a written type the list of `[words]` that are outside at the start of a span.
        masked_spans: for a written type, patterns of spans to mask.
        handles: mask @handles and #hashtags.
    """

    name: str
    files: Sequence[str]
    licence: str
    free: bool = True
    packaged: bool = False
    first: int | None = None
    repeat: int = 1
    types: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    masked: Sequence[str] = ()
    names_only: Sequence[str] = ()
    nationalities: Sequence[str] = ()
    trim: Mapping[str, str] = field(default_factory=dict)
    masked_spans: Mapping[str, Sequence[str]] = field(default_factory=dict)
    handles: bool = False


Words = Mapping[str, Sequence[str]]
"""Named lists of words, or patterns of them, that sets refer to."""


class SetSize(NamedTuple):
    """What was written of a set: sentences, entities by type, masked tokens."""

    name: str
    sentences: int
    entities: Mapping[str, int]
    masked: int


def read_manifest() -> tuple[tuple[NerSet, ...], Words]:
    """Read the sets and the word lists of the manifest."""
    content = tomllib.loads(MANIFEST.read_text("utf-8"))
    return tuple(NerSet(**each) for each in content["sets"]), content["words"]


def write_mixed_ner(data: Path, out: Path, *, only_free: bool = False) -> list[SetSize]:
    """Write the sets of the manifest below `data` to one IOB2 file.

    With `only_free` sets whose licence does not allow all uses are left out. Raises CorpusError if
    a file is not IOB2 or not there; TrainingError, naming the set, at a type it does not mention.
    """
    sets, words = read_manifest()
    sizes: list[SetSize] = []

    def sentences() -> Iterator[TaggedSentence]:
        for ner_set in sets:
            if only_free and not ner_set.free:
                continue
            written = [*converted(ner_set, words, data)] * ner_set.repeat
            sizes.append(_size(ner_set.name, written))
            yield from _numbered(ner_set.name, written)

    write_iob2(sentences(), out)
    return sizes


def converted(ner_set: NerSet, words: Words, data: Path) -> Iterator[TaggedSentence]:
    """Read the sentences of a set once, with our types and masks."""
    folder = PACKAGE if ner_set.packaged else data
    read = (sentence for name in ner_set.files for sentence in read_conll(folder / name))
    comments = {TYPES: " ".join(ner_set.types)} if ner_set.types else {}
    for tokens, tags, _, _ in islice(read, ner_set.first):
        yield TaggedSentence(tokens, new_tags(tokens, tags, ner_set, words), comments=comments)


def new_tags(
    tokens: Sequence[str], tags: Sequence[str], ner_set: NerSet, words: Words
) -> tuple[str, ...]:
    """Return the tags of a sentence by the rules of its set."""
    handles = [*_handles(tokens)] if ner_set.handles else []
    made = [OUTSIDE] * len(tokens)
    for chunk in chunks(tags):
        start, tag = _decide(chunk, tokens, ner_set, words)
        if any(chunk.start <= handle < chunk.end for handle in handles):
            start, tag = chunk.start, MASKED
        begin, inside = (tag, tag) if tag in (OUTSIDE, MASKED) else (f"B-{tag}", f"I-{tag}")
        made[start : chunk.end] = [begin, *[inside] * (chunk.end - start - 1)]
    for handle in handles:
        made[handle] = MASKED
    return tuple(made)


def _decide(chunk: Chunk, tokens: Sequence[str], ner_set: NerSet, words: Words) -> tuple[int, str]:
    """Return where an entity starts once trimmed, and its type, `O` or the mask."""
    span = tokens[chunk.start : chunk.end]
    if chunk.label in ner_set.nationalities and _is_nationality(span, words["nationalities"]):
        return chunk.start, MISC
    if chunk.label in ner_set.masked:
        has_capital = any(character.isupper() for token in span for character in token)
        return chunk.start, MASKED if has_capital else OUTSIDE
    label = ner_set.labels.get(chunk.label) if ner_set.labels else chunk.label
    if label is None:
        fix = f"Add it to labels or masked in {MANIFEST.name}"
        raise TrainingError(ner_set.name, f"unknown type {chunk.label}", fix)
    start = _trimmed(chunk, tokens, words[ner_set.trim[label]] if label in ner_set.trim else ())
    span = tokens[start : chunk.end]
    names_only = any(fnmatchcase(chunk.label, pattern) for pattern in ner_set.names_only)
    if (names_only and not is_name(span, words)) or _matches(
        span, ner_set.masked_spans.get(label, ())
    ):
        return chunk.start, MASKED
    return start, label


def is_name(span: Sequence[str], words: Words) -> bool:
    """Return True if a span has the form of a name.

    Each word has a capital or a digit, or is one of the `small` words, and one has a capital. A
    comma parts two names, and a pronoun is none.
    """
    if "," in span or (len(span) == 1 and _decapitalised(span[0]) in words["pronouns"]):
        return False
    content = [word for word in span if word not in words["small"] and any(map(str.isalnum, word))]
    capitals = [any(map(str.isupper, word)) for word in content]
    digits = [any(map(str.isdigit, word)) for word in content]
    return any(capitals) and all(map(operator.or_, capitals, digits))


def _decapitalised(word: str) -> str:
    # Only the first letter: `US` is no pronoun.
    return word[:1].lower() + word[1:]


def _is_nationality(span: Sequence[str], nationalities: Sequence[str]) -> bool:
    text = " ".join(span)
    return text in nationalities or text.removesuffix("s") in nationalities


def _trimmed(chunk: Chunk, tokens: Sequence[str], words: Sequence[str]) -> int:
    """Return the start of an entity without `words` in front; one token always stays."""
    start = chunk.start
    while start < chunk.end - 1 and _matches([tokens[start]], words):
        start += 1
    return start


def _matches(span: Sequence[str], patterns: Iterable[str]) -> bool:
    text = " ".join(span)
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _handles(tokens: Sequence[str]) -> Iterator[int]:
    """Yield the indices of handles and hashtags, of one token or of a mark and a token."""
    for index, token in enumerate(tokens):
        if token[0] in "@#" or (index and tokens[index - 1] in ("@", "#")):
            yield index


def _numbered(name: str, sentences: Iterable[TaggedSentence]) -> Iterator[TaggedSentence]:
    for number, sentence in enumerate(sentences, start=1):
        comments = {"sent_id": f"{name}/{number}", "lang": "en", **sentence.comments}
        yield sentence._replace(comments=comments)


def _size(name: str, sentences: Sequence[TaggedSentence]) -> SetSize:
    tags = [tag for sentence in sentences for tag in sentence.tags]
    entities = Counter(tag.partition("-")[2] for tag in tags if tag.startswith("B-"))
    return SetSize(name, len(sentences), entities, tags.count(MASKED))
