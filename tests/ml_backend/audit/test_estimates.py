"""Whether intervals hold what they promise is tried on populations whose truth is known."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ml_backend.audit.estimates import (
    NOT_KNOWN,
    PRECISION,
    RECALL,
    UNUSABLE,
    Counts,
    Estimate,
    ReviewedStratum,
    ThresholdVerdict,
    best_lower_bound,
    estimate,
    fixed_sequence,
    sentences_needed,
)
from ml_backend.audit.sample import Stratum, allocate

RIGHT, WRONG, EMPTY = Counts(1, 1, 1), Counts(1, 1, 0), Counts(0, 0, 0)
AUDITS = 200


def stratum(
    *counts: Counts, remaining: int = 1000, band: float = 0.9, entities: int = 0
) -> ReviewedStratum:
    return ReviewedStratum(f"de {band}", band, remaining, counts, entities)


STRATA = st.lists(
    st.builds(
        ReviewedStratum,
        st.just("s"),
        st.sampled_from([0.8, 0.9]),
        st.integers(0, 50),
        st.lists(
            st.builds(
                lambda right, false, missed: Counts(right + false, right + missed, right),
                *[st.integers(0, 3)] * 3,
            ),
            max_size=5,
        ).map(tuple),
    ),
    max_size=4,
)


class TestEstimate:
    def test_strata_count_by_what_remains_of_them_not_by_what_was_drawn(self) -> None:
        strata = [
            stratum(RIGHT, RIGHT, remaining=900),
            stratum(*[WRONG] * 50, *[RIGHT] * 50, remaining=100, band=0.8),
        ]
        assert estimate(strata, PRECISION).value == pytest.approx(0.95)

    def test_it_is_a_ratio_of_totals_not_a_mean_of_sentences(self) -> None:
        found = estimate([stratum(Counts(9, 10, 9), Counts(1, 1, 0), EMPTY)], PRECISION)
        assert found.value == pytest.approx(0.9)
        found = estimate([stratum(Counts(9, 10, 9), Counts(1, 1, 0), EMPTY)], RECALL)
        assert found.value == pytest.approx(9 / 11)

    def test_unusable_sentences_are_a_share_of_sentences(self) -> None:
        unusable = Counts(0, 0, 0, unusable=True)
        found = estimate([stratum(*[RIGHT] * 30, *[unusable] * 10)], UNUSABLE)
        assert found.value == 0.25
        assert 0 < found.low < 0.25 < found.high < 1

    @pytest.mark.parametrize(
        "strata",
        [
            pytest.param([], id="no stratum"),
            pytest.param([stratum()], id="nothing reviewed"),
            pytest.param([stratum(RIGHT, RIGHT, remaining=0)], id="nothing remains"),
            pytest.param([stratum(EMPTY, EMPTY, EMPTY)], id="no entity at all"),
            pytest.param([stratum(Counts(0, 2, 0))], id="nothing proposed"),
        ],
    )
    def test_what_cannot_be_known_is_not_known(self, strata: list[ReviewedStratum]) -> None:
        assert estimate(strata, PRECISION) == NOT_KNOWN

    def test_without_errors_the_bound_is_the_rule_of_three_on_sentences(self) -> None:
        # Five entities a sentence are no more independent witnesses than one.
        for each in (RIGHT, Counts(5, 5, 5)):
            found = estimate([stratum(*[each] * 60, remaining=10**6)], PRECISION)
            assert (found.value, found.high) == (1.0, 1.0)
            assert found.low == pytest.approx(0.025 ** (1 / 60), abs=1e-4)
            one_sided = estimate([stratum(*[each] * 60, remaining=10**6)], PRECISION, level=0.9)
            assert one_sided.low == pytest.approx(1 - 3 / 60, abs=2e-3)

    def test_sentences_without_entities_are_no_witnesses(self) -> None:
        few = estimate([stratum(*[RIGHT] * 20)], PRECISION)
        padded = estimate([stratum(*[RIGHT] * 20, *[EMPTY] * 80, remaining=5000)], PRECISION)
        assert padded.low == pytest.approx(few.low, abs=0.01)

    def test_nothing_right_is_bounded_from_above(self) -> None:
        found = estimate([stratum(*[WRONG] * 60, remaining=10**6)], PRECISION)
        assert (found.value, found.low) == (0.0, 0.0)
        assert found.high == pytest.approx(1 - 0.025 ** (1 / 60), abs=1e-4)

    def test_one_reviewed_sentence_tells_next_to_nothing(self) -> None:
        found = estimate([stratum(RIGHT)], PRECISION)
        assert found.value == 1.0
        assert found.low < 0.03

    def test_errors_that_come_together_widen_the_interval(self) -> None:
        spread = [*[Counts(5, 5, 4)] * 20, *[Counts(5, 5, 5)] * 80]
        together = [*[Counts(5, 5, 0)] * 4, *[Counts(5, 5, 5)] * 96]
        one, other = (estimate([stratum(*counts)], PRECISION) for counts in (spread, together))
        assert one.value == other.value == 0.96
        assert other.high - other.low > 1.5 * (one.high - one.low)

    def test_whole_sentences_right_or_wrong_are_the_exact_binomial_interval(self) -> None:
        """Clopper and Pearson (1934), as scipy has it."""
        exact = binomtest(96, 100).proportion_ci(0.95, method="exact")
        for labels in (1, 5):
            wrong, right = Counts(labels, labels, 0), Counts(labels, labels, labels)
            found = estimate([stratum(*[wrong] * 4, *[right] * 96, remaining=10**7)], PRECISION)
            assert (found.low, found.high) == pytest.approx(tuple(exact), abs=1e-4)

    def test_each_label_found_wrong_lowers_the_bound(self) -> None:
        """Also the first, which tells that errors come one by one."""
        one_wrong, right = Counts(3, 3, 2), Counts(3, 3, 3)
        bounds = [
            estimate(
                [stratum(*[one_wrong] * wrong, *[right] * (60 - wrong), remaining=10**7)],
                PRECISION,
                level=0.9,
            ).low
            for wrong in range(8)
        ]
        assert bounds[0] == pytest.approx(0.951, abs=1e-3)
        assert bounds[1] == pytest.approx(0.945, abs=1e-3)
        assert all(more_errors < fewer for fewer, more_errors in pairwise(bounds))

    def test_without_an_error_sentences_of_many_labels_count_for_fewer(self) -> None:
        """Were one of the long ones wrong, more labels would be."""
        alike = estimate([stratum(*[Counts(4, 4, 4)] * 60)], PRECISION)
        mixed = estimate([stratum(*[Counts(1, 1, 1)] * 30, *[Counts(7, 7, 7)] * 30)], PRECISION)
        assert mixed.low < alike.low

    def test_a_small_remainder_may_differ_more_from_the_sample(self) -> None:
        counts = [*[RIGHT] * 90, *[WRONG] * 10]
        much, little = (
            estimate([stratum(*counts, remaining=remaining)], PRECISION)
            for remaining in (100_000, 50)
        )
        assert much.value == little.value
        assert little.high - little.low > 1.3 * (much.high - much.low)

    def test_a_stratum_hardly_reviewed_is_taken_with_its_neighbour(self) -> None:
        strata = [
            stratum(*[RIGHT] * 10),
            stratum(remaining=1000),
            stratum(WRONG, remaining=1000),
            stratum(*[RIGHT] * 10),
            stratum(WRONG, remaining=5),
        ]
        # (unreviewed + WRONG + ten RIGHT) stand for 3,000; the last joins them, being alone.
        assert estimate(strata, PRECISION).value == pytest.approx(
            (1000 + 3005 * 10 / 12) / (1000 + 3005)
        )

    @given(STRATA)
    def test_an_interval_holds_its_value_whatever_comes(
        self, strata: list[ReviewedStratum]
    ) -> None:
        for ratio in (PRECISION, RECALL, UNUSABLE):
            found = estimate(strata, ratio)
            assert 0 <= found.low <= found.high <= 1
            if found.value is not None:
                assert found.low - 1e-9 <= found.value <= found.high + 1e-9
        fixed_sequence(strata, 0.95)

    @given(STRATA, st.data(), st.sampled_from([0.9, 0.95]))
    def test_another_error_never_makes_the_bound_tighter(
        self, strata: list[ReviewedStratum], data: st.DataObject, level: float
    ) -> None:
        found = [
            (i, k)
            for i, each in enumerate(strata)
            for k, counts in enumerate(each.counts)
            if counts.right
        ]
        assume(found)
        i, k = data.draw(st.sampled_from(found))
        counts = [*strata[i].counts]
        counts[k] = counts[k]._replace(right=counts[k].right - 1)
        worse = [*strata]
        worse[i] = replace(strata[i], counts=tuple(counts))

        before, after = (estimate(each, PRECISION, level=level) for each in (strata, worse))

        assert after.low <= before.low + 1e-6


def test_an_estimate_in_words() -> None:
    assert str(Estimate(0.9674, 0.93, 1.0)) == "96.7 % [93.0, 100.0]"
    assert str(NOT_KNOWN) == "not known"


class TestFixedSequence:
    def test_thresholds_are_tested_from_the_strictest_until_one_fails(self) -> None:
        tests = fixed_sequence(
            [
                stratum(*[RIGHT] * 120, band=0.98, entities=7),
                stratum(*[RIGHT] * 100, band=0.95, entities=5),
                stratum(*[WRONG] * 30, *[RIGHT] * 70, band=0.9, entities=3),
                stratum(*[RIGHT] * 9000, band=0.8, entities=1),
            ],
            0.95,
        )
        assert [test.threshold for test in tests] == [0.98, 0.95, 0.9, 0.8]
        assert [test.verdict for test in tests] == ["holds", "holds", "fails", "not tested"]
        assert tests[-1].reason == "a stricter one failed"
        assert [test.entities for test in tests] == [7, 12, 15, 16]
        assert [test.tasks for test in tests] == [1000, 2000, 3000, 4000]
        assert [test.reviewed for test in tests] == [120, 220, 320, 9320]

    @pytest.mark.parametrize(
        ("sure", "others", "verdicts", "reason"),
        [
            pytest.param(
                20,
                60,
                [ThresholdVerdict.NOT_TESTED, ThresholdVerdict.HOLDS],
                "too few reviewed: with one error they would show 78.4 %",
                id="an error among the surest would have ended the search",
            ),
            pytest.param(
                20,
                20,
                [ThresholdVerdict.NOT_TESTED, ThresholdVerdict.NOT_TESTED],
                "show 78.4 %",
                id="all too few",
            ),
            pytest.param(
                100, 20, [ThresholdVerdict.HOLDS, ThresholdVerdict.HOLDS], "", id="enough"
            ),
        ],
    )
    def test_one_above_which_too_little_was_reviewed_is_passed_over(
        self, sure: int, others: int, verdicts: list[ThresholdVerdict], reason: str
    ) -> None:
        tests = fixed_sequence(
            [
                stratum(*[RIGHT] * sure, remaining=10**4, band=0.98),
                stratum(*[RIGHT] * others, remaining=10**4 * others // sure, band=0.95),
            ],
            0.95,
        )
        assert [test.verdict for test in tests] == verdicts
        assert tests[0].reason.endswith(reason)

    def test_the_lowest_threshold_is_tested_if_it_can_hold_at_all(self) -> None:
        for count, reason in (
            (60, ""),
            (58, "too few reviewed: without an error they would show 95.0 %"),
        ):
            [test] = fixed_sequence([stratum(*[RIGHT] * count, remaining=10**6)], 0.95)
            assert test.reason == reason

    def test_whether_one_is_passed_over_does_not_depend_on_what_was_right(self) -> None:
        good, bad = (
            fixed_sequence(
                [stratum(*[each] * 20, band=0.98), stratum(*[each] * 60, band=0.9)], 0.95
            )
            for each in (RIGHT, WRONG)
        )
        assert [t.reason for t in good] == [t.reason for t in bad]

    @pytest.mark.parametrize(
        ("strata", "reason"),
        [
            pytest.param([stratum(*[RIGHT] * 99, remaining=0)], "nothing remains", id="all seen"),
            pytest.param(
                [stratum(*[RIGHT] * 99), ReviewedStratum("nl 0.9", 0.9, 5, ())],
                "nothing reviewed of nl 0.9",
                id="a language nobody looked at",
            ),
            pytest.param(
                [stratum(*[EMPTY] * 99)],
                "too few reviewed: without an error they would show 0.0 %",
                id="no entities",
            ),
        ],
    )
    def test_what_cannot_be_tested_says_why(
        self, strata: list[ReviewedStratum], reason: str
    ) -> None:
        [test] = fixed_sequence(strata, 0.95)
        assert (test.verdict, test.reason) == (ThresholdVerdict.NOT_TESTED, reason)

    def test_no_strata_no_thresholds(self) -> None:
        assert fixed_sequence([], 0.95) == ()

    @pytest.mark.parametrize(("target", "needed"), [(0.9, 29), (0.95, 59), (0.99, 299)])
    def test_how_many_sentences_it_takes_is_said_beforehand(
        self, target: float, needed: int
    ) -> None:
        assert sentences_needed(target, level=0.9) == needed
        enough = [stratum(*[RIGHT] * needed, remaining=10**7)]
        assert best_lower_bound(enough, PRECISION, level=0.9) >= target
        assert best_lower_bound([stratum(*[RIGHT] * (needed - 1))], PRECISION, level=0.9) < target


# Simulated audits


class Sentences(NamedTuple):
    """Parallel numbers of the sentences of a stratum."""

    proposed: np.ndarray
    true: np.ndarray
    right: np.ndarray

    def counts(self, chosen: Sequence[int]) -> tuple[Counts, ...]:
        return tuple(
            Counts(int(self.proposed[i]), int(self.true[i]), int(self.right[i])) for i in chosen
        )


class Audit(NamedTuple):
    """What the reviewers of a sample saw, and the truth about each stratum's remainder."""

    reviewed: list[ReviewedStratum]
    remaining: list[Sentences]

    def truth(self, top: str, bottom: str, least: float = 0.0) -> float:
        kept = [
            rest
            for rest, stratum in zip(self.remaining, self.reviewed, strict=True)
            if stratum.band >= least
        ]
        tops, bottoms = (sum(getattr(r, part).sum() for r in kept) for part in (top, bottom))
        return float(tops / bottoms)


