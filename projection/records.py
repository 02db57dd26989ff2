"""The records that travel through spanferry. Frozen, and refused when they contradict themselves.

All offsets are half-open and counted in Unicode code points of one text, which is how Python
indexes `str` and how Label Studio counts in the browser.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations

from projection.errors import SpanError


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open `[start, end)` in code points of one text.

    Raises:
        SpanError: if it is empty, backwards or begins before the text.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise SpanError(str(self), "empty, backwards or before the text")

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"

    def __len__(self) -> int:
        return self.end - self.start

    def overlaps(self, other: "Span") -> bool:
        """Whether the two share at least one code point; touching is not overlapping."""
        return self.start < other.end and other.start < self.end

    def of(self, text: str) -> str:
        """The slice of `text` this span covers.

        Raises:
            SpanError: if the span reaches past the text.
        """
        if self.end > len(text):
            raise SpanError(str(self), f"reaches past the text ({len(text)} code points)")
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Entity:
    """A labelled span. `score` is a probability in [0, 1]; None when a person or gold said so."""

    span: Span
    label: str
    score: float | None = None

    def __post_init__(self) -> None:
        if not self.label:
            raise SpanError(str(self.span), "an entity without a label")
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise SpanError(str(self.span), f"score {self.score} is not a probability")


def check_within(text: str, entities: Iterable[Entity], where: str) -> None:
    """Refuse entities that reach past `text`.

    Raises:
        SpanError: naming `where` and the entity.
    """
    for entity in entities:
        if entity.span.end > len(text):
            raise SpanError(
                where, f"{entity.label} {entity.span} reaches past {len(text)} code points"
            )


@dataclass(frozen=True, slots=True)
class ParallelSentence:
    """A source sentence and its translation.

    `id` is unique within a corpus and stable between runs. `origin` is the corpus file and line
    (`news.en:17`). `entities` are source-side entities the corpus brought along; None means that
    nobody has looked yet and the teacher should, an empty tuple means that there are none.
    `margin` is how parallel the two sides are by the margin score of who mined them (Artetxe &
    Schwenk, 2019), as WikiMatrix has it; None where the corpus says nothing.
    """

    id: str
    source: str
    target: str
    source_lang: str
    target_lang: str
    origin: str
    entities: tuple[Entity, ...] | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        check_within(self.source, self.entities or (), f"{self.origin} source entities")


@dataclass(frozen=True, slots=True)
class Projection:
    """Where one source entity went. `target` is None when the aligner found no place for it.

    A source entity rendered by several phrases gives one projection per phrase, all with an equal
    `source`. `score` is the aligner's probability for this phrase (0 for none). `alternatives` are
    what the aligner chose `target` over, likeliest first: other places it believed in. They are
    doubts to look at, not proposals.

    Raises:
        SpanError: if two of these places share a character; then one is no alternative to the
            other.
    """

    source: Entity
    target: Span | None
    score: float
    alternatives: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        places = self.alternatives if self.target is None else (self.target, *self.alternatives)
        for a, b in combinations(places, 2):
            if a.overlaps(b):
                raise SpanError(str(b), f"no alternative to {a}: they share characters")

    @property
    def entity(self) -> Entity | None:
        """The target-side entity this projection proposes."""
        return None if self.target is None else Entity(self.target, self.source.label, self.score)


class ConflictKind(StrEnum):
    """What is doubtful about a sentence; the first three: the rules of Li et al. (2021), §3.2."""

    FAILED_MAPPING = "failed_mapping"
    OVERLAP = "overlap"
    ONE_TO_MANY = "one_to_many"
    LOW_CONFIDENCE = "low_confidence"
    UNPROJECTED = "unprojected"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something a person should look at, with a reason in plain words that names the phrases.

    `spans` are the target spans concerned: what an annotator should see marked.
    """

    kind: ConflictKind
    reason: str
    projections: tuple[Projection, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectedSentence:
    """A sentence with what projection made of it.

    `entities` are target-side, sorted by start, and may overlap when a conflict says so. `score`
    is the lowest probability among the projections and added entities (1 when there are none): the
    review queue is ordered by it. `model_version` names everything that shaped the answer.
    """

    sentence: ParallelSentence
    entities: tuple[Entity, ...]
    projections: tuple[Projection, ...]
    conflicts: tuple[Conflict, ...]
    score: float
    model_version: str

    def __post_init__(self) -> None:
        check_within(self.sentence.target, self.entities, f"{self.sentence.origin} target entities")

    @property
    def conflict_kinds(self) -> tuple[ConflictKind, ...]:
        """The kinds found, each once, in the order of `ConflictKind`."""
        found = {conflict.kind for conflict in self.conflicts}
        return tuple(kind for kind in ConflictKind if kind in found)


class ReviewStatus(StrEnum):
    """What the annotator decided about the sentence."""

    ACCEPTED = "accepted"  # the pre-annotation was right as it stood
    CORRECTED = "corrected"  # spans or labels were changed
    UNUSABLE = "unusable"  # marked as not fit for training
    SKIPPED = "skipped"  # cancelled: nobody decided
    UNSEEN = "unseen"  # nobody looked: accepted for its confidence


class LabelOrigin(StrEnum):
    """How a label came about."""

    PROJECTED = "projected"  # proposed by the models, and left as it was
    CHANGED = "changed"  # proposed, then changed by a person
    SUGGESTED = "suggested"  # proposed while a person was drawing
    PERSON = "person"  # drawn by a person
    PROPAGATED = "propagated"  # carried over from the correction of another sentence


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where one target label comes from; `source` is the source span it translates, if known."""

    origin: LabelOrigin
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class ReviewedSentence:
    """A sentence as a person left it, with what the machine had proposed beside it.

    `annotator` is Label Studio's user id as text, never a name, and empty when nobody looked.
    `lead_time` is in seconds. `predicted` are the entities the annotator saw first, or None when
    there was no prediction. `provenance` goes with `entities`, one for one; it is empty where it is
    not known.

    Raises:
        SpanError: if an entity reaches past its text, or there is not one provenance an entity.
    """

    sentence: ParallelSentence
    entities: tuple[Entity, ...]
    status: ReviewStatus
    annotator: str
    lead_time: float | None = None
    predicted: tuple[Entity, ...] | None = None
    conflicts: tuple[ConflictKind, ...] = ()
    model_version: str | None = None
    task_id: int | None = None
    annotation_id: int | None = None
    updated_at: str | None = None
    notes: tuple[str, ...] = field(default=())
    provenance: tuple[Provenance, ...] = ()

    def __post_init__(self) -> None:
        where = f"{self.sentence.origin} reviewed entities"
        check_within(self.sentence.target, self.entities, where)
        check_within(self.sentence.target, self.predicted or (), where)
        self._check_provenance(where)

    def _check_provenance(self, where: str) -> None:
        if self.provenance and len(self.provenance) != len(self.entities):
            raise SpanError(
                where, f"{len(self.provenance)} provenances for {len(self.entities)} entities"
            )
        for each in self.provenance:
            if each.source is not None:
                each.source.of(self.sentence.source)

    @property
    def usable(self) -> bool:
        """Whether the sentence may be trained on."""
        return self.judged or self.status is ReviewStatus.UNSEEN

    @property
    def judged(self) -> bool:
        """Whether a person decided what the entities are."""
        return self.status in (ReviewStatus.ACCEPTED, ReviewStatus.CORRECTED)
