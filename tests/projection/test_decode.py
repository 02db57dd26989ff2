"""From a probability per word to phrases, and from phrases to mentions."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.decode import DEFAULT, PUBLISHED, Decoding, Phrase, phrases, share_out
from projection.records import Span
from projection.words import word_spans

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
        assert [phrase.span for phrase in found] == [word_run(*run) for run in expected]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("Wales und Wales", ["Wales", "Wales"], id="the same name twice"),
            pytest.param("Bank of England", ["Bank of England"], id="one name with a gap"),
        ],
    )
    def test_a_gap_between_equal_words_is_not_bridged(self, text: str, expected: list[str]) -> None:
        found = phrases([0.9, 0.1, 0.9], word_spans(text, "de"), text, Decoding(bridge=2))
        assert [phrase.span.of(text) for phrase in found] == expected

    def test_the_score_is_the_mean_of_its_words_bridged_ones_too(self) -> None:
        (phrase,) = phrases([0.9, 0.3, 0.6, 0, 0, 0], WORDS, TEXT)
        assert phrase.score == pytest.approx(0.6)

    @given(probabilities, decodings)
    def test_sorted_disjoint_and_within_the_words(
        self, scores: list[float], decoding: Decoding
    ) -> None:
        words, text = words_of(len(scores))
        found = [phrase.span for phrase in phrases(scores, words, text, decoding)]
        assert found == sorted(found)
        assert all(a.end < b.start for a, b in pairwise(found))
        assert {span.start for span in found} <= {word.start for word in words}
        assert {span.end for span in found} <= {word.end for word in words}

    @given(probabilities, decodings)
    def test_no_likely_word_is_lost_and_unlikely_ones_only_bridge(
        self, scores: list[float], decoding: Decoding
    ) -> None:
        words, text = words_of(len(scores))
        found = [phrase.span for phrase in phrases(scores, words, text, decoding)]
        likely = [w for w, p in zip(words, scores, strict=True) if p >= decoding.threshold]
        covered = [w for w in words if any(w.overlaps(span) for span in found)]
        assert set(likely) <= set(covered)
        edges = {span.start for span in found} | {span.end - 1 for span in found}
        assert edges <= {word.start for word in likely}

    @given(probabilities, decodings)
    def test_scores_are_probabilities(self, scores: list[float], decoding: Decoding) -> None:
        words, text = words_of(len(scores))
        assert all(0 <= phrase.score <= 1 for phrase in phrases(scores, words, text, decoding))


class TestShareOut:
    A, B, C = (Phrase(Span(i, i + 1), 0.9) for i in range(3))

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
        self, found: list[Phrase], mentions: int, expected: list[tuple[Phrase, ...]]
    ) -> None:
        assert share_out(found, mentions) == expected

    @given(st.integers(0, 8), st.integers(1, 8))
    def test_nothing_is_lost_and_every_mention_gets_a_share(self, n: int, mentions: int) -> None:
        found = [Phrase(Span(i, i + 1), 0.9) for i in range(n)]
        shares = share_out(found, mentions)
        assert len(shares) == mentions
        assert [phrase for share in shares for phrase in share] == found
        assert sum(bool(share) for share in shares) == min(n, mentions)
