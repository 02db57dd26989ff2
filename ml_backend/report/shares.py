"""Shares of a whole with their confidence interval."""

from dataclasses import dataclass

from projection.io.records_json import Json
from training.evaluation.reliability import wilson


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole` things."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The fraction, in [0, 1]; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the fraction (Wilson 1927), if cases are independent."""
        return wilson(self.part, self.whole) if self.whole else None

    def to_json(self) -> Json:
        """Counts, fraction and interval."""
        interval = self.interval and list(self.interval)
        return {"part": self.part, "whole": self.whole, "value": self.value, "interval": interval}
