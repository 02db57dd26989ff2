"""What people corrected, whether they are of one mind, and what becomes of an open sentence."""

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from label_config.tasks import to_prediction, to_task
from ml_backend.cli import app
from ml_backend.cli.propagate import in_words, tables
from ml_backend.propagation.apply import TaskChange, corrected, read_open
from ml_backend.propagation.propagate import Finding, LeftOut, Plan, Propagated, Selection
from ml_backend.review.corrections import (
    Correction,
    Evidence,
    Marked,
    Rules,
    corrections_in,
    is_too_short,
    outvoted,
    weigh,
)
from projection.errors import ReviewError
from projection.records import (
    Entity,
    ParallelSentence,
    ProjectedSentence,
    ReviewedSentence,
    ReviewStatus,
    Span,
)

Marks = Sequence[tuple[str, str]]
VERSION = "fixed-1"


def entities(text: str, marks: Marks, score: float | None = None) -> tuple[Entity, ...]:
    """Label and phrase of each; the same phrase again is its next occurrence."""
    found: list[Entity] = []
    for label, phrase in marks:
        taken = [entity.span.start for entity in found if entity.span.of(text) == phrase]
        start = text.index(phrase, taken[-1] + 1 if taken else 0)
        found.append(Entity(Span(start, start + len(phrase)), label, score))
    return tuple(found)


def pair(text: str, lang: str = "de", name: str | None = None) -> ParallelSentence:
    return ParallelSentence(name or text, "…", text, "en", lang, "test.en:1")


def review(
    text: str,
    predicted: Marks | None,
    decided: Marks,
    *,
    lang: str = "de",
    annotator: str = "1",
    status: ReviewStatus = ReviewStatus.CORRECTED,
    updated_at: str = "2026-01-05T10:00:00Z",
) -> ReviewedSentence:
    return ReviewedSentence(
        pair(text, lang),
        entities(text, decided),
        status,
        annotator,
        predicted=None if predicted is None else entities(text, predicted, 0.9),
        updated_at=updated_at,
    )


def said(reviewed: ReviewedSentence) -> list[str]:
    return [str(correction) for correction in corrections_in(reviewed)]


def open_task(text: str, marks: Marks, lang: str = "de", **data: Any) -> dict[str, Any]:
    """A task nobody has touched, as Label Studio exports it."""
    sentence = ProjectedSentence(pair(text, lang), entities(text, marks, 0.9), (), (), 0.9, VERSION)
    prediction = {"id": 7, "created_at": "2026-01-01", **to_prediction(sentence)}
    return {
        "id": 3,
        "data": {**to_task(sentence)["data"], **data},
        "annotations": [],
        "drafts": [],
        "predictions": [prediction],
    }


def change_of(
    task: dict[str, Any], *corrections: Correction, sentences: int = 3
) -> TaskChange | None:
    sentence = read_open(task, VERSION)
    assert sentence is not None
    said_by = dict.fromkeys(corrections, sentences)
    return corrected(sentence, Rules(corrections), said_by)


def marks_of(change: TaskChange) -> list[tuple[str, str]]:
    regions = sorted(change.result, key=lambda item: item["value"]["start"])
    return [(item["value"]["labels"][0], item["value"]["text"]) for item in regions]


def relabel(phrase: str, label: str, new_label: str, lang: str = "de") -> Correction:
    return Correction(lang, phrase, label, new_label, phrase)


def delete(phrase: str, label: str, lang: str = "de") -> Correction:
    return Correction(lang, phrase, label, None, phrase)


def add(phrase: str, label: str, lang: str = "de") -> Correction:
    return Correction(lang, phrase, None, label, phrase)


BAYERN = Correction("de", "der FC Bayern", "ORG", "ORG", "FC Bayern", 4, 0)
BAYERN_CLUB = Correction("de", "Bayern", "LOC", "ORG", "FC Bayern", -3, 0)


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


# Which are carried over


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


OVERRULED = Selection("Siemens", overrule=True)


