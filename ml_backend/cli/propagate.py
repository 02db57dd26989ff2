"""`spanferry propagate`: apply corrections to every open sentence with the same entity."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from ml_backend.cli.console import err, out, print_json, progress
from ml_backend.cli.options import ApiKey, AsJson, Title, Url
from ml_backend.label_studio.project_lock import project_lock
from ml_backend.label_studio.tabs import PROPAGATED, review_tabs

if TYPE_CHECKING:
    from ml_backend.propagation.propagate import Finding, Propagated, Propagation

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
            help="Number of reviewed sentences a correction must have been made in. "
            "[default: 2; with --phrase: 1]",
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Change the tasks, instead of showing what would be.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Apply corrections to every open sentence with the same entity.

    Shows what people corrected and how many open tasks have the same phrase predicted in the same
    way. With --apply their predictions are corrected, too; the tab "Propagated" has them, and they
    stay open for people to judge. Corrections that somebody decided otherwise are left out. --json
    lists every task that changes, before and after. Annotated, skipped and begun tasks are never
    touched.

    Example:

        spanferry propagate --url http://localhost:8080 --project "Europarl de" --apply
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415
    from ml_backend.propagation.propagate import (  # noqa: PLC0415
        Propagated,
        Selection,
        carry_out,
        plan,
    )

    selection = Selection(phrase, lang, min_corrections)
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
        report = asdict(done or Propagated(0, 0))
        print_json({"project": project, **planned.to_json(), **report, "tab": tab})
        return
    for table in tables(planned, selection.enough):
        out.print(table, "", highlight=False)
    out.print(in_words(planned, done, tab), highlight=False, markup=False, soft_wrap=True)


def tables(planned: "Propagation", enough: int) -> Iterator[Table]:
    """Yield tables of the propagated corrections, of those left out, and of example tasks."""
    from ml_backend.propagation.apply import marked_in  # noqa: PLC0415  as above

    applying = [finding for finding in planned.findings if finding.tasks]
    chosen = [_cells(finding) for finding in applying if finding.left_out is None]
    left_out = [(*_cells(f), _why(f, enough)) for f in applying if f.left_out is not None]
    figures = ["sentences", "people"]
    if chosen:
        yield _table(["propagated", ""], [*figures, "tasks"], [], chosen)
    if left_out:
        yield _table(["left out", ""], [*figures, "would be"], ["because"], left_out)
    if planned.changes:
        examples: list[tuple[Text | str, ...]] = []
        for change in planned.changes[:EXAMPLES]:
            before, after = marked_in(change.prediction["result"]), marked_in(change.result)
            marks = _but(before, after), _but(after, before)
            examples.append((str(change.task_id), *map(Text, marks)))
        yield _table([], ["for example, task"], ["marked", "becomes"], examples)


def _table(
    left: Sequence[str],
    figures: Sequence[str],
    right: Sequence[str],
    rows: Sequence[tuple[Text | str, ...]],
) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in (*left, *figures, *right):
        table.add_column(column, justify="right" if column in figures else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _but(marks: Sequence[str], others: Sequence[str]) -> str:
    """Return the marks that are not among the others."""
    return ", ".join((Counter(marks) - Counter(others)).elements()) or NOTHING


def _cells(finding: "Finding") -> tuple[Text | str, ...]:
    """Return phrase, change and evidence. Text of a corpus is no markup."""
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


def in_words(planned: "Propagation", done: "Propagated | None", tab: str | None) -> str:
    """Summarise what was found and done, and where to review it."""
    said = [f"{planned.reviewed} reviews, {planned.open} open tasks"]
    nowhere = sum(not finding.tasks for finding in planned.findings)
    if nowhere:
        said.append(f"{nowhere} corrections apply to no open task")
    if not planned.changes:
        said.append("Nothing to propagate")
    elif done is None:
        said.append(f"Nothing was changed; with --apply {len(planned.changes)} tasks will be")
    else:
        said.append(f"{done.changed} tasks changed")
        if done.meanwhile:
            said.append(f"{done.meanwhile} left alone: touched or changed meanwhile")
        said.append(f"Review: {tab}")
    return "\n".join(said)
