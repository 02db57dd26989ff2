"""What a stratified sample of reviewed sentences says about those nobody has reviewed.

An estimate is a ratio of two totals, such as right labels by proposed labels. Sentences are what is
drawn, and labels of one sentence are right or wrong together, so sentences are what is counted:
each with what it weighs, which is its labels times the sentences it stands for.

Where few errors were found, the sample cannot tell of the rare ones it missed: a sentence all wrong
that is like none of those seen. So a bound counts one more sentence than was reviewed, all wrong,
as heavy as a labels' own sentence is on average. What is wrong with it has a mean and a variance,
and the bound is the quantile of the beta distribution that has both. For sentences that weigh the
same and are right or wrong as a whole that is the interval of Clopper and Pearson (1934), and
without an error the rule of three; for unequal weights it is the way of Fay and Feuer (1997,
"Confidence intervals for directly standardized rates: a method based on the gamma distribution",
Statistics in Medicine 16), with the mean of Kish (1965, "Survey Sampling", section 8.2) for their
largest weight. Errors spread over many sentences weigh less than as many that come together, and
none of them makes the bound of precision tighter.

The fewer sentences remain, the less their share of errors follows that of the reviewed ones: the
variance is what drawing gives them, too.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

LEVEL = 0.95
FEWEST = 2  # reviewed sentences that may stand for a stratum by themselves

Numbers = NDArray[np.float64]


class Counts(NamedTuple):
    """What came out for one reviewed sentence, in entities.

    `right` of the `proposed` are among the `true` ones, with the same span and label. A sentence
    that is `unusable` counts no entities at all.
    """

    proposed: int
    true: int
    right: int
    unusable: bool = False


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A stratum: `remaining` sentences nobody reviewed, and what came out for those of the sample.

    The remaining ones hold `entities` proposals. `band` is the least confidence of its sentences.
    """

    name: str
    band: float
    remaining: int
    counts: tuple[Counts, ...]
    entities: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share between 0 and 1 and where it lies; None where the sample has nothing to tell it by.

    `low` and `high` then are 0 and 1.
    """

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


class Verdict(StrEnum):
    """What a sample says of the precision above a threshold."""

    HOLDS = "holds"  # it is at least the target
    FAILS = "fails"  # the sample does not show that it is
    NOT_TESTED = "not tested"  # `reason` says why


@dataclass(frozen=True, slots=True)
class ThresholdTest:
    """What remains from a confidence of `threshold` on, and whether it is precise enough.

    `tasks` with `entities` proposals remain; `reviewed` sentences of the sample tell of them.
    `lower` is the one-sided bound that was held against the target.
    """

    threshold: float
    tasks: int
    entities: int
    reviewed: int
    precision: Estimate
    lower: float
    verdict: Verdict
    reason: str


def fixed_sequence(
    strata: Sequence[Reviewed],
    target: float,
    *,
    level: float = LEVEL,
) -> tuple[ThresholdTest, ...]:
    """Test the thresholds at which strata begin, the strictest first, up to the first that fails.

    Looking at many thresholds and taking the best finds one that looks good by chance. In a fixed
    order, and stopping at the first failure, each test may use the whole error rate: the chance
    that any threshold is wrongly said to hold stays 1 − `level` (Angelopoulos et al., 2021, "Learn
    then Test", section on fixed sequence testing).

    Passed over are thresholds above which a stratum was not reviewed at all, or so few sentences
    that a single error would fail the test and end the search; the lowest threshold, after which
    nothing could come, only if it fails even without an error. All this depends on the size of the
    sample and not on what was found, so it does no harm.

    Args:
        strata: the surest first.
        target: the precision to show, between 0 and 1.
        level: one-sided, for all tests together.
    """
    two_sided = 2 * level - 1
    thresholds = sorted({stratum.band for stratum in strata}, reverse=True)
    tests: list[ThresholdTest] = []
    failed = False
    for threshold in thresholds:
        above = [stratum for stratum in strata if stratum.band >= threshold]
        lower = estimate(above, PRECISION, level=two_sided).low
        errors = 0 if threshold == thresholds[-1] else 1
        reason = (
            "a stricter one failed" if failed else _untestable(above, target, two_sided, errors)
        )
        verdict = Verdict.NOT_TESTED if reason else _verdict(lower, target)
        failed |= verdict is Verdict.FAILS
        tests.append(
            ThresholdTest(
                threshold=threshold,
                tasks=sum(stratum.remaining for stratum in above),
                entities=sum(stratum.entities for stratum in above),
                reviewed=sum(len(stratum.counts) for stratum in above),
                precision=estimate(above, PRECISION, level=level),
                lower=lower,
                verdict=verdict,
                reason=reason,
            )
        )
    return tuple(tests)


def _verdict(lower: float, target: float) -> Verdict:
    return Verdict.HOLDS if lower >= target else Verdict.FAILS


def _untestable(above: Sequence[Reviewed], target: float, level: float, errors: int) -> str:
    """Why the precision above a threshold cannot be tested, or nothing."""
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
    """Reviewed sentences as parallel numbers: what each adds to the two totals of a ratio.

    `whole` is what it adds to the lower one, and `wrong` as much of that as the upper one lacks.
    The share of what is wrong varies `factor` times as much as that of the sample alone would.
    """

    wrong: Numbers
    whole: Numbers
    factor: Numbers

    @property
    def unseen(self) -> float:
        """The share of one more sentence, as heavy as that of a label is on average."""
        squares = float((self.whole**2 * self.factor).sum())
        return squares / float(self.whole.sum()) ** 2


def estimate(strata: Sequence[Reviewed], ratio: Ratio, *, level: float = LEVEL) -> Estimate:
    """The ratio among the remaining sentences of all `strata` together.

    Args:
        strata: with any number of reviewed sentences each; those with fewer than two are taken
            together with their neighbours, in the order given.
        ratio: what is counted, and what of.
        level: of the two-sided interval. One side of it holds at the middle of this and 1.
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
    strata: Sequence[Reviewed], ratio: Ratio, *, level: float = LEVEL, errors: int = 0
) -> float:
    """The lower bound had so many sentences been wrong: what such a sample can show at most.

    It depends on what was proposed, not on what proved right.
    """
    sample = _sample(strata, ratio)
    if not sample.whole.sum():
        return 0.0
    each, wrong = sample.unseen, errors + 1
    return 1 - _quantile((1 + level) / 2, wrong * each, wrong * each**2)


