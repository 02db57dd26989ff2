"""Makes silver sentences of reviews, the most trusted training data of aligners.

For a proposed entity the review knows what it translates (`Provenance.source`): these pairs are
taken as they are. The other target entities are paired with the source entities of the corpus where
that is certain, and left out otherwise:

1. same label and same spelling, the only such entity on either side;
2. of the rest, the only entity of its label on either side;
3. a target entity whose text occurs in both sentences exactly once, as whole words.

A source entity is absent from the target if all target entities found their pair without it, its
text is not in the target, and the annotator deleted no proposal of its label (which could have been
its translation, but no entity).

Sentences accepted unseen are left out, of which an aligner would learn its own answers, and the
parts that a split export holds out.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from projection.aligners.baselines import occurrences
from projection.errors import TrainingError
from projection.io.corpus import covers
from projection.io.files import read_object
from projection.records import Entity, ParallelSentence, ReviewedSentence, ReviewStatus, Span
from projection.text.words import cuts_word, word_spans
from training.aligner.silver import SilverSentence, read_silver
from training.data.adjudication import adjudicate
from training.data.dataset import SUMMARY
from training.data.reviewed import REVIEWED, read_reviews
from training.data.splits import TRAIN

_SOURCE_LANG = "en"
WEIGHT = 5.0  # of a review; silver sentences have 1

_Pair = tuple[Span, Span]
_Rule = Callable[[Sequence[Entity], Sequence[Entity], ParallelSentence], Iterator[_Pair]]


class ReviewCounts(NamedTuple):
    """The reviews read and left out, the sentences made of the rest, and their entities."""

    read: int
    superseded: int  # or disagreed on
    unusable: int  # or skipped
    unseen: int
    foreign: int
    sentences: int
    pairs: int
    known: int
    absent: int
    unpaired_source: int
    unpaired_target: int

    def __str__(self) -> str:
        return (
            f"{self.read} reviews ({self.superseded} superseded or disagreed on, "
            f"{self.unusable} skipped or unusable, {self.unseen} unseen, "
            f"{self.foreign} of other languages): "
            f"{self.sentences} sentences with {self.pairs} pairs ({self.known} of them known) and "
            f"{self.absent} entities without a translation; left out as uncertain: "
            f"{self.unpaired_source} source and {self.unpaired_target} target entities"
        )


class PairedReview(NamedTuple):
    """The certain pairs of a review's entities; `known` of them are those the review knows."""

    sentence: ParallelSentence
    pairs: tuple[_Pair, ...]
    known: int
    absent: tuple[Span, ...]
    unpaired_source: int
    unpaired_target: int


def reviews_to_learn_from(path: Path) -> list[ReviewedSentence]:
    """Read reviews; of an export that was split, those of the `train` part.

    Raises a TrainingError if the export has nothing in that part, or does not say the parts.
    """
    reviews = read_reviews(path)
    parts = {review.part for review in reviews}
    if parts == {None}:
        _refuse_old_split(path if path.is_dir() else path.parent)
    if parts <= {None, TRAIN}:
        return reviews
    if TRAIN not in parts:
        raise TrainingError(str(path), f"part {TRAIN!r} is empty", "Export more, or split again")
    return [review for review in reviews if review.part == TRAIN]


def _refuse_old_split(export: Path) -> None:
    """Refuse a split export of an older version: its reviews do not say their parts."""
    summary = export / SUMMARY
    found = read_object(summary) if summary.is_file() else {}
    if not {*found.get("parts", ())} <= {TRAIN} and found.get("usable"):
        what = "an older spanferry split it, and its reviews do not say their part"
        raise TrainingError(str(export), what, "Export again")


def read_examples(path: Path) -> Iterator[SilverSentence]:
    """Read training data of an aligner: a silver file, or an export or its `reviewed.jsonl`."""
    if path.is_dir() or path.name == REVIEWED:
        silver, _ = silver_of_reviews(reviews_to_learn_from(path), None, WEIGHT)
        return (sentence for _, sentence in silver)
    return read_silver(path)


