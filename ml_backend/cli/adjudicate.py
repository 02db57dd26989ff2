"""`spanferry adjudicate`: mark the tasks on which annotators disagree."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from ml_backend.cli.connection import open_project
from ml_backend.cli.console import bars, print_result, say_unreadable, table
from ml_backend.cli.options import ApiKey, AsJson, Policy, Reviewer, Title, Url
from projection.text.wording import counted
from training.data.adjudication import AdjudicationPolicy

if TYPE_CHECKING:
    from ml_backend.review.disagreements import DisagreementReport


def adjudicate(
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    policy: Policy = AdjudicationPolicy.LATEST,
    reviewer: Reviewer = None,
    as_json: AsJson = False,
) -> None:
    """Measure how far annotators agree, and show open disagreements in the tab "Disagreed".

    A majority or a reviewer settles a disagreement; a later decision does not. Tasks without an
    open disagreement are cleared.

    Example: spanferry adjudicate --url http://localhost:8080 --project "News de" --policy majority
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.review.disagreements import mark_disagreements  # noqa: PLC0415

    with open_project(url, api_key, project, "adjudicate") as opened, bars() as on_progress:
        report = mark_disagreements(*opened, policy, reviewer=reviewer, on_progress=on_progress)
    say_unreadable(report.unreadable)
    print_result({"project": project, **report.to_json()}, in_words(report), as_json=as_json)


def in_words(report: "DisagreementReport") -> Iterator[Table | str]:
    """Yield the agreement, the disagreements, and what was marked."""
    from ml_backend.report.words import agreed_in_words  # noqa: PLC0415  scipy takes a second

    yield agreed_in_words(report.agreement, report.annotators)
    if report.disagreements:
        columns = ("task", "sentence", "", "who has what")
        states = {True: "settled", False: "open"}
        rows = (
            (str(each.task_id or ""), each.sentence_id, states[each.settled], each.differs)
            for each in report.disagreements
        )
        yield table(columns, rows, text=range(4))
    found = counted(len(report.disagreements), "disagreement")
    still_open = f"{len(report.open):,} open by the policy {report.policy}"
    yield f"{found} in {counted(report.opened, 'sentence')}, {still_open}"
    marked = f"{counted(report.marked, 'task')} marked, {report.cleared:,} cleared"
    if report.meanwhile:
        marked += f", {report.meanwhile:,} left alone: annotated meanwhile"
    yield marked
