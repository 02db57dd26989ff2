"""The records of the data flow: frozen, and validated when they are made.

All offsets are half-open and counted in Unicode code points of one text, as Python indexes `str`
and as Label Studio counts in the browser.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from projection.errors import SpanError
from projection.languages import language_tag


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open `[start, end)` in code points of one text; SpanError if empty or backwards."""

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
        """Return whether the two share at least one code point; touching is not overlapping."""
        return self.start < other.end and other.start < self.end

    def of(self, text: str) -> str:
        """Return the slice of `text` this span covers; raise SpanError if it reaches past it."""
        if self.end > len(text):
            raise SpanError(str(self), f"reaches past the text ({len(text)} code points)")
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Entity:
    """A labelled span. `score` is a probability in [0, 1]; None if by a person or gold.

    White space around the label is dropped. SpanError if none or an unprintable one is left.
    """

    span: Span
    label: str
    score: float | None = None

    def __post_init__(self) -> None:
        if (label := self.label.strip()) != self.label:
            object.__setattr__(self, "label", label)
        if not label:
            raise SpanError(str(self.span), "an entity without a label")
        if not label.isprintable():
            raise SpanError(str(self.span), f"the label {label!r} is not printable")
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise SpanError(str(self.span), f"score {self.score} is not a probability")


def _check_within(text: str, entities: Iterable[Entity], where: str) -> None:
    for entity in entities:
        if entity.span.end > len(text):
            what = f"{entity.label} {entity.span} reaches past {len(text)} code points"
            raise SpanError(where, what)


