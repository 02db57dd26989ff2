"""People who review, simulated from gold: what was projected wrong, they put right.

They see the sentences of a corpus that has gold on both sides. What they have not seen keeps its
pseudo-labels.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from projection.errors import TrainingError
from projection.io.gold import GoldSentence, read_gold
from projection.pipeline.run import load_run
from projection.records import ProjectedSentence, ReviewStatus
from training.data.iob2 import chunks, encode
from training.data.pseudo_labels import projected_rows
from training.data.rows import LabelMap, Row, Rows
from training.experiments.config import Corpus, Language
from training.experiments.definition import Order, Reviewed
from training.experiments.sources import project_once, run_of
from training.tagger.training_data import hold_out
from training.trainer.trainer import OnProgress


@dataclass(frozen=True, slots=True)
class Reviews:
    """What simulated people made of a part of the sentences.

    `pseudo` are those they have not seen, `reviewed` the others; `corrected` of these had something
    wrong, `labels` entities were removed, added or changed in all.
    """

    pseudo: Rows
    reviewed: Rows
    seen: int
    corrected: int
    labels: int


@dataclass(frozen=True, slots=True)
class Pool:
    """The sentences to review: as projected, with their scores, and as the gold has them."""

    sentences: tuple[ProjectedSentence, ...]
    gold: tuple[Row, ...]
    labels: LabelMap

    def review(self, wanted: Reviewed, seed: int) -> Reviews:
        """Let people see a share of the sentences; in random order, it is that of `seed`."""
        count = round(wanted.share * len(self.sentences))
        seen = {*self._in_order(wanted.order, seed)[:count]}
        unseen = [each for i, each in enumerate(self.sentences) if i not in seen]
        made = [self._review(i) for i in sorted(seen)]
        return Reviews(
            pseudo=projected_rows(unseen).mapped(self.labels),
            reviewed=Rows.of(row for row, _ in made),
            seen=len(made),
            corrected=sum(changes > 0 for _, changes in made),
            labels=sum(changes for _, changes in made),
        )

    def _in_order(self, order: Order, seed: int) -> list[int]:
        places = [*range(len(self.sentences))]
        random.Random(seed).shuffle(places)  # noqa: S311  a sample is no secret
        if order is Order.DOUBTFUL_FIRST:  # equals stay in random order
            places.sort(key=lambda i: self.sentences[i].score)
        return places

    def _review(self, place: int) -> tuple[Row, int]:
        """The sentence as people leave it, and how many labels they changed."""
        sentence, gold = self.sentences[place], self.gold[place]
        pair = sentence.sentence
        proposed = encode(pair.target, sentence.entities, pair.target_lang)
        wrong = {*chunks(self.labels.tags(proposed.tags))} ^ {*chunks(gold.tags)}
        status = ReviewStatus.CORRECTED if wrong else ReviewStatus.ACCEPTED
        return replace(gold, status=status.value), len({chunk[:2] for chunk in wrong})


def read_pool(
    language: Language, labels: LabelMap, kept: Path, on_progress: OnProgress
) -> tuple[Pool, Rows | None]:
    """Project the English side of the gold, and set what is to be judged on apart.

    Raises:
        SpanferryError: if there is no gold, or it cannot be read or projected.
    """
    sentences: list[ProjectedSentence] = []
    rows: list[Row] = []
    for place in language.reviews:
        gold = {each.sentence.id: each for each in read_gold(Path(place))}
        corpus = Corpus(Path(place).stem, place=place, limit=len(gold))
        # The gold of the English side would be projected as it is: it is for the teacher to find.
        bare = [replace(each.sentence, entities=None) for each in gold.values()]
        run = project_once(corpus, bare, run_of(corpus, language.lang, kept), on_progress)
        for each in load_run(run):
            row = _row(gold[each.sentence.id])
            if row.tokens:
                sentences.append(each)
                rows.append(row)
    if not rows:
        fix = 'Name projection gold: reviews = ["gold.jsonl"]'
        raise TrainingError(f"languages.{language.lang} reviews", "no sentence to review", fix)
    return _parted(sentences, Rows.of(rows).mapped(labels), labels, language)


def _row(gold: GoldSentence) -> Row:
    pair = gold.sentence
    found = encode(pair.target, gold.target_entities, pair.target_lang)
    return Row(pair.id, found.tokens, found.tags, pair.target_lang, origin=pair.origin)


def _parted(
    sentences: Sequence[ProjectedSentence], gold: Rows, labels: LabelMap, language: Language
) -> tuple[Pool, Rows | None]:
    if not language.reviews_held_out:
        return Pool(tuple(sentences), gold.rows, labels), None
    train, test = hold_out(gold, language.reviews_held_out)
    left = {(row.id, row.origin) for row in train}
    pairs = zip(sentences, gold, strict=True)
    kept = [pair for pair in pairs if (pair[1].id, pair[1].origin) in left]
    return Pool(tuple(s for s, _ in kept), tuple(row for _, row in kept), labels), test