def silver_of_reviews(
    reviewed: Sequence[ReviewedSentence], target_lang: str | None, weight: float
) -> tuple[list[tuple[ParallelSentence, SilverSentence]], ReviewCounts]:
    """Make silver sentences of what annotators agree on, each with its pair, and count the rest.

    Only translations from English are taken, to `target_lang` (`zh` takes `zh-Hans`) or any (None).
    """
    decided = adjudicate(reviewed).sentences
    judged = [review for review in decided if review.judged]
    unseen = sum(review.status is ReviewStatus.UNSEEN for review in decided)
    paired = [
        paired_entities(review)
        for review in judged
        if covers(_SOURCE_LANG, review.sentence.source_lang)
        and (target_lang is None or covers(target_lang, review.sentence.target_lang))
    ]
    telling = [each for each in paired if each.pairs or each.absent]
    counts = ReviewCounts(
        read=len(reviewed),
        superseded=len(reviewed) - len(decided),
        unusable=len(decided) - len(judged) - unseen,
        unseen=unseen,
        foreign=len(judged) - len(paired),
        sentences=len(telling),
        pairs=sum(len(each.pairs) for each in paired),
        known=sum(each.known for each in paired),
        absent=sum(len(each.absent) for each in paired),
        unpaired_source=sum(each.unpaired_source for each in paired),
        unpaired_target=sum(each.unpaired_target for each in paired),
    )
    silver = []
    for pair, phrases, _, absent, *_ in telling:
        texts = pair.source, pair.target, pair.target_lang
        silver.append((pair, SilverSentence(*texts, phrases, weight=weight, absent=absent)))
    return silver, counts


def paired_entities(review: ReviewedSentence) -> PairedReview:
    """Pair a review's entities with the source's by the rules above."""
    sentence = review.sentence
    pairs = known = _known_pairs(review)
    sources = _left(_once(sentence.entities or ()), {source for source, _ in pairs})
    targets = _left(_once(review.entities), {target for _, target in pairs})
    for rule in _RULES:
        pairs = [*pairs, *rule(_apart(sources), _apart(targets), sentence)]
        sources = _left(sources, {source for source, _ in pairs})
        targets = _left(targets, {target for _, target in pairs})
    unpaired = [e for e in sources if not any(e.span.overlaps(source) for source, _ in pairs)]
    absent = () if targets else tuple(_absent(unpaired, review))
    return PairedReview(
        sentence, tuple(sorted(pairs)), len(known), absent, len(sources) - len(absent), len(targets)
    )


def _known_pairs(review: ReviewedSentence) -> list[_Pair]:
    """Pair labels with what they were projected from, unless they overlap or share that."""
    apart = {entity.span for entity in _apart(_once(review.entities))}
    # Reviews of older exports have no provenance.
    pairs = {
        (provenance.source, entity.span)
        for entity, provenance in zip(review.entities, review.provenance, strict=False)
        if provenance.source is not None and entity.span in apart
    }
    times = Counter(source for source, _ in pairs)
    return sorted(pair for pair in pairs if times[pair[0]] == 1)


def _sole_partners(
    sources: Sequence[Entity],
    targets: Sequence[Entity],
    sentence: ParallelSentence,
    key: Callable[[Entity, str], Hashable],
) -> Iterator[_Pair]:
    """Rules 1 and 2: pair the entities that are the only ones of their key on either side."""
    groups: defaultdict[Hashable, tuple[list[Span], list[Span]]] = defaultdict(lambda: ([], []))
    for number, (side, text) in enumerate(((sources, sentence.source), (targets, sentence.target))):
        for entity in side:
            groups[key(entity, text)][number].append(entity.span)
    for english, foreign in groups.values():
        if len(english) == len(foreign) == 1:
            yield english[0], foreign[0]


def _written_in_source(
    sources: Sequence[Entity], targets: Sequence[Entity], sentence: ParallelSentence
) -> Iterator[_Pair]:
    """Rule 3: its text is once in either sentence, and in the source no part of an entity and not
    paired.
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


_RULES: tuple[_Rule, ...] = (
    partial(_sole_partners, key=lambda entity, text: (entity.label, _plain(entity.span.of(text)))),
    partial(_sole_partners, key=lambda entity, _text: entity.label),
    _written_in_source,
)


def _absent(sources: Sequence[Entity], review: ReviewedSentence) -> Iterator[Span]:
    """The source entities without a translation, if all target entities have their pair."""
    deleted = {
        proposal.label
        for proposal in review.predicted or ()
        if not any(proposal.span.overlaps(kept.span) for kept in review.entities)
    }
    target = _plain(review.sentence.target)
    for entity in _apart(sources):
        name = _plain(entity.span.of(review.sentence.source))
        if entity.label not in deleted and name not in target:
            yield entity.span


def _left(entities: Iterable[Entity], paired: Collection[Span]) -> list[Entity]:
    return [entity for entity in entities if entity.span not in paired]


def _once(entities: Iterable[Entity]) -> list[Entity]:
    """Without duplicates of span and label."""
    return list({(entity.span, entity.label): entity for entity in entities}.values())


def _apart(entities: Sequence[Entity]) -> list[Entity]:
    """Those that overlap no other; of two that do, either could be meant."""
    spans = [entity.span for entity in entities]
    return [e for e in entities if sum(map(e.span.overlaps, spans)) == 1]


def _whole_words(name: str, text: str, lang: str) -> Iterator[Span]:
    words = word_spans(text, lang)
    return (place for place in occurrences(name, text) if not cuts_word(words, place))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
