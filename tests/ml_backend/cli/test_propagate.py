"""`spanferry propagate`, as far as it goes without a Label Studio."""

import pytest

from ml_backend.cli.console import print_result
from ml_backend.cli.propagate import in_words
from ml_backend.propagation.propagate import Finding, LeftOut, Propagated, Propagation
from ml_backend.review.corrections import Correction, Evidence
from tests.ml_backend.cli.conftest import Spanferry
from tests.ml_backend.corrections import add, delete, relabel
from tests.ml_backend.propagation.test_apply import change_of, open_task


def finding(
    correction: Correction, tasks: int, left_out: LeftOut | None = None, otherwise: int = 0
) -> Finding:
    return Finding(Evidence(correction, 2, 1, otherwise), tasks, left_out)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def test_no_server_is_one_line(spanferry: Spanferry, nobody: str) -> None:
    outcome = spanferry("propagate", "--project", "News", "--apply")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1].startswith(f"{nobody}: no answer")


def test_what_would_be_done_and_why_the_rest_would_not(capsys: pytest.CaptureFixture[str]) -> None:
    findings = (
        finding(relabel("[red]Siemens", "LOC", "ORG"), 4),
        finding(add("Montag", "MISC"), 2, LeftOut.CONTESTED, otherwise=3),
        finding(relabel("Ada", "PER", "ORG"), 1, LeftOut.TOO_FEW),
        finding(add("美", "LOC", "zh"), 9, LeftOut.TOO_SHORT),
        finding(delete("nirgends", "LOC"), 0),
    )
    planned = Propagation(findings, (), reviewed=7, open=5)

    print_result({}, in_words(planned, enough=3), as_json=False)
    said = capsys.readouterr().out.splitlines()
    shown = [" ".join(line.split()) for line in said if line]

    assert shown[:2] == ["propagated sentences people tasks", "[red]Siemens LOC → ORG 2 1 4"]
    assert shown[2] == "left out sentences people would be because"
    assert shown[3] == "Montag no entity → MISC 2 1 2 contested: decided otherwise in 3"
    assert "too few: needs 3 sentences" in shown[4]
    assert "too short: one character" in shown[5]
    assert shown[6:] == [
        "7 reviews, 5 open tasks",
        "1 corrections apply to no open task",
        "Nothing to propagate",
    ]


def test_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    task = open_task("[red]Ada[/] bei Siemens.", [("PER", "[red]Ada[/]")])
    change = change_of(task, relabel("[red]Ada[/]", "PER", "MISC"), add("Siemens", "ORG"))
    assert change is not None
    planned = Propagation(
        (finding(add("Siemens", "ORG"), 2),), (change, change), reviewed=1, open=2
    )
    before = [*in_words(planned, 3)]
    after = [*in_words(planned, 3, Propagated(1, 1), "http://tab")]

    print_result({}, after[2:3], as_json=False)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    shown = "3 “[red]Ada[/]” PER “[red]Ada[/]” MISC, “Siemens” ORG"
    assert lines == ["for example, task marked becomes", shown, shown]
    assert before[-1] == "Nothing was changed; with --apply 2 tasks will be"
    assert after[-3:] == [
        "1 tasks changed",
        "1 left alone: touched or changed meanwhile",
        "Review: http://tab",
    ]
