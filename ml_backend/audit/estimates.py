"""Estimate the quality of unreviewed sentences from a stratified sample of reviewed ones.

An estimate is a ratio of two totals, such as right labels by proposed labels. Labels of one
sentence are right or wrong together, so the unit is the sentence, weighted by its labels times the
sentences it stands for.

A sample with few errors says nothing of rare sentences that are all wrong. So a bound counts one
more sentence, all wrong, as heavy as the sentence of a label is on average (Kish 1965, "Survey
Sampling", section 8.2), and is the quantile of the beta distribution with the mean and variance of
the share of errors (Fay and Feuer 1997, "Confidence intervals for directly standardized rates: a
method based on the gamma distribution", Statistics in Medicine 16). Where sentences weigh the same
and are right or wrong as a whole, this is the interval of Clopper and Pearson (1934). The variance
includes that of drawing the remaining sentences.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

LEVEL = 0.95
FEWEST = 2  # reviewed sentences with which a stratum stands by itself

Numbers = NDArray[np.float64]


class Counts(NamedTuple):
    """The entities of one reviewed sentence; `right` ones are `proposed` and `true`."""

    proposed: int
    true: int
    right: int
    unusable: bool = False


@dataclass(frozen=True, slots=True)
class ReviewedStratum:
    """The counts of a stratum's sample, and its `remaining` sentences with `entities` proposals.

    The confidence of all is at least `band`.
    """

    name: str
    band: float
    remaining: int
    counts: tuple[Counts, ...]
    entities: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share between 0 and 1 with its interval; None, 0 and 1 where the sample has no data."""

    value: float | None
    low: float
    high: float

    def __str__(self) -> str:
        if self.value is None:
            return "not known"
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"


NOT_KNOWN = Estimate(None, 0.0, 1.0)

Part = Callable[[Counts], int]
Ratio = tuple[Part, Part]

PRECISION: Ratio = (lambda c: c.right, lambda c: c.proposed)
RECALL: Ratio = (lambda c: c.right, lambda c: c.true)
UNUSABLE: Ratio = (lambda c: int(c.unusable), lambda _: 1)


class ThresholdVerdict(StrEnum):
    """The result of testing the precision above a threshold."""

    HOLDS = "holds"  # it is at least the target
    FAILS = "fails"  # the sample does not show that it is
    NOT_TESTED = "not tested"  # `reason` says why


@dataclass(frozen=True, slots=True)
class ThresholdTest:
    """A test of the precision of the tasks that remain from a threshold on.

    `reviewed` sentences stand for them; `lower` is the one-sided bound compared with the target.
    """

    threshold: float
    tasks: int
    entities: int
    reviewed: int
    precision: Estimate
    lower: float
    verdict: ThresholdVerdict
    reason: str


def fixed_sequence(strata: Sequence[ReviewedStratum], target: float) -> tuple[ThresholdTest, ...]:
    """Test the thresholds at which strata begin, the strictest first, up to the first that fails.

    In a fixed order that stops at the first failure, the chance that any threshold is wrongly said
    to hold is 1 − LEVEL (one-sided, all tests together; Angelopoulos et al., 2021, "Learn then
    Test", section on fixed sequence testing). `strata` are sorted, the most confident first.

    Thresholds are skipped above which a stratum has no reviewed sentence, or so few that a single
    error would fail the test and end the search; the lowest, which ends it anyway, only if it fails
    without an error too. This depends on the size of the sample alone, so it keeps the error rate.
    """
    two_sided = 2 * LEVEL - 1
    thresholds = sorted({stratum.band for stratum in strata}, reverse=True)
    tests: list[ThresholdTest] = []
    failed = False
    for threshold in thresholds:
        above = [stratum for stratum in strata if stratum.band >= threshold]
        lower = estimate(above, PRECISION, level=two_sided).low
        errors = 0 if threshold == thresholds[-1] else 1
        reason = "a stricter one failed"
        if not failed:
            reason = _untestable(above, target, two_sided, errors)
        if reason:
            verdict = ThresholdVerdict.NOT_TESTED
        else:
            verdict = ThresholdVerdict.HOLDS if lower >= target else ThresholdVerdict.FAILS
            failed = lower < target
        tests.append(
            ThresholdTest(
                threshold=threshold,
                tasks=sum(stratum.remaining for stratum in above),
                entities=sum(stratum.entities for stratum in above),
                reviewed=sum(len(stratum.counts) for stratum in above),
                precision=estimate(above, PRECISION),
                lower=lower,
                verdict=verdict,
                reason=reason,
            )
        )
    return tuple(tests)


