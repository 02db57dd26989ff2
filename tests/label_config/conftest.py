"""One sentence with every kind of trouble, as projection hands it over."""

import pytest

from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)

SOURCE = "The Bank of Portugal left Portugal for Porto."
TARGET = "El Banco de Portugal se fue a otra parte."


def entity(text: str, phrase: str, label: str, score: float | None = None, nth: int = 0) -> Entity:
    start = -1
    for _ in range(nth + 1):
        start = text.index(phrase, start + 1)
    return Entity(Span(start, start + len(phrase)), label, score)


@pytest.fixture
def overlapping() -> ProjectedSentence:
    """Two of three source entities claim the same target word; the third went nowhere."""
    bank = entity(SOURCE, "Bank of Portugal", "ORG")
    country = entity(SOURCE, "Portugal", "LOC", nth=1)
    city = entity(SOURCE, "Porto", "LOC")
    banco = entity(TARGET, "Banco de Portugal", "ORG", 0.66)
    portugal = entity(TARGET, "Portugal", "LOC", 0.41)
    found = (
        Projection(bank, banco.span, 0.66),
        Projection(country, portugal.span, 0.41),
        Projection(city, None, 0.0),
    )
    return ProjectedSentence(
        sentence=ParallelSentence(
            "banks-7", SOURCE, TARGET, "en", "es", "banks.en:7", (bank, country, city)
        ),
        entities=(banco, portugal),
        projections=found,
        conflicts=(
            Conflict(
                ConflictKind.OVERLAP,
                "“Portugal” is claimed by both “Bank of Portugal” and “Portugal”",
                found[:2],
                (banco.span, portugal.span),
            ),
            Conflict(ConflictKind.FAILED_MAPPING, "no place was found for “Porto”", found[2:]),
        ),
        score=0.0,
        model_version="a1b2c3",
    )


@pytest.fixture
def clean() -> ProjectedSentence:
    """Nothing to project and nothing in doubt."""
    sentence = ParallelSentence("plain-1", "It rained.", "Hat geregnet.", "en", "de", "plain.en:1")
    return ProjectedSentence(sentence, (), (), (), 1.0, "a1b2c3")
