"""Ten sentences counted by hand, and the comparison of two models."""

from collections import Counter

import numpy as np
import pytest

from projection.evaluation.matching import Outcome
from training.data.rows import Row
from training.evaluation.error_analysis import ErrorAnalysis, assess, better_by, names_in
from training.evaluation.tagging_scores import Tagged, score

O = "O"  # noqa: E741  what the tag is called
# Each: language, tokens, gold, predicted. What is wrong stands behind it.
TEN: tuple[tuple[str, str, list[str], list[str]], ...] = (
    ("de", "Ada besuchte Bern", ["B-PER", O, "B-LOC"], ["B-PER", O, "B-LOC"]),  # 2 right
    ("de", "Es regnet", [O, O], [O, O]),  # nothing to find
    ("de", "Die Bank von Bern", [O, "B-ORG", "I-ORG", "I-ORG"], [O, "B-ORG", O, "B-LOC"]),
    # ^ border (ORG too short); LOC spurious, for the ORG it overlaps has its partner
    ("de", "Ada Adler", ["B-PER", "I-PER"], ["B-PER", "B-PER"]),  # border, spurious
    ("de", "Jaguar gewann", ["B-ORG", O], ["B-MISC", O]),  # label
    ("nl", "In Gent", [O, "B-LOC"], [O, O]),  # missing
    ("nl", "Het weer", [O, O], [O, "B-MISC"]),  # spurious
    ("nl", "Gent en Gent", ["B-LOC", O, "B-LOC"], ["B-LOC", O, "I-LOC"]),  # right, missing (stray)
    ("nl", "Oost Gent", ["B-LOC", "I-LOC"], ["I-LOC", "B-LOC"]),  # border (and a stray I-)
    ("nl", "Ada en Bo", ["B-PER", O, "B-PER"], ["B-PER", O, "B-PER"]),  # 2 right
)


def tagged(predicted: list[list[str]] | None = None) -> Tagged:
    rows = tuple(
        Row(str(n), tuple(words.split()), tuple(gold), lang)
        for n, (lang, words, gold, _) in enumerate(TEN)
    )
    answers = predicted if predicted is not None else [answer for *_, answer in TEN]
    return Tagged(rows, tuple(map(tuple, answers)), score([row.tags for row in rows], answers))


GOLD = [gold for _, _, gold, _ in TEN]
SILENT = [[O] * len(gold) for gold in GOLD]


def test_ten_sentences_counted_by_hand() -> None:
    found = assess(tagged())

    # Gold 2+0+1+1+1+1+0+2+1+2 = 11; predicted 2+0+2+2+1+0+1+1+1+2 = 12; right 2+1+2 = 5.
    assert (found.scores.support, found.scores.stray_tags) == (11, 2)
    assert found.scores.precision == pytest.approx(5 / 12)
    assert found.scores.recall == pytest.approx(5 / 11)
    assert found.scores.f1 == pytest.approx(10 / 23)
    assert Counter(m.outcome for m in found.mistakes) == {
        Outcome.WRONG_BORDER: 3,
        Outcome.WRONG_LABEL: 1,
        Outcome.MISSING: 2,
        Outcome.SPURIOUS: 3,
    }
    assert found.interval.low < found.scores.f1 < found.interval.high


def test_what_is_counted_by_seqeval_and_by_pairing_is_the_same() -> None:
    found = assess(tagged())
    right, predicted, gold = found.counts.sum(axis=0)
    assert found.scores.f1 == pytest.approx(2 * right / (predicted + gold))


def test_each_language_has_scores_of_its_own() -> None:
    by_language = assess(tagged()).by_language
    assert {lang: (s.support, s.sentences) for lang, s in by_language.items()} == {
        "de": (5, 5),
        "nl": (6, 5),
    }
    assert by_language["de"].recall == pytest.approx(2 / 5)
    assert by_language["nl"].recall == pytest.approx(3 / 6)


def test_mistakes_come_with_their_sentence_in_reading_order() -> None:
    first, second = assess(tagged()).mistakes[:2]
    assert first.to_json() == {
        "id": "2",
        "lang": "de",
        "sentence": "Die Bank von Bern",
        "gold": {"text": "Bank von Bern", "label": "ORG", "start": 1, "end": 4},
        "predicted": {"text": "Bank", "label": "ORG", "start": 1, "end": 2},
    }
    assert (second.outcome, second.gold) == (Outcome.SPURIOUS, None)
    assert second.to_json()["gold"] is None


def test_names_met_in_training_are_told_from_new_ones() -> None:
    """The same words with another type are another name."""
    known = names_in([Row("t", ("Ada", "und", "Gent"), ("B-PER", "O", "B-ORG"))])
    found = assess(tagged(), known)
    assert known == {("Ada", "PER"), ("Gent", "ORG")}
    assert found.seen is not None
    assert found.unseen is not None
    assert (found.seen.found, found.seen.of) == (2, 2)
    assert (found.unseen.found, found.unseen.of) == (3, 9)
    assert found.unseen.share == pytest.approx(1 / 3)


def test_without_training_data_nobody_claims_to_know() -> None:
    body = assess(tagged()).to_json()
    assert (body["seen"], body["unseen"]) == (None, None)


def test_no_more_examples_are_given_than_asked() -> None:
    mistakes = assess(tagged()).to_json(examples=2)["mistakes"]
    assert isinstance(mistakes, dict)
    assert (mistakes["spurious"]["count"], len(mistakes["spurious"]["examples"])) == (3, 2)


class TestBetterBy:
    @staticmethod
    def of(predicted: list[list[str]]) -> ErrorAnalysis:
        return assess(tagged(predicted))

    def test_a_model_that_is_right_beats_one_that_says_nothing(self) -> None:
        found = better_by(self.of(GOLD), self.of(SILENT))
        assert found.f1 == 1
        assert found.interval.low == found.interval.high == 1
        assert found.p == pytest.approx(2 / 1001)

    def test_the_other_way_round_is_the_same_with_the_sign_turned(self) -> None:
        first, second = assess(tagged()), self.of(GOLD)
        there, back = better_by(first, second), better_by(second, first)
        assert there.f1 == -back.f1
        assert there.interval.low == pytest.approx(-back.interval.high)
        assert there.p == back.p

    def test_a_model_is_no_better_than_itself(self) -> None:
        found = better_by(assess(tagged()), assess(tagged()))
        assert (found.f1, found.interval.low, found.interval.high, found.p) == (0, 0, 0, 1)

    def test_one_sentence_does_not_convince(self) -> None:
        """Better in one sentence of ten: a third of the draws miss that one."""
        almost = [*GOLD[:9], SILENT[9]]
        found = better_by(self.of(GOLD), self.of(almost))
        assert found.f1 > 0
        assert found.p > 0.2

    def test_other_sentences_are_refused(self) -> None:
        short = tagged()._replace(rows=tagged().rows[:3], predicted=tagged().predicted[:3])
        with pytest.raises(ValueError, match="same sentences"):
            better_by(assess(tagged()), assess(short))


def test_nothing_to_find_and_nothing_found() -> None:
    row = Row("1", ("Regen",), ("O",))
    found = assess(Tagged((row,), (("O",),), score([row.tags], [row.tags])))
    assert (found.scores.f1, found.interval.high, found.mistakes) == (0, 0, ())
    assert np.array_equal(found.counts, [[0, 0, 0]])
