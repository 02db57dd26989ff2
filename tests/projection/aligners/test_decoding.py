"""From a probability per word to phrases, and from phrases to mentions."""

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.aligners.decoding import (
    DEFAULT,
    JOINT,
    PUBLISHED,
    SUREST,
    Decoding,
    ScoredRun,
    ScoredSpan,
    best_place,
    phrases,
    place_all,
    share_out,
)
from projection.records import Span
from projection.text.words import word_spans

TEXT = "a b c d e f"
WORDS = word_spans(TEXT, "de")  # word i is [2i, 2i + 1)

probabilities = st.lists(st.floats(0, 1), max_size=30)
decodings = st.builds(Decoding, threshold=st.floats(0.01, 1), bridge=st.integers(0, 4))


def word_run(first: int, last: int) -> Span:
    """From word `first` to word `last`, both in."""
    return Span(2 * first, 2 * last + 1)


def words_of(n: int) -> tuple[list[Span], str]:
    """`n` words of one letter, no two neighbours alike."""
    return [Span(2 * i, 2 * i + 1) for i in range(n)], " ".join("abcdefg"[i % 7] for i in range(n))


class TestPhrases:
    @pytest.mark.parametrize(
        ("scores", "decoding", "expected"),
        [
            pytest.param([0, 0, 0, 0, 0, 0], DEFAULT, [], id="nothing"),
            pytest.param([], DEFAULT, [], id="no words"),
            pytest.param([0, 0.5, 0, 0, 0, 0], DEFAULT, [(1, 1)], id="the threshold is inside"),
            pytest.param([0, 0.49, 0, 0, 0, 0], DEFAULT, [], id="just below is outside"),
            pytest.param([0, 0, 0, 0, 0.9, 0.9], DEFAULT, [(4, 5)], id="up to the last word"),
            pytest.param([1, 1, 1, 1, 1, 1], DEFAULT, [(0, 5)], id="everything"),
            pytest.param([0, 0.9, 0.2, 0.9, 0, 0], DEFAULT, [(1, 3)], id="one word is bridged"),
            pytest.param([0.9, 0, 0, 0.9, 0, 0], DEFAULT, [(0, 0), (3, 3)], id="two are not"),
            pytest.param(
                [0.9, 0, 0.9, 0, 0.9, 0], DEFAULT, [(0, 4)], id="one bridge leads to the next"
            ),
            pytest.param(
                [0.9, 0, 0.9, 0.9, 0, 0], PUBLISHED, [(0, 0), (2, 3)], id="published: no bridges"
            ),
            pytest.param(
                [0.3, 0, 0, 0.3, 0, 0],
                Decoding(threshold=0.2, bridge=2),
                [(0, 3)],
                id="lower and wider",
            ),
        ],
    )
    def test_runs(
        self, scores: list[float], decoding: Decoding, expected: list[tuple[int, int]]
    ) -> None:
        found = phrases(scores, WORDS[: len(scores)], TEXT, decoding)
        assert [span for span, _ in found] == [word_run(*run) for run in expected]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("Wales und Wales", ["Wales", "Wales"], id="the same name twice"),
            pytest.param("Bank of England", ["Bank of England"], id="one name with a gap"),
        ],
    )
    def test_a_gap_between_equal_words_is_not_bridged(self, text: str, expected: list[str]) -> None:
        found = phrases([0.9, 0.1, 0.9], word_spans(text, "de"), text, Decoding(bridge=2))
        assert [span.of(text) for span, _ in found] == expected

    def test_the_score_is_the_mean_of_its_words_bridged_ones_too(self) -> None:
        ((_, score),) = phrases([0.9, 0.3, 0.6, 0, 0, 0], WORDS, TEXT)
        assert score == pytest.approx(0.6)

    @given(probabilities, decodings)
    def test_sorted_disjoint_and_within_the_words(
        self, scores: list[float], decoding: Decoding
    ) -> None:
        words, text = words_of(len(scores))
        found = [span for span, _ in phrases(scores, words, text, decoding)]
        assert found == sorted(found)
        assert all(a.end < b.start for a, b in pairwise(found))
        assert {span.start for span in found} <= {word.start for word in words}
        assert {span.end for span in found} <= {word.end for word in words}

    @given(probabilities, decodings)
    def test_no_likely_word_is_lost_and_unlikely_ones_only_bridge(
        self, scores: list[float], decoding: Decoding
    ) -> None:
        words, text = words_of(len(scores))
        found = [span for span, _ in phrases(scores, words, text, decoding)]
        likely = [w for w, p in zip(words, scores, strict=True) if p >= decoding.threshold]
        covered = [w for w in words if any(w.overlaps(span) for span in found)]
        assert set(likely) <= set(covered)
        edges = {span.start for span in found} | {span.end - 1 for span in found}
        assert edges <= {word.start for word in likely}

    @given(probabilities, decodings)
    def test_scores_are_probabilities(self, scores: list[float], decoding: Decoding) -> None:
        words, text = words_of(len(scores))
        assert all(0 <= score <= 1 for _, score in phrases(scores, words, text, decoding))


