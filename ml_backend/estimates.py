"""What a stratified sample of reviewed sentences says about those nobody has reviewed.

An estimate is a ratio of two totals, such as right labels by proposed labels. Sentences are what is
drawn, and labels of one sentence are right or wrong together, so sentences are what is resampled.

The interval joins two. The percentile bootstrap resamples sentences within strata, one fewer than
there are, and fewer still the less remains to be told about (Rao & Wu, 1988, "Resampling inference
with complex survey data", JASA 83): without either its spread would be too small. Where few errors
were found it cannot know of the rare ones, and where none were found it has no spread at all; so no
interval is tighter than that of Clopper and Pearson at the effective sample size (Korn & Graubard,
1998, "Confidence intervals for proportions with small expected number of positive counts estimated
from survey data", Survey Methodology 24). Without any error the effective sample size is that of
sentences, not labels, weighted after Kish: for equal weights and 95 % that is the rule of three.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

REPLICATES = 2000
LEVEL = 0.95
FEWEST = 2  # sentences of a stratum from which a spread can be told

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
    seed: int = 0,
    replicates: int = REPLICATES,
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
        seed: of the bootstrap.
        replicates: of the bootstrap.
    """
    two_sided = 2 * level - 1
    thresholds = sorted({stratum.band for stratum in strata}, reverse=True)
    tests: list[ThresholdTest] = []
    failed = False
    for threshold in thresholds:
        above = [stratum for stratum in strata if stratum.band >= threshold]
        lower = estimate(above, PRECISION, level=two_sided, seed=seed, replicates=replicates).low
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
                precision=estimate(above, PRECISION, level=level, seed=seed, replicates=replicates),
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


class _Group(NamedTuple):
    """Strata taken together: parallel numbers of their reviewed sentences, equally likely drawn."""

    remaining: int
    top: Numbers
    bottom: Numbers


def estimate(
    strata: Sequence[Reviewed],
    ratio: Ratio,
    *,
    level: float = LEVEL,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Estimate:
    """The ratio among the remaining sentences of all `strata` together.

    Args:
        strata: with any number of reviewed sentences each; those with fewer than two are taken
            together with their neighbours, in the order given.
        ratio: what is counted, and what of.
        level: of the two-sided interval. One side of it holds at the middle of this and 1.
        seed: of the bootstrap.
        replicates: of the bootstrap.
    """
    groups = _groups(strata, ratio)
    total = sum(group.remaining * group.bottom.mean() for group in groups)
    if not total:
        return NOT_KNOWN
    value = float(sum(group.remaining * group.top.mean() for group in groups) / total)
    again = _resampled(groups, seed, replicates)
    size = _effective_size(groups, value, float(again.var()) if again.size else 0.0)
    tail = (1 - level) / 2
    low, high = _clopper_pearson(value, size, tail)
    if again.size:
        low = min(low, float(np.quantile(again, tail)))
        high = max(high, float(np.quantile(again, 1 - tail)))
    return Estimate(value, max(0.0, low), min(1.0, high))


def best_lower_bound(
    strata: Sequence[Reviewed], ratio: Ratio, *, level: float = LEVEL, errors: int = 0
) -> float:
    """The lower bound had so many errors been found: what a sample of this size can show at most.

    It depends on what was proposed, not on what proved right.
    """
    size = _size_in_sentences(_groups(strata, ratio))
    return _clopper_pearson(1 - errors / size, size, (1 - level) / 2)[0] if size > errors else 0.0


def sentences_needed(precision: float, *, level: float = LEVEL) -> int:
    """How many sentences without an error it takes to show this precision, of many remaining."""
    tail = (1 - level) / 2
    return int(np.ceil(np.log(tail) / np.log(precision)))


def _groups(strata: Iterable[Reviewed], ratio: Ratio) -> list[_Group]:
    """The strata with something remaining; ones with few reviewed sentences join the next."""
    groups: list[_Group] = []
    waiting: list[Reviewed] = []
    for stratum in strata:
        if not stratum.remaining:
            continue
        waiting.append(stratum)
        if sum(len(each.counts) for each in waiting) >= FEWEST:
            groups.append(_group(waiting, ratio))
            waiting = []
    rest = _group(waiting, ratio)
    if not groups:
        return [rest] if rest.top.size else []
    last = groups[-1]
    groups[-1] = _Group(
        last.remaining + rest.remaining,
        np.concatenate([last.top, rest.top]),
        np.concatenate([last.bottom, rest.bottom]),
    )
    return groups


def _group(strata: Sequence[Reviewed], ratio: Ratio) -> _Group:
    counts = [each for stratum in strata for each in stratum.counts]
    top, bottom = (np.array([part(each) for each in counts], dtype=float) for part in ratio)
    return _Group(sum(stratum.remaining for stratum in strata), top, bottom)


def _resampled(groups: Sequence[_Group], seed: int, replicates: int) -> Numbers:
    """The ratio in each replicate; those in which nothing can be counted are left out."""
    rng = np.random.default_rng(seed)
    top, bottom = np.zeros(replicates), np.zeros(replicates)
    for group in groups:
        n = group.top.size
        drawn = max(1, round((n - 1) * group.remaining / (n + group.remaining)))
        chosen = rng.integers(n, size=(replicates, drawn))
        top += group.remaining * group.top[chosen].mean(axis=1)
        bottom += group.remaining * group.bottom[chosen].mean(axis=1)
    some = bottom > 0
    resampled: Numbers = top[some] / bottom[some]
    return resampled


def _effective_size(groups: Sequence[_Group], value: float, variance: float) -> float:
    """How many independent labels would tell as much."""
    if not 0 < value < 1 or not variance:
        return _size_in_sentences(groups)
    labels = _kish([(group, group.bottom) for group in groups])
    return min(value * (1 - value) / variance, labels)


def _size_in_sentences(groups: Sequence[_Group]) -> float:
    """Reviewed sentences with something to count, less what unequal weights cost.

    The fewer sentences remain, the less their share of errors follows that of the reviewed ones:
    the size is reduced by the share that was reviewed.
    """
    reviewed = sum(group.top.size for group in groups)
    remaining = sum(group.remaining for group in groups)
    if not reviewed:
        return 0.0
    size = _kish([(group, (group.bottom > 0).astype(float)) for group in groups])
    return size * remaining / (reviewed + remaining)


def _kish(units: Sequence[tuple[_Group, Numbers]]) -> float:
    """Effective number of units, each weighing what its sentence stands for (Kish, 1965)."""
    weights = [(group.remaining / group.top.size, number.sum()) for group, number in units]
    squares = sum(weight**2 * number for weight, number in weights)
    return (
        float(sum(weight * number for weight, number in weights) ** 2 / squares) if squares else 0.0
    )


def _clopper_pearson(value: float, size: float, tail: float) -> tuple[float, float]:
    """The exact binomial interval, for sizes that need not be whole numbers."""
    if not size:
        return 0.0, 1.0
    right, wrong = value * size, (1 - value) * size
    low = 0.0 if value == 0 else float(beta.ppf(tail, right, wrong + 1))
    high = 1.0 if value == 1 else float(beta.ppf(1 - tail, right + 1, wrong))
    return low, high
