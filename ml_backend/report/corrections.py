"""Which entities are corrected most, and what they become."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ml_backend.report.acceptance import Reviewed
from ml_backend.report.ledger import Change, Entry
from ml_backend.review.corrections import composed
from projection.io.records_json import Json
from projection.records import Entity

MOST = 20


class Phrase(NamedTuple):
    """Words of a language with a type, in Unicode normalisation form C."""

    text: str
    label: str
    lang: str


class Became(NamedTuple):
    """What a proposed phrase was turned into, so many times. Nothing, if it was deleted."""

    change: Change
    text: str
    label: str
    times: int


@dataclass(frozen=True, slots=True)
class Corrected:
    """A phrase that was proposed so often, and changed so often; `became` has the latter."""

    phrase: Phrase
    proposed: int
    corrected: int
    became: tuple[Became, ...]

    def to_json(self) -> Json:
        """Flat."""
        became = [each._asdict() for each in self.became]
        counts = {"proposed": self.proposed, "corrected": self.corrected}
        return {**self.phrase._asdict(), **counts, "became": became}


@dataclass(frozen=True, slots=True)
class Added:
    """A phrase that was not proposed but marked by people, so often."""

    phrase: Phrase
    count: int

    def to_json(self) -> Json:
        """Flat."""
        return {**self.phrase._asdict(), "count": self.count}


def most_corrected(reviewed: Iterable[Reviewed], most: int = MOST) -> tuple[Corrected, ...]:
    """The phrases changed most often, the most frequent first, equal ones by the alphabet."""
    proposed: Counter[Phrase] = Counter()
    became: defaultdict[Phrase, Counter[tuple[Change, str, str]]] = defaultdict(Counter)
    for entry in _entries(reviewed):
        if (old := _phrase(entry, entry.predicted)) is not None and entry.change is not None:
            proposed[old] += 1
            if entry.change is not Change.KEPT:
                new = _phrase(entry, entry.corrected)
                became[old][entry.change, new.text if new else "", new.label if new else ""] += 1
    chosen = sorted(became, key=lambda phrase: (-became[phrase].total(), phrase))[:most]
    return tuple(
        Corrected(
            phrase,
            proposed[phrase],
            became[phrase].total(),
            tuple(Became(*new, count) for new, count in became[phrase].most_common()),
        )
        for phrase in chosen
    )


def most_added(reviewed: Iterable[Reviewed], most: int = MOST) -> tuple[Added, ...]:
    """The phrases people marked most often where nothing was proposed; ordered likewise."""
    counts = Counter(
        phrase
        for entry in _entries(reviewed)
        if entry.change is Change.ADDED and (phrase := _phrase(entry, entry.corrected)) is not None
    )
    chosen = sorted(counts, key=lambda phrase: (-counts[phrase], phrase))[:most]
    return tuple(Added(phrase, counts[phrase]) for phrase in chosen)


def _entries(reviewed: Iterable[Reviewed]) -> Iterator[Entry]:
    return (entry for each in reviewed for entry in each.entries)


def _phrase(entry: Entry, entity: Entity | None) -> Phrase | None:
    if entity is None:
        return None
    return Phrase(composed(entity.span.of(entry.target)), entity.label, entry.lang)