class TestShareOut:
    A, B, C = ((Span(i, i + 1), 0.9) for i in range(3))

    @pytest.mark.parametrize(
        ("found", "mentions", "expected"),
        [
            pytest.param([A], 1, [(A,)], id="one each"),
            pytest.param([A, B], 2, [(A,), (B,)], id="two mentions, two phrases: not one to many"),
            pytest.param([A, B], 1, [(A, B)], id="one mention takes all"),
            pytest.param([A, B, C], 2, [(A,), (B, C)], id="the rest stays with the last"),
            pytest.param([A], 2, [(A,), ()], id="a mention too many gets none"),
            pytest.param([], 2, [(), ()], id="nothing to share"),
        ],
    )
    def test_in_reading_order(
        self, found: list[ScoredSpan], mentions: int, expected: list[tuple[ScoredSpan, ...]]
    ) -> None:
        assert share_out(found, mentions) == expected

    @given(st.integers(0, 8), st.integers(1, 8))
    def test_nothing_is_lost_and_every_mention_gets_a_share(self, n: int, mentions: int) -> None:
        found = [(Span(i, i + 1), 0.9) for i in range(n)]
        shares = share_out(found, mentions)
        assert len(shares) == mentions
        assert [phrase for share in shares for phrase in share] == found
        assert sum(bool(share) for share in shares) == min(n, mentions)


def tried_all(odds: Sequence[float], free: Sequence[bool] | None = None) -> ScoredRun | None:
    """The best run by trying all of them: of equals the one that ends first, then the shortest."""
    free = free or [True] * len(odds)
    runs = [
        ScoredRun((start, end), total)
        for start in range(len(odds))
        for end in range(start + 1, len(odds) + 1)
        if all(free[start:end]) and (total := sum(odds[start:end])) > 0
    ]
    return min(runs, key=lambda p: (-p.strength, p.run[1], -p.run[0]), default=None)


class TestBestPlace:
    @pytest.mark.parametrize(
        ("odds", "expected"),
        [
            pytest.param([], None, id="no words"),
            pytest.param([-1, -2, 0], None, id="nothing is likely"),
            pytest.param([-1, 3, -1], ScoredRun((1, 2), 3), id="one word"),
            pytest.param([4, -1, 4], ScoredRun((0, 3), 7), id="over a doubtful word"),
            pytest.param([2, -3, 4], ScoredRun((2, 3), 4), id="not over one that costs more"),
            pytest.param([2, -2, 2], ScoredRun((0, 1), 2), id="the earliest of equals"),
            pytest.param([0, 2, 0], ScoredRun((1, 2), 2), id="the shortest of equals"),
            pytest.param([1, -1, 2], ScoredRun((2, 3), 2), id="what adds nothing is left"),
        ],
    )
    def test_by_hand(self, odds: list[float], expected: ScoredRun | None) -> None:
        assert best_place(odds) == expected

    @given(st.lists(st.integers(-4, 4), max_size=12))
    def test_as_good_as_trying_all(self, odds: list[int]) -> None:
        assert best_place(odds) == tried_all(odds)


# No two sums of their log-odds are equal or near 0, so that rounding decides nothing.
some_beliefs = st.integers(0, 7).flatmap(
    lambda words: st.lists(
        st.lists(st.sampled_from([0.02, 0.3, 0.55, 0.8, 0.97]), min_size=words, max_size=words),
        max_size=4,
    )
)


def log_odds(row: Sequence[float]) -> list[float]:
    return [math.log(p / (1 - p)) for p in row]


