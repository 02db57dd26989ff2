"""Annotators' reviews as training data for aligners: the examples to be trusted most.

A review says what the entities of the target are, not what they translate. What the corpus knew of
the source's entities came along; only pairs that are certain are made of the two, and the rest is
left out:

1. same label and same spelling, the only such entity on either side;
2. of those left, the only entity of its label on either side;
3. a target entity whose very letters stand in both texts exactly once, as whole words.

A source entity is absent from the target if all target entities found their pair without it, its
letters are not in the target, and the annotator deleted no proposal of its label: that could have
been its translation, only no entity to the annotator.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from projection.baselines import occurrences
from projection.corpus import covers
from projection.files import read_jsonl
from projection.json_form import decode_reviewed
from projection.records import Entity, ParallelSentence, ReviewedSentence, Span
from projection.words import cuts_word, word_spans
from training.dataset import REVIEWED, newest_decisions
from training.silver import SilverSentence

SOURCE_LANG = "en"

Pair = tuple[Span, Span]
Rule = Callable[[Sequence[Entity], Sequence[Entity], ParallelSentence], Iterator[Pair]]


@dataclass(frozen=True, slots=True)
class ReviewCounts:
    """What became of the reviews, and of the entities of those that could be used.

    `read` counts annotations; `superseded` ones have a newer decision beside them, `unusable` ones
    were skipped or marked as such, `foreign` ones are of other languages. `pairs` and `absent`
    entities are trained on; `unpaired_source` and `unpaired_target` ones could be anything.
    """

    read: int
    superseded: int
    unusable: int
    foreign: int
    sentences: int
    pairs: int
    absent: int
    unpaired_source: int
    unpaired_target: int

    def __str__(self) -> str:
        return (
            f"{self.read} reviews ({self.superseded} superseded, {self.unusable} skipped or "
            f"unusable, {self.foreign} of other languages): {self.sentences} sentences with "
            f"{self.pairs} pairs and {self.absent} entities without a translation; left out as "
            f"uncertain: {self.unpaired_source} source and {self.unpaired_target} target entities"
        )


@dataclass(frozen=True, slots=True)
class PairedReview:
    """Which source span a review's entities translate, as far as that is certain."""

    sentence: ParallelSentence
    pairs: tuple[Pair, ...]
    absent: tuple[Span, ...]
    unpaired_source: int
    unpaired_target: int

    def silver(self, weight: float) -> SilverSentence:
        """Its pairs as phrases; nothing is known of the words' links."""
        pair = self.sentence
        return SilverSentence(
            pair.source,
            pair.target,
            pair.target_lang,
            self.pairs,
            weight=weight,
            absent=self.absent,
        )


def read_reviews(path: Path) -> list[ReviewedSentence]:
    """Read a `reviewed.jsonl`, or that of an export folder.

    Raises:
        CorpusError: naming file and line.
    """
    file = path / REVIEWED if path.is_dir() else path
    return [decode_reviewed(row, f"{file}:{line}") for line, row in read_jsonl(file)]


def silver_of_reviews(
    reviewed: Sequence[ReviewedSentence], target_lang: str, weight: float
) -> tuple[list[tuple[ParallelSentence, SilverSentence]], ReviewCounts]:
    """The newest decisions as silver sentences, each with the pair it is of, and what was left out.

    Args:
        reviewed: in any language.
        target_lang: which to take (`zh` takes `zh-Hans`), all from English.
        weight: of each sentence.

    Raises:
        SpanError: if the weight is not above 0.
    """
    latest = newest_decisions(reviewed)
    usable = [review for review in latest if review.usable]
    native = [review for review in usable if _is_of(review.sentence, target_lang)]
    paired = [paired_entities(review) for review in native]
    telling = [each for each in paired if each.pairs or each.absent]
    counts = ReviewCounts(
        read=len(reviewed),
        superseded=len(reviewed) - len(latest),
        unusable=len(latest) - len(usable),
        foreign=len(usable) - len(native),
        sentences=len(telling),
        pairs=sum(len(each.pairs) for each in paired),
        absent=sum(len(each.absent) for each in paired),
        unpaired_source=sum(each.unpaired_source for each in paired),
        unpaired_target=sum(each.unpaired_target for each in paired),
    )
    return [(each.sentence, each.silver(weight)) for each in telling], counts