@dataclass(frozen=True, slots=True)
class ParallelSentence:
    """A source sentence and its translation.

    `id` is unique in a corpus and stable between runs; `origin` is the corpus file and line
    (`news.en:17`). `entities` are the corpus's own source entities; with None the teacher labels
    the source. `margin` is the margin score of mined pairs (Artetxe & Schwenk, 2019), if given.
    `target_entities` are the corpus's own target entities, which are proposed instead of
    projections; with None there are none, and the source's are projected.
    The language tags are normalised (`zh_TW` becomes `zh-TW`); LanguageTagError if one is none.
    """

    id: str
    source: str
    target: str
    source_lang: str
    target_lang: str
    origin: str
    entities: tuple[Entity, ...] | None = None
    margin: float | None = None
    target_entities: tuple[Entity, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("source_lang", "target_lang"):
            tag = language_tag(getattr(self, name), f"{self.origin} {name}")
            object.__setattr__(self, name, tag)
        _check_within(self.source, self.entities or (), f"{self.origin} source entities")
        _check_within(self.target, self.target_entities or (), f"{self.origin} target entities")


@dataclass(frozen=True, slots=True)
class Projection:
    """The place of one source entity in the target; `target` is None where none was found.

    A source entity rendered by several phrases has one projection per phrase. `score` is the
    probability that place and type are both right (0 for no place): the aligner's times that of the
    teacher's entity; as an aligner answers, its own. `alternatives` are other likely places,
    likeliest first. `propagated` is the label that a correction of other sentences gave the target,
    "" if there is no entity, None without a correction. SpanError if places share a character.
    """

    source: Entity
    target: Span | None
    score: float
    alternatives: tuple[Span, ...] = ()
    propagated: str | None = None

    def __post_init__(self) -> None:
        if self.propagated is not None and bool(self.propagated) != bool(self.target):
            raise SpanError(str(self.target), f"contradicts the propagated {self.propagated!r}")
        places = self.alternatives if self.target is None else (self.target, *self.alternatives)
        for a, b in combinations(places, 2):
            if a.overlaps(b):
                raise SpanError(str(b), f"no alternative to {a}: they share characters")

    @property
    def entity(self) -> Entity | None:
        """The target entity this projection proposes; a propagated one has no score."""
        if self.target is None:
            return None
        score = None if self.propagated else self.score
        return Entity(self.target, self.propagated or self.source.label, score)


class ConflictKind(StrEnum):
    """Why a sentence needs a review; the first three are rules of Li et al. (2021), §3.2."""

    FAILED_MAPPING = "failed_mapping"
    OVERLAP = "overlap"
    ONE_TO_MANY = "one_to_many"
    LOW_CONFIDENCE = "low_confidence"
    TYPE_UNSURE = "type_unsure"
    UNPROJECTED = "unprojected"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A question for a person, with a reason that quotes phrases; about `spans` of the target."""

    kind: ConflictKind
    reason: str
    projections: tuple[Projection, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectedSentence:
    """A sentence with its projected entities.

    `entities` are of the target, sorted by start; they overlap only where a conflict says so.
    `score` is the lowest probability of the projections and added entities, and of the teacher
    having missed nothing (1 without any doubt).
    `model_version` identifies everything that shaped the answer.
    """

    sentence: ParallelSentence
    entities: tuple[Entity, ...]
    projections: tuple[Projection, ...]
    conflicts: tuple[Conflict, ...]
    score: float
    model_version: str

    def __post_init__(self) -> None:
        _check_within(
            self.sentence.target, self.entities, f"{self.sentence.origin} target entities"
        )

    @property
    def source_entities(self) -> tuple[Entity, ...]:
        """The source entities that were projected: of the corpus, or else of the teacher."""
        if self.sentence.entities is not None:
            return self.sentence.entities
        seen = {projection.source for projection in self.projections}
        return tuple(sorted(seen, key=lambda entity: (entity.span, entity.label)))

    @property
    def conflict_kinds(self) -> tuple[ConflictKind, ...]:
        """The kinds found, each once, in the order of `ConflictKind`."""
        found = {conflict.kind for conflict in self.conflicts}
        return tuple(kind for kind in ConflictKind if kind in found)


class ReviewStatus(StrEnum):
    """The decision about a sentence."""

    ACCEPTED = "accepted"  # the prediction was right as it stood
    CORRECTED = "corrected"  # spans or labels were changed
    UNUSABLE = "unusable"  # marked as not fit for training
    SKIPPED = "skipped"  # cancelled without a decision
    UNSEEN = "unseen"  # not reviewed, accepted for its confidence


class LabelOrigin(StrEnum):
    """The origin of a label."""

    PROJECTED = "projected"  # proposed by the models and left as it was
    CORPUS = "corpus"  # of the corpus's own target entities, and left as it was
    CHANGED = "changed"  # proposed by either and changed by a person
    SUGGESTED = "suggested"  # proposed while a person was annotating
    PERSON = "person"  # drawn by a person
    PROPAGATED = "propagated"  # from the correction of another sentence


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of one target label; `source` is the source span it translates, if known."""

    origin: LabelOrigin
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class ReviewedSentence:
    """A sentence as an annotator left it, and what the models had proposed.

    `annotator` is Label Studio's user id, never a name; empty if nobody looked. `lead_time` is in
    seconds. `predicted` are the entities the annotator saw first; None without a prediction.
    `provenance` goes with `entities`, one for one, or is empty. `teacher_entities` are those of
    the source; None where the corpus has its own, or an older export does not say. `part` is the
    part of the split it is in; None if in no training data. `final` if somebody settled by it what
    annotators disagreed on. SpanError if these contradict.
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
    notes: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    teacher_entities: tuple[Entity, ...] | None = None
    part: str | None = None
    final: bool = False

    def __post_init__(self) -> None:
        where = f"{self.sentence.origin} reviewed entities"
        _check_within(self.sentence.target, (*self.entities, *(self.predicted or ())), where)
        _check_within(self.sentence.source, self.teacher_entities or (), where)
        if self.provenance and len(self.provenance) != len(self.entities):
            what = f"{len(self.provenance)} provenances for {len(self.entities)} entities"
            raise SpanError(where, what)
        for each in self.provenance:
            if each.source is not None:
                each.source.of(self.sentence.source)

    @property
    def source_entities(self) -> tuple[Entity, ...] | None:
        """The source entities that were projected; None where an older export does not say."""
        return self.teacher_entities if self.sentence.entities is None else self.sentence.entities

    @property
    def usable(self) -> bool:
        """True if the sentence may be trained on."""
        return self.judged or self.status is ReviewStatus.UNSEEN

    @property
    def judged(self) -> bool:
        """True if a person decided what the entities are."""
        return self.status in (ReviewStatus.ACCEPTED, ReviewStatus.CORRECTED)


@dataclass(frozen=True, slots=True)
class UnreadableReview:
    """An annotation that cannot be read, and the reason; without `annotation_id`, a whole task.

    `sentence_id` and `origin` are empty where the task does not say.
    """

    task_id: int | None
    annotation_id: int | None
    annotator: str
    sentence_id: str
    origin: str
    reason: str

    def __str__(self) -> str:
        task = f"task {self.task_id}"
        return task if self.annotation_id is None else f"{task} annotation {self.annotation_id}"