@pytest.mark.parametrize(
    ("decided", "carried_over"),
    [
        pytest.param(["ORG", "LOC"], ["LOC → ORG"], id="once otherwise, and left as it was"),
        pytest.param(["ORG", "ORG", "PER"], ["LOC → ORG"], id="the one made most often"),
        pytest.param(["ORG", "PER"], [], id="as often: neither"),
        pytest.param(["ORG", None], [], id="as often no entity"),
    ],
)
def test_whoever_names_a_phrase_can_overrule_who_decided_otherwise(
    decided: list[str | None], carried_over: list[str]
) -> None:
    evidence = weigh(
        review(
            f"Siemens {n}.", [("LOC", "Siemens")], [(label, "Siemens")] if label else [], lang="de"
        )
        for n, label in enumerate(decided)
    )
    weaker = outvoted(evidence)

    chosen = [e for e in evidence if OVERRULED.against(e, weaker) is None]

    assert [e.correction.change for e in chosen] == carried_over
    assert [e for e in evidence if Selection("Siemens").against(e, weaker) is None] == []
    assert [e for e in evidence if replace(OVERRULED, phrase=None).against(e, weaker) is None] == []


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
    ],
)
def test_a_single_chinese_character_is_part_of_too_many_words(
    correction: Correction, *, short: bool
) -> None:
    assert is_too_short(correction) is short
    assert (Selection().against(Evidence(correction, 9, 1, 0)) is LeftOut.TOO_SHORT) is short


# What becomes of an open sentence


@pytest.mark.parametrize(
    ("text", "marks", "corrections", "expected"),
    [
        pytest.param(
            "Siemens mag Siemens.",
            [("LOC", "Siemens"), ("LOC", "Siemens")],
            [relabel("Siemens", "LOC", "ORG")],
            [("ORG", "Siemens"), ("ORG", "Siemens")],
            id="every occurrence gets the label",
        ),
        pytest.param(
            "Siemens mag Siemens.",
            [("LOC", "Siemens"), ("PER", "Siemens")],
            [relabel("Siemens", "LOC", "ORG")],
            [("ORG", "Siemens"), ("PER", "Siemens")],
            id="but not one predicted otherwise",
        ),
        pytest.param(
            "Am Montag kam Ada.",
            [("PER", "Montag"), ("PER", "Ada")],
            [delete("Montag", "PER")],
            [("PER", "Ada")],
            id="what is no entity goes",
        ),
        pytest.param(
            "Hier ist der FC Bayern.",
            [("ORG", "der FC Bayern")],
            [BAYERN],
            [("ORG", "FC Bayern")],
            id="borders move inwards",
        ),
        pytest.param(
            "Der FC Bayern in Bayern.",
            [("LOC", "Bayern"), ("LOC", "Bayern")],
            [BAYERN_CLUB],
            [("ORG", "FC Bayern"), ("LOC", "Bayern")],
            id="outwards only where the text goes on like that",
        ),
        pytest.param(
            "Siemens baut, Siemensstadt nicht; Siemens.",
            [("ORG", "Siemens")],
            [add("Siemens", "ORG")],
            [("ORG", "Siemens"), ("ORG", "Siemens")],
            id="added where it stands free and whole",
        ),
        pytest.param(
            "中国和中国人。",
            [("LOC", "中国")],
            [add("中国", "LOC", "zh")],
            [("LOC", "中国"), ("LOC", "中国")],
            id="without spaces every occurrence is whole",
        ),
        pytest.param(
            "FC Bayern und Bayern.",
            [],
            [add("Bayern", "LOC"), add("FC Bayern", "ORG")],
            [("ORG", "FC Bayern"), ("LOC", "Bayern")],
            id="the longer phrase first",
        ),
        pytest.param(
            "Seit der FC Bayern siegt.",
            [("LOC", "der FC Bayern")],
            [delete("der FC Bayern", "LOC"), add("FC Bayern", "ORG")],
            [("ORG", "FC Bayern")],
            id="what a deletion leaves free can be marked",
        ),
        pytest.param(
            "Siemens baut.",
            [("LOC", "Siemens")],
            [
                relabel("Siemens", "LOC", "ORG"),
                Correction("de", "Siemens", "ORG", "ORG", "Siemens baut", 0, 5),
            ],
            [("ORG", "Siemens")],
            id="nothing is changed twice",
        ),
    ],
)
def test_an_open_sentence_is_corrected(
    text: str, marks: Marks, corrections: list[Correction], expected: Marks
) -> None:
    task = open_task(text, marks, corrections[0].lang)

    change = change_of(task, *corrections)

    assert change is not None
    assert marks_of(change) == list(expected)
    # A second run finds nothing to do.
    task["predictions"][0]["result"] = change.result
    assert change_of(task, *corrections) is None


