"""What annotators corrected, and the evidence for and against it."""

from dataclasses import replace
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.review.corrections import Evidence, Rules, weigh
from projection.records import Entity, ReviewedSentence, ReviewStatus, Span
from tests.ml_backend.corrections import BAYERN_CLUB, Marks, add, pair, review, said

# What one person corrected in one sentence


@pytest.mark.parametrize(
    ("predicted", "decided", "corrections"),
    [
        pytest.param([("LOC", "Siemens")], [("LOC", "Siemens")], [], id="nothing"),
        pytest.param(
            [("LOC", "Siemens")], [("ORG", "Siemens")], ["Siemens: LOC → ORG"], id="another label"
        ),
        pytest.param([("ORG", "Siemens")], [], ["Siemens: ORG → no entity"], id="not an entity"),
        pytest.param([], [("ORG", "Siemens")], ["Siemens: no entity → ORG"], id="missed"),
        pytest.param(
            [("ORG", "Die Siemens")],
            [("ORG", "Siemens")],
            ["Die Siemens → Siemens (ORG)"],
            id="other borders",
        ),
        pytest.param(
            [("LOC", "Siemens")],
            [("ORG", "Siemens AG")],
            ["Siemens → Siemens AG (LOC → ORG)"],
            id="other borders and another label",
        ),
        pytest.param(
            [("ORG", "Siemens AG und Bosch")],
            [("ORG", "Siemens AG"), ("ORG", "Bosch")],
            [],
            id="one made two says nothing elsewhere",
        ),
        pytest.param(
            [("ORG", "Siemens"), ("LOC", "AG")],
            [("ORG", "Siemens AG")],
            [],
            id="two made one says nothing elsewhere",
        ),
        pytest.param(
            [("ORG", "Siemens AG"), ("LOC", "Siemens")],
            [("ORG", "Siemens AG")],
            [],
            id="one of two that overlap removed says nothing elsewhere",
        ),
        pytest.param(
            [("ORG", "Bosch"), ("LOC", "und Bosch")],
            [("ORG", "Bosch"), ("PER", "und")],
            [],
            id="overlaps what stayed: not clear whose borders moved",
        ),
    ],
)
def test_a_correction_is_told_by_what_was_there_before(
    predicted: Marks, decided: Marks, corrections: list[str]
) -> None:
    assert said(review("Die Siemens AG und Bosch.", predicted, decided)) == corrections


def test_one_span_with_two_labels_is_not_clear() -> None:
    text = "Siemens baut."
    both = (Entity(Span(0, 7), "LOC"), Entity(Span(0, 7), "ORG"))
    one = review(text, [], [("ORG", "Siemens")])

    assert said(replace(one, predicted=both)) == []
    assert said(replace(one, predicted=both[:1], entities=both)) == []


# Whether people are of one mind


def weighed(*reviews: ReviewedSentence) -> dict[str, Evidence]:
    return {str(evidence.correction): evidence for evidence in weigh(reviews)}


def test_sentences_and_people_are_counted_once_each() -> None:
    wrong, right = [("LOC", "Siemens")], [("ORG", "Siemens")]

    evidence = weighed(
        review("Siemens baut.", wrong, right),
        review("Siemens baut.", wrong, right, annotator="2"),
        review("Siemens kauft.", wrong, right),
    )["Siemens: LOC → ORG"]

    assert (evidence.sentences, evidence.people, evidence.otherwise) == (2, 2, 0)


def test_the_newest_decision_of_a_person_counts() -> None:
    wrong = [("LOC", "Siemens")]
    older = review("Siemens baut.", wrong, [("ORG", "Siemens")])
    newer = review("Siemens baut.", wrong, wrong, updated_at="2026-01-06T10:00:00Z")

    assert weighed(older, newer) == {}


@pytest.mark.parametrize(
    "status", [ReviewStatus.SKIPPED, ReviewStatus.UNUSABLE, ReviewStatus.UNSEEN]
)
def test_who_did_not_judge_says_nothing(status: ReviewStatus) -> None:
    reviewed = review("Siemens baut.", [("LOC", "Siemens")], [], status=status)

    assert weighed(reviewed) == {}


def test_without_a_prediction_there_was_nothing_to_correct() -> None:
    assert weighed(review("Siemens baut.", None, [("ORG", "Siemens")])) == {}


def test_nothing_reviewed_is_no_evidence() -> None:
    assert weigh([]) == []


MADE = review("Siemens baut.", [("LOC", "Siemens")], [("ORG", "Siemens")])


@pytest.mark.parametrize(
    ("other", "otherwise"),
    [
        pytest.param(
            review("Bei Siemens.", [("LOC", "Siemens")], [("LOC", "Siemens")]), 1, id="kept"
        ),
        pytest.param(review("Bei Siemens.", [("LOC", "Siemens")], []), 1, id="deleted"),
        pytest.param(
            review("Bei Siemens.", [("LOC", "Siemens")], [("LOC", "Bei Siemens")]), 1, id="moved"
        ),
        pytest.param(
            review("Bei Siemens.", [("PER", "Siemens")], []), 1, id="deleted as something else"
        ),
        pytest.param(
            review("Bei Siemens.", [("ORG", "Siemens")], [("LOC", "Siemens")]),
            1,
            id="the other way round",
        ),
        pytest.param(
            review("Bei Siemens.", [("ORG", "Siemens")], [("ORG", "Siemens")]),
            0,
            id="the right label kept",
        ),
        pytest.param(
            review("Bei Siemens.", [("PER", "Siemens")], [("PER", "Siemens")]),
            0,
            id="it was not predicted like that",
        ),
        pytest.param(review("Bei Siemens.", [], []), 0, id="not predicted at all"),
        pytest.param(
            review("Bei SIEMENS.", [("LOC", "SIEMENS")], [("LOC", "SIEMENS")]),
            0,
            id="upper case is another phrase",
        ),
        pytest.param(
            review("Bei Siemens.", [("LOC", "Siemens")], [("LOC", "Siemens")], lang="nl"),
            0,
            id="another language",
        ),
    ],
)
def test_a_correction_is_contested_where_somebody_decided_otherwise(
    other: ReviewedSentence, otherwise: int
) -> None:
    assert weighed(MADE, other)["Siemens: LOC → ORG"].otherwise == otherwise


