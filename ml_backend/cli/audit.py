"""`spanferry audit`: estimate the quality of the tasks that nobody reviews."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ml_backend.cli.console import bars, err, print_json
from ml_backend.cli.console import out as console
from ml_backend.cli.options import ApiKey, AsJson, Title, Url
from ml_backend.label_studio.project_lock import project_lock
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
    size: Annotated[int, typer.Option(min=1, help="Tasks in the sample.")] = 100,
    threshold: Annotated[
        float,
        typer.Option(min=0, max=1, help="The least score of a task to accept without review."),
    ] = 0.8,
    name: Annotated[str, typer.Option(help="Name of the audit; a new name draws anew.")] = "audit",
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Draw a random sample of the tasks that would be accepted without review.

    These are untouched tasks without a conflict, with a score of at least --threshold. The sample
    is stratified by language and confidence, and shown in the tab "Audit". Drawing again finishes
    an interrupted draw, and otherwise only reports the sample.

    Example:

        spanferry audit draw --url http://localhost:8080 --project "News de" --size 200
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.audit.sample import draw as draw_sample  # noqa: PLC0415
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415

    if not (name := name.strip()):
        raise typer.BadParameter("is empty", param_hint="--name")
    err.print(f"Fetching the tasks of {project!r} …", highlight=False, markup=False)
    lock = project_lock("audit draw", url, project)
    with ReviewServer.connect(url, api_key) as server, lock, bars() as on_progress:
        report = draw_sample(
            server,
            server.existing_project(project),
            name,
            size=size,
            threshold=threshold,
            seed=seed,
            on_progress=on_progress,
        )
    if as_json:
        print_json({"project": project, **asdict(report)})
        return
    table = _table("stratum", "tasks", "in the sample")
    for stratum in report.strata:
        table.add_row(stratum.name, str(stratum.size), str(stratum.drawn))
    table.add_row("all", str(report.population), str(report.drawn))
    console.print(table)
    console.print(_draw_in_words(report), highlight=False, markup=False, soft_wrap=True)


@app.command()
def report(
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    name: Annotated[
        str | None, typer.Option(help="Name of the audit. [default: the only one]")
    ] = None,
    target_precision: Annotated[
        float,
        typer.Option(min=0.01, max=0.999, help="What labels accepted without review must reach."),
    ] = 0.95,
    out: Annotated[Path | None, typer.Option(help="Write the report to this JSON file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Report what the reviewed sample says about the tasks nobody reviewed.

    Gives precision and recall of their labels with 95 % intervals, and the confidence above which
    the target precision holds, for `spanferry export --accept-above`.

    Example:

        spanferry audit report --url http://localhost:8080 --project "News de" --out audit.json
    """
    # Label Studio's client and scipy take seconds to import, which `--help` should not.
    from ml_backend.audit.report import audit_report  # noqa: PLC0415
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415

    err.print(f"Fetching the reviews of {project!r} …", highlight=False, markup=False)
    with ReviewServer.connect(url, api_key) as server:
        existing = server.existing_project(project)
        tasks = server.tasks(existing, with_predictions=True)
        found = audit_report(existing, tasks, name, target_precision=target_precision)
    if out is not None:
        write_json(out, found.to_json())
    if as_json:
        print_json(found.to_json())
        return
    console.print(_strata(found), "")
    console.print(_thresholds(found), "")
    console.print(_in_words(found), highlight=False, markup=False, soft_wrap=True)
    if out is not None:
        console.print(f"Written to {out}", highlight=False, markup=False, soft_wrap=True)


def _table(first: str, *columns: str) -> Table:
    made = Table(box=None, pad_edge=False)
    made.add_column(first, no_wrap=True)
    for column in columns:
        made.add_column(column, justify="right")
    return made


def _draw_in_words(report: "DrawReport") -> str:
    before = report.drawn - report.added
    drawn = counted(report.added, "task")
    lines = [f"Audit {report.name!r}: {drawn} drawn now, {before:,} there before"]
    if report.meanwhile:
        lines.append(f"Not drawn: {report.meanwhile} touched meanwhile; draw again to replace them")
    lines += (f"Not drawn from: {count} {why}" for why, count in report.left_out.items())
    if report.other_audits:
        lines.append(f"Not drawn from: {report.other_audits} in the sample of another audit")
    return "\n".join([*lines, "Review them in the tab “Audit”"])


def _strata(report: "AuditReport") -> Table:
    columns = ("remaining", "drawn", "reviewed", "proposed", "right", "true")
    made = _table("stratum", *columns)
    for each in report.strata:
        made.add_row(each.name, *(str(getattr(each, column)) for column in columns))
    return made


def _thresholds(report: "AuditReport") -> Table:
    made = _table("from", "tasks", "labels", "reviewed", "precision", "at least")
    made.add_column("", overflow="fold")
    for test in report.thresholds:
        made.add_row(
            f"{test.threshold:g}",
            *map(str, (test.tasks, test.entities, test.reviewed, test.precision)),
            "–" if test.precision.value is None else f"{100 * test.lower:.1f} %",
            f"{test.verdict}{test.reason and f': {test.reason}'}",
        )
    return made


def _in_words(report: "AuditReport") -> str:
    from ml_backend.audit.report import ANCHORING  # noqa: PLC0415  scipy takes a second to import

    target = f"{100 * report.target_precision:g} %"
    advice = f"No threshold is shown to reach a precision of {target}"
    if accepted := report.accepted:
        advice = (
            f"From {accepted.threshold:g} on precision is at least {target} (95 % sure): "
            f"{_remaining(accepted.tasks, accepted.entities)}, by "
            f"`spanferry export --accept-above {accepted.threshold:g}`"
        )
    lines = [
        f"Unreviewed: {_remaining(report.remaining, report.entities)}",
        f"precision  {report.precision}",
        f"recall     {report.recall}",
        f"unusable   {report.unusable_share}{' of the tasks' if report.reviewed else ''}",
        advice,
        *report.notes(),
        ANCHORING,
    ]
    return "\n".join(lines)


def _remaining(tasks: int, labels: int) -> str:
    return f"{counted(tasks, 'task')} with {counted(labels, 'label')}"