@pytest.mark.parametrize(
    ("text", "marks", "correction"),
    [
        pytest.param("", [], add("Siemens", "ORG"), id="no text"),
        pytest.param("SIEMENS.", [("LOC", "SIEMENS")], relabel("Siemens", "LOC", "ORG"), id="case"),
        pytest.param("AFC Bayern.", [("LOC", "Bayern")], BAYERN_CLUB, id="it would cut a word"),
        pytest.param(
            "Bayern.", [("LOC", "Bayern")], BAYERN_CLUB, id="it would begin before the text"
        ),
        pytest.param(
            "FC Bayern.",
            [("ORG", "FC"), ("LOC", "Bayern")],
            BAYERN_CLUB,
            id="it would meet another entity",
        ),
        pytest.param(
            "Siemens baut.", [("PER", "Siemens")], add("Siemens", "ORG"), id="it is not free"
        ),
    ],
)
def test_an_open_sentence_without_the_mistake_stays(
    text: str, marks: Marks, correction: Correction
) -> None:
    assert change_of(open_task(text, marks), correction) is None


def test_borders_may_move_within_what_overlapped_before() -> None:
    task = open_task("der FC Bayern", [("ORG", "der FC Bayern"), ("LOC", "Bayern")])

    change = change_of(task, BAYERN)

    assert change is not None
    assert marks_of(change) == [("ORG", "FC Bayern"), ("LOC", "Bayern")]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_normal_form_of_the_text_does_not_matter_and_stays(form: str) -> None:
    text = normalize(form, "In São Paulo und São Paulo.")  # type: ignore[arg-type]
    name = normalize(form, "São Paulo")  # type: ignore[arg-type]
    corrections = [relabel("São Paulo", "ORG", "LOC", "es"), add("São Paulo", "LOC", "es")]

    change = change_of(open_task(text, [("ORG", name)], "es"), *corrections)

    assert change is not None
    assert marks_of(change) == [("LOC", name), ("LOC", name)]


