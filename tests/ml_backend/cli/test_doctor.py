"""`spanferry doctor`, as far as it goes without a Label Studio."""

import json

import pytest

from ml_backend.label_studio.client import token_kind
from tests.ml_backend.cli.conftest import Spanferry


def test_a_server_that_does_not_answer_is_a_problem_with_a_fix(
    spanferry: Spanferry, nobody: str
) -> None:
    outcome = spanferry("doctor")
    assert outcome.status == 1
    problem, fix = outcome.out.splitlines()
    assert problem.startswith(f"✗ server: {nobody}")
    assert fix.startswith("  → ")


@pytest.mark.usefixtures("nobody")
def test_as_json(spanferry: Spanferry) -> None:
    outcome = spanferry("doctor", "--json")
    assert outcome.status == 1
    answer = json.loads(outcome.out)
    assert not answer["ok"]
    assert [check["check"] for check in answer["checks"]] == ["server"]


@pytest.mark.parametrize(
    ("key", "kind"),
    [("0" * 40, "legacy token"), ("eyJhb.eyJ0b.c2ln", "personal access token")],
)
def test_the_two_kinds_of_key_are_told_apart(key: str, kind: str) -> None:
    assert token_kind(key) == kind
