"""What people corrected in the sentences they reviewed, and whether they are of one mind about it.

A correction is about a phrase, not about a place: “Siemens” was predicted as LOC and is an ORG. It
applies wherever the same phrase of the same language is predicted in the same way. Where it would
have applied in a reviewed sentence, and somebody decided otherwise, it is contested.

Phrases are the same if they are spelled the same, upper and lower case included (“Weiß” is a name,
“weiß” a verb), in whatever Unicode normalisation form.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from unicodedata import normalize

from projection.records import Entity, ParallelSentence, ReviewedSentence, Span
from projection.text.words import cuts_word, is_character_language, word_spans
from training.data.adjudication import by_sentence, opinions

NOTHING = "no entity"

# A predicted place and label (None: not predicted), and the place and label that are right (None:
# no entity).
Became = tuple[Span, str | None, Span, str | None]
Labels = Mapping[Span, Collection[str]]


@dataclass(frozen=True, slots=True)
class Correction:
    """One change to a phrase that was predicted as `label`, or not predicted at all (None).

    `new_label` is None where people found that it is no entity. Moved borders are counted in code
    points, forward being positive; `new_phrase` is what they enclose then, and equal to `phrase`
    where none was moved. All of it is in normalisation form C.
    """

    lang: str
    phrase: str
    label: str | None
    new_label: str | None
    new_phrase: str
    start_by: int = 0
    end_by: int = 0

    @property
    def kind(self) -> str:
        """`added`, `deleted`, `moved` (perhaps with another label) or `relabelled`."""
        if self.label is None:
            return "added"
        if self.new_label is None:
            return "deleted"
        return "moved" if self.moves else "relabelled"

    @property
    def moves(self) -> bool:
        """Whether it moves a border."""
        return (self.start_by, self.end_by) != (0, 0)

    @property
    def change(self) -> str:
        """The change in a few words, without the phrase it is about."""
        labels = " → ".join(dict.fromkeys((self.label or NOTHING, self.new_label or NOTHING)))
        return f"→ {self.new_phrase} ({labels})" if self.moves else labels

    def __str__(self) -> str:
        return f"{self.phrase}{' ' if self.moves else ': '}{self.change}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a correction and against it. Numbers count sentences and people.

    `otherwise` are the sentences in which it would have applied, and somebody decided otherwise.
    """

    correction: Correction
    sentences: int
    people: int
    otherwise: int


