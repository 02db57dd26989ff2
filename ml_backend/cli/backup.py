"""`spanferry backup` and `spanferry restore`: a project as a folder, and back."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from ml_backend.cli.connection import open_project
from ml_backend.cli.console import print_result, progress
from ml_backend.cli.options import ApiKey, AsJson, Url
from ml_backend.label_studio.project_lock import project_file, project_lock
from projection.text.wording import counted

if TYPE_CHECKING:
    from ml_backend.review.backup import BackupReport


def backup(
    project: Annotated[str, Argument(help="Title of the project.")],
    *,
    url: Url,
    api_key: ApiKey,
    out: Annotated[Path, Option(help="Folder to write; an older backup in it is replaced.")],
    as_json: AsJson = False,
) -> None:
    """Save a project: tasks, predictions, annotations, notes, drafts, tabs and settings.

    Each file is there with its hash. `spanferry restore` makes the project again, here or on
    another Label Studio. It holds all texts and the e-mail addresses of the annotators.

    Example: spanferry backup "News de" --out backups/news
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.review.backup import back_up  # noqa: PLC0415

    with open_project(url, api_key, project) as opened:
        report = back_up(*opened, out)
    shown = [_in_words(report), f"Written to {out}"]
    print_result({"out": str(out), **asdict(report)}, shown, as_json=as_json)


def restore(
    folder: Annotated[Path, Argument(help="Folder of `spanferry backup`.")],
    *,
    url: Url,
    api_key: ApiKey,
    project: Annotated[
        str | None, Option(help="Title of the new project. [default: that of the backup]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a project of a backup, and check that it is the same.

    Running it again finishes an interrupted restore. Annotators are found by their e-mail address;
    the reviews of the others are shown as yours, and exported as theirs. All drafts become yours.

    Example: spanferry restore backups/news --project "News de again"
    """
    # As above.
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415
    from ml_backend.review.backup import read_backup  # noqa: PLC0415
    from ml_backend.review.backup import restore as restore_backup  # noqa: PLC0415
    from ml_backend.review.import_journal import ImportJournal  # noqa: PLC0415

    report = read_backup(folder)[-1]  # before anything is asked for
    title = project or report.title
    journal = ImportJournal(project_file(url, title, "import"))
    with (
        project_lock("restore", url, title),
        ReviewServer.connect(url, api_key) as server,
        progress("tasks restored", report.tasks) as advance,
    ):
        made, report = restore_backup(server, folder, title, journal=journal, on_progress=advance)
    result = {"project": title, "project_id": made.id, **asdict(report)}
    shown = [_in_words(report), f"The same is in project {made.title!r} now"]
    print_result(result, shown, as_json=as_json)


def _in_words(report: "BackupReport") -> str:
    parts = ("task", "prediction", "annotation", "draft", "tab")
    numbers = (report.tasks, report.predictions, report.annotations, report.drafts, report.tabs)
    return ", ".join(counted(n, part) for n, part in zip(numbers, parts, strict=True))
