"""Reviewers simulated from gold: they correct the wrong projections in the sentences they see.

The seconds a review takes are modelled. Both sentences are read, at 238 words a minute (Brysbaert,
2019, Journal of Memory and Language 109: the mean of 190 studies); the rest is the sum of its steps
in the keystroke-level model (Card, Moran & Newell, 1980, Communications of the ACM 23).
"""

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from projection.errors import TrainingError
from projection.io.gold import GoldSentence, read_gold
from projection.pipeline.review_order import review_order
from projection.pipeline.run import load_run
from projection.records import Entity, ProjectedSentence, ReviewedSentence, ReviewStatus
from projection.text.iob2 import encode
from projection.text.words import word_spans
from training.data.pseudo_labels import projected_rows
from training.data.rows import AS_IS, LabelMap, Row, Rows, row_of
from training.experiments.config import Corpus, Language
from training.experiments.definition import ReviewOrder
from training.experiments.sources import project_once, run_of
from training.tagger.training_data import hold_out
from training.trainer.trainer import OnProgress

_THINK, _PRESS_KEY, _REACH_FOR_MOUSE, _POINT, _CLICK = 1.35, 0.28, 0.4, 1.1, 0.1
A_WORD = 60 / 238  # seconds
A_SENTENCE = _THINK + 2 * _PRESS_KEY
# Choose the label by its key, drag over the words, and go back to the keys.
A_LABEL = _THINK + _PRESS_KEY + 2 * (_POINT + _CLICK) + 2 * _REACH_FOR_MOUSE


