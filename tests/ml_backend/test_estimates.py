"""Whether intervals hold what they promise is tried on populations whose truth is known."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.audit import Stratum, allocate
from ml_backend.estimates import (
    NOT_KNOWN,
    PRECISION,
    RECALL,
    UNUSABLE,
    Counts,
    Estimate,
    Reviewed,
    Verdict,
    best_lower_bound,
    estimate,
    fixed_sequence,
    sentences_needed,
)

RIGHT, WRONG, EMPTY = Counts(1, 1, 1), Counts(1, 1, 0), Counts(0, 0, 0)
AUDITS = 200
FAST = 500  # replicates


def stratum(
    *counts: Counts, remaining: int = 1000, band: float = 0.9, entities: int = 0
) -> Reviewed:
    return Reviewed(f"de {band}", band, remaining, counts, entities)


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
    def test_what_cannot_be_known_is_not_known(self, strata: list[Reviewed]) -> None:
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

    def test_the_same_seed_gives_the_same_interval(self) -> None:
        strata = [stratum(*[RIGHT] * 30, *[WRONG] * 3)]
        assert estimate(strata, PRECISION, seed=4) == estimate(strata, PRECISION, seed=4)

    @given(
        st.lists(
            st.builds(
                Reviewed,
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
    )
    def test_an_interval_holds_its_value_whatever_comes(self, strata: list[Reviewed]) -> None:
        for ratio in (PRECISION, RECALL, UNUSABLE):
            found = estimate(strata, ratio, replicates=50)
            assert 0 <= found.low <= found.high <= 1
            if found.value is not None:
                assert found.low - 1e-9 <= found.value <= found.high + 1e-9
        fixed_sequence(strata, 0.95, replicates=50)


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
                [Verdict.NOT_TESTED, Verdict.HOLDS],
                "too few reviewed: with one error they would show 78.4 %",
                id="an error among the surest would have ended the search",
            ),
            pytest.param(
                20, 20, [Verdict.NOT_TESTED, Verdict.NOT_TESTED], "show 78.4 %", id="all too few"
            ),
            pytest.param(100, 20, [Verdict.HOLDS, Verdict.HOLDS], "", id="enough"),
        ],
    )
    def test_one_above_which_too_little_was_reviewed_is_passed_over(
        self, sure: int, others: int, verdicts: list[Verdict], reason: str
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
                [stratum(*[RIGHT] * 99), Reviewed("nl 0.9", 0.9, 5, ())],
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
    def test_what_cannot_be_tested_says_why(self, strata: list[Reviewed], reason: str) -> None:
        [test] = fixed_sequence(strata, 0.95)
        assert (test.verdict, test.reason) == (Verdict.NOT_TESTED, reason)

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

    reviewed: list[Reviewed]
    remaining: list[Sentences]

    def truth(self, top: str, bottom: str, least: float = 0.0) -> float:
        kept = [
            rest
            for rest, stratum in zip(self.remaining, self.reviewed, strict=True)
            if stratum.band >= least
        ]
        tops, bottoms = (sum(getattr(r, part).sum() for r in kept) for part in (top, bottom))
        return float(tops / bottoms)


def sentences(rng: np.random.Generator, count: int, error: float) -> Sentences:
    """Errors come together: each sentence has an error rate of its own (correlation 0.3)."""
    proposed = rng.poisson(1.7, count)
    spread = 1 / 0.3 - 1
    rate = rng.beta(error * spread, (1 - error) * spread, count)
    right = rng.binomial(proposed, 1 - rate)
    missed = rng.poisson(0.05, count)
    return Sentences(proposed, right + rng.binomial(proposed - right, 0.7) + missed, right)


def audits(error: float, *, size: int, population: int, slope: float) -> Iterator[Audit]:
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
            everything = sentences(rng, sizes[stratum], of_band)
            order = rng.permutation(sizes[stratum])
            rest = Sentences(*(part[order[drawn:]] for part in everything))
            counts = everything.counts(order[:drawn])
            reviewed.append(Reviewed(str(stratum), stratum.low, len(rest.right), counts))
            remaining.append(rest)
        yield Audit(reviewed, remaining)


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
    """At 95 %, of 200 audits fewer than 180 covered would be 5 standard deviations low."""
    covered = dict.fromkeys(("precision", "recall"), 0)
    for audit in audits(error, size=size, population=population, slope=3.0):
        for name, ratio, bottom in (
            ("precision", PRECISION, "proposed"),
            ("recall", RECALL, "true"),
        ):
            found = estimate(audit.reviewed, ratio, replicates=FAST)
            covered[name] += found.low <= audit.truth("right", bottom) <= found.high
    assert min(covered.values()) >= 0.9 * AUDITS, covered


@pytest.mark.parametrize(
    ("error", "slope"),
    [
        pytest.param(0.06, 1.0, id="just below the target everywhere"),
        pytest.param(0.09, 4.0, id="above it only where models are surest"),
    ],
)
def test_a_threshold_that_does_not_hold_is_rarely_claimed(error: float, slope: float) -> None:
    wrong = 0
    for audit in audits(error, size=200, population=6000, slope=slope):
        tests = fixed_sequence(audit.reviewed, 0.95, replicates=FAST)
        wrong += any(
            test.verdict is Verdict.HOLDS
            and audit.truth("right", "proposed", test.threshold) < 0.95
            for test in tests
        )
    assert wrong <= (0.05 + 0.03) * AUDITS, f"{wrong} of {AUDITS}"  # 0.03: two standard deviations


def test_a_threshold_that_holds_well_is_mostly_found() -> None:
    found = sum(
        any(
            test.verdict is Verdict.HOLDS
            for test in fixed_sequence(audit.reviewed, 0.95, replicates=FAST)
        )
        for audit in audits(0.01, size=200, population=6000, slope=1.0)
    )
    assert found >= 0.75 * AUDITS, f"{found} of {AUDITS}"
