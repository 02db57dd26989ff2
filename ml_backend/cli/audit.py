"""`spanferry audit`: estimate the quality of the tasks that nobody reviews."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from typer import Option

from ml_backend.cli.connection import open_project
from ml_backend.cli.console import bars, print_result, say_unreadable, table
from ml_backend.cli.options import ApiKey, AsJson, Seed, Title, Url
from projection.io.files import write_json
from projection.text.wording import counted

if TYPE_CHECKING:
    from ml_backend.audit.report import AuditReport
    from ml_backend.audit.sample import DrawReport

app = typer.Typer(
    help="Review a random sample to estimate the quality of the tasks that nobody reviews.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def draw(
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    size: Annotated[int, Option(min=1, help="Tasks in the sample.")] = 100,
    threshold: Annotated[float, Option(min=0, max=1, help="Least score of its tasks.")] = 0.8,
    name: Annotated[str, Option(help="Name of the audit; a new name draws anew.")] = "audit",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Draw a random sample of the tasks that would be accepted without review.

    These are untouched tasks without a conflict, with a score of at least --threshold. The sample
    is stratified by language and confidence, and shown in the tab "Audit". Drawing again finishes
    an interrupted draw, and otherwise only reports the sample.

    Example: spanferry audit draw --url http://localhost:8080 --project "News de" --size 200
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.audit.sample import draw as draw_sample  # noqa: PLC0415

    if not (name := name.strip()):
        raise typer.BadParameter("is empty", param_hint="--name")
    with open_project(url, api_key, project, "audit draw") as opened, bars() as on_progress:
        report = draw_sample(
            *opened, name, size=size, threshold=threshold, seed=seed, on_progress=on_progress
        )
    say_unreadable(report.unreadable)
    print_result({"project": project, **report.to_json()}, _drawn(report), as_json=as_json)


@app.command()
def report(
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    name: Annotated[str | None, Option(help="Name of the audit. [default: the only one]")] = None,
    target_precision: Annotated[
        float, Option(min=0.01, max=0.999, help="What labels accepted without review must reach.")
    ] = 0.95,
    out: Annotated[Path | None, Option(help="Write the report to this JSON file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Report what the reviewed sample says about the tasks nobody reviewed.

    Gives precision and recall of their labels with 95 % intervals, and the confidence above which
    the target precision holds, for `spanferry export --accept-above`.

    Example: spanferry audit report --url http://localhost:8080 --project "News de" --out audit.json
    """
    # scipy takes seconds to import, which `--help` should not.
    from ml_backend.audit.report import audit_report  # noqa: PLC0415

    with open_project(url, api_key, project) as (server, existing):
        tasks = server.tasks(existing, with_predictions=True)
    found = audit_report(existing, tasks, name, target_precision=target_precision)
    say_unreadable(found.unreadable)
    if out is not None:
        write_json(out, found.to_json())
    written = [] if out is None else [f"Written to {out}"]
    print_result(found.to_json(), chain(_shown(found), written), as_json=as_json)


def _drawn(report: "DrawReport") -> Iterator[Table | str]:
    rows = [(each.name, str(each.size), str(each.drawn)) for each in report.strata]
    rows += [("all", str(report.population), str(report.drawn))]
    yield table(("stratum", "tasks", "in the sample"), rows)
    drawn, before = counted(report.added, "task"), report.drawn - report.added
    yield f"Audit {report.name!r}: {drawn} drawn now, {before:,} there before"
    if report.meanwhile:
        yield f"Not drawn: {report.meanwhile} touched meanwhile; draw again to replace them"
    yield from (f"Not drawn from: {count} {why}" for why, count in report.left_out.items())
    if report.other_audits:
        yield f"Not drawn from: {report.other_audits} in the sample of another audit"
    yield "Review them in the tab “Audit”"


def _shown(report: "AuditReport") -> Iterator[Table | str]:
    from ml_backend.audit.report import ANCHORING  # noqa: PLC0415  scipy takes a second to import

    columns = ("remaining", "drawn", "reviewed", "proposed", "right", "true")
    rows = ((each.name, *(str(getattr(each, c)) for c in columns)) for each in report.strata)
    yield from (table(("stratum", *columns), rows), "")
    tests = [
        (
            f"{test.threshold:g}",
            *map(str, (test.tasks, test.entities, test.reviewed, test.precision)),
            "–" if test.precision.value is None else f"{100 * test.lower:.1f} %",
            f"{test.verdict}{test.reason and f': {test.reason}'}",
        )
        for test in report.thresholds
    ]
    head = ("from", "tasks", "labels", "reviewed", "precision", "at least", "")
    yield from (table(head, tests, text=(0, 6)), "")
    yield f"Unreviewed: {_remaining(report.remaining, report.entities)}"
    yield f"precision  {report.precision}"
    yield f"recall     {report.recall}"
    yield f"unusable   {report.unusable_share}{' of the tasks' if report.reviewed else ''}"
    target = f"{100 * report.target_precision:g} %"
    if accepted := report.accepted:
        yield (
            f"From {accepted.threshold:g} on precision is at least {target} (95 % sure): "
            f"{_remaining(accepted.tasks, accepted.entities)}, by "
            f"`spanferry export --accept-above {accepted.threshold:g}`"
        )
    else:
        yield f"No threshold is shown to reach a precision of {target}"
    yield from report.notes()
    yield ANCHORING


def _remaining(tasks: int, labels: int) -> str:
    return f"{counted(tasks, 'task')} with {counted(labels, 'label')}"
