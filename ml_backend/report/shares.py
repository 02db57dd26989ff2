"""Shares of a whole, with how sure they are."""

from dataclasses import dataclass

from projection.io.records_json import Json
from training.evaluation.reliability import wilson


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole` things. Nothing of nothing has no value."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The fraction, in [0, 1]."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the fraction lies with 95 % certainty (Wilson 1927), if cases are independent."""
        return wilson(self.part / self.whole, self.whole) if self.whole else None

    def to_json(self) -> Json:
        """Counts, fraction and interval."""
        interval = self.interval
        return {
            "part": self.part,
            "whole": self.whole,
            "value": self.value,
            "interval": None if interval is None else list(interval),
        }
