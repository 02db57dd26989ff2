"""Which corrections are propagated."""

from unicodedata import normalize

import pytest

from ml_backend.propagation.propagate import (
    LeftOut,
    Selection,
    propagated_in,
)
from ml_backend.review.corrections import Correction, Evidence, is_too_short
from projection.records import ProjectedSentence
from tests.ml_backend.corrections import (
    BAYERN,
    Marks,
    add,
    delete,
    entities,
    pair,
    relabel,
    review,
)


@pytest.mark.parametrize(
    ("selection", "evidence", "left_out"),
    [
        pytest.param(Selection(), (2, 0), None, id="two sentences speak of the phrase"),
        pytest.param(Selection(), (1, 0), LeftOut.TOO_FEW, id="one may be a slip"),
        pytest.param(Selection("Siemens"), (1, 0), None, id="whoever names it has thought"),
        pytest.param(Selection("Siemens", at_least=3), (2, 0), LeftOut.TOO_FEW, id="as asked"),
        pytest.param(Selection(at_least=1), (9, 1), LeftOut.CONTESTED, id="contested"),
    ],
)
def test_a_correction_must_be_made_often_enough_and_not_be_contested(
    selection: Selection, evidence: tuple[int, int], left_out: LeftOut | None
) -> None:
    sentences, otherwise = evidence
    correction = relabel("Siemens", "LOC", "ORG")

    assert selection.against(Evidence(correction, sentences, 1, otherwise)) is left_out


def test_a_selection_is_about_a_phrase_before_or_after_and_a_language() -> None:
    assert Selection("FC Bayern").about(BAYERN)
    assert Selection("der FC Bayern", "de").about(BAYERN)
    assert not Selection("Bayern").about(BAYERN)
    assert not Selection(lang="nl").about(BAYERN)
    assert Selection(normalize("NFD", "São Paulo")).about(add("São Paulo", "LOC"))


@pytest.mark.parametrize(
    ("correction", "short"),
    [
        (add("美", "LOC", "zh"), True),
        (add("美国", "LOC", "zh"), False),
        (delete("美", "LOC", "zh"), False),
        (add("A", "ORG", "de"), False),
        (add("ပဲ", "LOC", "my"), True),
        (add("น่าน", "LOC", "th"), False),
        (add("부산", "LOC", "ko"), False),
    ],
)
def test_a_single_character_without_spaces_is_part_of_too_many_words(
    correction: Correction, *, short: bool
) -> None:
    assert is_too_short(correction) is short
    assert (Selection().against(Evidence(correction, 9, 1, 0)) is LeftOut.TOO_SHORT) is short


def test_outside_of_a_project_what_two_reviews_say_is_propagated_and_what_one_says_is_not() -> None:
    def unseen(text: str, *marks: tuple[str, str]) -> ProjectedSentence:
        return ProjectedSentence(pair(text), entities(text, marks, 0.9), (), (), 0.9, "v1")

    loc, org = [("LOC", "Siemens")], [("ORG", "Siemens")]
    reviews = [review(f"Siemens {word}.", loc, org) for word in ("baut", "wirbt")]
    reviews.append(review("Bosch baut.", [("LOC", "Bosch")], [("ORG", "Bosch")]))
    given = [
        unseen("Heute baut Siemens.", ("LOC", "Siemens")),
        unseen("Heute baut Bosch.", ("LOC", "Bosch")),
        unseen("Heute nicht."),
    ]

    found = propagated_in(reviews, given)

    marks: list[Marks] = [
        [(e.label, e.span.of(each.sentence.target)) for e in each.entities] for each in found
    ]
    assert marks == [org, [("LOC", "Bosch")], []]
    assert found[1:] == given[1:]