Make = Callable[[np.random.Generator, int, float], Sentences]
"""So many sentences, of which this share of the labels is wrong."""


def in_clusters(rng: np.random.Generator, size: int, error: float) -> Sentences:
    """Errors come together: each sentence has an error rate of its own (correlation 0.3)."""
    proposed = rng.poisson(1.7, size)
    spread = 1 / 0.3 - 1
    rate = rng.beta(error * spread, (1 - error) * spread, size)
    right = rng.binomial(proposed, 1 - rate)
    missed = rng.poisson(0.05, size)
    return Sentences(proposed, right + rng.binomial(proposed - right, 0.7) + missed, right)


def rare_and_scattered(rare: float, most: int = 0) -> Make:
    """Of the errors this share is in sentences all wrong, the others are one here, one there.

    Sentences have three labels each, or from 1 to `most`, and long ones are wrong more often.
    """

    def make(rng: np.random.Generator, size: int, error: float) -> Sentences:
        labels = rng.integers(1, most, size, endpoint=True) if most else np.full(size, 3)
        all_wrong = rng.random(size) < rare * error * labels * labels.sum() / (labels**2).sum()
        wrong = np.where(all_wrong, labels, rng.binomial(labels, (1 - rare) * error))
        return Sentences(labels, labels, labels - wrong)

    return make


