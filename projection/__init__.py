"""Parallel text in, projected entities out."""

from projection.errors import SpanferryError
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    ReviewedSentence,
    ReviewStatus,
    Span,
)

__all__ = [
    "Conflict",
    "ConflictKind",
    "Entity",
    "ParallelSentence",
    "ProjectedSentence",
    "Projection",
    "ReviewStatus",
    "ReviewedSentence",
    "Span",
    "SpanferryError",
]