def _untestable(above: Sequence[ReviewedStratum], target: float, level: float, errors: int) -> str:
    """Return why the precision above a threshold cannot be tested, or ""."""
    if not any(stratum.remaining for stratum in above):
        return "nothing remains"
    unseen = [stratum.name for stratum in above if stratum.remaining and not stratum.counts]
    if unseen:
        return f"nothing reviewed of {', '.join(unseen)}"
    most = best_lower_bound(above, PRECISION, level=level, errors=errors)
    if most < target:
        found = "with one error" if errors else "without an error"
        return f"too few reviewed: {found} they would show {100 * most:.1f} %"
    return ""


class _Sample(NamedTuple):
    """Arrays over reviewed sentences: weight of errors, weight, and factor on the variance."""

    wrong: Numbers
    whole: Numbers
    factor: Numbers

    @property
    def unseen(self) -> float:
        """The share of one more sentence, as heavy as that of a label is on average."""
        squares = float((self.whole**2 * self.factor).sum())
        return squares / float(self.whole.sum()) ** 2


def estimate(strata: Sequence[ReviewedStratum], ratio: Ratio, *, level: float = LEVEL) -> Estimate:
    """Estimate a ratio among the remaining sentences of all strata, with a two-sided interval.

    Strata with fewer than two reviewed sentences join their neighbours.
    """
    sample = _sample(strata, ratio)
    total = float(sample.whole.sum())
    if not total:
        return NOT_KNOWN
    wrong = sample.wrong / total
    mean, variance = float(wrong.sum()), float((wrong**2 * sample.factor).sum())
    unseen, tail = sample.unseen, (1 - level) / 2
    return Estimate(
        value=float((sample.whole - sample.wrong).sum()) / total,
        low=1 - _quantile(1 - tail, mean + unseen, variance + unseen**2),
        high=1 - _quantile(tail, mean, variance),
    )


def best_lower_bound(
    strata: Sequence[ReviewedStratum], ratio: Ratio, *, level: float = LEVEL, errors: int = 0
) -> float:
    """Return the lower bound if `errors` sentences were wrong, whatever was found in them."""
    sample = _sample(strata, ratio)
    if not sample.whole.sum():
        return 0.0
    each, wrong = sample.unseen, errors + 1
    return 1 - _quantile((1 + level) / 2, wrong * each, wrong * each**2)


def sentences_needed(precision: float, *, level: float = LEVEL) -> int:
    """Return how many sentences show this precision if all are right and many more remain."""
    return int(np.ceil(np.log((1 - level) / 2) / np.log(precision)))


def _sample(strata: Iterable[ReviewedStratum], ratio: Ratio) -> _Sample:
    """Return the reviewed sentences of the strata with remaining ones, small strata joined."""
    groups: list[list[ReviewedStratum]] = [[]]
    for stratum in strata:
        if stratum.remaining:
            groups[-1].append(stratum)
            if sum(len(each.counts) for each in groups[-1]) >= FEWEST:
                groups.append([])
    *whole, rest = groups
    if whole:
        whole[-1].extend(rest)
    weighed = [_group(group, ratio) for group in whole or [rest]]
    return _Sample(*(np.concatenate(parts) for parts in zip(_NOTHING, *weighed, strict=True)))


_NOTHING = _Sample(*[np.empty(0)] * 3)


def _group(strata: Sequence[ReviewedStratum], ratio: Ratio) -> _Sample:
    """Weigh the reviewed sentences of strata as if drawn from one stratum."""
    counts = [each for stratum in strata for each in stratum.counts]
    if not counts:
        return _NOTHING
    remaining, reviewed = sum(stratum.remaining for stratum in strata), len(counts)
    top, bottom = (np.array([part(each) for each in counts], dtype=float) for part in ratio)
    stands_for, factor = remaining / reviewed, (remaining + reviewed) / remaining
    return _Sample((bottom - top) * stands_for, bottom * stands_for, np.full(reviewed, factor))


def _quantile(chance: float, mean: float, variance: float) -> float:
    """Return a quantile of a share with this mean and, while it is small, this variance."""
    if not mean:
        return 0.0
    size = mean / variance
    right = size * (1 - mean) + 1
    return float(beta.ppf(chance, size * mean, right)) if right > 0 else 1.0