def audits(
    error: float, *, size: int, population: int, slope: float = 1.0, make: Make = in_clusters
) -> Iterator[Audit]:
    """Audits of eight strata of all sizes; `slope` is how much surer ones are better."""
    bands = [(0.98, 1.0), (0.95, 0.98), (0.9, 0.95), (0.8, 0.9)]
    strata = [Stratum(*band, lang) for band in bands for lang in ("de", "zh")]
    for seed in range(AUDITS):
        rng = np.random.default_rng(seed)
        shares = rng.dirichlet([2.0] * len(strata))
        sizes = {s: max(3, int(population * p)) for s, p in zip(strata, shares, strict=True)}
        reviewed, remaining = [], []
        for stratum, drawn in allocate(sizes, size).items():
            of_band = error * slope ** (-10 * (stratum.low - 0.9))
            everything = make(rng, sizes[stratum], of_band)
            order = rng.permutation(sizes[stratum])
            rest = Sentences(*(part[order[drawn:]] for part in everything))
            counts = everything.counts(order[:drawn])
            reviewed.append(ReviewedStratum(str(stratum), stratum.low, len(rest.right), counts))
            remaining.append(rest)
        yield Audit(reviewed, remaining)


def at_most(chance: float) -> float:
    """How many audits that may be if each has this chance: three standard deviations more."""
    return AUDITS * chance + 3 * sqrt(AUDITS * chance * (1 - chance))


