"""The interfaces of projection: teacher or tagger, aligner, projector."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from projection.records import Entity, ParallelSentence, ProjectedSentence, Projection, Span


@dataclass(frozen=True, slots=True)
class Link:
    """The source span that a target span translates, with a score in [0, 1].

    For an entity that the aligner puts exactly there, `score` is its probability; elsewhere it is
    the mean strength of the word links, which is not calibrated.
    """

    source: Span
    score: float


@dataclass(frozen=True, slots=True)
class Tagging:
    """The entities of one text in reading order, and `alternatives` that were not chosen.

    An alternative overlaps an entity if it is another type of it; else the words are in no entity.
    A score is the probability that span and type are both right.
    """

    entities: tuple[Entity, ...]
    alternatives: tuple[Entity, ...] = ()


class Aligns(Protocol):
    """Finds source entities in target sentences."""

    @property
    def version(self) -> str:
        """A hash of weights, settings and labels: changes whenever an answer could."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The base languages it was trained on, sorted; empty if unknown."""

    def fits(self, sentence: ParallelSentence) -> bool:
        """Return whether the sentence can be read whole."""

    def needs_windows(self, *texts: str) -> bool:
        """Return whether a text is too long to be read at once, and is read in windows."""

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        """One tuple a sentence, in order; at least one projection for each source entity."""


class Tags(Protocol):
    """Labels entities in text of one language."""

    @property
    def version(self) -> str:
        """A hash of weights, settings and labels: changes whenever an answer could."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types of its answers."""

    def tag(self, texts: Sequence[str], lang: str) -> list[tuple[Entity, ...]]:
        """The entities of each text, in reading order."""

    def tag_with_alternatives(self, texts: Sequence[str], lang: str) -> list[Tagging]:
        """The entities as `tag` gives them, and those that the same pass found almost as likely."""


class ProjectsSentences(Protocol):
    """A projector, as run folders, the service and the review client use it."""

    @property
    def model_version(self) -> str:
        """The identity of everything that shapes an answer."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types of its answers."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The base languages that the aligner was trained on, sorted; empty if unknown."""

    def fits(self, sentence: ParallelSentence) -> bool:
        """Return whether the sentence can be read whole."""

    def needs_windows(self, *texts: str) -> bool:
        """Return whether a text is too long to be read at once, and is read in windows."""

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        """One projected sentence for each, in order; nothing is dropped."""

    def suggest(
        self, sentence: ParallelSentence, marked: Sequence[Entity]
    ) -> list[tuple[Projection, ...]]:
        """The projections of entities marked in the source; an empty tuple if not found."""

    def link(self, sentence: ParallelSentence, marked: Sequence[Span]) -> list[Link | None]:
        """The source spans of spans marked in the target; None if unknown."""
