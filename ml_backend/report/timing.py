"""How long annotators take for a decision."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from ml_backend.report.acceptance import conflicts_of, in_order
from projection.io.records_json import Json
from projection.records import ReviewedSentence, ReviewStatus

IDLE_SECONDS = 600.0  # a sentence open for longer was left alone, not read

_DECIDED = (ReviewStatus.ACCEPTED, ReviewStatus.CORRECTED, ReviewStatus.UNUSABLE)


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Lower quartile, median and upper quartile of `n` times, in seconds."""

    name: str
    n: int
    lower: float
    median: float
    upper: float


@dataclass(frozen=True, slots=True)
class Times:
    """Times of decisions that accepted, corrected or rejected a sentence; `overall` None if none.

    `by` holds those by decision, conflict and language. `seconds` is their sum. Set aside are
    `untimed` decisions (made through the API) and `idle` ones, open for over `idle_seconds`.
    """

    overall: Quartiles | None
    by: Mapping[str, Sequence[Quartiles]]
    seconds: float
    untimed: int
    idle: int
    idle_seconds: float

    @classmethod
    def of(cls, reviewed: Iterable[ReviewedSentence], idle_seconds: float = IDLE_SECONDS) -> Self:
        """Measure the decisions among `reviewed`."""
        times = [(r, r.lead_time or 0.0) for r in reviewed if r.status in _DECIDED]
        timed = [(review, seconds) for review, seconds in times if 0 < seconds <= idle_seconds]
        return cls(
            overall=next(iter(_quartiles(("all", s) for _, s in timed)), None),
            by={
                "decision": _quartiles((r.status.value, s) for r, s in timed),
                "conflict": _quartiles((kind, s) for r, s in timed for kind in conflicts_of(r)),
                "language": _quartiles((r.sentence.target_lang, s) for r, s in timed),
            },
            seconds=sum(seconds for _, seconds in timed),
            untimed=sum(seconds <= 0 for _, seconds in times),
            idle=sum(seconds > idle_seconds for _, seconds in times),
            idle_seconds=idle_seconds,
        )

    def to_json(self) -> Json:
        """All of it, in seconds."""
        found = asdict(self)
        return found | {f"by_{name}": times for name, times in found.pop("by").items()}


def _quartiles(named: Iterable[tuple[str, float]]) -> list[Quartiles]:
    times: defaultdict[str, list[float]] = defaultdict(list)
    for name, seconds in named:
        times[name].append(seconds)
    found = []
    for name in in_order(times):
        several = times[name] * 2 if len(times[name]) == 1 else times[name]
        quartiles = statistics.quantiles(several, n=4, method="inclusive")
        found.append(Quartiles(name, len(times[name]), *quartiles))
    return found
