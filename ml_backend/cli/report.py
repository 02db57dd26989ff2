"""`spanferry report`: the state of a review, in the terminal and as a page."""

from pathlib import Path
from typing import Annotated

from rich.table import Table
from typer import Option

from ml_backend.cli.connection import open_project, page_address
from ml_backend.cli.console import print_result, say_unreadable
from ml_backend.cli.options import ApiKey, AsJson, Title, Url
from projection.errors import CorpusError


def report(
    *,
    url: Url = "",
    api_key: ApiKey = "",
    project: Title = "",
    export: Annotated[Path | None, Option(help="An export folder, in place of a project.")] = None,
    out: Annotated[Path, Option(help="Folder for the page; an older report in it is replaced.")],
    run: Annotated[Path | None, Option(help="Run folder: what was flagged and dropped.")] = None,
    idle_seconds: Annotated[float, Option(min=1, help="Ignore sentences open for longer.")] = 600,
    as_json: AsJson = False,
) -> None:
    """Report on a review: progress, acceptance, time, agreement, frequent corrections.

    Writes index.html, a page that needs nothing beside it, report.json with every figure, and the
    ledger of all decisions (ledger.jsonl, ledger.csv). Plots need matplotlib.

    Example: spanferry report --url http://localhost:8080 --project News --run runs/de --out report
    """
    # These take seconds to import, which `--help` should not.
    from ml_backend.report.figures import Report  # noqa: PLC0415
    from ml_backend.report.filters import filters_of  # noqa: PLC0415
    from ml_backend.report.page import PAGE, make_folder, write_report  # noqa: PLC0415
    from ml_backend.report.plots import INSTALL, can_plot  # noqa: PLC0415
    from ml_backend.report.source import read_export, read_project  # noqa: PLC0415
    from ml_backend.report.terminal import closing_lines, tables  # noqa: PLC0415

    if bool(project) == (export is not None):
        raise CorpusError("report", "needs one source", 'Pass --project "…" or --export FOLDER')
    if export is None and not (url and api_key):
        fix = "Pass --url and --api-key, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY"
        raise CorpusError("--project", "needs an address and a key", fix)
    make_folder(out)
    filters = None if run is None else filters_of(run)
    pages: list[str] = []
    if export is not None:
        reviewed = read_export(export)
    else:
        with open_project(url, api_key, project) as (server, existing):
            reviewed = read_project(server, existing)
            pages = [page_address(each.url, existing.id) for each in server.backends(existing)]
    say_unreadable(reviewed.unreadable)
    found = Report.of(reviewed, filters=filters, idle_seconds=idle_seconds)
    write_report(found, reviewed, out)
    shown: list[Table | str] = []
    for each in tables(found):
        shown += (each, "")
    shown += (
        *closing_lines(found),
        f"Written to {out / PAGE}",
        *(f"Always new: {page}" for page in pages),
    )
    if not can_plot():
        shown.append(f"Without plots, which need {INSTALL}")
    print_result({"out": str(out), **found.to_json()}, shown, as_json=as_json)