def shared_out(rows: Sequence[Sequence[float]]) -> list[ScoredRun | None]:
    """As promised: the surest of those that wait takes its place, and the first of equals."""
    places: list[ScoredRun | None] = [None] * len(rows)
    free = [True] * (len(rows[0]) if rows else 0)
    waiting = set(range(len(rows)))
    while waiting:
        best = {i: tried_all(log_odds(rows[i]), free) for i in waiting}
        strengths = {i: place.strength for i, place in best.items() if place is not None}
        if not strengths:
            break
        surest = min(strengths, key=lambda i: (-strengths[i], i))
        waiting.remove(surest)
        places[surest] = place = best[surest]
        assert place is not None
        free[slice(*place.run)] = [False] * (place.run[1] - place.run[0])
    return places


SHARING = Decoding(whole_spans=True, exclusive=False)


class TestPlaceAll:
    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            pytest.param([], [], id="no entities"),
            pytest.param([[], []], [None, None], id="no words"),
            pytest.param([[0.9, 0.1], [0.1, 0.9]], [(0, 1), (1, 2)], id="one each"),
            pytest.param([[0.8, 0.1], [0.9, 0.1]], [None, (0, 1)], id="the surest has it"),
            pytest.param([[0.8, 0.6], [0.9, 0.1]], [(1, 2), (0, 1)], id="the other looks again"),
            pytest.param([[0.9, 0.1], [0.9, 0.1]], [(0, 1), None], id="the first of equals"),
            pytest.param([[0.9, 0.9, 0.9], [0.1, 0.99, 0.1]], [(0, 3), None], id="sums decide"),
            pytest.param(
                [[0.9, 0.4, 0.9], [0.1, 0.99, 0.1]], [(0, 1), (1, 2)], id="never across another"
            ),
        ],
    )
    def test_exclusive(
        self, rows: list[list[float]], expected: list[tuple[int, int] | None]
    ) -> None:
        found = place_all(rows, JOINT)
        assert [None if place is None else place.run for place in found] == expected

    def test_the_threshold_is_what_words_are_measured_by(self) -> None:
        assert place_all([[0.7, 0.4]], Decoding(threshold=0.8)) == [None]
        (place,) = place_all([[0.7, 0.4]], Decoding(threshold=0.3))
        assert place is not None
        assert place.run == (0, 2)
        expected = math.log(0.7 / 0.3) + math.log(0.4 / 0.6) - 2 * math.log(0.3 / 0.7)
        assert place.strength == pytest.approx(expected)

    def test_certainty_has_an_end(self) -> None:
        """One word alone, however sure, weighs no more than `SUREST`."""
        (certain,), (sure,) = (place_all([[p]], JOINT) for p in (1.0, 0.9999))
        assert certain == sure == ScoredRun((0, 1), SUREST)
        assert place_all([[0.0]], JOINT) == [None]

    @given(some_beliefs)
    def test_exclusive_as_by_trying_all(self, rows: list[list[float]]) -> None:
        found, expected = place_all(rows, JOINT), shared_out(rows)
        assert [p and p.run for p in found] == [p and p.run for p in expected]

    @given(some_beliefs)
    def test_sharing_each_has_its_best(self, rows: list[list[float]]) -> None:
        found = place_all(rows, SHARING)
        assert [p and p.run for p in found] == [
            place and place.run for place in (tried_all(log_odds(row)) for row in rows)
        ]

    @given(st.lists(st.lists(st.floats(0, 1), min_size=6, max_size=6), max_size=5), decodings)
    def test_no_word_is_given_twice_and_no_entity_is_none_the_better_alone(
        self, rows: list[list[float]], decoding: Decoding
    ) -> None:
        alone = place_all(rows, Decoding(threshold=decoding.threshold))
        found = place_all(rows, Decoding(threshold=decoding.threshold, exclusive=True))
        taken = [i for place in found if place is not None for i in range(*place.run)]
        assert len(taken) == len(set(taken))
        for own, shared in zip(alone, found, strict=True):
            if shared is not None:
                assert own is not None
                assert 0 < shared.strength <= own.strength
        surest = max((p.strength for p in alone if p is not None), default=None)
        if surest is not None:
            assert surest in {p.strength for p in found if p is not None}
