import pytest

from ml_backend.review.agreement import Agreement, agreement
from projection.records import Entity, ParallelSentence, ReviewedSentence, ReviewStatus, Span

TEXT = "Anna wohnt in Bonn."  # five tokens
ANNA, BONN = Entity(Span(0, 4), "PER"), Entity(Span(14, 18), "LOC")
BONN_ORG = Entity(Span(14, 18), "ORG")


def review(
    annotator: str,
    *entities: Entity,
    number: int = 1,
    status: ReviewStatus = ReviewStatus.CORRECTED,
    day: int = 1,
    text: str = TEXT,
    lang: str = "de",
) -> ReviewedSentence:
    pair = ParallelSentence(f"s{number}", "Anna lives in Bonn.", text, "en", lang, f"a:{number}")
    at = f"2024-05-{day:02}T10:00:00Z"
    return ReviewedSentence(pair, entities, status, annotator, updated_at=at)


@pytest.mark.parametrize(
    "reviews",
    [
        pytest.param([], id="nothing"),
        pytest.param([review("1", ANNA), review("1", number=2)], id="one annotator"),
        pytest.param([review("1", ANNA), review("2", number=2)], id="no sentence in common"),
        pytest.param(
            [review("1"), review("2", status=ReviewStatus.SKIPPED)], id="skipping is no decision"
        ),
        pytest.param(
            [review("1"), review("", status=ReviewStatus.UNSEEN)], id="nor is not looking"
        ),
    ],
)
def test_without_two_decisions_there_is_nothing_to_agree_on(
    reviews: list[ReviewedSentence],
) -> None:
    assert agreement(reviews) == Agreement((), 0, 0, None, None)


def test_figures_of_a_pair_by_hand() -> None:
    found = agreement([review("2", BONN_ORG), review("1", ANNA, BONN)])

    [pair] = found.pairs
    assert (pair.annotators, pair.sentences, pair.disagreed) == (("1", "2"), 1, 0)
    assert pair.f1 == 0
    # Tags PER O O LOC O against O O O ORG O: 3 of 5 alike, by chance 12 / 25.
    assert pair.kappa == pytest.approx((0.6 - 0.48) / (1 - 0.48))
    assert (found.kappa, found.f1) == (pair.kappa, pair.f1)


def test_perfect_agreement_is_one_and_scores_of_the_machine_do_not_matter() -> None:
    sure = Entity(BONN.span, BONN.label, 0.7)
    [pair] = agreement([review("1", ANNA, BONN), review("2", sure, ANNA)]).pairs
    assert (pair.kappa, pair.f1) == (1.0, 1.0)


def test_two_who_mark_nothing_have_neither_figure() -> None:
    found = agreement([review("1"), review("2")])
    assert (found.sentences, found.kappa, found.f1) == (1, None, None)
    assert (found.pairs[0].kappa, found.pairs[0].f1) == (None, None)


def test_a_text_without_tokens_is_no_error() -> None:
    [pair] = agreement([review("1", text=" "), review("2", text=" ")]).pairs
    assert (pair.sentences, pair.kappa, pair.f1) == (1, None, None)


def test_a_border_costs_f1_more_than_kappa() -> None:
    longer = Entity(Span(11, 18), "LOC")
    [pair] = agreement([review("1", ANNA, BONN), review("2", ANNA, longer)]).pairs
    assert pair.f1 == 0.5
    assert pair.kappa is not None
    assert pair.kappa > 0.3


def test_chinese_is_compared_character_by_character() -> None:
    text = "安娜住在波恩。"
    one, other = Entity(Span(4, 6), "LOC"), Entity(Span(4, 5), "LOC")
    [pair] = agreement(
        [review("1", one, text=text, lang="zh"), review("2", other, text=text, lang="zh")]
    ).pairs
    assert pair.f1 == 0
    # O×4 B I O against O×4 B O O: 6 of 7 alike, by chance (5·6 + 1) / 49.
    assert pair.kappa == pytest.approx((6 / 7 - 31 / 49) / (1 - 31 / 49))


def test_only_the_newest_decision_of_each_counts() -> None:
    reviews = [review("1", day=1), review("1", ANNA, day=2), review("2", ANNA)]
    assert agreement(reviews).f1 == 1
    assert agreement(reviews[::-1]).f1 == 1


def test_means_are_weighted_by_sentences_and_leave_out_what_is_not_defined() -> None:
    found = agreement(
        [
            *(review(who, ANNA, number=n) for who in "12" for n in (1, 2, 3)),
            review("3", BONN, number=3),
            *(review(who, number=4) for who in "45"),
        ]
    )
    assert [pair.annotators for pair in found.pairs] == [
        ("1", "2"),
        ("1", "3"),
        ("2", "3"),
        ("4", "5"),
    ]
    assert [pair.f1 for pair in found.pairs] == [1.0, 0.0, 0.0, None]
    assert found.f1 == pytest.approx(3 / 5)
    assert found.sentences == 4


def test_unusable_for_one_of_them_is_counted_and_not_compared() -> None:
    unusable = ReviewStatus.UNUSABLE
    found = agreement(
        [
            *(review("1", ANNA), review("2", ANNA, status=unusable)),
            *(review(who, number=2, status=unusable) for who in "12"),
        ]
    )
    [pair] = found.pairs
    assert (pair.sentences, pair.disagreed, pair.f1) == (0, 1, None)
    assert (found.sentences, found.compared, found.f1, found.kappa) == (2, 0, None, None)


def test_figures_are_of_what_two_found_usable() -> None:
    found = agreement(
        [
            *(review(who, ANNA) for who in "12"),
            review("1", ANNA, number=2),
            *(review(who, number=2, status=ReviewStatus.UNUSABLE) for who in "23"),
            *(review(who, ANNA, number=3) for who in "12"),
            review("3", number=3, status=ReviewStatus.UNUSABLE),
        ]
    )
    assert (found.sentences, found.compared, found.f1) == (3, 2, 1.0)
