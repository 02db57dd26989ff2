"""Fitting probabilities to what proved right, with a truth that is known because it was made up."""

import random
from collections.abc import Callable, Sequence

import pytest

from projection.aligners.confidence import UNCALIBRATED, Calibration, Signals
from projection.errors import TrainingError
from training.evaluation.calibration import Example, assess, cross_validated, fit

TRUTH = Calibration((0.5, 0.8, -0.4, 2.0, -0.3), -1.5)


def seen(rng: random.Random) -> Signals:
    inside = rng.uniform(0.3, 1)
    return Signals(inside, rng.uniform(0.1, inside), *(rng.random() for _ in range(3)))


def made(n: int, seed: int, truth: Callable[[Signals], float] = TRUTH.probability) -> list[Example]:
    """Examples that are right as often as `truth` says."""
    rng = random.Random(seed)
    return [(signals, rng.random() < truth(signals)) for signals in (seen(rng) for _ in range(n))]


class TestFit:
    def test_it_finds_the_truth_again(self) -> None:
        calibration = fit(made(5000, 1), Calibration)
        unseen = [signals for signals, _ in made(500, 2)]
        errors = [abs(calibration.probability(s) - TRUTH.probability(s)) for s in unseen]
        assert sum(errors) / len(errors) < 0.02
        assert max(errors) < 0.08
        assert calibration.weights == pytest.approx(TRUTH.weights, abs=0.2)

    def test_it_mends_scores_that_are_too_sure(self) -> None:
        """The mean says 0.65 on average where a third is right."""
        examples = made(2000, 3, lambda signals: signals.inside**3)
        assessment = assess(examples, UNCALIBRATED)
        before, after = assessment.before, assessment.after
        assert before.expected_calibration_error > 0.15
        assert after.expected_calibration_error < 0.04
        assert after.brier < before.brier - 0.02
        assert before.n == after.n == 2000

    def test_it_leaves_good_scores_alone(self) -> None:
        assessment = assess(made(3000, 4), TRUTH)
        assert assessment.before.expected_calibration_error < 0.03
        assert assessment.after.expected_calibration_error < 0.03

    def test_a_signal_that_never_changes_weighs_nothing(self) -> None:
        rng = random.Random(5)
        signals = [Signals(rng.random(), rng.random(), 0.0, 1.0, rng.random()) for _ in range(200)]
        examples = [(s, rng.random() < s.inside) for s in signals]
        weights = dict(zip(Signals.names(), fit(examples, Calibration).weights, strict=True))
        assert weights["outside"] == pytest.approx(0, abs=1e-9)
        assert weights["agreement"] == pytest.approx(0, abs=1e-9)
        assert weights["inside"] > 0.3

    def test_signals_that_tell_everything_stay_finite(self) -> None:
        examples = [
            (Signals(p, p, 1 - p, p, 1 - p), p == 1.0) for p in (0.0, 1.0) for _ in range(50)
        ]
        calibration = fit(examples, Calibration)
        assert calibration.probability(examples[0][0]) < 0.05
        assert calibration.probability(examples[-1][0]) > 0.95

    def test_it_is_the_same_every_time(self) -> None:
        examples = made(300, 6)
        assert fit(examples, Calibration) == fit(examples, Calibration)
        assert assess(examples, UNCALIBRATED) == assess(examples, UNCALIBRATED)

    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            pytest.param(0, 0, id="none"),
            pytest.param(500, 0, id="no wrong one"),
            pytest.param(0, 500, id="no right one"),
            pytest.param(500, 9, id="few wrong ones"),
            pytest.param(25, 24, id="few"),
        ],
    )
    def test_too_little_to_learn_from(self, right: int, wrong: int) -> None:
        signals = Signals(0.9, 0.9, 0.1, 1.0, 0.1)
        examples = [(signals, True)] * right + [(signals, False)] * wrong
        with pytest.raises(TrainingError, match=f"{right} right and {wrong} wrong .* too few"):
            fit(examples, Calibration)

    def test_the_smallest_data_can_be_cross_validated(self) -> None:
        signals = Signals(0.9, 0.9, 0.1, 1.0, 0.1)
        examples = [(signals, True)] * 40 + [(signals, False)] * 10
        assert fit(examples, Calibration).probability(signals) == pytest.approx(0.8, abs=0.01)
        assert cross_validated(examples, Calibration) == pytest.approx([0.8] * 50, abs=0.01)


def test_cross_validation_does_not_learn_noise() -> None:
    """On coin tosses a fit looks better than chance; on what it has not seen it is no better."""
    examples = made(60, 7, lambda _signals: 0.5)
    calibration = fit(examples, Calibration)
    right = [is_right for _, is_right in examples]
    fitted = [calibration.probability(signals) for signals, _ in examples]
    held_back = cross_validated(examples, Calibration)

    def brier(confidences: Sequence[float]) -> float:
        return sum((c - r) ** 2 for c, r in zip(confidences, right, strict=True)) / len(right)

    assert brier(fitted) < 0.25 <= brier(held_back)