def test_two_people_may_disagree_about_one_sentence() -> None:
    other = replace(MADE, annotator="2", entities=MADE.predicted or ())

    evidence = weighed(MADE, other)["Siemens: LOC → ORG"]

    assert (evidence.sentences, evidence.people, evidence.otherwise) == (1, 1, 1)


def test_both_sides_of_a_contradiction_are_contested() -> None:
    found = weighed(
        MADE,
        review("Bei Siemens.", [("LOC", "Siemens")], [("PER", "Siemens")]),
        review("Mit Siemens.", [], [("LOC", "Siemens")]),
    )

    assert {name: evidence.otherwise for name, evidence in found.items()} == {
        "Siemens: LOC → ORG": 2,
        "Siemens: LOC → PER": 2,
        "Siemens: no entity → LOC": 2,
    }


@pytest.mark.parametrize(
    ("other", "otherwise"),
    [
        pytest.param(review("Mit Siemens.", [], []), 1, id="left unmarked"),
        pytest.param(review("Mit Siemens.", [], [("ORG", "Mit Siemens")]), 1, id="in a longer one"),
        pytest.param(
            review("Mit Siemens und Siemens.", [], [("ORG", "Siemens")]), 1, id="one of two"
        ),
        pytest.param(
            review("Mit Siemens und Siemens.", [], [("ORG", "Siemens")] * 2), 0, id="both"
        ),
        pytest.param(review("Siemensstadt.", [], []), 0, id="part of another word"),
        pytest.param(
            review("Mit Siemens AG.", [("ORG", "Siemens AG")], [("ORG", "Siemens AG")]),
            0,
            id="in a longer one that was predicted",
        ),
    ],
)
def test_an_addition_is_contested_where_the_phrase_was_left_alone(
    other: ReviewedSentence, otherwise: int
) -> None:
    made = review("Siemens baut.", [], [("ORG", "Siemens")])

    assert weighed(made, other)["Siemens: no entity → ORG"].otherwise == otherwise


def test_a_deletion_is_not_contested_by_one_for_the_sake_of_another_entity() -> None:
    nested = [("ORG", "Banco de Portugal"), ("LOC", "Portugal")]
    found = weighed(
        review("Portugal sagt nichts.", [("LOC", "Portugal")], []),
        review("Die Banco de Portugal.", nested, nested[:1]),
    )

    assert found["Portugal: LOC → no entity"].otherwise == 0


def test_moved_borders_are_contested_only_where_they_would_enclose_the_same() -> None:
    club = review("Der FC Bayern siegt.", [("LOC", "Bayern")], [("ORG", "FC Bayern")])
    state = review("In Bayern regnet es.", [("LOC", "Bayern")], [("LOC", "Bayern")])
    kept = review("FC Bayern verliert.", [("LOC", "Bayern")], [("LOC", "Bayern")])

    assert weighed(club, state)[str(BAYERN_CLUB)].otherwise == 0
    assert weighed(club, state, kept)[str(BAYERN_CLUB)].otherwise == 1


@pytest.mark.parametrize(
    ("lang", "phrase", "text", "starts"),
    [
        pytest.param("ko", "부산", "부산에서 부산까지", [0, 5], id="Korean: with particles"),
        pytest.param("ko", "부산", "배부산 부산", [4], id="Korean: not inside a word"),
        pytest.param("ko", "부산", "(부산)", [1], id="Korean: after a bracket"),
        pytest.param("ko", "부산", "LG부산은", [2], id="Korean: after Latin letters"),
        pytest.param("th", "น่าน", "ไปน่านกับน่าน", [2, 9], id="Thai: anywhere"),
        pytest.param("th", "น่า", "น่ากลัว", [0], id="Thai: whole characters"),
        pytest.param("th", "ก", "กำ", [], id="Thai: not without its marks"),
    ],
)
def test_additions_without_spaces_around_them(
    lang: str, phrase: str, text: str, starts: list[int]
) -> None:
    found = Rules([add(phrase, "LOC", lang)]).occurrences(pair(text, lang), [])
    assert [each.span.start for each in found] == starts


TEXTS = st.text("aB é\u0301😀国.-", max_size=12)


@given(text=TEXTS, phrase=st.text("aBé\u0301国", min_size=1, max_size=3), data=st.data())
def test_whatever_the_text_additions_are_inside_it_and_free(
    text: str, phrase: str, data: st.DataObject
) -> None:
    lang = data.draw(st.sampled_from(["de", "zh", "th", "ko"]))
    start = data.draw(st.integers(0, max(0, len(text) - 1)))
    marked = [Entity(Span(start, start + 1), "LOC")] if text else []
    normal = normalize("NFC", phrase)

    for place in Rules([add(normal, "ORG", lang)]).occurrences(pair(text, lang), marked):
        assert normalize("NFC", place.span.of(text)) == normal
        assert not any(place.span.overlaps(entity.span) for entity in marked)
