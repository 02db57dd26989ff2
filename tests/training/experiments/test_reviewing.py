"""Reviewers simulated from gold."""

from dataclasses import replace
from pathlib import Path

import pytest

from projection.errors import TrainingError
from projection.io.files import json_line
from projection.records import Entity, ParallelSentence, ProjectedSentence, Projection, Span
from tests.training.experiments.test_config import config_of
from training.data.rows import AS_IS, LabelMap, Row
from training.experiments.definition import ReviewOrder
from training.experiments.reviewing import ReviewPool, read_pool


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


class TestReviewing:
    @pytest.fixture
    def pool(self) -> ReviewPool:
        """Four sentences; in the second and third the label is wrong, and Bern always missing."""
        labels = ["PER", "ORG", "LOC", "PER"]
        scores = [0.9, 0.2, 0.5, 0.1]
        found = [projected(i, *each) for i, each in enumerate(zip(labels, scores, strict=True))]
        tags = [("B-PER", "O", "B-LOC")] * 3 + [("B-PER", "O", "O")]
        gold = [Row(str(i), ("Anna", "sah", "Bern"), tags[i], "de") for i in range(4)]
        return ReviewPool(tuple(found), tuple(gold), AS_IS)

    def test_nobody_has_seen_anything(self, pool: ReviewPool) -> None:
        pseudo, reviewed, counts = pool.review(0.0, ReviewOrder.RANDOM, seed=0)
        assert not reviewed
        assert len(pseudo) == 4
        assert counts == {"seen": 0, "corrected": 0, "labels": 0}

    def test_all_of_it(self, pool: ReviewPool) -> None:
        pseudo, reviewed, counts = pool.review(1.0, ReviewOrder.RANDOM, seed=0)
        assert not pseudo
        assert [row.status for row in reviewed] == ["corrected"] * 3 + ["accepted"]
        assert [row.tags for row in reviewed] == [row.tags for row in pool.gold]
        # Bern in three, and Anna's label in two of them.
        assert counts == {"seen": 4, "corrected": 3, "labels": 5}

    def test_the_most_doubtful_first(self, pool: ReviewPool) -> None:
        pseudo, reviewed, _ = pool.review(0.5, ReviewOrder.DOUBTFUL_FIRST, seed=7)
        assert [row.id for row in reviewed] == ["1", "3"]
        assert [row.id for row in pseudo] == ["0", "2"]

    def test_random_order_is_the_seed_s(self, pool: ReviewPool) -> None:
        def ids(seed: int) -> tuple[str, ...]:
            return tuple(row.id for row in pool.review(0.5, ReviewOrder.RANDOM, seed)[1])

        assert ids(1) == ids(1)
        assert len({ids(seed) for seed in range(8)}) > 1

    def test_more_reviews_keep_the_earlier_ones(self, pool: ReviewPool) -> None:
        few, more = (pool.review(share, ReviewOrder.RANDOM, 3)[1] for share in (0.25, 0.75))
        assert {*few} < {*more}

    def test_types_that_are_ignored_are_no_correction(self, pool: ReviewPool) -> None:
        blind = LabelMap({"ORG": "PER"}, ("LOC",))
        gold = [replace(row, tags=blind.tags(row.tags)) for row in pool.gold]
        pool = replace(pool, labels=blind, gold=tuple(gold))
        # What was LOC and is PER.
        assert pool.review(1.0, ReviewOrder.RANDOM, 0)[2]["labels"] == 1

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
