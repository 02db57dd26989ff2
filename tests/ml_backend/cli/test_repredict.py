"""`spanferry repredict`, as far as it goes without a Label Studio."""

from ml_backend.cli.repredict import in_words
from ml_backend.review.repredict import RepredictReport
from tests.ml_backend.cli.conftest import Spanferry


def test_no_server_is_one_line(spanferry: Spanferry, nobody: str) -> None:
    outcome = spanferry("repredict", "--project", "News")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1].startswith(f"{nobody}: no answer")


def test_what_was_left_alone_is_counted() -> None:
    report = RepredictReport(
        5, 2, touched=3, meanwhile=1, up_to_date=4, too_long=0, model_version="abc", current=True,
        per_second=16.4,
    )  # fmt: skip
    assert [*in_words(report)] == [
        "5 tasks predicted by abc, 16.4 a second; 2 of them now show other projections",
        "Left alone: 3 touched, 4 up to date, 0 too long, 1 changed meanwhile",
    ]
