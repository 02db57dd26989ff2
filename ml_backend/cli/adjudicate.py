"""`spanferry adjudicate`: mark the tasks on which annotators disagree."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ml_backend.cli.console import bars, err, print_json
from ml_backend.cli.console import out as console
from ml_backend.cli.options import ApiKey, AsJson, Title, Url
from ml_backend.label_studio.project_lock import project_lock
from projection.text.wording import counted
from training.data.adjudication import AdjudicationPolicy

if TYPE_CHECKING:
    from ml_backend.review.disagreements import DisagreementReport


def adjudicate(
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    policy: Annotated[
        AdjudicationPolicy, typer.Option(help="Whose word settles a disagreement.")
    ] = AdjudicationPolicy.LATEST,
    reviewer: Annotated[
        str | None, typer.Option(help="With the policy reviewer: the number of that user.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how far annotators agree, and show open disagreements in the tab "Disagreed".

    A majority or a reviewer settles a disagreement; a later decision does not. Tasks without an
    open disagreement are cleared.

    Example:

        spanferry adjudicate --url http://localhost:8080 --project "News de" --policy majority
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415
    from ml_backend.review.disagreements import mark_disagreements  # noqa: PLC0415

    err.print(f"Fetching the reviews of {project!r} …", highlight=False, markup=False)
    lock = project_lock("adjudicate", url, project)
    with ReviewServer.connect(url, api_key) as server, lock, bars() as on_progress:
        report = mark_disagreements(
            server,
            server.existing_project(project),
            policy,
            reviewer=reviewer,
            on_progress=on_progress,
        )
    if as_json:
        print_json({"project": project, **report.to_json()})
        return
    console.print(_agreed(report), highlight=False, markup=False, soft_wrap=True)
    if report.disagreements:
        console.print(_table(report))
    console.print(_in_words(report), highlight=False, markup=False, soft_wrap=True)


def _agreed(report: "DisagreementReport") -> str:
    from ml_backend.report.words import agreed_in_words  # noqa: PLC0415  scipy takes a second

    return agreed_in_words(report.agreement, report.annotators)


def _table(report: "DisagreementReport") -> Table:
    made = Table(box=None, pad_edge=False)
    for column in ("task", "sentence", "", "who has what"):
        made.add_column(column, overflow="fold")
    for each in report.disagreements:
        task = "" if each.task_id is None else str(each.task_id)
        made.add_row(task, each.sentence_id, "settled" if each.settled else "open", each.differs)
    return made


def _in_words(report: "DisagreementReport") -> str:
    found = counted(len(report.disagreements), "disagreement")
    return (
        f"{found} in {counted(report.opened, 'sentence')}, {len(report.open):,} open by the policy "
        f"{report.policy}\n{counted(report.marked, 'task')} marked, {report.cleared:,} cleared"
        + (f", {report.meanwhile:,} left alone: annotated meanwhile" if report.meanwhile else "")
    )
