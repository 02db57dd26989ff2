"""What annotators corrected, the evidence for each correction, and where else it applies.

A correction is about a phrase, not about a place: “Siemens” was predicted as LOC and is an ORG. It
applies wherever the same phrase of the same language is predicted in the same way. It is contested
if a reviewed sentence where it would have applied was decided otherwise.

Phrases are compared in Unicode normalisation form C, case included (“Weiß” is a name, “weiß” a
verb).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, permutations
from typing import NamedTuple
from unicodedata import normalize

from label_config.source_html import NO_ENTITY
from projection.records import Entity, ParallelSentence, ReviewedSentence, Span
from projection.text.words import (
    cuts_word,
    is_character_language,
    is_single_character,
    word_spans,
)
from training.data.adjudication import by_sentence, opinions

ENOUGH, ENOUGH_BY_NAME = 2, 1  # reviewed sentences; the latter where the user names the phrase
_HANGUL_PAIR = re.compile("[\u1100-\u11ff\uac00-\ud7a3]{2}")


@dataclass(frozen=True, slots=True)
class Correction:
    """One change to a phrase that was predicted as `label`, or not predicted at all (None).

    `new_label` is None where there is no entity. `new_phrase` is inside the corrected borders.
    """

    lang: str
    phrase: str
    label: str | None
    new_label: str | None
    new_phrase: str

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
        """True if it moves a border."""
        return self.phrase != self.new_phrase

    @property
    def change(self) -> str:
        """The change in a few words, without the phrase it is about."""
        labels = " → ".join(dict.fromkeys((self.label or NO_ENTITY, self.new_label or NO_ENTITY)))
        return f"→ {self.new_phrase} ({labels})" if self.moves else labels

    def __str__(self) -> str:
        return f"{self.phrase}{' ' if self.moves else ': '}{self.change}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers of sentences and people with a correction, and of sentences against it."""

    correction: Correction
    sentences: int
    people: int
    otherwise: int


class LeftOut(StrEnum):
    """The reason why a correction is not propagated."""

    CONTESTED = "contested"  # decided otherwise in another sentence
    TOO_FEW = "too few"  # made in fewer sentences than asked for
    TOO_SHORT = "too short"  # one character of a language without spaces


@dataclass(frozen=True, slots=True)
class Selection:
    """The corrections to propagate: of `phrase`, of `lang`, and made in `at_least` sentences."""

    phrase: str | None = None
    lang: str | None = None
    at_least: int | None = None

    @property
    def enough(self) -> int:
        """How many reviewed sentences must have a correction: a single one may be a slip."""
        return self.at_least or (ENOUGH if self.phrase is None else ENOUGH_BY_NAME)

    def about(self, correction: Correction) -> bool:
        """Return whether the correction is of the phrase and language."""
        phrases = (correction.phrase, correction.new_phrase)
        return self.lang in (None, correction.lang) and (
            self.phrase is None or composed(self.phrase) in phrases
        )

    def against(self, evidence: Evidence) -> LeftOut | None:
        """Return why a correction is left out, or None."""
        if is_too_short(evidence.correction):
            return LeftOut.TOO_SHORT
        if evidence.otherwise:
            return LeftOut.CONTESTED
        return LeftOut.TOO_FEW if evidence.sentences < self.enough else None


class Occurrence(NamedTuple):
    """A place where a correction applies: `entity` (None if nothing is marked) becomes `span`."""

    correction: Correction
    entity: Entity | None
    span: Span


class Rules:
    """Corrections, indexed by what they apply to."""

    def __init__(self, corrections: Iterable[Correction]) -> None:
        self._by_key: defaultdict[tuple[str, str, str], list[Correction]] = defaultdict(list)
        self._additions: defaultdict[str, list[Correction]] = defaultdict(list)
        # Long phrases first: “FC Bayern” before the “Bayern” in it.
        for each in sorted(corrections, key=lambda each: -len(each.phrase)):
            if each.label is None:
                self._additions[each.lang].append(each)
            else:
                self._by_key[each.lang, each.phrase, each.label].append(each)

    def occurrences(
        self, sentence: ParallelSentence, entities: Sequence[Entity]
    ) -> Iterator[Occurrence]:
        """Yield where they apply to the target and its `entities`, additions last."""
        text, lang = sentence.target, sentence.target_lang
        for entity in entities:
            phrase = composed(entity.span.of(text))
            for correction in self._by_key.get((lang, phrase, entity.label), ()):
                if span := _new_borders(correction, entity, text, entities):
                    yield Occurrence(correction, entity, span)
        for correction in self._additions.get(lang, ()):
            if correction.phrase in composed(text):
                for span in _free(correction, text, entities):
                    yield Occurrence(correction, None, span)


def composed(text: str) -> str:
    """Return `text` in Unicode normalisation form C, in which phrases are compared."""
    return normalize("NFC", text)


def is_too_short(correction: Correction) -> bool:
    """Return whether it adds one character, part of many words, of a language without spaces."""
    single = is_single_character(correction.phrase)
    return correction.label is None and single and is_character_language(correction.lang)


