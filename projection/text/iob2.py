"""IOB2 (CoNLL) tags: from character spans and back.

One token a line, a tab, its tag; an empty line after every sentence. `B-X` opens an entity of type
X, `I-X` continues one, `O` is outside (Tjong Kim Sang & Veenstra 1999). Comment lines before the
first token of a sentence are `# key = value`, as in CoNLL-U.

Sentences may be annotated in part. `# types = PER ORG` lists the entity types that annotators
looked for: `O` means none of these. Without it all were looked for. Of a token tagged `_` nothing
is known. Both are our own: other readers ignore the comment, and refuse the tag.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from projection.errors import TrainingError
from projection.records import Entity, Span
from projection.text.words import span_of_words, word_spans, words_touched

OUTSIDE = "O"
MASKED = "_"  # the tag of a token of which nothing is known; no tag of a label looks like it
TYPES = "types"  # the comment that lists the entity types that were looked for

NO_COMMENTS: Mapping[str, str] = MappingProxyType({})


class MisfitKind(StrEnum):
    """Why a span did not become tags as it stood."""

    WIDENED = "widened"  # it cut a word, and now covers all of it
    OVERLAP = "overlap"  # lost: a longer or surer entity has its words
    BLANK = "blank"  # lost: it covers nothing visible


class Misfit(NamedTuple):
    """An entity that IOB2 could not hold exactly, and the reason as a text that names it."""

    kind: MisfitKind
    entity: Entity
    reason: str


class Encoded(NamedTuple):
    """Parallel tokens, tags and `owners` (index of the entity of a token), and what was lost."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    misfits: tuple[Misfit, ...]
    owners: tuple[int | None, ...]


