"""The gain of one model over another."""

import pytest

from ml_backend.jobs.gain import Gain
from projection.io.gold import GoldSentence
from tests.lakes import BERLIN, person, sentence


def test_a_gain_is_measured_on_the_same_sentences_for_both_models() -> None:
    """A sentence that is hard for both does not widen the interval."""
    pairs = [sentence(number) for number in range(20)]
    gold = [GoldSentence(each, (BERLIN, person(each))) for each in pairs]
    half = [(g, (BERLIN,)) for g in gold]
    all_of_it = [(g, g.target_entities) for g in gold]
    gain = Gain.of(half, all_of_it)
    assert (gain.before, gain.after) == (pytest.approx(2 / 3), 1)
    assert gain.low == gain.high == pytest.approx(1 / 3)
    assert (gain.sentences, gain.entities) == (20, 40)
    assert Gain.of(half, half).low == Gain.of(half, half).high == 0
    assert Gain.of([], []).after == 0