def weigh(reviewed: Iterable[ReviewedSentence]) -> list[Evidence]:
    """Return every correction with its evidence, the most frequent first.

    Only decisions about a prediction count, and of each person the newest on a sentence.
    """
    said = (one for group in by_sentence(reviewed) for one in opinions(group))
    decided = [one for one in said if one.judged and one.predicted is not None]
    made: defaultdict[Correction, list[ReviewedSentence]] = defaultdict(list)
    for one in decided:
        for correction in corrections_in(one):
            made[correction].append(one)
    against = _against(made, decided)
    evidence = []
    for correction, ones in made.items():
        sentences, people = len(set(map(_identity, ones))), len({one.annotator for one in ones})
        evidence.append(Evidence(correction, sentences, people, len(against[correction])))
    return sorted(evidence, key=lambda each: (-each.sentences, str(each.correction)))


def corrections_in(reviewed: ReviewedSentence) -> Iterator[Correction]:
    """Yield what one annotator corrected in one sentence, each as often as it was made.

    Others (an entity split in two, one of two overlapping ones removed) are passed over.
    """
    before, after = _labels_at(reviewed.predicted or ()), _labels_at(reviewed.entities)
    lang, text = reviewed.sentence.target_lang, reviewed.sentence.target
    for span, labels in before.items():
        there = _overlapping(span, after)
        place = span if span in after or not there else there[0]
        moved_alone = len(there) == 1 and _overlapping(place, before) == [span]
        if len(labels) > 1 or (place != span and not moved_alone):
            continue
        new_labels = [*after.get(place, (None,))]
        if len(new_labels) == 1 and (span, [*labels]) != (place, new_labels):
            (label,), (new_label,) = labels, new_labels
            phrase, new_phrase = composed(span.of(text)), composed(place.of(text))
            yield Correction(lang, phrase, label, new_label, new_phrase)
    for span, labels in after.items():
        if not _overlapping(span, before):
            phrase = composed(span.of(text))
            yield from (Correction(lang, phrase, None, label, phrase) for label in labels)


def _new_borders(
    correction: Correction, entity: Entity, text: str, entities: Iterable[Entity]
) -> Span | None:
    """Return the corrected borders; None if the corrected phrase does not stand once around the
    entity, cuts a word or meets another entity.
    """
    if not correction.moves:
        return entity.span
    forms = {normalize(form, correction.new_phrase) for form in ("NFC", "NFD")}
    found = re.finditer(f"(?=({'|'.join(map(re.escape, forms))}))", text)
    near = [span for m in found if (span := Span(*m.span(1))).overlaps(entity.span)]
    if len(near) != 1:
        return None
    (span,) = near
    others = {other.span for other in entities if other is not entity}
    if _overlapping(span, others.difference(_overlapping(entity.span, others))):
        return None
    grows = span.start < entity.span.start or span.end > entity.span.end
    return None if grows and cuts_word(word_spans(text, correction.lang), span) else span


def _free(correction: Correction, text: str, entities: Iterable[Entity]) -> Iterator[Span]:
    """Yield where the phrase stands as whole words, and nothing is marked.

    In Korean, that is at the beginning of a word between spaces: particles follow a name.
    """
    words = word_spans(text, correction.lang)
    length = len(word_spans(correction.phrase, correction.lang))
    taken = [entity.span for entity in entities]
    for first, last in zip(words, words[length - 1 :], strict=False):
        span = Span(first.start, last.end)
        if span.start > 0 and _HANGUL_PAIR.match(text, span.start - 1):
            continue
        if composed(span.of(text)) == correction.phrase and not _overlapping(span, taken):
            yield span


def _against(
    made: Mapping[Correction, Sequence[ReviewedSentence]], decided: Iterable[ReviewedSentence]
) -> dict[Correction, set[tuple[str, str, str]]]:
    """Return the sentences that speak against each correction."""
    against: dict[Correction, set[tuple[str, str, str]]] = {
        correction: set() for correction in made
    }
    rules = Rules(made)
    for one in decided:
        after, before = _labels_at(one.entities), one.predicted or ()
        for occurrence in rules.occurrences(one.sentence, before):
            if not _was_made(occurrence, after, before):
                against[occurrence.correction].add(_identity(one))
    # Corrections that make different things of the same phrase contest each other, whatever it was
    # predicted as; moved borders depend on the words around the phrase, and contest nothing.
    by_phrase: defaultdict[tuple[str, str], list[Correction]] = defaultdict(list)
    for correction in made:
        if not correction.moves:
            by_phrase[correction.lang, correction.phrase].append(correction)
    for correction, other in chain.from_iterable(permutations(c, 2) for c in by_phrase.values()):
        if other.new_label != correction.new_label:
            against[correction].update(_identity(one) for one in made[other])
    return against


def _was_made(
    occurrence: Occurrence, after: Mapping[Span, set[str]], before: Iterable[Entity]
) -> bool:
    correction, _, span = occurrence
    if correction.new_label is not None:
        return correction.new_label in after.get(span, ())
    # An overlapping entity that was marked before, too, says nothing about it.
    others = {entity.span for entity in before} - {span}
    return others.issuperset(_overlapping(span, after))


def _identity(reviewed: ReviewedSentence) -> tuple[str, str, str]:
    sentence = reviewed.sentence
    return sentence.id, sentence.origin, sentence.target


def _labels_at(entities: Iterable[Entity]) -> dict[Span, set[str]]:
    found: dict[Span, set[str]] = {}
    for entity in entities:
        found.setdefault(entity.span, set()).add(entity.label)
    return found


def _overlapping(span: Span, others: Iterable[Span]) -> list[Span]:
    return [other for other in others if span.overlaps(other)]