class TaggedSentence(NamedTuple):
    """A sentence: tokens, tags, comments, and the line of its first token (0: not in a file)."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    line: int = 0
    comments: Mapping[str, str] = NO_COMMENTS


class Chunk(NamedTuple):
    """An entity in tokens: half-open `[start, end)` and a type."""

    start: int
    end: int
    label: str


def encode(text: str, entities: Iterable[Entity], lang: str) -> Encoded:
    """Tag the words of `text`.

    A span that cuts a word is widened to it. Of entities that share a word the one with more words
    stays, then the one with the higher score (none counts as 1). Changes are in `misfits`, in the
    order of the text.
    """
    words, given = word_spans(text, lang), tuple(entities)
    tags = [OUTSIDE] * len(words)
    owners: list[int | None] = [None] * len(words)
    misfits: list[Misfit] = []
    placed = [(entity, words_touched(words, entity.span)) for entity in given]
    for number in sorted(range(len(given)), key=lambda number: _precedence(placed[number])):
        entity, touched = placed[number]
        shown = f"{entity.label} “{entity.span.of(text)}” {entity.span}"
        if touched is None:
            misfits.append(Misfit(MisfitKind.BLANK, entity, f"{shown} covers nothing visible"))
            continue
        start, end = touched
        taken_by = next((given[owner] for owner in owners[start:end] if owner is not None), None)
        if taken_by is not None:
            reason = f"{shown} shares words with {taken_by.label} “{taken_by.span.of(text)}”"
            misfits.append(Misfit(MisfitKind.OVERLAP, entity, reason))
            continue
        span = span_of_words(words, start, end)
        if span != entity.span:
            reason = f"{shown} ends inside a word or in white space: now “{span.of(text)}” {span}"
            misfits.append(Misfit(MisfitKind.WIDENED, entity, reason))
        owners[start:end] = [number] * (end - start)
        tags[start:end] = [f"B-{entity.label}", *[f"I-{entity.label}"] * (end - start - 1)]
    misfits.sort(key=lambda misfit: (misfit.entity.span, misfit.entity.label))
    tokens = tuple(word.of(text) for word in words)
    return Encoded(tokens, tuple(tags), tuple(misfits), tuple(owners))


def _precedence(placed: tuple[Entity, tuple[int, int] | None]) -> tuple[int, float, int, Span, str]:
    entity, touched = placed
    words = touched[1] - touched[0] if touched else 0
    score = 1.0 if entity.score is None else entity.score
    return -words, -score, -len(entity.span), entity.span, entity.label


def decode(text: str, tags: Sequence[str], lang: str) -> tuple[Entity, ...]:
    """Return the entities of strict IOB2 `tags` of the words of `text`.

    Masked words are in none. Raises TrainingError if there is not one tag a word, or they are not
    IOB2.
    """
    words = word_spans(text, lang)
    if len(words) != len(tags):
        raise TrainingError("IOB2", f"{len(tags)} tags for {len(words)} words of {text!r}")
    _refuse_bad_tags(tags, "IOB2")
    return tuple(
        Entity(span_of_words(words, chunk.start, chunk.end), chunk.label) for chunk in chunks(tags)
    )


def in_words(tokens: Sequence[str], tags: Sequence[str], lang: str) -> list[tuple[str, str]]:
    """Split tokens such as `Yahoo!` into the words a tagger reads, each with its tag.

    A token without a word is left as it is.
    """
    parted: list[tuple[str, str]] = []
    for token, tag in zip(tokens, tags, strict=True):
        first, *rest = [word.of(token) for word in word_spans(token, lang)] or [token]
        inside = tag if tag in (OUTSIDE, MASKED) else f"I-{tag.partition('-')[2]}"
        parted += [(first, tag), *((word, inside) for word in rest)]
    return parted


def chunks(tags: Sequence[str]) -> list[Chunk]:
    """Return the entities in `tags`; as in strict scoring, a stray `I-` is none."""
    found: list[Chunk] = []
    for i, tag in enumerate(tags):
        prefix, _, label = tag.partition("-")
        if prefix == "B":
            found.append(Chunk(i, i + 1, label))
        elif prefix == "I" and found and found[-1].end == i and found[-1].label == label:
            found[-1] = found[-1]._replace(end=i + 1)
    return found


def tag_fault(tag: str, before: str) -> str | None:
    """Return what is wrong with `tag` after the tag `before`, or None."""
    prefix, dash, label = tag.partition("-")
    if tag == OUTSIDE:
        return None
    if prefix not in ("B", "I") or not dash or not label:
        return f"unknown tag {tag!r}"
    if prefix == "I" and before not in (f"B-{label}", f"I-{label}"):
        return f"{tag} after {before} continues nothing"
    return None


def refuse_unwritable(tokens: Sequence[str], tags: Sequence[str], where: str) -> None:
    """Raise TrainingError unless tokens and tags are a sentence that a file can hold."""
    if not tokens or len(tokens) != len(tags):
        raise TrainingError(where, f"{len(tokens)} tokens and {len(tags)} tags")
    _refuse_bad_tags(tags, where)
    for token in tokens:
        if not token or any(mark in token for mark in " \t\r\n"):
            raise TrainingError(where, f"the token {token!r} is empty or holds white space")
    for tag in tags:
        if any(mark in tag for mark in "\t\r\n"):
            raise TrainingError(where, f"the tag {tag!r} holds white space", "Rename the label")


def _refuse_bad_tags(tags: Sequence[str], where: str) -> None:
    for i, (before, tag) in enumerate(zip([OUTSIDE, *tags], tags, strict=False)):
        if tag != MASKED and (fault := tag_fault(tag, before)):
            raise TrainingError(f"{where}, token {i + 1}", fault, "An entity begins with B-")


def tag_names(labels: Iterable[str]) -> list[str]:
    """Return the tags of entity types: `O`, then `B-` and `I-` of each, sorted."""
    return [OUTSIDE, *(f"{prefix}-{label}" for label in sorted(set(labels)) for prefix in "BI")]


def labels_of(tags: Iterable[str]) -> set[str]:
    """Return the entity types of `tags`."""
    return {tag.partition("-")[2] for tag in tags} - {""}


def of_types(tags: Iterable[str], types: Collection[str]) -> tuple[str, ...]:
    """Return `tags` with those of types that were not looked for as `O`; no `types`: all were."""
    return tuple(
        OUTSIDE if types and tag != MASKED and tag.partition("-")[2] not in types else tag
        for tag in tags
    )
