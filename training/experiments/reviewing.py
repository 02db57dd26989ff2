"""Reviewers simulated from gold: they correct the wrong projections in the sentences they see."""

import random
from dataclasses import dataclass, replace
from pathlib import Path

from projection.errors import TrainingError
from projection.io.gold import read_gold
from projection.pipeline.run import load_run
from projection.records import ProjectedSentence, ReviewStatus
from projection.text.iob2 import chunks, encode
from training.data.pseudo_labels import projected_rows
from training.data.rows import LabelMap, Row, Rows
from training.experiments.config import Corpus, Language
from training.experiments.definition import ReviewOrder
from training.experiments.sources import project_once, run_of
from training.tagger.training_data import hold_out
from training.trainer.trainer import OnProgress


@dataclass(frozen=True, slots=True)
class ReviewPool:
    """The sentences to review: as projected, with their scores, and as the gold has them."""

    sentences: tuple[ProjectedSentence, ...]
    gold: tuple[Row, ...]
    labels: LabelMap

    def review(
        self, share: float, order: ReviewOrder, seed: int
    ) -> tuple[Rows, Rows, dict[str, int]]:
        """Review a share of the sentences; `seed` decides a random order.

        Returns the pseudo-labels of the others, the reviewed sentences, and counts: sentences
        `seen` and `corrected`, and entity `labels` that were removed, added or changed.
        """
        places = [*range(len(self.sentences))]
        random.Random(seed).shuffle(places)  # noqa: S311  a sample is no secret
        if order is ReviewOrder.DOUBTFUL_FIRST:  # equal scores stay in random order
            places.sort(key=lambda i: self.sentences[i].score)
        seen = {*places[: round(share * len(places))]}
        unseen = [each for i, each in enumerate(self.sentences) if i not in seen]
        reviews = [self._review(i) for i in sorted(seen)]
        counts = {
            "seen": len(reviews),
            "corrected": sum(changes > 0 for _, changes in reviews),
            "labels": sum(changes for _, changes in reviews),
        }
        pseudo = projected_rows(unseen).mapped(self.labels)
        return pseudo, Rows.of(row for row, _ in reviews), counts

    def _review(self, place: int) -> tuple[Row, int]:
        """Return the sentence as a reviewer leaves it, and how many labels changed."""
        sentence, gold = self.sentences[place], self.gold[place]
        pair = sentence.sentence
        proposed = encode(pair.target, sentence.entities, pair.target_lang)
        wrong = {*chunks(self.labels.tags(proposed.tags))} ^ {*chunks(gold.tags)}
        status = ReviewStatus.CORRECTED if wrong else ReviewStatus.ACCEPTED
        return replace(gold, status=status.value), len({chunk[:2] for chunk in wrong})


def read_pool(
    language: Language, labels: LabelMap, projected: Path, on_progress: OnProgress
) -> tuple[ReviewPool, Rows]:
    """Project the English side of the gold; return what to review, and what is held out of it.

    Raises SpanferryError if there is no gold, or it cannot be read or projected.
    """
    sentences: list[ProjectedSentence] = []
    rows: list[Row] = []
    for place in language.reviews:
        gold = {each.sentence.id: each for each in read_gold(Path(place))}
        corpus = Corpus(Path(place).stem, place=place, limit=len(gold))
        # The gold of the English side would be projected as it is: the teacher must find it.
        bare = [replace(each.sentence, entities=None) for each in gold.values()]
        run = project_once(corpus, bare, run_of(corpus, language.lang, projected), on_progress)
        for each in load_run(run):
            true = gold[each.sentence.id]
            pair = true.sentence
            tagged = encode(pair.target, true.target_entities, pair.target_lang)
            if tagged.tokens:
                sentences.append(each)
                lang, origin = pair.target_lang, pair.origin
                rows.append(Row(pair.id, tagged.tokens, tagged.tags, lang, origin=origin))
    if not rows:
        fix = 'Name projection gold: reviews = ["gold.jsonl"]'
        raise TrainingError(f"languages.{language.lang} reviews", "no sentence to review", fix)
    found = Rows.of(rows).mapped(labels)
    if not language.reviews_held_out:
        return ReviewPool(tuple(sentences), found.rows, labels), Rows()
    train, test = hold_out(found, language.reviews_held_out)
    left = {(row.id, row.origin) for row in train}
    kept = [(s, r) for s, r in zip(sentences, found, strict=True) if (r.id, r.origin) in left]
    return ReviewPool(tuple(s for s, _ in kept), tuple(r for _, r in kept), labels), test