@pytest.mark.parametrize(
    ("error", "size", "population"),
    [
        pytest.param(0.1, 100, 4000, id="one in ten is wrong"),
        pytest.param(0.03, 100, 4000, id="few are wrong"),
        pytest.param(0.005, 100, 4000, id="hardly any is wrong"),
        pytest.param(0.05, 100, 300, id="a third is reviewed"),
        pytest.param(0.05, 40, 4000, id="a small sample"),
    ],
)
def test_intervals_cover_the_truth(error: float, size: int, population: int) -> None:
    missed = dict.fromkeys(("precision", "recall"), 0)
    for audit in audits(error, size=size, population=population, slope=3.0):
        for name, ratio, bottom in (
            ("precision", PRECISION, "proposed"),
            ("recall", RECALL, "true"),
        ):
            found = estimate(audit.reviewed, ratio)
            missed[name] += not found.low <= audit.truth("right", bottom) <= found.high
    assert max(missed.values()) <= at_most(0.05), missed


@pytest.mark.parametrize("size", [60, 200])
@pytest.mark.parametrize("most", [0, 6], ids=["three labels each", "one to six labels"])
@pytest.mark.parametrize("rare", [1.0, 0.7, 0.0])
def test_the_bound_holds_where_rare_sentences_are_all_wrong(
    rare: float, most: int, size: int
) -> None:
    too_high = 0
    make = rare_and_scattered(rare, most)
    for audit in audits(0.05, size=size, population=3000, make=make):
        found = estimate(audit.reviewed, PRECISION, level=0.9)
        too_high += found.low > audit.truth("right", "proposed")
    assert too_high <= at_most(0.05), f"{too_high} of {AUDITS}"


