"""`spanferry propagate`: what people corrected is carried over to the open sentences."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from ml_backend.cli.console import err, out, print_json, progress
from ml_backend.cli.options import ApiKey, AsJson, Title, Url
from ml_backend.label_studio.project_lock import project_lock
from ml_backend.label_studio.tabs import PROPAGATED, review_tabs

if TYPE_CHECKING:
    from ml_backend.propagation.apply import TaskChange
    from ml_backend.propagation.propagate import Finding, Plan, Propagated

EXAMPLES = 5  # tasks to show of those that would change
NOTHING = "–"


def propagate(
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    phrase: Annotated[
        str | None, typer.Option(help="Only corrections of this phrase of the target text.")
    ] = None,
    lang: Annotated[
        str | None, typer.Option(help="Only sentences of this target language.")
    ] = None,
    min_corrections: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="In how many reviewed sentences a correction must have been made. "
            "[default: 2; with --phrase: 1]",
        ),
    ] = None,
    overrule: Annotated[
        bool,
        typer.Option(
            "--overrule", help="Although somebody decided otherwise elsewhere; only with --phrase."
        ),
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Change the tasks, instead of showing what would be.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Apply corrections to every open sentence with the same entity.

    Shows what people corrected and how many open tasks have the same phrase predicted in the same
    way. With --apply their predictions are corrected, too; the tab "Propagated" has them, and they
    stay open for people to judge. Corrections that somebody decided otherwise are left out, unless
    you name the phrase and --overrule. --json lists every task that changes, before and after.
    Annotated, skipped and begun tasks are never touched.

    Example:

        spanferry propagate --url http://localhost:8080 --project "Europarl de" --apply
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415
    from ml_backend.propagation.propagate import Selection, carry_out, plan  # noqa: PLC0415

    if overrule and phrase is None:
        raise typer.BadParameter("name the --phrase it is about", param_hint="--overrule")
    selection = Selection(phrase, lang, min_corrections, overrule)
    err.print(f"Reading {project!r} …", highlight=False, markup=False)
    lock = project_lock("propagate", url, project) if apply else nullcontext()
    with ReviewServer.connect(url, api_key) as server, lock:
        found = server.existing_project(project)
        planned = plan(server, found, selection)
        done = tab = None
        if apply and planned.changes:
            tabs = server.ensure_tabs(found, list(review_tabs()))
            tab = server.tab_url(found, tabs[PROPAGATED.title])
            with progress("tasks changed", len(planned.changes)) as advance:
                done = carry_out(server, planned, on_progress=advance)
    if as_json:
        report = done.to_json() if done else {"changed": 0, "meanwhile": 0}
        print_json({"project": project, **planned.to_json(), **report, "tab": tab})
        return
    for table in tables(planned, selection.enough):
        out.print(table, "", highlight=False)
    out.print(in_words(planned, done, tab), highlight=False, markup=False, soft_wrap=True)


def tables(planned: "Plan", enough: int) -> Iterator[Table]:
    """What is carried over, and what would apply somewhere but is left out."""
    applying = [finding for finding in planned.findings if finding.tasks]
    carried = [finding for finding in applying if finding.left_out is None]
    left_out = [finding for finding in applying if finding.left_out is not None]
    if carried:
        table = _table("carried over", "tasks")
        for finding in carried:
            table.add_row(*_cells(finding))
        yield table
    if left_out:
        table = _table("left out", "would be", "because")
        for finding in left_out:
            table.add_row(*_cells(finding), _why(finding, enough))
        yield table
    if planned.changes:
        yield _examples(planned.changes[:EXAMPLES])


def _examples(changes: "Sequence[TaskChange]") -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("for example, task", justify="right")
    table.add_column("marked")
    table.add_column("becomes")
    for change in changes:
        was, becomes = _but(change.before, change.after), _but(change.after, change.before)
        table.add_row(str(change.task_id), Text(was), Text(becomes))
    return table


def _but(marks: Sequence[str], others: Sequence[str]) -> str:
    """The marks that are not among the others."""
    return ", ".join((Counter(marks) - Counter(others)).elements()) or NOTHING


def _table(first: str, tasks: str, *more: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in (first, "", "sentences", "people", tasks, *more):
        figure = column in ("sentences", "people", tasks)
        table.add_column(column, justify="right" if figure else "left")
    return table


def _cells(finding: "Finding") -> tuple[Text | str, ...]:
    """Phrase, change, and who said so. What comes from a corpus is no markup."""
    evidence = finding.evidence
    correction = evidence.correction
    figures = (evidence.sentences, evidence.people, finding.tasks)
    return Text(correction.phrase), Text(correction.change), *map(str, figures)


def _why(finding: "Finding", enough: int) -> str:
    match finding.left_out:
        case "contested":
            return f"contested: decided otherwise in {finding.evidence.otherwise}"
        case "too few":
            return f"too few: needs {enough} sentences (--min-corrections)"
        case _:
            return "too short: one character of a language without spaces"


def in_words(planned: "Plan", done: "Propagated | None", tab: str | None) -> str:
    """What was found and done, and where to look at it."""
    said = [f"{planned.reviewed} reviews, {planned.open} open tasks"]
    nowhere = sum(not finding.tasks for finding in planned.findings)
    if nowhere:
        said.append(f"{nowhere} corrections apply to no open task")
    if not planned.changes:
        said.append("Nothing to carry over")
    elif done is None:
        said.append(f"Nothing was changed; with --apply {len(planned.changes)} tasks will be")
    else:
        said.append(f"{done.changed} tasks changed")
        if done.meanwhile:
            said.append(f"{done.meanwhile} left alone: somebody was quicker")
        said.append(f"Review: {tab}")
    return "\n".join(said)
