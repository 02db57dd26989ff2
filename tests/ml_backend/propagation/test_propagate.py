"""Which corrections are propagated, and what the command says."""

from io import StringIO
from unicodedata import normalize

import pytest
from rich.console import Console

from ml_backend.cli.propagate import in_words, tables
from ml_backend.propagation.propagate import (
    Finding,
    LeftOut,
    Propagated,
    Propagation,
    Selection,
)
from ml_backend.review.corrections import Correction, Evidence, is_too_short
from tests.ml_backend.corrections import BAYERN, add, delete, relabel
from tests.ml_backend.propagation.test_apply import change_of, open_task


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
    ],
)
def test_a_single_chinese_character_is_part_of_too_many_words(
    correction: Correction, *, short: bool
) -> None:
    assert is_too_short(correction) is short
    assert (Selection().against(Evidence(correction, 9, 1, 0)) is LeftOut.TOO_SHORT) is short


def finding(
    correction: Correction, tasks: int, left_out: LeftOut | None = None, otherwise: int = 0
) -> Finding:
    return Finding(Evidence(correction, 2, 1, otherwise), tasks, left_out)


def test_the_command_says_what_would_be_done_and_why_the_rest_would_not() -> None:
    findings = (
        finding(relabel("[red]Siemens", "LOC", "ORG"), 4),
        finding(add("Montag", "MISC"), 2, LeftOut.CONTESTED, otherwise=3),
        finding(relabel("Ada", "PER", "ORG"), 1, LeftOut.TOO_FEW),
        finding(add("美", "LOC", "zh"), 9, LeftOut.TOO_SHORT),
        finding(delete("nirgends", "LOC"), 0),
    )
    shown_on = StringIO()
    console = Console(file=shown_on, width=120)
    planned = Propagation(findings, (), reviewed=7, open=5)

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
        "Nothing to propagate",
    ]


def test_the_command_says_what_was_done() -> None:
    task = open_task("[red]Ada[/] bei Siemens.", [("PER", "[red]Ada[/]")])
    change = change_of(task, relabel("[red]Ada[/]", "PER", "MISC"), add("Siemens", "ORG"))
    assert change is not None
    planned = Propagation(
        (finding(add("Siemens", "ORG"), 2),), (change, change), reviewed=1, open=2
    )
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
        "1 left alone: touched or changed meanwhile",
        "Review: http://tab",
    ]
