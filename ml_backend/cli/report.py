"""`spanferry report`: the state of a review, in the terminal and as a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ml_backend.cli.console import err, print_json
from ml_backend.cli.console import out as console
from ml_backend.cli.options import ApiKey, AsJson, Title, Url
from projection.errors import CorpusError

if TYPE_CHECKING:
    from ml_backend.report.source import ReviewedProject


def report(
    *,
    url: Url = "",
    api_key: ApiKey = "",
    project: Title = "",
    export: Annotated[
        Path | None,
        typer.Option(help="Instead of a project: a folder that `spanferry export` wrote."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the page; an older report in it is replaced.")
    ],
    run: Annotated[
        Path | None,
        typer.Option(help="Run folder of `spanferry project`: what was flagged and dropped."),
    ] = None,
    idle_seconds: Annotated[
        float, typer.Option(min=1, help="Set aside the time of sentences open for longer.")
    ] = 600,
    as_json: AsJson = False,
) -> None:
    """Report on a review: progress, acceptance, time, agreement, frequent corrections.

    Writes index.html, a page that needs nothing beside it, report.json with every figure, and the
    ledger of all decisions (ledger.jsonl, ledger.csv). Plots need matplotlib.

    Example:

        spanferry report --url http://localhost:8080 --project "Europarl de" --out report

        spanferry report --project "Europarl de" --run runs/de --out report
    """
    # These take seconds to import, which `--help` should not.
    from ml_backend.report.figures import Report  # noqa: PLC0415
    from ml_backend.report.filters import filters_of  # noqa: PLC0415
    from ml_backend.report.page import PAGE, make_folder, write_report  # noqa: PLC0415
    from ml_backend.report.plots import INSTALL, can_plot  # noqa: PLC0415
    from ml_backend.report.source import read_export  # noqa: PLC0415
    from ml_backend.report.terminal import closing_lines, tables  # noqa: PLC0415

    _check_source(url, api_key, project, export)
    make_folder(out)
    filters = None if run is None else filters_of(run)
    reviewed = read_export(export) if export is not None else _fetch(url, api_key, project)
    found = Report.of(reviewed, filters=filters, idle_seconds=idle_seconds)
    write_report(found, reviewed, out)
    if as_json:
        print_json({"out": str(out), **found.to_json()})
        return
    for table in tables(found):
        console.print(table, "")
    lines = [*closing_lines(found), f"Written to {out / PAGE}"]
    if not can_plot():
        lines.append(f"Without plots, which need {INSTALL}")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _check_source(url: str, api_key: str, project: str, export: Path | None) -> None:
    if bool(project) == (export is not None):
        raise CorpusError("report", "needs one source", 'Pass --project "…" or --export FOLDER')
    if export is None and not (url and api_key):
        raise CorpusError(
            "--project",
            "needs an address and a key",
            "Pass --url and --api-key, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY",
        )


def _fetch(url: str, api_key: str, project: str) -> "ReviewedProject":
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415  takes a second to import
    from ml_backend.report.source import read_project  # noqa: PLC0415

    err.print(f"Fetching the reviews of {project!r} …", highlight=False, markup=False)
    with ReviewServer.connect(url, api_key) as server:
        return read_project(server, server.existing_project(project))
