"""The rules on the texts of a pair, and above all what they must leave alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projection.corpus.rules import (
    Rule,
    at_least,
    at_most,
    letters_above,
    margin_above,
    no_copy,
    no_empty_side,
    ratio_below,
    running_text,
)
from projection.records import ParallelSentence


def pair(source: str, target: str, margin: float | None = None) -> ParallelSentence:
    return ParallelSentence("1", source, target, "en", "de", "a.en:1", margin=margin)


LETTERS, NAMES = letters_above(0.25), "FC Bayern 3 Real Madrid 1"


@pytest.mark.parametrize(
    ("rule", "source", "target", "reason"),
    [
        (no_empty_side, "Rain.", " ", "no target text"),
        (no_empty_side, "\t", "", "no source and no target text"),
        (no_empty_side, "I", "O", None),
        (at_least(3), " Hi ", "Hallo", "2 characters, below 3"),
        (at_least(2), "Hi", "雨天", None),
        (at_most(5), "Rain.", "Regen.", "6 characters, above 5"),
        (at_most(6), "Rain.", "Regen. ", None),
        (ratio_below(3), "Mr President!", "R" * 60, "13 and 60 characters, a ratio of 3.0"),
        (ratio_below(3), "Hi.", "Guten Tag, wie geht es?", None),
        (ratio_below(3), "The Great Wall of China", "長城", None),
        (ratio_below(1.5), "Good evening.", "こんばんは。", None),
        (LETTERS, "6-4, 6-3 (7)", "6:4, 6:3", "0% letters"),
        (LETTERS, "BONN 1996-08-27", "BONN 27.08.1996", None),
        (letters_above(0.6), "Yes", "मैं हूँ जो हूँ।", None),
        (no_copy, "so we must go on now.", "So we  must go on now.", "the target is the source"),
        (no_copy, "Angela Merkel", "Angela Merkel", None),
        (no_copy, NAMES, NAMES, None),
        (no_copy, "Universidad de Chile", "Universidad de Chile", None),
    ],
    ids=[
        *("an empty side", "two empty sides", "a letter is text", "too short", "just long enough"),
        *("too long", "just short enough", "a side is missing most", "short ones differ"),
        *("Chinese is dense", "so are kana", "a score", "a dateline", "vowel signs are letters"),
        *("a copy", "a name", "names and numbers", "a name with a small word"),
    ],
)
def test_a_rule(rule: Rule, source: str, target: str, reason: str | None) -> None:
    assert rule(pair(source, target)) == reason
    if rule is not no_empty_side:
        assert (rule(pair(target, source)) is None) == (reason is None), "the sides are equals"


@pytest.mark.parametrize(
    ("margin", "reason"), [(1.0, "margin 1, below 1.04"), (1.04, None), (None, None)]
)
def test_a_low_margin_is_refused_and_a_missing_one_is_not(
    margin: float | None, reason: str | None
) -> None:
    assert margin_above(1.04)(pair("Rain.", "Regen.", margin)) == reason


@pytest.mark.parametrize(
    ("text", "running"),
    [
        ("Anna Weber left the house of O'Neill in iOS 9.", "  left the house of ' in  9."),
        ("PSGが国内2冠を達成", "が国内2冠を達成"),
        ("Ǆemal Čaušević je otišao", "  je otišao"),
        ("जर्मनी बड़ा है", "जर्मनी बड़ा है"),
    ],
)
def test_running_text_has_no_capitalized_words(text: str, running: str) -> None:
    assert running_text(text) == running


@settings(max_examples=30)
@given(st.text(), st.text())
def test_no_text_breaks_a_rule(source: str, target: str) -> None:
    for rule in (
        no_empty_side,
        at_least(2),
        at_most(9),
        ratio_below(2),
        letters_above(0.5),
        no_copy,
    ):
        rule(pair(source, target))
    assert no_copy(pair(source, source)) is None or source.strip()
