"""How long people took, and an estimate of the time the proposals saved them."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from projection.text.plural import counted
from scipy.stats import quantile_test

from ml_backend.report.acceptance import Reviewed, conflicts_of, in_order
from ml_backend.report.ledger import Change
from projection.io.records_json import Json
from projection.records import ReviewedSentence, ReviewStatus

IDLE_SECONDS = 600.0  # longer than anybody reads a sentence: it was left open
LEVEL = 0.95
FEWEST = 10  # sentences that a median is taken of, before anything is concluded from it

DECIDED = (ReviewStatus.ACCEPTED, ReviewStatus.CORRECTED, ReviewStatus.UNUSABLE)
DRAWN = (Change.ADDED, Change.UNAIDED)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of some times, in seconds."""

    name: str
    n: int
    lower: float
    median: float
    upper: float

    @classmethod
    def of(cls, name: str, seconds: Sequence[float]) -> Self:
        """Of at least one time."""
        if len(seconds) == 1:
            return cls(name, 1, seconds[0], seconds[0], seconds[0])
        lower, median, upper = statistics.quantiles(seconds, n=4, method="inclusive")
        return cls(name, len(seconds), lower, median, upper)


@dataclass(frozen=True, slots=True)
class Times:
    """How long the annotations took that decided something, `unusable` included.

    Set aside: those `untimed`, and those open for longer than `idle_seconds`, which are `idle`.
    `seconds` is the sum of the others. `overall` is None if there are none.
    """

    overall: Spread | None
    by_decision: tuple[Spread, ...]
    by_conflict: tuple[Spread, ...]
    by_language: tuple[Spread, ...]
    seconds: float
    untimed: int
    idle: int
    idle_seconds: float

    @classmethod
    def of(cls, reviewed: Iterable[Reviewed], idle_seconds: float = IDLE_SECONDS) -> Self:
        """Measure."""
        decided = [each.review for each in reviewed if each.review.status in DECIDED]
        timed = list(_timed(decided, idle_seconds))
        every = [seconds for _, seconds in timed]
        untimed = sum(not _has_time(review) for review in decided)
        return cls(
            overall=Spread.of("all", every) if every else None,
            by_decision=_spreads((review.status.value, s) for review, s in timed),
            by_conflict=_spreads((kind, s) for review, s in timed for kind in conflicts_of(review)),
            by_language=_spreads((review.sentence.target_lang, s) for review, s in timed),
            seconds=sum(every),
            untimed=untimed,
            idle=len(decided) - untimed - len(timed),
            idle_seconds=idle_seconds,
        )

    def to_json(self) -> Json:
        """All of it, in seconds."""
        return asdict(self)


def _spreads(named: Iterable[tuple[str, float]]) -> tuple[Spread, ...]:
    times: defaultdict[str, list[float]] = defaultdict(list)
    for name, seconds in named:
        times[name].append(seconds)
    return tuple(Spread.of(name, times[name]) for name in in_order(times))


def _has_time(review: ReviewedSentence) -> bool:
    """Decisions made through the API have no time, or none at all."""
    return review.lead_time is not None and review.lead_time > 0


def _timed(
    reviewed: Iterable[ReviewedSentence], idle_seconds: float
) -> Iterator[tuple[ReviewedSentence, float]]:
    for review in reviewed:
        if review.lead_time is not None and 0 < review.lead_time <= idle_seconds:
            yield review, review.lead_time


@dataclass(frozen=True, slots=True)
class Drawing:
    """How many seconds it takes to draw one entity, and how that is known.

    Measured: the `accepted` decisions that left a sentence as proposed take `accepted_seconds`
    (median); one that drew entities, and changed nothing else, takes longer; what it takes longer,
    by the number of entities drawn, is one measurement. `seconds` is the median of the `sentences`
    measurements, with 95 % certainty in `interval`. If a person gave the number, there is nothing
    but it; and where it could not be measured, it is None and `reason` says why.
    """

    seconds: float | None
    interval: tuple[float, float] | None = None
    accepted: int = 0
    accepted_seconds: float | None = None
    sentences: int = 0
    given: bool = False
    reason: str = ""


def measure_drawing(reviewed: Iterable[Reviewed], idle_seconds: float = IDLE_SECONDS) -> Drawing:
    """Find out from the times of a review how long drawing takes."""
    accepted: list[float] = []
    drawn: list[tuple[float, int]] = []
    for each in reviewed:
        for review, seconds in _timed([each.review], idle_seconds):
            if review.status is ReviewStatus.ACCEPTED:
                accepted.append(seconds)
            elif entities := _only_drawn(each):
                drawn.append((seconds, entities))
    if len(accepted) < FEWEST or len(drawn) < FEWEST:
        right = counted(len(accepted), "timed decision")
        reason = (
            f"{right} accepted what was proposed, and {len(drawn)} only drew entities; {FEWEST} of "
            "each are needed"
        )
        return Drawing(None, accepted=len(accepted), sentences=len(drawn), reason=reason)
    return _drawing(accepted, drawn)


def _only_drawn(each: Reviewed) -> int:
    """How many entities were drawn; 0 if anything else was changed, too."""
    changes = [entry.change for entry in each.entries]
    drawn = sum(change in DRAWN for change in changes)
    return drawn if drawn + changes.count(Change.KEPT) == len(changes) else 0


def _drawing(accepted: Sequence[float], drawn: Sequence[tuple[float, int]]) -> Drawing:
    base = statistics.median(accepted)
    measured = [(seconds - base) / entities for seconds, entities in drawn]
    seconds = statistics.median(measured)
    found = quantile_test(measured, q=seconds, p=0.5).confidence_interval(LEVEL)
    known = seconds > 0
    return Drawing(
        seconds if known else None,
        interval=(float(found.low), float(found.high)) if known else None,
        accepted=len(accepted),
        accepted_seconds=base,
        sentences=len(measured),
        reason="" if known else "sentences in which entities were drawn took no longer than others",
    )


@dataclass(frozen=True, slots=True)
class Saving:
    """An estimate of the time that proposals saved against labelling from scratch.

    What was kept need not be drawn. What was deleted costs an action that nobody would have needed,
    and a border can only be moved by deleting and drawing again: each is counted as if it took as
    long as drawing, which is cautious. A new type costs as much as it saves. Reading takes the same
    time with proposals as without. So the saving is
    `drawing.seconds × (kept − deleted − border_moved)`; it may be negative.
    """

    drawing: Drawing
    kept: int
    deleted: int
    border_moved: int

    @classmethod
    def of(cls, reviewed: Iterable[Reviewed], drawing: Drawing) -> Self:
        """Count what was spared and what was made necessary."""
        changes = [entry.change for each in reviewed for entry in each.entries]
        return cls(
            drawing,
            kept=changes.count(Change.KEPT),
            deleted=changes.count(Change.DELETED),
            border_moved=changes.count(Change.BORDER_MOVED),
        )

    @property
    def entities(self) -> int:
        """How many drawings were spared on balance."""
        return self.kept - self.deleted - self.border_moved

    @property
    def seconds(self) -> float | None:
        """The estimate; None where it is not known how long drawing takes."""
        return None if self.drawing.seconds is None else self.drawing.seconds * self.entities

    @property
    def interval(self) -> tuple[float, float] | None:
        """What follows from the interval of the seconds per entity; of nothing else."""
        if self.drawing.interval is None:
            return None
        low, high = sorted(each * self.entities for each in self.drawing.interval)
        return low, high

    def to_json(self) -> Json:
        """The estimate and all it is made of."""
        return {**asdict(self), "seconds": self.seconds, "interval": self.interval}
