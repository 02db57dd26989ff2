"""`spanferry adjudicate`, as far as it goes without a Label Studio."""

import pytest

from ml_backend.cli.adjudicate import in_words
from ml_backend.cli.console import print_result
from ml_backend.review.agreement import agreement
from ml_backend.review.disagreements import DisagreementReport
from tests.ml_backend.cli.conftest import Spanferry
from training.data.adjudication import AdjudicationPolicy, Disagreement, DisputedVersion


@pytest.mark.usefixtures("nobody")
def test_a_policy_that_does_not_exist_is_a_usage_error(spanferry: Spanferry) -> None:
    outcome = spanferry("adjudicate", "--project", "News", "--policy", "loudest")
    assert outcome.status == 2
    assert "--policy" in outcome.err


def _versions(*has: str) -> tuple[DisputedVersion, ...]:
    return tuple(DisputedVersion((str(n),), each, (n,)) for n, each in enumerate(has, 1))


def test_open_and_settled_disagreements_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    found = (
        Disagreement("a", "x.en:1", 7, _versions("[red]Ada[/] PER", "none"), settled=False),
        Disagreement("b", "x.en:2", None, _versions("Bonn LOC", "Bonn ORG"), settled=True),
    )
    report = DisagreementReport(AdjudicationPolicy.MAJORITY, 2, agreement([]), 9, found, 1, 0, 1)
    print_result({}, in_words(report), as_json=False)
    agreed, head, *rows, counts, how, marked = capsys.readouterr().out.splitlines()
    assert "agreement" in agreed
    assert head.split() == ["task", "sentence", "who", "has", "what"]
    assert rows[0].split()[:3] == ["7", "a", "open"]
    assert "[red]Ada[/] PER" in rows[0]
    assert rows[1].split()[:2] == ["b", "settled"]
    assert counts == "2 disagreements in 9 sentences, 1 open"
    assert 'tab "Disagreed"' in how
    assert marked == "1 task marked, 0 cleared, 1 left alone: annotated meanwhile"
