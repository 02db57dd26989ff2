"""`spanferry propagate`: apply corrections to every open sentence with the same entity."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from rich.table import Table
from typer import Option

from ml_backend.cli.connection import open_project
from ml_backend.cli.console import print_result, progress, say_unreadable, table
from ml_backend.cli.options import ApiKey, AsJson, Title, Url, as_language
from ml_backend.label_studio.tabs import PROPAGATED, review_tabs

if TYPE_CHECKING:
    from ml_backend.propagation.propagate import Finding, Propagated, Propagation

EXAMPLES = 5  # tasks to show of those that would change


def propagate(
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    phrase: Annotated[str | None, Option(help="Only corrections of this target phrase.")] = None,
    lang: Annotated[
        str | None, Option(help="Only sentences of this target language.", callback=as_language)
    ] = None,
    min_corrections: Annotated[
        int | None,
        Option(min=1, help="Reviewed sentences a correction needs. [default: 2; with --phrase: 1]"),
    ] = None,
    apply: Annotated[bool, Option("--apply", help="Change the tasks, not only show them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Apply corrections to every open sentence with the same entity.

    Shows what people corrected and how many open tasks have the same phrase predicted in the same
    way. With --apply their predictions are corrected, too; the tab "Propagated" has them, and they
    stay open for people to judge. Corrections that somebody decided otherwise are left out. --json
    lists every task that changes, before and after. Annotated, skipped and begun tasks are never
    touched.

    Example: spanferry propagate --url http://localhost:8080 --project "Europarl de" --apply
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.propagation import propagate as work  # noqa: PLC0415
    from ml_backend.review.corrections import Selection  # noqa: PLC0415

    selection = Selection(phrase, lang, min_corrections)
    lock = "propagate" if apply else ""
    with open_project(url, api_key, project, lock) as (server, found):
        planned = work.plan(server, found, selection)
        done = tab = None
        if apply and planned.changes:
            tabs = server.ensure_tabs(found, list(review_tabs()))
            tab = server.tab_url(found, tabs[PROPAGATED.title])
            with progress("tasks changed", len(planned.changes)) as advance:
                done = work.carry_out(server, planned, on_progress=advance)
    report = {**planned.to_json(), **asdict(done or work.Propagated(0, 0)), "tab": tab}
    say_unreadable(planned.unreadable)
    shown = in_words(planned, selection.enough, done, tab)
    print_result({"project": project, **report}, shown, as_json=as_json)


def in_words(
    planned: "Propagation", enough: int, done: "Propagated | None" = None, tab: str | None = None
) -> Iterator[Table | str]:
    """Yield tables of the corrections and of example tasks, then what was found and done."""
    from ml_backend.propagation.apply import marked_in  # noqa: PLC0415  as above

    applying = [finding for finding in planned.findings if finding.tasks]
    columns = ("", "sentences", "people")
    if chosen := [_cells(finding) for finding in applying if finding.left_out is None]:
        yield from (table(("propagated", *columns, "tasks"), chosen, text=(0, 1)), "")
    if left_out := [(*_cells(f), _why(f, enough)) for f in applying if f.left_out is not None]:
        head = ("left out", *columns, "would be", "because")
        yield from (table(head, left_out, text=(0, 1, 5)), "")
    if planned.changes:
        examples = []
        for change in planned.changes[:EXAMPLES]:
            before, after = marked_in(change.prediction["result"]), marked_in(change.result)
            examples.append((str(change.task_id), _but(before, after), _but(after, before)))
        yield from (table(("for example, task", "marked", "becomes"), examples, text=(1, 2)), "")
    yield f"{planned.reviewed} reviews, {planned.open} open tasks"
    if nowhere := len(planned.findings) - len(applying):
        yield f"{nowhere} corrections apply to no open task"
    if not planned.changes:
        yield "Nothing to propagate"
    elif done is None:
        yield f"Nothing was changed; with --apply {len(planned.changes)} tasks will be"
    else:
        yield f"{done.changed} tasks changed"
        if done.meanwhile:
            yield f"{done.meanwhile} left alone: touched or changed meanwhile"
        yield f"Review: {tab}"


def _but(marks: Sequence[str], others: Sequence[str]) -> str:
    """Return the marks that are not among the others."""
    return ", ".join((Counter(marks) - Counter(others)).elements()) or "–"


def _cells(finding: "Finding") -> tuple[str, ...]:
    """Return phrase, change and evidence."""
    evidence = finding.evidence
    figures = (evidence.sentences, evidence.people, finding.tasks)
    return evidence.correction.phrase, evidence.correction.change, *map(str, figures)


def _why(finding: "Finding", enough: int) -> str:
    match finding.left_out:
        case "contested":
            return f"contested: decided otherwise in {finding.evidence.otherwise}"
        case "too few":
            return f"too few: needs {enough} sentences (--min-corrections)"
        case _:
            return "too short: one character of a language without spaces"