def sentences_needed(precision: float, *, level: float = LEVEL) -> int:
    """How many sentences without an error it takes to show this precision, of many remaining.

    More, if some have more labels than others.
    """
    tail = (1 - level) / 2
    return int(np.ceil(np.log(tail) / np.log(precision)))


def _sample(strata: Iterable[Reviewed], ratio: Ratio) -> _Sample:
    """The sentences reviewed of strata of which something remains."""
    groups = [_group(strata, ratio) for strata in _together(strata)]
    return _Sample(*(np.concatenate(parts) for parts in zip(_NOTHING, *groups, strict=True)))


def _together(strata: Iterable[Reviewed]) -> list[list[Reviewed]]:
    """Those with something remaining; ones with few reviewed sentences join the next."""
    groups: list[list[Reviewed]] = []
    waiting: list[Reviewed] = []
    for stratum in strata:
        if stratum.remaining:
            waiting.append(stratum)
            if sum(len(each.counts) for each in waiting) >= FEWEST:
                groups.append(waiting)
                waiting = []
    if not groups:
        return [waiting]
    groups[-1] += waiting
    return groups


_NOTHING = _Sample(*[np.empty(0)] * 3)


def _group(strata: Sequence[Reviewed], ratio: Ratio) -> _Sample:
    """All of their sentences are equally likely to have been drawn."""
    counts = [each for stratum in strata for each in stratum.counts]
    if not counts:
        return _NOTHING
    remaining, reviewed = sum(stratum.remaining for stratum in strata), len(counts)
    top, bottom = (np.array([part(each) for each in counts], dtype=float) for part in ratio)
    stands_for, factor = remaining / reviewed, (remaining + reviewed) / remaining
    return _Sample((bottom - top) * stands_for, bottom * stands_for, np.full(reviewed, factor))


def _quantile(chance: float, mean: float, variance: float) -> float:
    """Of a share that has this mean and, while it is small, this variance."""
    if not mean:
        return 0.0
    size = mean / variance
    right = size * (1 - mean) + 1
    return float(beta.ppf(chance, size * mean, right)) if right > 0 else 1.0
