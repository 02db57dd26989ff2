"""Annotators' reviews as training data for aligners: the examples to be trusted most.

A review says what the entities of the target are, and of those that were proposed also what they
translate (`Provenance.source`), which nobody objected to: these pairs are taken as they are. Of the
others, what the corpus knew of the source's entities came along; only pairs that are certain are
made of the two, and the rest is left out:

1. same label and same spelling, the only such entity on either side;
2. of those left, the only entity of its label on either side;
3. a target entity whose very letters stand in both texts exactly once, as whole words.

A source entity is absent from the target if all target entities found their pair without it, its
letters are not in the target, and the annotator deleted no proposal of its label: that could have
been its translation, only no entity to the annotator.

What nobody looked at is left out: an aligner would learn its own answers. So is what an export that
was split holds out: models are to be measured on it.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from projection.aligners.baselines import occurrences
from projection.errors import TrainingError
from projection.io.corpus import covers
from projection.io.files import parse_object
from projection.records import Entity, ParallelSentence, ReviewedSentence, ReviewStatus, Span
from projection.text.words import cuts_word, word_spans
from training.aligner.silver import SilverSentence, read_silver
from training.data.adjudication import newest_decisions
from training.data.dataset import SUMMARY
from training.data.reviewed import REVIEWED, read_reviews
from training.data.splits import TRAIN

SOURCE_LANG = "en"
WEIGHT = 5.0  # of a review, beside silver sentences of 1

Pair = tuple[Span, Span]
Rule = Callable[[Sequence[Entity], Sequence[Entity], ParallelSentence], Iterator[Pair]]


@dataclass(frozen=True, slots=True)
class ReviewCounts:
    """What became of the reviews, and of the entities of those that could be used.

    `read` counts annotations; `superseded` ones have a newer decision beside them, `unusable` ones
    were skipped or marked as such, `unseen` ones nobody looked at, `foreign` ones are of other
    languages. `pairs` and `absent` entities are trained on, `known` of the pairs because the review
    says what they translate; `unpaired_source` and `unpaired_target` ones could be anything.
    """

    read: int
    superseded: int
    unusable: int
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
            f"{self.read} reviews ({self.superseded} superseded, {self.unusable} skipped or "
            f"unusable, {self.unseen} unseen, {self.foreign} of other languages): "
            f"{self.sentences} sentences with {self.pairs} pairs ({self.known} of them known) and "
            f"{self.absent} entities without a translation; left out as uncertain: "
            f"{self.unpaired_source} source and {self.unpaired_target} target entities"
        )


@dataclass(frozen=True, slots=True)
class PairedReview:
    """Which source span a review's entities translate, as far as that is certain.

    `known` counts the pairs that the review itself knows.
    """

    sentence: ParallelSentence
    pairs: tuple[Pair, ...]
    known: int
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


def reviews_to_learn_from(path: Path) -> list[ReviewedSentence]:
    """Read reviews; of an export that was split, those of the `train` part.

    Raises:
        CorpusError: naming file and line.
        TrainingError: if the export has nothing in that part, or does not say the parts.
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
    found = parse_object(summary.read_text("utf-8"), str(summary)) if summary.is_file() else {}
    if not {*found.get("parts", ())} <= {TRAIN} and found.get("usable"):
        what = "an older spanferry split it, and its reviews do not say their part"
        raise TrainingError(str(export), what, "Export again")


def read_examples(path: Path, weight: float = WEIGHT) -> Iterator[SilverSentence]:
    """Read what an aligner is trained on: a silver file, or an export or its `reviewed.jsonl`.

    Raises:
        CorpusError, TrainingError: as `reviews_to_learn_from`.
    """
    if path.is_dir() or path.name == REVIEWED:
        silver, _ = silver_of_reviews(reviews_to_learn_from(path), None, weight)
        return (sentence for _, sentence in silver)
    return read_silver(path)


def silver_of_reviews(
    reviewed: Sequence[ReviewedSentence], target_lang: str | None, weight: float
) -> tuple[list[tuple[ParallelSentence, SilverSentence]], ReviewCounts]:
    """The newest decisions as silver sentences, each with the pair it is of, and what was left out.

    Args:
        reviewed: in any language.
        target_lang: which to take (`zh` takes `zh-Hans`), all from English; None takes any.
        weight: of each sentence.

    Raises:
        SpanError: if the weight is not above 0.
    """
    latest = newest_decisions(reviewed)
    judged = [review for review in latest if review.judged]
    unseen = sum(review.status is ReviewStatus.UNSEEN for review in latest)
    native = [review for review in judged if _is_of(review.sentence, target_lang)]
    paired = [paired_entities(review) for review in native]
    telling = [each for each in paired if each.pairs or each.absent]
    counts = ReviewCounts(
        read=len(reviewed),
        superseded=len(reviewed) - len(latest),
        unusable=len(latest) - len(judged) - unseen,
        unseen=unseen,
        foreign=len(judged) - len(native),
        sentences=len(telling),
        pairs=sum(len(each.pairs) for each in paired),
        known=sum(each.known for each in paired),
        absent=sum(len(each.absent) for each in paired),
        unpaired_source=sum(each.unpaired_source for each in paired),
        unpaired_target=sum(each.unpaired_target for each in paired),
    )
    return [(each.sentence, each.silver(weight)) for each in telling], counts


def _is_of(sentence: ParallelSentence, target_lang: str | None) -> bool:
    wanted = target_lang is None or covers(target_lang, sentence.target_lang)
    return wanted and covers(SOURCE_LANG, sentence.source_lang)


def paired_entities(review: ReviewedSentence) -> PairedReview:
    """Pair a review's entities with the source's; see the module for what is certain."""
    sentence = review.sentence
    pairs = known = known_pairs(review)
    sources = _left(_once(sentence.entities or ()), {source for source, _ in pairs})
    targets = _left(_once(review.entities), {target for _, target in pairs})
    for rule in RULES:
        pairs = [*pairs, *rule(_apart(sources), _apart(targets), sentence)]
        sources = _left(sources, {source for source, _ in pairs})
        targets = _left(targets, {target for _, target in pairs})
    unpaired = [e for e in sources if not any(e.span.overlaps(source) for source, _ in pairs)]
    absent = () if targets else tuple(_absent(unpaired, review))
    return PairedReview(
        sentence,
        tuple(sorted(pairs)),
        len(known),
        absent,
        len(sources) - len(absent),
        len(targets),
    )


def known_pairs(review: ReviewedSentence) -> list[Pair]:
    """The pairs a review knows: what a label was projected from.

    Not those of which several labels say they translate the same, nor overlapping ones.
    """
    apart = {entity.span for entity in _apart(list(_once(review.entities)))}
    # Reviews of older exports have no provenance.
    pairs = {
        (provenance.source, entity.span)
        for entity, provenance in zip(review.entities, review.provenance, strict=False)
        if provenance.source is not None and entity.span in apart
    }
    times = Counter(source for source, _ in pairs)
    return sorted(pair for pair in pairs if times[pair[0]] == 1)


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


def _left(entities: Iterable[Entity], paired: Collection[Span]) -> list[Entity]:
    return [entity for entity in entities if entity.span not in paired]


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
