"""What the parts of projection ask of each other: teacher, aligner, projector."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from projection.records import Entity, ParallelSentence, ProjectedSentence, Projection, Span


@dataclass(frozen=True, slots=True)
class Link:
    """The source span a target span comes from, and how sure that is, in [0, 1].

    For a known entity which the aligner puts exactly there, `score` is the aligner's probability;
    elsewhere the mean strength of the ties, which is not calibrated.
    """

    source: Span
    score: float


class Aligns(Protocol):
    """Finds source entities in target sentences."""

    @property
    def version(self) -> str:
        """A hash of weights, settings and labels: changes whenever an answer could."""

    def fits(self, sentence: ParallelSentence) -> bool:
        """Whether the sentence can be read whole."""

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        """One tuple a sentence, in order; at least one projection for each source entity."""


class Tags(Protocol):
    """Labels entities in text of one language."""

    @property
    def version(self) -> str:
        """A hash of weights, settings and labels: changes whenever an answer could."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types it can answer with."""

    def tag(self, texts: Sequence[str], lang: str) -> list[tuple[Entity, ...]]:
        """The entities of each text, in reading order."""


class ProjectsSentences(Protocol):
    """What the run folder, the service and the review client need of a projector."""

    @property
    def model_version(self) -> str:
        """Names everything that shapes an answer."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types it can answer with."""

    def fits(self, sentence: ParallelSentence) -> bool:
        """Whether the sentence can be read whole."""

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        """One projected sentence for each, in order; nothing is dropped."""

    def suggest(
        self, sentence: ParallelSentence, marked: Sequence[Entity]
    ) -> list[tuple[Projection, ...]]:
        """Where entities that a person marked in the source went; an empty tuple for nowhere."""

    def link(self, sentence: ParallelSentence, marked: Sequence[Span]) -> list[Link | None]:
        """Where spans that a person marked in the target come from; None for unknown."""
