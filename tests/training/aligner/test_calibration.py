"""Sentences whose right spans are known, and what an aligner answers on them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from projection.aligners.confidence import UNCALIBRATED, Signals
from projection.io.gold import GoldSentence
from projection.records import (
    Entity,
    ParallelSentence,
    Projection,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from training.aligner.calibration import (
    GivesSignals,
    Question,
    examples_of,
    gold_questions,
    review_questions,
    silver_questions,
)
from training.aligner.silver import SilverSentence

ANNA, BONN = Entity(Span(0, 4), "PER"), Entity(Span(14, 18), "LOC")
PAIR = ParallelSentence("s1", "Anna lives in Bonn.", "Anna wohnt in Bonn.", "en", "de", "a:1")
THERE, BONN_THERE = Span(0, 4), Span(14, 18)


class TestSilver:
    def test_names_are_entities(self) -> None:
        silver = SilverSentence(
            PAIR.source, PAIR.target, "de", ((ANNA.span, THERE), (Span(5, 10), Span(5, 10)))
        )
        (question,) = silver_questions([silver])
        assert question.right == {Entity(ANNA.span, "NAME"): frozenset({THERE})}
        assert question.sentence.entities == tuple(question.right)
        assert (question.sentence.source, question.sentence.target) == (PAIR.source, PAIR.target)
        assert (question.sentence.source_lang, question.sentence.target_lang) == ("en", "de")

    def test_a_phrase_found_twice_may_go_to_both_places(self) -> None:
        phrases = ((ANNA.span, THERE), (ANNA.span, BONN_THERE))
        (question,) = silver_questions([SilverSentence(PAIR.source, PAIR.target, "de", phrases)])
        assert [*question.right.values()] == [{THERE, BONN_THERE}]

    @pytest.mark.parametrize(
        "silver",
        [
            pytest.param(
                SilverSentence("Bonn", "Bonn", "de", ((Span(0, 4), Span(0, 4)),)), id="name of list"
            ),
            pytest.param(
                SilverSentence("a b", "a b", "de", ((Span(0, 1), Span(0, 1)),)), id="no name"
            ),
            pytest.param(SilverSentence("A b", "A b", "de", ()), id="no phrase"),
        ],
    )
    def test_what_is_like_no_entity_is_left_out(self, silver: SilverSentence) -> None:
        assert [*silver_questions([silver])] == []

    def test_sentences_have_names_of_their_own(self) -> None:
        silver = SilverSentence(PAIR.source, PAIR.target, "de", ((ANNA.span, THERE),))
        assert len({q.sentence.id for q in silver_questions([silver] * 3)}) == 3


def with_entities(*entities: Entity) -> ParallelSentence:
    return ParallelSentence("s1", PAIR.source, PAIR.target, "en", "de", "a:1", entities)


def test_gold_is_right_anywhere_under_the_same_label() -> None:
    answers = (Entity(THERE, "PER"), Entity(Span(5, 10), "PER"), Entity(BONN_THERE, "ORG"))
    (question,) = gold_questions(
        [
            GoldSentence(with_entities(ANNA, BONN), answers),
            GoldSentence(with_entities(), answers),
        ]
    )
    assert question.right == {ANNA: {THERE, Span(5, 10)}, BONN: frozenset()}


def review(
    sentence: ParallelSentence,
    *entities: Entity,
    status: ReviewStatus = ReviewStatus.CORRECTED,
    at: str | None = None,
) -> ReviewedSentence:
    return ReviewedSentence(
        sentence, entities, status, "7", updated_at=at, predicted=(Entity(THERE, "PER", 0.9),)
    )


class TestReviews:
    def test_what_the_annotator_left_is_right(self) -> None:
        """A predicted entity that was removed, or relabelled, is wrong."""
        left = review(with_entities(ANNA, BONN), Entity(BONN_THERE, "LOC"))
        (question,) = review_questions([left])
        assert question.right == {ANNA: frozenset(), BONN: {BONN_THERE}}
        relabelled = review(with_entities(ANNA), Entity(THERE, "ORG"))
        (question,) = review_questions([relabelled])
        assert question.right == {ANNA: frozenset()}

    @pytest.mark.parametrize("status", [ReviewStatus.SKIPPED, ReviewStatus.UNUSABLE])
    def test_undecided_reviews_say_nothing(self, status: ReviewStatus) -> None:
        assert [*review_questions([review(with_entities(ANNA), status=status)])] == []

    def test_the_newest_decision_counts(self) -> None:
        sentence = with_entities(ANNA)
        reviews = [
            review(sentence, Entity(THERE, "PER"), at="2025-03-02T00:00:00Z"),
            review(sentence, Entity(BONN_THERE, "PER"), at="2025-03-01T00:00:00Z"),
        ]
        (question,) = review_questions(reviews)
        assert question.right == {ANNA: {THERE}}

    def test_what_the_teacher_found_for_the_projection_is_asked_about(self) -> None:
        known = replace(review(PAIR, Entity(THERE, "PER")), teacher_entities=(ANNA,))
        (question,) = review_questions([known])
        assert question.sentence.entities == (ANNA,)
        assert question.right == {ANNA: {THERE}}

    def test_only_reviews_with_source_entities_say_anything(self) -> None:
        reviews = [
            review(replace(with_entities(ANNA), id=name, entities=entities), Entity(THERE, "PER"))
            for name, entities in (("a", None), ("b", (ANNA, BONN)), ("c", ()))
        ]
        found = {q.sentence.id: q.right for q in review_questions(reviews)}
        assert found == {"b": {ANNA: {THERE}, BONN: frozenset()}}


class FixedAligner:
    """Answers from a table: the real interface, no torch."""

    languages: tuple[str, ...] = ()

    def __init__(
        self, answers: Mapping[str, list[tuple[Projection, Signals | None]]], lost: int = 0
    ) -> None:
        self.calibration = UNCALIBRATED
        self.answers = answers
        self.lost = lost
        self.batches: list[int] = []

    def fits(self, sentence: ParallelSentence) -> bool:
        return True

    def signals(
        self, sentences: Sequence[ParallelSentence]
    ) -> list[list[tuple[Projection, Signals | None]]]:
        self.batches.append(len(sentences))
        return [self.answers[s.id] for s in sentences][self.lost :]

    def save_pretrained(self, folder: str | Path) -> None:
        raise AssertionError("asking writes nothing")


class TestAsking:
    SURE, UNSURE = Signals(0.9, 0.9, 0, 1, 0), Signals(0.5, 0.4, 0.3, 1, 0.4)

    def test_right_is_exactly_right(self) -> None:
        near = Span(0, 10)
        answers = {
            "s1": [
                (Projection(ANNA, near, 0.9), self.SURE),
                (Projection(BONN, BONN_THERE, 0.5), self.UNSURE),
            ],
            "s2": [(Projection(ANNA, None, 0.0), None), (Projection(BONN, THERE, 0.9), self.SURE)],
        }
        right = {ANNA: frozenset({THERE}), BONN: frozenset({BONN_THERE})}
        questions = [
            Question(ParallelSentence(name, *PAIR_TEXTS, name, (ANNA, BONN)), right)
            for name in ("s1", "s2")
        ]
        aligner = FixedAligner(answers)
        told: list[int] = []
        assert examples_of(aligner, questions, batch_size=1, on_progress=told.append) == [
            (self.SURE, False),
            (self.UNSURE, True),
            (self.SURE, False),
        ]
        assert aligner.batches == told == [1, 1]

    def test_no_question_no_example(self) -> None:
        assert examples_of(FixedAligner({}), []) == []

    def test_an_answer_too_few_is_not_overlooked(self) -> None:
        question = Question(with_entities(ANNA), {ANNA: frozenset({THERE})})
        with pytest.raises(ValueError, match="zip"):
            examples_of(FixedAligner({"s1": []}, lost=1), [question])

    def test_the_interface_can_be_told_from_others(self) -> None:
        assert isinstance(FixedAligner({}), GivesSignals)
        assert not isinstance(object(), GivesSignals)


PAIR_TEXTS = (PAIR.source, PAIR.target, "en", "de")
