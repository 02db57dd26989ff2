"""Fits an aligner's confidence to how often its spans are right.

The right spans come from silver phrase pairs, reviews or gold. The aligner must not have been
trained on these sentences, or it is surer of them than of others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from projection.aligners.confidence import Calibration, Signals
from projection.errors import TrainingError
from projection.io.gold import GoldSentence
from projection.records import Entity, ParallelSentence, Projection, ReviewedSentence, Span
from training.aligner.silver import SilverSentence
from training.data.adjudication import newest_decisions
from training.evaluation.reliability import Recalibration, reliability

_FEWEST = 50  # examples in all
_FEWEST_OF_EACH = 10  # right ones, and wrong ones
_FOLDS = 5

Example = tuple[Signals, bool]
"""The aligner's signals of a span, and whether the span was exactly right."""


@runtime_checkable
class GivesSignals(Protocol):
    """An aligner that can be calibrated."""

    calibration: Calibration

    def fits(self, sentence: ParallelSentence) -> bool:
        """Return whether the sentence can be read whole."""

    def signals(
        self, sentences: Sequence[ParallelSentence]
    ) -> list[list[tuple[Projection, Signals | None]]]:
        """Return the projections of each sentence with their signals, None if not found."""

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the checkpoint, its calibration included."""


class Question(NamedTuple):
    """A sentence with source entities, and the target spans that are right for each."""

    sentence: ParallelSentence
    right: Mapping[Entity, frozenset[Span]]


def silver_questions(silver: Iterable[SilverSentence]) -> Iterator[Question]:
    """Take each phrase that begins with a capital as an entity, right where word links put it.

    Ordinary phrases are harder than entities, and listed names easier: both are left out.
    """
    for number, line in enumerate(silver, start=1):
        right: dict[Entity, frozenset[Span]] = {}
        for source, target in line.phrases:
            if len(source) < len(line.source) and source.of(line.source)[0].isupper():
                entity = Entity(source, "NAME")
                right[entity] = right.get(entity, frozenset()) | {target}
        if right:
            name, texts = f"silver:{number}", (line.source, line.target, "en", line.lang)
            yield Question(ParallelSentence(name, *texts, name, tuple(right)), right)


def gold_questions(gold: Iterable[GoldSentence]) -> Iterator[Question]:
    """Take any gold span of an entity's label as right."""
    for line in gold:
        yield from _question(line.sentence, line.target_entities)


def review_questions(reviewed: Iterable[ReviewedSentence]) -> Iterator[Question]:
    """Take any span of an entity's label that the annotator left as right.

    The newest review of a sentence counts, if it holds the source entities (older exports do not).
    """
    for review in newest_decisions(reviewed):
        if review.judged:
            sentence = replace(review.sentence, entities=review.source_entities)
            yield from _question(sentence, review.entities)


def _question(sentence: ParallelSentence, answers: Sequence[Entity]) -> Iterator[Question]:
    right = {
        entity: frozenset(answer.span for answer in answers if answer.label == entity.label)
        for entity in sentence.entities or ()
    }
    if right:
        yield Question(sentence, right)


def examples_of(
    aligner: GivesSignals,
    questions: Sequence[Question],
    batch_size: int = 64,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> list[Example]:
    """Ask the aligner about sentences that it `fits`; entities it does not find give no example.

    `on_progress` is told how many more sentences are done.
    """
    examples: list[Example] = []
    for start in range(0, len(questions), batch_size):
        batch = questions[start : start + batch_size]
        answers = aligner.signals([question.sentence for question in batch])
        examples += [
            (signals, projection.target in question.right[projection.source])
            for question, answer in zip(batch, answers, strict=True)
            for projection, signals in answer
            if signals is not None
        ]
        on_progress(len(batch))
    return examples


def fit(examples: Sequence[Example]) -> Calibration:
    """Fit a logistic model with ridge regularisation; a TrainingError if examples are too few."""
    right = sum(is_right for _, is_right in examples)
    wrong = len(examples) - right
    if len(examples) < _FEWEST or min(right, wrong) < _FEWEST_OF_EACH:
        what = f"{right} right and {wrong} wrong projections are too few"
        each = f"{_FEWEST_OF_EACH} right and {_FEWEST_OF_EACH} wrong ones"
        fix = f"Give data with at least {_FEWEST}, among them {each}"
        raise TrainingError("calibration", what, fix)
    return _fit(examples)


def _fit(examples: Sequence[Example]) -> Calibration:
    """Minimise the log loss plus |w|²/2 of the weights of standardised features."""
    features = np.array([signals.features for signals, _ in examples])
    signs = np.array([1.0 if is_right else -1.0 for _, is_right in examples])
    mean, varies = features.mean(0), np.ptp(features, axis=0) > 0
    scale = np.where(varies, features.std(0), 1.0)
    features = np.where(varies, (features - mean) / scale, 0.0)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = parameters[:-1]
        margins = signs * (features @ weights + parameters[-1])
        slopes = -signs * expit(-margins)
        value = np.logaddexp(0, -margins).sum() + weights @ weights / 2
        return value, np.append(features.T @ slopes + weights, slopes.sum())

    start = np.zeros(features.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-12}).x
    # The scaling is folded into the weights, so that the checkpoint needs nothing else.
    weights = found[:-1] / scale
    return Calibration(tuple(weights.tolist()), float(found[-1] - weights @ mean))


def cross_validated(examples: Sequence[Example]) -> list[float]:
    """The probability of each example under a model fitted to the other four fifths.

    Every fold has the same share of right examples, and needs at least one (`fit` sees to that).
    """
    shuffled = np.random.default_rng(0).permutation(len(examples))
    # The wrong ones first, then the right ones, are dealt to the folds.
    dealt = sorted(shuffled, key=lambda place: examples[place][1])
    folds = np.empty(len(examples), dtype=int)
    folds[dealt] = np.arange(len(examples)) % _FOLDS
    fitted = [
        _fit([example for example, fold in zip(examples, folds, strict=True) if fold != held_back])
        for held_back in range(_FOLDS)
    ]
    pairs = zip(examples, folds, strict=True)
    return [fitted[fold].probability(signals) for (signals, _), fold in pairs]


def assess(examples: Sequence[Example], before: Calibration) -> Recalibration:
    """Compare the confidences of `before` with those of `fit`, cross-validated."""
    right = [is_right for _, is_right in examples]
    return Recalibration(
        reliability([before.probability(signals) for signals, _ in examples], right),
        reliability(cross_validated(examples), right),
    )
