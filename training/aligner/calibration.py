"""Fits an aligner's confidence to what proved right.

What is right is known from three sources: silver phrase pairs, reviews, and gold. The aligner must
not have been trained on these sentences, or it is surer of them than of others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from projection.aligners.confidence import Calibration, Signals
from projection.errors import TrainingError
from projection.io.gold import GoldSentence
from projection.records import Entity, ParallelSentence, Projection, ReviewedSentence, Span
from training.aligner.silver import SilverSentence
from training.data.adjudication import newest_decisions
from training.evaluation.reliability import Recalibration, reliability

FEWEST = 50  # examples in all
FEWEST_OF_EACH = 10  # right ones, and wrong ones
STRENGTH = 1.0  # scikit-learn's C, on standardised features
FOLDS = 5

Example = tuple[Signals, bool]
"""What the aligner saw of a span, and whether the span was exactly right."""

Tag = Callable[[Sequence[ParallelSentence]], Sequence[tuple[Entity, ...]]]
"""Finds the entities of source sentences, one tuple for each."""


@runtime_checkable
class GivesSignals(Protocol):
    """An aligner that can be calibrated."""

    calibration: Calibration

    def fits(self, sentence: ParallelSentence) -> bool:
        """Whether the sentence can be read whole."""

    def signals(
        self, sentences: Sequence[ParallelSentence]
    ) -> list[list[tuple[Projection, Signals | None]]]:
        """For each sentence its projections, with what was seen of each; None if not found."""

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the checkpoint, its calibration included."""


class Question(NamedTuple):
    """A sentence with source entities, and for each of them the target spans that are right."""

    sentence: ParallelSentence
    right: Mapping[Entity, frozenset[Span]]


def silver_questions(silver: Iterable[SilverSentence]) -> Iterator[Question]:
    """Each phrase that begins with a capital is an entity, right where the word aligner put it.

    What entities will not be like is left out: ordinary phrases, which are harder, and names of a
    list, which stand alone and are easier.
    """
    for number, line in enumerate(silver, start=1):
        right: dict[Entity, frozenset[Span]] = {}
        for source, target in line.phrases:
            if len(source) < len(line.source) and source.of(line.source)[0].isupper():
                entity = Entity(source, "NAME")
                right[entity] = right.get(entity, frozenset()) | {target}
        if right:
            name = f"silver:{number}"
            yield Question(
                ParallelSentence(
                    name, line.source, line.target, "en", line.lang, name, tuple(right)
                ),
                right,
            )


def gold_questions(gold: Iterable[GoldSentence]) -> Iterator[Question]:
    """An entity may go to any gold span of its label."""
    for line in gold:
        entities = line.sentence.entities or ()
        if entities:
            yield Question(line.sentence, _by_label(entities, line.target_entities))


def review_questions(reviewed: Iterable[ReviewedSentence], teacher: Tag) -> Iterator[Question]:
    """An entity may go to any span of its label that the annotator left; the newest review counts.

    Reviews keep the source entities only if the corpus brought them along. Where it did not,
    `teacher` finds them again: with the model of the projection, they are the same. What the
    annotator saw plays no part, for the aligner answers anew.
    """
    decided = [review for review in newest_decisions(reviewed) if review.judged]
    waiting = [r.sentence for r in decided if r.sentence.entities is None]
    found = iter(teacher(waiting) if waiting else ())
    for review in decided:
        known = review.sentence.entities
        entities = next(found) if known is None else known
        if entities:
            yield Question(
                replace(review.sentence, entities=entities), _by_label(entities, review.entities)
            )


def _by_label(
    entities: Iterable[Entity], answers: Sequence[Entity]
) -> dict[Entity, frozenset[Span]]:
    return {
        entity: frozenset(answer.span for answer in answers if answer.label == entity.label)
        for entity in entities
    }


def examples_of(
    aligner: GivesSignals,
    questions: Sequence[Question],
    batch_size: int = 64,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> list[Example]:
    """Ask the aligner. Entities it does not find are no examples: there is no span to believe in.

    Args:
        aligner: as it is to be calibrated.
        questions: whose sentences it can read whole (`fits`).
        batch_size: sentences at once.
        on_progress: told how many more sentences are done.
    """
    examples: list[Example] = []
    for start in range(0, len(questions), batch_size):
        batch = questions[start : start + batch_size]
        answers = aligner.signals([question.sentence for question in batch])
        for question, answer in zip(batch, answers, strict=True):
            examples += (
                (signals, projection.target in question.right[projection.source])
                for projection, signals in answer
                if signals is not None
            )
        on_progress(len(batch))
    return examples


def fit(examples: Sequence[Example]) -> Calibration:
    """The logistic model of these examples, with ridge regularisation.

    Raises:
        TrainingError: if there are too few of them, or too few right or wrong ones.
    """
    right = sum(is_right for _, is_right in examples)
    wrong = len(examples) - right
    if len(examples) < FEWEST or min(right, wrong) < FEWEST_OF_EACH:
        raise TrainingError(
            "calibration",
            f"{right} right and {wrong} wrong projections are too few",
            f"Give data with at least {FEWEST}, among them {FEWEST_OF_EACH} right and "
            f"{FEWEST_OF_EACH} wrong ones",
        )
    return _fit(examples)


def _fit(examples: Sequence[Example]) -> Calibration:
    scaler = StandardScaler()
    features = scaler.fit_transform(np.array([signals.features for signals, _ in examples]))
    model = LogisticRegression(C=STRENGTH, max_iter=1000)
    model.fit(features, np.array([is_right for _, is_right in examples], dtype=int))
    # The scaling is folded into the weights, so that the checkpoint needs nothing else.
    weights = model.coef_[0] / scaler.scale_
    bias = model.intercept_[0] - weights @ scaler.mean_
    return Calibration(tuple(float(weight) for weight in weights), float(bias))


def cross_validated(examples: Sequence[Example]) -> list[float]:
    """The probability of each example under a model fitted to the other four fifths.

    Raises:
        ValueError: if there are fewer than `FOLDS` right or wrong ones, which `fit` refuses.
    """
    confidences = [0.0] * len(examples)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    numbers = np.arange(len(examples))
    for others, held_back in folds.split(numbers, [is_right for _, is_right in examples]):
        calibration = _fit([examples[i] for i in others])
        for i in held_back:
            confidences[i] = calibration.probability(examples[i][0])
    return confidences


def assess(examples: Sequence[Example], before: Calibration) -> Recalibration:
    """Compare what `before` says of the examples with what `fit` would, cross-validated."""
    right = [is_right for _, is_right in examples]
    return Recalibration(
        reliability([before.probability(signals) for signals, _ in examples], right),
        reliability(cross_validated(examples), right),
    )
