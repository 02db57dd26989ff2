"""Corrections and the sentences they are made in, for the tests of corrections and propagation."""

from collections.abc import Sequence

from ml_backend.review.corrections import Correction, corrections_in
from projection.records import (
    Entity,
    ParallelSentence,
    ReviewedSentence,
    ReviewStatus,
    Span,
)

Marks = Sequence[tuple[str, str]]


def entities(text: str, marks: Marks, score: float | None = None) -> tuple[Entity, ...]:
    """Label and phrase of each; the same phrase again is its next occurrence."""
    found: list[Entity] = []
    for label, phrase in marks:
        taken = [entity.span.start for entity in found if entity.span.of(text) == phrase]
        start = text.index(phrase, taken[-1] + 1 if taken else 0)
        found.append(Entity(Span(start, start + len(phrase)), label, score))
    return tuple(found)


def pair(text: str, lang: str = "de", name: str | None = None) -> ParallelSentence:
    return ParallelSentence(name or text, "…", text, "en", lang, "test.en:1")


def review(
    text: str,
    predicted: Marks | None,
    decided: Marks,
    *,
    lang: str = "de",
    annotator: str = "1",
    status: ReviewStatus = ReviewStatus.CORRECTED,
    updated_at: str = "2026-01-05T10:00:00Z",
) -> ReviewedSentence:
    return ReviewedSentence(
        pair(text, lang),
        entities(text, decided),
        status,
        annotator,
        predicted=None if predicted is None else entities(text, predicted, 0.9),
        updated_at=updated_at,
    )


def said(reviewed: ReviewedSentence) -> list[str]:
    return [str(correction) for correction in corrections_in(reviewed)]


def relabel(phrase: str, label: str, new_label: str, lang: str = "de") -> Correction:
    return Correction(lang, phrase, label, new_label, phrase)


def delete(phrase: str, label: str, lang: str = "de") -> Correction:
    return Correction(lang, phrase, label, None, phrase)


def add(phrase: str, label: str, lang: str = "de") -> Correction:
    return Correction(lang, phrase, None, label, phrase)


BAYERN = Correction("de", "der FC Bayern", "ORG", "ORG", "FC Bayern")
BAYERN_CLUB = Correction("de", "Bayern", "LOC", "ORG", "FC Bayern")