@dataclass(frozen=True, slots=True)
class Marked:
    """The target side of a sentence with what is marked in it."""

    lang: str
    text: str
    entities: Sequence[Entity]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a correction applies: to `entity` (None: nothing is marked there yet), which has the
    borders of `span` then.
    """

    correction: Correction
    entity: Entity | None
    span: Span


class Rules:
    """Corrections, found quickly by what they apply to."""

    def __init__(self, corrections: Iterable[Correction]) -> None:
        self._by_key: defaultdict[tuple[str, str, str], list[Correction]] = defaultdict(list)
        self._additions: defaultdict[str, list[Correction]] = defaultdict(list)
        # Long phrases first: “FC Bayern” before the “Bayern” in it.
        for each in sorted(corrections, key=lambda each: -len(each.phrase)):
            if each.label is None:
                self._additions[each.lang].append(each)
            else:
                self._by_key[each.lang, each.phrase, each.label].append(each)

    def places(self, marked: Marked) -> Iterator[Place]:
        """Every place where one of them applies: first to entities, then where there is none."""
        for entity in marked.entities:
            phrase = composed(entity.span.of(marked.text))
            for correction in self._by_key.get((marked.lang, phrase, entity.label), ()):
                span = _new_borders(correction, entity, marked)
                if span is not None:
                    yield Place(correction, entity, span)
        text = composed(marked.text)
        for correction in self._additions.get(marked.lang, ()):
            if correction.phrase in text:
                yield from (Place(correction, None, span) for span in _free(correction, marked))


def composed(text: str) -> str:
    """`text` in Unicode normalisation form C, in which phrases are compared."""
    return normalize("NFC", text)


def is_too_short(correction: Correction) -> bool:
    """Whether it adds a single character of a language that does not show where words end.

    Such a character is part of too many words to be marked wherever it stands.
    """
    single = len(correction.phrase) == 1
    return correction.label is None and single and is_character_language(correction.lang)


def weigh(reviewed: Iterable[ReviewedSentence]) -> list[Evidence]:
    """Everything people corrected, the most frequent first, with what speaks for and against it.

    Only what people decided on a prediction counts, and of each person the newest decision on a
    sentence.

    Raises:
        TrainingError: if the time of an annotation cannot be read.
    """
    said = (one for group in by_sentence(reviewed) for one in opinions(group))
    decided = [one for one in said if one.judged and one.predicted is not None]
    made: defaultdict[Correction, list[ReviewedSentence]] = defaultdict(list)
    for one in decided:
        for correction in corrections_in(one):
            made[correction].append(one)
    against = _against(made, decided)
    evidence = [
        Evidence(
            correction,
            sentences=len({_identity(one) for one in ones}),
            people=len({one.annotator for one in ones}),
            otherwise=len(against[correction]),
        )
        for correction, ones in made.items()
    ]
    return sorted(evidence, key=lambda each: (-each.sentences, str(each.correction)))


def corrections_in(reviewed: ReviewedSentence) -> Iterator[Correction]:
    """What one person corrected in one sentence, each correction as often as it was made.

    What is neither another label, other borders, a deletion nor an addition (one entity made two,
    one of two that overlapped removed) says nothing about other sentences, and is passed over.
    """
    before, after = _labels_at(reviewed.predicted or ()), _labels_at(reviewed.entities)
    for span in before:
        became = _what_became_of(span, before, after)
        if became is not None:
            yield _correction(reviewed.sentence, became)
    for span, labels in after.items():
        if not _overlapping(span, before):
            for label in labels:
                yield _correction(reviewed.sentence, (span, None, span, label))


def _what_became_of(span: Span, before: Labels, after: Labels) -> Became | None:
    """What a person made of a predicted span; None if it is as it was, or that is not clear."""
    there = _overlapping(span, after)
    if len(before[span]) > 1:
        return None
    (label,) = before[span]
    if not there:
        return span, label, span, None
    place = span if span in after else there[0]
    moved_alone = len(there) == 1 and _overlapping(place, before) == [span]
    if (place != span and not moved_alone) or len(after[place]) > 1:
        return None
    (new_label,) = after[place]
    became = span, label, place, new_label
    return None if (span, label) == (place, new_label) else became


def _correction(sentence: ParallelSentence, became: Became) -> Correction:
    span, label, place, new_label = became
    text = sentence.target
    return Correction(
        sentence.target_lang,
        composed(span.of(text)),
        label,
        new_label,
        composed(place.of(text)),
        _composed_length(text, place.start) - _composed_length(text, span.start),
        _composed_length(text, place.end) - _composed_length(text, span.end),
    )


def _new_borders(correction: Correction, entity: Entity, marked: Marked) -> Span | None:
    """The borders after a correction; None if they do not enclose the corrected phrase here, too,
    or would cut a word or meet another entity.
    """
    if not correction.moves:
        return entity.span
    start = _moved(marked.text, entity.span.start, correction.start_by)
    end = _moved(marked.text, entity.span.end, correction.end_by)
    if start < 0 or composed(marked.text[start:end]) != correction.new_phrase:
        return None
    span = Span(start, end)
    others = {other.span for other in marked.entities if other is not entity}
    if _overlapping(span, others.difference(_overlapping(entity.span, others))):
        return None
    grows = start < entity.span.start or end > entity.span.end
    return None if grows and cuts_word(word_spans(marked.text, marked.lang), span) else span


def _composed_length(text: str, end: int) -> int:
    return len(composed(text[:end]))


def _moved(text: str, border: int, by: int) -> int:
    """The border that lies `by` composed characters further on; -1 before the text.

    A mark that is a character of its own belongs to the letter before it.
    """
    wanted = _composed_length(text, border) + by
    return bisect_right(range(len(text) + 1), wanted, key=partial(_composed_length, text)) - 1


def _free(correction: Correction, marked: Marked) -> list[Span]:
    """Where the phrase of an addition stands as whole words, and nothing is marked."""
    words = word_spans(marked.text, marked.lang)
    length = len(word_spans(correction.phrase, marked.lang))
    runs = zip(words, words[length - 1 :], strict=False)
    spans = (Span(first.start, last.end) for first, last in runs)
    taken = [entity.span for entity in marked.entities]
    return [
        span
        for span in spans
        if composed(span.of(marked.text)) == correction.phrase and not _overlapping(span, taken)
    ]


def _against(
    made: Mapping[Correction, Sequence[ReviewedSentence]], decided: Iterable[ReviewedSentence]
) -> dict[Correction, set[tuple[str, str]]]:
    """The sentences that speak against each correction."""
    against: dict[Correction, set[tuple[str, str]]] = {correction: set() for correction in made}
    rules = Rules(made)
    for one in decided:
        after = _labels_at(one.entities)
        marked = Marked(one.sentence.target_lang, one.sentence.target, one.predicted or ())
        for place in rules.places(marked):
            if not _was_made(place, after, marked):
                against[place.correction].add(_identity(one))
    for correction, other in _contradicting(made):
        against[correction].update(_identity(one) for one in made[other])
    return against


def _was_made(place: Place, after: Labels, marked: Marked) -> bool:
    if place.correction.new_label is not None:
        return place.correction.new_label in after.get(place.span, ())
    # What overlaps it and was marked before, too, says nothing about it.
    before = {entity.span for entity in marked.entities} - {place.span}
    return before.issuperset(_overlapping(place.span, after))


def outvoted(evidence: Iterable[Evidence]) -> set[Correction]:
    """Those that a contradicting one was made as often as, or more often."""
    sentences = {each.correction: each.sentences for each in evidence}
    pairs = _contradicting(sentences)
    return {one for one, other in pairs if sentences[one] <= sentences[other]}


def _contradicting(corrections: Iterable[Correction]) -> Iterator[tuple[Correction, Correction]]:
    """Pairs that make different things of the same phrase, whatever it was predicted as.

    Moved borders depend on what stands around the phrase, so they contradict nothing by this.
    """
    by_phrase: defaultdict[tuple[str, str], list[Correction]] = defaultdict(list)
    for correction in corrections:
        if not correction.moves:
            by_phrase[correction.lang, correction.phrase].append(correction)
    for same_phrase in by_phrase.values():
        for correction in same_phrase:
            others = (other for other in same_phrase if other.new_label != correction.new_label)
            yield from ((correction, other) for other in others)


def _identity(reviewed: ReviewedSentence) -> tuple[str, str]:
    return reviewed.sentence.id, reviewed.sentence.origin


def _labels_at(entities: Iterable[Entity]) -> dict[Span, set[str]]:
    found: defaultdict[Span, set[str]] = defaultdict(set)
    for entity in entities:
        found[entity.span].add(entity.label)
    return dict(found)


def _overlapping(span: Span, others: Iterable[Span]) -> list[Span]:
    return [other for other in others if span.overlaps(other)]
