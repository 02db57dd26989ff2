"""Phrases that are or could be entities, and what word probabilities say of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from projection.models.calibration import CLIP
from projection.models.readings import (
    LEAST_LIKELY,
    UNCALIBRATED_TAGGER,
    Reading,
    ReadingSignals,
    readings_of,
)

LABELS = ("LOC", "PER")


def likely(*words: tuple[float, float]) -> NDArray[np.float64]:
    """The probabilities of LOC and PER, a pair a word."""
    return np.array(words).reshape(len(words), 2)


def readings(
    entities: list[tuple[int, int, str]], *words: tuple[float, float]
) -> list[tuple[int, int, str, bool]]:
    found = readings_of(entities, LABELS, likely(*words))
    return [(r.start, r.end, r.label, r.chosen) for r in found]


def test_the_answer_comes_first() -> None:
    found = readings([(1, 2, "PER")], (0.2, 0.1), (0.0, 1.0))
    assert found == [(1, 2, "PER", True), (0, 1, "LOC", False)]


def test_neighbours_that_are_likely_make_one_alternative() -> None:
    found = readings([], (0.3, 0.0), (0.2, 0.3), (0.0, 0.0), (0.0, LEAST_LIKELY))
    assert found == [(0, 2, "LOC", False), (3, 4, "PER", False)]


@pytest.mark.parametrize(
    ("words", "others"),
    [
        pytest.param([(0.3, 0.6)], [(0, 1, "LOC", False)], id="likelier than none"),
        pytest.param([(0.1, 0.6)], [], id="none is likelier"),
        pytest.param([(0.0, 1.0)], [], id="sure"),
    ],
)
def test_another_type(
    words: list[tuple[float, float]], others: list[tuple[int, int, str, bool]]
) -> None:
    assert readings([(0, 1, "PER")], *words)[1:] == others


def test_signals() -> None:
    """By hand: two words of PER between others, the right one of which is likelier."""
    words = likely((0.1, 0.0), (0.0, 0.8), (0.2, 0.4), (0.2, 0.1))
    first = next(readings_of([(1, 3, "PER")], LABELS, words))
    assert isinstance(first, Reading)
    seen = first.signals
    expected = (0.6, 0.4, 0.3)
    assert (seen.inside, seen.weakest, seen.outside) == pytest.approx(expected)


def test_nothing_stands_beside_a_whole_sentence() -> None:
    (only,) = readings_of([(0, 1, "PER")], LABELS, likely((0.0, 1.0)))
    assert only.signals == ReadingSignals(1.0, 1.0, 0.0)


def test_no_words() -> None:
    assert [*readings_of([], LABELS, np.zeros((0, 2)))] == []


@given(st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), max_size=9))
def test_alternatives_cover_the_likely_words_once(words: list[tuple[float, float]]) -> None:
    table = likely(*words)
    covered = [i for r in readings_of([], LABELS, table) for i in range(r.start, r.end)]
    assert covered == [i for i, word in enumerate(table) if word.sum() >= LEAST_LIKELY]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_uncalibrated_it_is_the_mean_probability(a: float, b: float, c: float) -> None:
    found = UNCALIBRATED_TAGGER.probability(ReadingSignals(a, b, c))
    assert found == pytest.approx(a, abs=CLIP + 1e-9)
