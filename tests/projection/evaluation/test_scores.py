"""Projection is scored by exact span and label, beside what an oracle could reach."""

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.evaluation.matching import EXACT, RELAXED, compare
from projection.evaluation.scores import Interval, bootstrap, score
from projection.io.gold import GoldSentence
from tests.projection.evaluation.examples import Mark, entities, gold, golds, marks


@pytest.mark.parametrize(
    ("truth", "guess", "precision", "recall", "f1"),
    [
        pytest.param([(0, 4, "PER")], [(0, 4, "PER")], 1, 1, 1, id="right"),
        pytest.param([(0, 4, "PER")], [(0, 4, "LOC")], 0, 0, 0, id="wrong label"),
        pytest.param([(0, 4, "PER")], [(0, 5, "PER")], 0, 0, 0, id="one character off"),
        pytest.param([(0, 4, "PER")], [], 0, 0, 0, id="missed"),
        pytest.param([], [(0, 4, "PER")], 0, 0, 0, id="invented"),
        pytest.param([], [], 0, 0, 0, id="nothing to find: undefined is 0"),
        pytest.param(
            [(0, 4, "PER"), (5, 6, "LOC")], [(0, 4, "PER")], 1, 0.5, 2 / 3, id="half found"
        ),
        pytest.param(
            [(0, 4, "PER")], [(0, 4, "PER"), (0, 4, "PER")], 0.5, 1, 2 / 3, id="said twice"
        ),
    ],
)
def test_scores(
    truth: list[Mark], guess: list[Mark], precision: float, recall: float, f1: float
) -> None:
    scores = score([gold([], truth)], [entities(*guess)])
    assert (scores.precision, scores.recall) == (precision, recall)
    assert scores.f1 == pytest.approx(f1)


def test_scores_are_counted_over_all_sentences_and_by_label() -> None:
    scores = score(
        [gold([], [(0, 4, "PER"), (5, 6, "LOC")]), gold([], [(0, 1, "LOC")])],
        [entities((0, 4, "PER")), entities((0, 1, "LOC"), (2, 3, "ORG"))],
    )
    assert scores.sentences == 2
    assert (scores.precision, scores.recall) == (2 / 3, 2 / 3)
    assert list(scores.by_type) == ["LOC", "ORG", "PER"]
    assert scores.by_type["LOC"].recall == 0.5
    assert scores.by_type["LOC"].support == 2
    assert scores.by_type["ORG"].support == 0
    assert scores.by_type["PER"].f1 == 1


def test_a_right_span_in_the_wrong_sentence_is_wrong() -> None:
    scores = score([gold([], [(0, 4, "PER")]), gold([], [])], [(), entities((0, 4, "PER"))])
    assert scores.f1 == 0


@pytest.mark.parametrize(
    ("source", "target", "ceiling"),
    [
        pytest.param([(0, 1, "PER")], [(7, 9, "PER")], 1, id="the place does not matter"),
        pytest.param([(0, 1, "PER")], [(7, 9, "LOC")], 0, id="it cannot relabel"),
        pytest.param([], [(7, 9, "LOC")], 0, id="it cannot invent"),
        pytest.param([(0, 1, "PER"), (2, 3, "PER")], [(7, 9, "PER")], 2 / 3, id="one too many"),
        pytest.param(
            [(0, 1, "PER"), (2, 3, "LOC")], [(7, 9, "LOC"), (1, 2, "PER")], 1, id="other order"
        ),
    ],
)
def test_the_ceiling_is_what_the_labels_of_both_sides_allow(
    source: list[Mark], target: list[Mark], ceiling: float
) -> None:
    assert score([gold(source, target)], [()]).ceiling == pytest.approx(ceiling)


@pytest.mark.parametrize(
    ("truth", "guess", "f1"),
    [
        pytest.param([(0, 4, "PER")], [(0, 4, "PER")], 1, id="exact"),
        pytest.param([(0, 4, "PER")], [(3, 9, "PER")], 1, id="one shared character"),
        pytest.param([(0, 4, "PER")], [(4, 9, "PER")], 0, id="touching is not overlapping"),
        pytest.param([(0, 4, "PER")], [(0, 4, "LOC")], 0, id="the label must be right"),
        pytest.param([(0, 9, "PER")], [(0, 4, "PER"), (5, 9, "PER")], 2 / 3, id="gold only once"),
        pytest.param([(0, 4, "PER"), (5, 9, "PER")], [(0, 9, "PER")], 2 / 3, id="guess only once"),
        pytest.param(
            [(0, 4, "PER"), (3, 9, "PER")],
            [(2, 6, "PER"), (0, 1, "PER")],
            1,
            id="as many pairs as possible",
        ),
    ],
)
def test_relaxed_scores(truth: list[Mark], guess: list[Mark], f1: float) -> None:
    scores = score([gold([], truth)], [entities(*guess)]).relaxed
    assert scores.f1 == pytest.approx(f1)
    assert scores.support == len(truth)
    assert scores.by_type["PER"].support == len(truth)