@dataclass(frozen=True, slots=True)
class ReviewPool:
    """The sentences to review: as projected, with their scores, and as the gold has them."""

    sentences: tuple[ProjectedSentence, ...]
    gold: tuple[GoldSentence, ...]
    labels: LabelMap = AS_IS

    def reviews(self, minutes: float, order: ReviewOrder, seed: int) -> dict[int, ReviewedSentence]:
        """Return what `minutes` are enough for, by the places of the sentences; `seed` draws."""
        seconds, found = 0.0, {}
        for place in self._ordered(order, seed):
            review = self._review(place)
            seconds += seconds_for(review)
            if seconds > 60 * minutes:
                break
            found[place] = review
        return found

    def half(self, seed: int) -> "ReviewPool":
        """Return half of the sentences, drawn by the seed, in their order."""
        count = len(self.sentences)
        drawn = sorted(random.Random(seed).sample(range(count), (count + 1) // 2))  # noqa: S311  a sample is no secret
        sentences, gold = zip(*((self.sentences[i], self.gold[i]) for i in drawn), strict=True)
        return replace(self, sentences=sentences, gold=gold)

    def unseen(self, seen: Collection[int]) -> list[ProjectedSentence]:
        """Return the sentences that are not at these places."""
        return [each for place, each in enumerate(self.sentences) if place not in seen]

    def rows(
        self, minutes: float, order: ReviewOrder, seed: int
    ) -> tuple[Rows, Rows, dict[str, float]]:
        """Return the pseudo-labels of unseen sentences, the reviewed sentences, and counts."""
        found = self.reviews(minutes, order, seed)
        pseudo = projected_rows(self.unseen(found)).mapped(self.labels)
        reviewed = (row_of(found[place])[0] for place in sorted(found))
        return pseudo, Rows.of(reviewed), counts_of(found.values())

    def _ordered(self, order: ReviewOrder, seed: int) -> list[int]:
        if order is ReviewOrder.DOUBTFUL_PHRASES:
            return review_order(self.sentences)
        places = [*range(len(self.sentences))]
        random.Random(seed).shuffle(places)  # noqa: S311  a sample is no secret
        if order is ReviewOrder.DOUBTFUL_FIRST:  # equal scores stay in random order
            places.sort(key=lambda i: self.sentences[i].score)
        return places

    def _review(self, place: int) -> ReviewedSentence:
        """Return the sentence as a reviewer leaves it."""
        sentence = self.sentences[place].sentence
        proposed = tuple(self._mapped(self.sentences[place].entities))
        true = tuple(self._mapped(self.gold[place].target_entities))
        right = _marks(proposed) == _marks(true)
        status = ReviewStatus.ACCEPTED if right else ReviewStatus.CORRECTED
        return ReviewedSentence(sentence, true, status, annotator="1", predicted=proposed)

    def _mapped(self, entities: Iterable[Entity]) -> Iterator[Entity]:
        for entity in entities:
            if (label := self.labels.label(entity.label)) is not None:
                yield replace(entity, label=label)


def counts_of(reviews: Collection[ReviewedSentence]) -> dict[str, float]:
    """Count sentences `seen` and `corrected`, `labels` changed in them, and the `minutes`."""
    return {
        "seen": len(reviews),
        "corrected": sum(each.status is ReviewStatus.CORRECTED for each in reviews),
        "labels": sum(map(labels_changed, reviews)),
        "minutes": round(sum(map(seconds_for, reviews)) / 60, 1),
    }


def labels_changed(review: ReviewedSentence) -> int:
    """Return the number of spans that got, lost or changed a label."""
    return len({span for span, _ in _marks(review.predicted or ()) ^ _marks(review.entities)})


def seconds_for(review: ReviewedSentence) -> float:
    """Return the seconds of a review by the model in the docstring of this module."""
    pair = review.sentence
    texts = ((pair.source, pair.source_lang), (pair.target, pair.target_lang))
    words = sum(len(word_spans(text, lang)) for text, lang in texts)
    return A_SENTENCE + words * A_WORD + labels_changed(review) * A_LABEL


def _marks(entities: Iterable[Entity]) -> set[tuple[object, str]]:
    return {(entity.span, entity.label) for entity in entities}


def project_gold(
    path: Path,
    gold: Sequence[GoldSentence],
    kept: Path,
    on_progress: OnProgress,
    *,
    aligner: str | None = None,
    suppress: Sequence[str] = (),
) -> Iterator[tuple[ProjectedSentence, GoldSentence]]:
    """Project the English side of a gold file once, and pair each sentence with its gold.

    The teacher labels the English side, whatever its gold, but for types to `suppress`. Raises
    SpanferryError if it cannot be projected.
    """
    by_id = {each.sentence.id: each for each in gold}
    corpus = Corpus(path.stem, place=str(path), limit=len(by_id), aligner=aligner)
    bare = [replace(each.sentence, entities=None) for each in by_id.values()]
    (lang, *_) = {each.target_lang for each in bare}
    folder = run_of(corpus, lang, kept, suppress)
    run = project_once(corpus, bare, folder, on_progress, suppress)
    for projected in load_run(run):
        yield projected, by_id[projected.sentence.id]


def read_pool(
    language: Language, labels: LabelMap, projected: Path, on_progress: OnProgress
) -> tuple[ReviewPool, Rows]:
    """Project the English side of the gold; return what to review, and what is held out of it.

    Raises SpanferryError if there is no gold, or it cannot be read or projected.
    """
    pairs: list[tuple[ProjectedSentence, GoldSentence]] = []
    rows: list[Row] = []
    for path in map(Path, language.reviews):
        for each, true in project_gold(path, read_gold(path), projected, on_progress):
            pair = true.sentence
            tagged = encode(pair.target, true.target_entities, pair.target_lang)
            if tagged.tokens:
                pairs.append((each, true))
                lang, origin = pair.target_lang, pair.origin
                rows.append(Row(pair.id, tagged.tokens, tagged.tags, lang, origin=origin))
    if not rows:
        fix = 'Name projection gold: reviews = ["gold.jsonl"]'
        raise TrainingError(f"languages.{language.lang} reviews", "no sentence to review", fix)
    test = Rows()
    if language.reviews_held_out:
        found = Rows.of(rows).mapped(labels)
        train, test = hold_out(found, language.reviews_held_out)
        left = {(row.id, row.origin) for row in train}
        pairs = [p for p, row in zip(pairs, rows, strict=True) if (row.id, row.origin) in left]
    sentences, gold = zip(*pairs, strict=True)
    return ReviewPool(sentences, gold, labels), test