# “São Paulo” was corrected in a text of one form, and is predicted in one of another. Before it
# stands a letter that takes one code point in the one and two in the other.
@pytest.mark.parametrize(("made_in", "open_in"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_borders_move_by_letters_in_whatever_normal_form(made_in: str, open_in: str) -> None:
    def text(form: str) -> tuple[str, str, str]:
        words = ("Já não é o São Paulo é.", "o São Paulo é", "São Paulo")
        whole, wrong, right = (normalize(form, each) for each in words)  # type: ignore[arg-type]
        return whole, wrong, right

    whole, wrong, right = text(made_in)
    [correction] = corrections_in(review(whole, [("LOC", wrong)], [("LOC", right)], lang="es"))
    whole, wrong, right = text(open_in)

    change = change_of(open_task(whole, [("LOC", wrong)], "es"), correction)

    assert change is not None
    assert marks_of(change) == [("LOC", right)]
    back = Correction("es", "São Paulo", "LOC", "LOC", "o São Paulo é", -2, 2)
    outwards = change_of(open_task(whole, [("LOC", right)], "es"), back)
    assert outwards is not None
    assert marks_of(outwards) == [("LOC", wrong)]


def test_a_region_says_what_it_was_and_why_it_is_not_so_any_more() -> None:
    task = open_task("Bei Siemens.", [("LOC", "Siemens")])
    [before] = task["predictions"][0]["result"]

    change = change_of(task, relabel("Siemens", "LOC", "ORG"), sentences=3)

    assert change is not None
    [after] = change.result
    assert after["id"] == before["id"]
    assert after["value"] == {"start": 4, "end": 11, "text": "Siemens", "labels": ["ORG"]}
    assert "score" not in after, "0.9 was about LOC"
    assert after["meta"] == {
        "text": [
            "found in the target only · 0.90 · propagated: LOC → ORG, as in 3 reviewed sentences"
        ],
        "propagated": "LOC → ORG, as in 3 reviewed sentences",
        "was": {"start": 4, "end": 11, "text": "Siemens", "label": "LOC", "score": 0.9},
    }


def test_an_added_region_has_an_id_of_its_own_and_was_nothing() -> None:
    change = change_of(open_task("Bei Siemens.", []), add("Siemens", "ORG"), sentences=1)

    assert change is not None
    [region] = change.result
    assert region["meta"]["propagated"] == "no entity → ORG, as in 1 reviewed sentence"
    assert "was" not in region["meta"]
    assert region["id"]


def test_the_task_says_in_plain_words_what_was_carried_over() -> None:
    task = open_task("Am Montag baut Siemens.", [("PER", "Montag")], audit="May")
    change = change_of(task, delete("Montag", "PER"), add("Siemens", "ORG"))

    assert change is not None
    data = change.data(task["data"])
    assert data["propagated"] == "Montag: PER → no entity; Siemens: no entity → ORG"
    assert (data["n_entities"], data["audit"]) == (1, "May")
    assert change.data(data) == data, "an interrupted run is finished without saying it twice"


def test_a_task_says_what_was_carried_over_before_too() -> None:
    change = change_of(open_task("Bei Siemens.", []), add("Siemens", "ORG"))

    assert change is not None
    assert change.data({"propagated": "Siemens: LOC → no entity"})["propagated"] == (
        "Siemens: LOC → no entity; Siemens: no entity → ORG"
    )


def test_what_stands_between_two_corrections_may_stand_in_a_phrase() -> None:
    task = open_task("Das Haus; drei und Ada.", [("LOC", "Haus; drei"), ("LOC", "Ada")])
    change = change_of(task, relabel("Haus; drei", "LOC", "ORG"), relabel("Ada", "LOC", "PER"))

    assert change is not None
    data = change.data(task["data"])
    assert data["propagated"] == "Haus; drei: LOC → ORG; Ada: LOC → PER"
    assert change.data(data) == data


def test_the_page_follows_and_what_was_changed_comes_first() -> None:
    task = open_task("Ada bei Siemens.", [("PER", "Ada"), ("LOC", "Siemens")])
    [_, siemens] = task["predictions"][0]["result"]
    change = change_of(task, relabel("Siemens", "LOC", "ORG"))

    assert change is not None
    assert change.result[0]["id"] == siemens["id"]
    data = change.data(task["data"])
    assert f'htx-highlight-{siemens["id"]}-"]{{--sf-edge:dotted' in data["doubts_html"]
    assert data["doubts_html"].count("sf-propagated") == 1


def test_a_change_says_what_is_marked_before_and_after() -> None:
    change = change_of(
        open_task("Ada bei Siemens.", [("PER", "Ada"), ("LOC", "Siemens")]),
        relabel("Siemens", "LOC", "ORG"),
    )

    assert change is not None
    assert change.to_json() == {
        "task": 3,
        "target": "Ada bei Siemens.",
        "before": ["“Ada” PER", "“Siemens” LOC"],
        "after": ["“Ada” PER", "“Siemens” ORG"],
        "corrections": ["Siemens: LOC → ORG"],
    }
    planned = Plan((), (change,), reviewed=2, open=1)
    assert planned.to_json()["changes"] == [change.to_json()]


def test_other_items_of_a_result_stay() -> None:
    task = open_task("Bei Siemens.", [("LOC", "Siemens")])
    choice = {"id": "x", "from_name": "review", "type": "choices", "value": {"choices": ["ok"]}}
    task["predictions"][0]["result"].insert(0, choice)

    change = change_of(task, delete("Siemens", "LOC"))

    assert change is not None
    assert change.result == [choice]
    assert change.data(task["data"])["n_entities"] == 0


def test_the_prediction_that_is_shown_is_the_one_that_counts() -> None:
    task = open_task("Bei Siemens.", [("LOC", "Siemens")])
    [first] = task["predictions"]
    newer = {**first, "id": 8, "created_at": "2026-02-01", "result": []}
    other = {**first, "id": 9, "created_at": "2026-03-01", "model_version": "fixed-2"}
    task["predictions"] = [newer, first, other]

    shown = {version: read_open(task, version) for version in (VERSION, "fixed-2", "")}

    assert {version: s and s.prediction["id"] for version, s in shown.items()} == {
        VERSION: 8,
        "fixed-2": 9,
        "": 9,
    }
    assert read_open(task, "fixed-3") is None


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ({"start": 4, "end": 11, "text": "Bosch", "labels": ["LOC"]}, "covers 'Siemens'"),
        ({"start": 4, "end": 99, "text": "Siemens.", "labels": ["LOC"]}, "reaches past the text"),
        ({"start": 4, "end": 11, "text": "Siemens", "labels": ["LOC", "ORG"]}, "exactly one label"),
    ],
)
def test_a_prediction_that_contradicts_its_task_is_named(
    broken: dict[str, Any], complaint: str
) -> None:
    task = open_task("Bei Siemens.", [("LOC", "Siemens")])
    task["predictions"][0]["result"][0]["value"] = broken

    with pytest.raises(ReviewError, match=rf"task 3 prediction 7.*{complaint}.*repredict"):
        read_open(task, VERSION)


