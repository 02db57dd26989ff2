"""`spanferry push`: make a Label Studio project of a run or an export."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from label_config.labeling_config import build_config
from ml_backend.auth import credentials_of
from ml_backend.cli.console import print_result, progress
from ml_backend.cli.options import ApiKey, AsJson, Title, Url
from ml_backend.label_studio.import_journal import ImportJournal
from ml_backend.label_studio.project_lock import project_file, project_lock
from ml_backend.label_studio.tabs import REVIEW_QUEUE, review_tabs
from ml_backend.settings import Settings
from projection.errors import RunError
from projection.io.files import parse_object
from projection.pipeline.run import load_run, load_summary
from projection.text.wording import counted
from training.data.reviewed import REVIEWED, read_reviews

if TYPE_CHECKING:
    from ml_backend.label_studio.client import Project, ReviewServer
    from ml_backend.review.push import PushReport

USUAL_LABELS = ("PER", "ORG", "LOC", "MISC")
NOT_TRAINED = (
    "Sentences in {}: the aligner was not trained on this language. Expect many entities not found "
    "or with wrong ends, also where the confidence is high."
)
SHOWN = 5  # names of sentences to print


def push(
    run: Annotated[Path, Argument(help="Folder of `spanferry project` or `spanferry export`.")],
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    labels: Annotated[str | None, Option(help="Labels, by commas. [default: the run's]")] = None,
    backend: Annotated[str | None, Option(help="Also connect the backend at this URL.")] = None,
    keep_annotators: Annotated[
        bool, Option("--keep-annotators", help="Of an export: keep the numbers of the annotators.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a project to review, or finish making it: tasks, predictions and tabs.

    Running it again adds only what is missing. A sentence is known by its id and its texts. An
    export brings its reviews along: exporting the project again gives the same reviews. They are
    yours, unless you keep the annotators, who are the same people only on the export's own server.
    --backend is its URL as Label Studio reaches it; its user and password come from the same
    settings as those of `spanferry serve`.

    Example: spanferry push runs/de --url http://localhost:8080 --project "Europarl de"
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415

    offered = labels.split(",") if labels else labels_of_run(run)
    config = build_config([label.strip() for label in offered])
    lock = project_lock("push", url, project)
    with ReviewServer.connect(url, api_key) as server, lock:
        made = server.ensure_project(project, config)
        for line in instructions_of(run):
            server.add_instruction(made, line)
        journal = ImportJournal(project_file(url, project, "import"))
        report = _push(server, made, run, journal, keep_annotators=keep_annotators)
        tabs = server.ensure_tabs(made, list(review_tabs()))
        queue = server.tab_url(made, tabs[REVIEW_QUEUE.title])
        if backend:
            credentials = credentials_of(Settings.from_env(os.environ))
            server.connect_backend(made, backend, credentials)
    where = {"project": project, "project_id": made.id, "review_queue": queue}
    result = {**where, **asdict(report), "backend": backend}
    print_result(result, [in_words(report, queue)], as_json=as_json)


def _push(
    server: "ReviewServer",
    project: "Project",
    folder: Path,
    journal: ImportJournal,
    *,
    keep_annotators: bool,
) -> "PushReport":
    from ml_backend.review.push import push as push_sentences  # noqa: PLC0415
    from ml_backend.review.push import push_reviews  # noqa: PLC0415

    if is_export(folder):
        reviewed = read_reviews(folder)
        with progress("reviews pushed", len(reviewed)) as advance:
            return push_reviews(
                server,
                project,
                reviewed,
                keep_annotators=keep_annotators,
                journal=journal,
                on_progress=advance,
            )
    with (folder / "projected.jsonl").open("rb") as lines:
        count = sum(1 for _ in lines)
    with progress("sentences pushed", count) as advance:
        run = load_run(folder)
        return push_sentences(server, project, run, journal=journal, on_progress=advance)


def is_export(folder: Path) -> bool:
    """Return whether `spanferry export` wrote the folder."""
    from training.data.dataset import SUMMARY  # noqa: PLC0415  takes seconds

    here = [(folder / name).is_file() for name in ("run.json", REVIEWED, SUMMARY)]
    return here == [False, True, True]


def instructions_of(run: Path) -> list[str]:
    """Return what annotators should know of a finished run: languages the aligner did not learn."""
    if not (run / "summary.json").is_file() or is_export(run):
        return []
    return [NOT_TRAINED.format(lang) for lang in load_summary(run).untrained]


def labels_of_run(run: Path) -> tuple[str, ...]:
    """Return the labels of a run or an export: of its settings, else of its entities.

    If all entities of a run have one of the usual four labels, all four are returned.

    Raises:
        RunError: if `run` is neither a run folder nor an export.
    """
    if is_export(run):
        from training.data.dataset import SUMMARY  # noqa: PLC0415  takes seconds

        summary = run / SUMMARY
        known = parse_object(summary.read_text("utf-8"), str(summary)).get("labels", [])
        # Sentences that were left out may have labels that the project does not offer.
        marked = {
            entity.label
            for review in read_reviews(run)
            for entity in (*review.entities, *(review.predicted or ()))
        }
        return tuple(sorted({*known, *marked})) or USUAL_LABELS
    manifest = run / "run.json"
    if not manifest.is_file():
        raise RunError(str(run), "not a run folder (no run.json)", "Make one: spanferry project")
    settings = parse_object(manifest.read_text("utf-8"), str(manifest)).get("settings", {})
    if known := settings.get("labels"):
        return tuple(known.replace(",", " ").split())
    found = {
        entity.label
        for projected in load_run(run)
        for entity in (*projected.entities, *(p.source for p in projected.projections))
    }
    return USUAL_LABELS if found <= set(USUAL_LABELS) else tuple(sorted(found))


def in_words(report: "PushReport", queue: str) -> str:
    """Return what was pushed, what was not and why, and where to review it."""
    said = [f"{report.added} added, {report.skipped} there already"]
    if report.reviews:
        said[0] += f", with {counted(report.reviews, 'review')}"
    if report.collisions:
        count = counted(len(report.collisions), "sentence")
        first = ", ".join(report.collisions[:SHOWN])
        more = ", …" if len(report.collisions) > SHOWN else ""
        said.append(
            f"{count} pushed beside another text with the same id in the project: {first}{more}"
        )
    if report.removed:
        said.append(f"{counted(report.removed, 'second task')} of a sentence removed")
    if report.doubles:
        first = ", ".join(map(str, report.doubles[:SHOWN]))
        more = ", …" if len(report.doubles) > SHOWN else ""
        tasks = counted(len(report.doubles), "second task")
        said.append(f"{tasks} kept, because somebody has begun them: {first}{more}")
    if report.missing:
        said.append(
            f"{counted(report.missing, 'sentence')} not there yet: Label Studio may import them in "
            "the background; run the command again to be sure"
        )
    if report.model_version and not report.current:
        said.append(
            f"none of them has a prediction of {report.model_version}; "
            "`spanferry repredict` brings the new predictions"
        )
    return "\n".join([*said, f"Review: {queue}"])
