"""One sentence with every kind of trouble, as projection hands it over."""

import json
from typing import Any

import pytest

from label_config.tasks import to_prediction, to_task
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


@pytest.fixture
def exported(overlapping: ProjectedSentence) -> dict[str, Any]:
    """One task, one full prediction, one annotation that accepts it unchanged."""
    prediction = {
        "id": 26,
        **to_prediction(overlapping),
        "created_at": "2026-03-02T10:00:00.000000Z",
        "task": 24,
    }
    annotation = {
        "id": 14,
        "result": [{**region, "origin": "prediction"} for region in prediction["result"]],
        "completed_by": {"id": 3, "first_name": "", "last_name": "", "email": "r@example.com"},
        "was_cancelled": False,
        "created_at": "2026-03-02T11:00:00.000000Z",
        "updated_at": "2026-03-02T11:05:00.000000Z",
        "lead_time": 2.057,
        "task": 24,
        "parent_prediction": 26,
        "parent_annotation": None,
    }
    task = {
        "id": 24,
        **to_task(overlapping),
        "annotations": [annotation],
        "predictions": [prediction],
        "inner_id": 4,
    }
    return json.loads(json.dumps(task))