@pytest.mark.parametrize(
    ("error", "slope"),
    [
        pytest.param(0.06, 1.0, id="just below the target everywhere"),
        pytest.param(0.09, 4.0, id="above it only where models are surest"),
    ],
)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(in_clusters, id="errors in clusters"),
        pytest.param(rare_and_scattered(0.7), id="rare sentences all wrong"),
    ],
)
def test_a_threshold_that_does_not_hold_is_rarely_claimed(
    error: float, slope: float, make: Make
) -> None:
    wrong = 0
    for audit in audits(error, size=200, population=6000, slope=slope, make=make):
        tests = fixed_sequence(audit.reviewed, 0.95)
        wrong += any(
            test.verdict is ThresholdVerdict.HOLDS
            and audit.truth("right", "proposed", test.threshold) < 0.95
            for test in tests
        )
    assert wrong <= at_most(0.05), f"{wrong} of {AUDITS}"


def test_a_threshold_that_holds_well_is_mostly_found() -> None:
    found = sum(
        any(test.verdict is ThresholdVerdict.HOLDS for test in fixed_sequence(audit.reviewed, 0.95))
        for audit in audits(0.01, size=200, population=6000)
    )
    assert found >= 0.75 * AUDITS, f"{found} of {AUDITS}"


# The documentation


def needed(target: float, *, wrong: int, labels: int) -> int:
    """How many reviewed sentences of so many labels show the target if so many labels are wrong."""
    one_wrong, right = Counts(labels, labels, labels - 1), Counts(labels, labels, labels)

    def shown(size: int) -> float:
        counts = [*[one_wrong] * wrong, *[right] * (size - wrong)]
        return estimate([stratum(*counts, remaining=10**8)], PRECISION, level=0.9).low

    return next(size for size in range(max(wrong, 1), 10**4) if shown(size) >= target)


@pytest.mark.parametrize("wrong", [0, 1, 2, 5])
def test_the_documentation_says_how_many_sentences_it_takes(wrong: int) -> None:
    sizes = (
        needed(target, wrong=wrong, labels=labels)
        for labels in (1, 3)
        for target in (0.9, 0.95, 0.98)
    )
    row = f"| {' | '.join(map(str, (wrong, *sizes)))} |"
    documented = Path(__file__).parents[3] / "docs" / "audit.md"
    assert row in documented.read_text("utf-8").splitlines()
