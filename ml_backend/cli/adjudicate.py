"""`spanferry adjudicate`: open the tasks on which annotators disagree for a person to settle."""

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
    policy: Policy = AdjudicationPolicy.OPEN,
    reviewer: Reviewer = None,
    as_json: AsJson = False,
) -> None:
    """Measure how far annotators agree, and open what they disagree on for a person to settle.

    Tasks of open disagreements are in the tab "Disagreed". Each lists the versions of the
    annotators; a key picks one (Shift+1, Shift+2, or Shift+0 for what is marked on the page), and
    `spanferry export` takes it. Run it again to open new disagreements and clear settled ones.
    --policy leaves out what the same policy of `spanferry export` settles.

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
    still_open = f"{len(report.open):,} open"
    yield f"{found} in {counted(report.opened, 'sentence')}, {still_open}"
    if report.open:
        yield 'To settle one in the tab "Disagreed": Shift and a version\'s number, Ctrl+Enter'
    marked = f"{counted(report.marked, 'task')} marked, {report.cleared:,} cleared"
    if report.meanwhile:
        marked += f", {report.meanwhile:,} left alone: annotated meanwhile"
    yield marked