# What the verb says


def finding(
    correction: Correction, tasks: int, left_out: LeftOut | None = None, otherwise: int = 0
) -> Finding:
    return Finding(Evidence(correction, 2, 1, otherwise), tasks, left_out)


def test_the_verb_says_what_would_be_done_and_why_the_rest_would_not() -> None:
    findings = (
        finding(relabel("[red]Siemens", "LOC", "ORG"), 4),
        finding(add("Montag", "MISC"), 2, LeftOut.CONTESTED, otherwise=3),
        finding(relabel("Ada", "PER", "ORG"), 1, LeftOut.TOO_FEW),
        finding(add("美", "LOC", "zh"), 9, LeftOut.TOO_SHORT),
        finding(delete("nirgends", "LOC"), 0),
    )
    shown_on = StringIO()
    console = Console(file=shown_on, width=120)
    planned = Plan(findings, (), reviewed=7, open=5)

    for table in tables(planned, enough=3):
        console.print(table)
    shown = [line.split() for line in shown_on.getvalue().splitlines()]

    assert shown[1] == ["[red]Siemens", "LOC", "→", "ORG", "2", "1", "4"]
    assert " ".join(shown[3]) == "Montag no entity → MISC 2 1 2 contested: decided otherwise in 3"
    assert "too few: needs 3 sentences" in " ".join(shown[4])
    assert "too short: one character" in " ".join(shown[5])
    assert in_words(planned, None, None).splitlines() == [
        "7 reviews, 5 open tasks",
        "1 corrections apply to no open task",
        "Nothing to carry over",
    ]


def test_the_verb_says_what_was_done() -> None:
    task = open_task("[red]Ada[/] bei Siemens.", [("PER", "[red]Ada[/]")])
    change = change_of(task, relabel("[red]Ada[/]", "PER", "MISC"), add("Siemens", "ORG"))
    assert change is not None
    planned = Plan((finding(add("Siemens", "ORG"), 2),), (change, change), reviewed=1, open=2)
    shown_on = StringIO()
    for table in tables(planned, enough=3):
        Console(file=shown_on, width=120).print(table)

    before, after = in_words(planned, None, None), in_words(planned, Propagated(1, 1), "http://tab")

    lines = [" ".join(line.split()) for line in shown_on.getvalue().splitlines()]
    shown = "3 “[red]Ada[/]” PER “[red]Ada[/]” MISC, “Siemens” ORG"
    assert lines[2:] == ["for example, task marked becomes", shown, shown]
    assert before.endswith("Nothing was changed; with --apply 2 tasks will be")
    assert after.splitlines()[1:] == [
        "1 tasks changed",
        "1 left alone: somebody was quicker",
        "Review: http://tab",
    ]


def test_overruling_needs_a_phrase() -> None:
    where = ["--url", "http://localhost", "--project", "x", "--api-key", "x"]
    result = CliRunner().invoke(app, ["propagate", *where, "--overrule"])
    assert result.exit_code == 2
    assert "name the --phrase it is about" in result.output


TEXTS = st.text("aB é\u0301😀国.-", max_size=12)


@given(text=TEXTS, phrase=st.text("aBé\u0301国", min_size=1, max_size=3), data=st.data())
def test_whatever_the_text_places_are_inside_it_and_free(
    text: str, phrase: str, data: st.DataObject
) -> None:
    lang = data.draw(st.sampled_from(["de", "zh"]))
    start = data.draw(st.integers(0, max(0, len(text) - 1)))
    marked = Marked(lang, text, [Entity(Span(start, start + 1), "LOC")] if text else [])
    normal = normalize("NFC", phrase)

    for place in Rules([add(normal, "ORG", lang)]).places(marked):
        assert normalize("NFC", place.span.of(text)) == normal
        assert not any(place.span.overlaps(entity.span) for entity in marked.entities)
