"""Reviewers simulated from gold."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from projection.errors import TrainingError
from projection.io.files import json_line
from projection.io.gold import GoldSentence
from projection.records import Entity, ParallelSentence, ProjectedSentence, Projection, Span
from tests.training.experiments.test_config import config_of
from training.data.rows import AS_IS, LabelMap
from training.experiments.definition import ReviewOrder
from training.experiments.reviewing import (
    A_LABEL,
    A_SENTENCE,
    A_WORD,
    ReviewPool,
    read_pool,
    seconds_for,
)


def nothing(_what: str, _done: int, _total: int) -> None:
    """Hears of progress."""


def projected(number: int, label: str, score: float) -> ProjectedSentence:
    """“Anna sah Bern”, with Anna as `label`."""
    pair = ParallelSentence(
        f"{number}", "Anna saw Bern", "Anna sah Bern", "en", "de", f"a.en:{number}"
    )
    span = Span(0, 4)
    found = Projection(Entity(span, label, 0.9), span, score)
    return ProjectedSentence(pair, (Entity(span, label, score),), (found,), (), score, "v1")


LONG = math.inf


class TestReviewing:
    @pytest.fixture
    def pool(self) -> ReviewPool:
        """Four sentences; in the second and third the label is wrong, and Bern always missing."""
        labels = ["PER", "ORG", "LOC", "PER"]
        scores = [0.9, 0.2, 0.5, 0.1]
        found = [projected(i, *each) for i, each in enumerate(zip(labels, scores, strict=True))]
        true = (Entity(Span(0, 4), "PER"), Entity(Span(9, 13), "LOC"))
        gold = [
            GoldSentence(each.sentence, true[: 1 if i == 3 else 2]) for i, each in enumerate(found)
        ]
        return ReviewPool(tuple(found), tuple(gold))

    def test_nobody_has_seen_anything(self, pool: ReviewPool) -> None:
        pseudo, reviewed, counts = pool.rows(0.0, ReviewOrder.RANDOM, seed=0)
        assert not reviewed
        assert len(pseudo) == 4
        assert counts == {"seen": 0, "corrected": 0, "labels": 0, "minutes": 0}

    def test_all_of_it(self, pool: ReviewPool) -> None:
        pseudo, reviewed, counts = pool.rows(LONG, ReviewOrder.RANDOM, seed=0)
        assert not pseudo
        assert [row.status for row in reviewed] == ["corrected"] * 3 + ["accepted"]
        assert [row.tags for row in reviewed] == [("B-PER", "O", "B-LOC")] * 3 + [
            ("B-PER", "O", "O")
        ]
        # Bern in three, and Anna's label in two of them.
        assert (counts["seen"], counts["corrected"], counts["labels"]) == (4, 3, 5)
        assert counts["minutes"] == round((4 * A_SENTENCE + 24 * A_WORD + 5 * A_LABEL) / 60, 1)

    def test_what_there_is_no_time_for_is_not_begun(self, pool: ReviewPool) -> None:
        (first, second) = [*pool.reviews(LONG, ReviewOrder.RANDOM, seed=0).values()][:2]
        enough = (seconds_for(first) + seconds_for(second)) / 60
        assert len(pool.reviews(enough + 1e-6, ReviewOrder.RANDOM, seed=0)) == 2
        assert len(pool.reviews(enough - 1e-6, ReviewOrder.RANDOM, seed=0)) == 1

    def test_the_most_doubtful_first(self, pool: ReviewPool) -> None:
        apart = [replace(s.sentence, origin=f"a.en:{20 * n}") for n, s in enumerate(pool.sentences)]
        found = [replace(s, sentence=pair) for s, pair in zip(pool.sentences, apart, strict=True)]
        pool = replace(pool, sentences=tuple(found))
        for order in (ReviewOrder.DOUBTFUL_FIRST, ReviewOrder.DOUBTFUL_PHRASES):
            assert [*pool.reviews(LONG, order, seed=7)] == [3, 1, 2, 0]

    def test_half_of_it_is_the_seed_s(self, pool: ReviewPool) -> None:
        halves = [pool.half(seed) for seed in range(8)]
        assert halves[0] == pool.half(0)
        assert {len(half.sentences) for half in halves} == {2}
        assert len({half.sentences for half in halves}) > 1
        for half in halves:
            assert [g.sentence for g in half.gold] == [s.sentence for s in half.sentences]

    def test_random_order_is_the_seed_s(self, pool: ReviewPool) -> None:
        def places(seed: int) -> tuple[int, ...]:
            return tuple(pool.reviews(LONG, ReviewOrder.RANDOM, seed))

        assert places(1) == places(1)
        assert len({places(seed) for seed in range(8)}) > 1

    def test_more_time_keeps_the_earlier_reviews(self, pool: ReviewPool) -> None:
        few, more = ([*pool.reviews(minutes, ReviewOrder.RANDOM, 3)] for minutes in (0.3, 0.6))
        assert few == more[: len(few)]
        assert len(few) < len(more)

    def test_types_that_are_ignored_are_no_correction(self, pool: ReviewPool) -> None:
        pool = replace(pool, labels=LabelMap({"ORG": "PER"}, ("LOC",)))
        # What was LOC and is PER.
        assert pool.rows(LONG, ReviewOrder.RANDOM, 0)[2]["labels"] == 1

    def test_the_english_side_s_gold_is_not_used(self, tmp_path: Path) -> None:
        """The teacher finds nothing in words that are no names, whatever the gold says."""
        source = {"text": "they went home", "entities": [{"start": 0, "end": 4, "label": "XYZ"}]}
        target = {"text": "sie gingen heim", "entities": []}
        line = {"id": "1", "source_lang": "en", "lang": "de", "source": source, "target": target}
        (tmp_path / "gold.jsonl").write_text(json_line(line), "utf-8")
        config = config_of(tmp_path, "[languages.de]\nreviews = 'gold.jsonl'")
        pool, held_out = read_pool(config.languages["de"], AS_IS, Path(config.projected), nothing)
        assert not held_out
        assert [each.entities for each in pool.sentences] == [()]

    def test_no_gold(self, tmp_path: Path) -> None:
        config = config_of(tmp_path, "[languages.de]")
        with pytest.raises(TrainingError, match="no sentence to review"):
            read_pool(config.languages["de"], AS_IS, Path(config.projected), nothing)