def test_scores_as_json_are_fractions() -> None:
    row = score([gold([(0, 1, "PER")], [(0, 4, "PER")])], [entities((0, 4, "PER"))]).to_json()
    perfect = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}
    by_type = {"by_type": {"PER": perfect}}
    assert json.loads(json.dumps(row)) == {
        **perfect,
        **by_type,
        "relaxed": {**perfect, **by_type},
        "ceiling": 1.0,
        "of_ceiling": 1.0,
        "sentences": 1,
    }


@pytest.mark.parametrize(
    ("source", "target", "guess", "ratio"),
    [
        pytest.param([(0, 1, "PER")], [(0, 4, "PER")], [(0, 4, "PER")], 1, id="all one can do"),
        pytest.param(
            [(0, 1, "PER")] * 2, [(0, 4, "PER")], [(0, 4, "PER"), (5, 6, "PER")], 1, id="as good"
        ),
        pytest.param([(0, 1, "PER")] * 2, [(0, 4, "PER")], [(0, 4, "PER")], 1.5, id="wiser"),
        pytest.param([], [(0, 4, "PER")], [], 0, id="nothing can be reached"),
    ],
)
def test_the_ratio_to_the_ceiling(
    source: list[Mark], target: list[Mark], guess: list[Mark], ratio: float
) -> None:
    assert score([gold(source, target)], [entities(*guess)]).of_ceiling == pytest.approx(ratio)


def test_one_prediction_for_each_sentence() -> None:
    with pytest.raises(ValueError, match="shorter"):
        score([gold([], []), gold([], [])], [()])


@given(golds)
def test_gold_against_itself_is_perfect(sentences: list[GoldSentence]) -> None:
    scores = score(sentences, [sentence.target_entities for sentence in sentences])
    found = any(sentence.target_entities for sentence in sentences)
    assert scores.precision == scores.recall == scores.f1 == float(found)


@given(golds, st.data())
def test_scores_are_fractions_and_the_kinds_add_up(
    sentences: list[GoldSentence], data: st.DataObject
) -> None:
    predicted = [entities(*data.draw(marks)) for _ in sentences]
    scores = score(sentences, predicted)
    for value in (scores.precision, scores.recall, scores.f1, scores.ceiling):
        assert 0 <= value <= 1
    total = sum(len(sentence.target_entities) for sentence in sentences)
    assert sum(by.support for by in scores.by_type.values()) == total
    hits = sum(by.recall * by.support for by in scores.by_type.values())
    assert scores.recall * total == pytest.approx(hits)


@given(marks, marks)
def test_what_lowers_the_scores_is_what_went_wrong(truth: list[Mark], guess: list[Mark]) -> None:
    scores = score([gold([], truth)], [entities(*guess)])
    found = Counter(m.outcome for m in compare(entities(*truth), entities(*guess)))
    exact, relaxed = (sum(found[o] for o in right) for right in (EXACT, RELAXED))
    assert scores.recall * len(truth) == pytest.approx(exact)
    assert scores.precision * len(guess) == pytest.approx(exact)
    assert scores.relaxed.recall * len(truth) == pytest.approx(relaxed)
    assert scores.relaxed.precision * len(guess) == pytest.approx(relaxed)
    assert exact == (Counter(truth) & Counter(guess)).total()


def f1_of(counts: Sequence[tuple[int, int, int]]) -> Interval:
    return bootstrap(np.array(counts, dtype=np.int64).reshape(-1, 3))


class TestBootstrap:
    @pytest.mark.parametrize(
        ("counts", "interval"),
        [
            pytest.param([], Interval(0, 0), id="no sentence"),
            pytest.param([(0, 0, 0)] * 3, Interval(0, 0), id="no entity"),
            pytest.param([(2, 2, 2)] * 5, Interval(1, 1), id="always right"),
            pytest.param([(1, 2, 2)], Interval(0.5, 0.5), id="one sentence"),
        ],
    )
    def test_where_there_is_nothing_to_draw(
        self, counts: list[tuple[int, int, int]], interval: Interval
    ) -> None:
        assert f1_of(counts) == interval

    def test_it_is_the_same_every_time(self) -> None:
        counts = [(i % 3, 2, 1 + i % 2) for i in range(40)]
        assert f1_of(counts) == f1_of(counts)

    def test_it_is_as_wide_as_theory_says(self) -> None:
        """One entity a sentence, right in 80 of 100: a binomial, ± 1.96 standard errors."""
        interval = f1_of([(1, 1, 1)] * 80 + [(0, 1, 1)] * 20)
        error = 1.96 * (0.8 * 0.2 / 100) ** 0.5
        assert interval.low == pytest.approx(0.8 - error, abs=0.015)
        assert interval.high == pytest.approx(0.8 + error, abs=0.015)

    def test_sentences_are_drawn_and_not_entities(self) -> None:
        """The same entities in fewer, fuller sentences say less."""
        many = f1_of([(1, 1, 1)] * 80 + [(0, 1, 1)] * 20)
        few = f1_of([(10, 10, 10)] * 8 + [(0, 10, 10)] * 2)
        assert few.high - few.low > 2 * (many.high - many.low)

    def test_its_json_says_how_it_was_drawn(self) -> None:
        assert f1_of([(1, 1, 1)]).to_json() == {
            "low": 1.0,
            "high": 1.0,
            "level": 0.95,
            "draws": 1000,
            "seed": 0,
        }
