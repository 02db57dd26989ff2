"""What an aligner answers on sentences whose right spans are known, to calibrate its confidence.

The right spans come from silver phrase pairs, reviews or gold. The aligner must not have been
trained on these sentences, or it is surer of them than of others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from projection.aligners.confidence import Calibration, Signals
from projection.io.gold import GoldSentence
from projection.records import Entity, ParallelSentence, Projection, ReviewedSentence, Span
from training.aligner.silver import SilverSentence
from training.data.adjudication import adjudicate
from training.evaluation.calibration import Example


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

    What annotators disagree on is left out, and so is what has no source entities (older exports).
    """
    for review in adjudicate(reviewed).sentences:
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