def _is_of(sentence: ParallelSentence, target_lang: str) -> bool:
    return covers(SOURCE_LANG, sentence.source_lang) and covers(target_lang, sentence.target_lang)


def paired_entities(review: ReviewedSentence) -> PairedReview:
    """Pair a review's entities with the source's; see the module for what is certain."""
    sentence = review.sentence
    sources, targets = list(_once(sentence.entities or ())), list(_once(review.entities))
    pairs: list[Pair] = []
    for rule in RULES:
        pairs += rule(_apart(sources), _apart(targets), sentence)
        sources = [e for e in sources if not any(e.span == source for source, _ in pairs)]
        targets = [e for e in targets if not any(e.span == target for _, target in pairs)]
    absent = () if targets else tuple(_absent(sources, review))
    return PairedReview(
        sentence, tuple(sorted(pairs)), absent, len(sources) - len(absent), len(targets)
    )


def spelt_alike(
    sources: Sequence[Entity], targets: Sequence[Entity], sentence: ParallelSentence
) -> Iterator[Pair]:
    """Rule 1: same label, same spelling but for case."""
    return _sole_partners(
        sources,
        targets,
        lambda entity: (entity.label, _plain(entity.span.of(sentence.source))),
        lambda entity: (entity.label, _plain(entity.span.of(sentence.target))),
    )


def of_one_label(
    sources: Sequence[Entity],
    targets: Sequence[Entity],
    _sentence: ParallelSentence,
) -> Iterator[Pair]:
    """Rule 2: same label."""
    return _sole_partners(sources, targets, lambda e: e.label, lambda e: e.label)


def written_in_source(
    sources: Sequence[Entity], targets: Sequence[Entity], sentence: ParallelSentence
) -> Iterator[Pair]:
    """Rule 3: the letters of a target entity stand once in either text; not as a part of a source
    entity, or as one that has its pair.
    """
    waiting = {entity.span for entity in sources}
    for entity in targets:
        name = entity.span.of(sentence.target)
        places = list(_whole_words(name, sentence.source, sentence.source_lang))
        again = list(_whole_words(name, sentence.target, sentence.target_lang))
        if len(places) == len(again) == 1:
            known = {e.span for e in sentence.entities or () if e.span.overlaps(places[0])}
            if not known or known == {places[0]} <= waiting:
                yield places[0], entity.span


RULES: tuple[Rule, ...] = (spelt_alike, of_one_label, written_in_source)


def _sole_partners(
    sources: Sequence[Entity],
    targets: Sequence[Entity],
    source_key: Callable[[Entity], Hashable],
    target_key: Callable[[Entity], Hashable],
) -> Iterator[Pair]:
    """The entities that are the only ones of their key on both sides."""
    groups: defaultdict[Hashable, tuple[list[Span], list[Span]]] = defaultdict(lambda: ([], []))
    for entity in sources:
        groups[source_key(entity)][0].append(entity.span)
    for entity in targets:
        groups[target_key(entity)][1].append(entity.span)
    for english, foreign in groups.values():
        if len(english) == len(foreign) == 1:
            yield english[0], foreign[0]


def _absent(sources: Iterable[Entity], review: ReviewedSentence) -> Iterator[Span]:
    """The source entities that have no translation, none of the target's entities being left."""
    deleted = {
        proposal.label
        for proposal in review.predicted or ()
        if not any(proposal.span.overlaps(kept.span) for kept in review.entities)
    }
    target = _plain(review.sentence.target)
    for entity in _apart(list(sources)):
        name = _plain(entity.span.of(review.sentence.source))
        if entity.label not in deleted and name not in target:
            yield entity.span


def _once(entities: Iterable[Entity]) -> Iterable[Entity]:
    """Without what is said twice."""
    return {(entity.span, entity.label): entity for entity in entities}.values()


def _apart(entities: Sequence[Entity]) -> list[Entity]:
    """Those that overlap no other: which of two it is would be a guess."""
    return [
        entity
        for entity in entities
        if sum(entity.span.overlaps(other.span) for other in entities) == 1
    ]


def _whole_words(name: str, text: str, lang: str) -> Iterator[Span]:
    words = word_spans(text, lang)
    return (place for place in occurrences(name, text) if not cuts_word(words, place))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
