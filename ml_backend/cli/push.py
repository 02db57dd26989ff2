"""`spanferry push`: make a Label Studio project of a run or an export."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from markdown_it import MarkdownIt
from typer import Argument, Option

from label_config.colors import FAMILIAR
from label_config.labeling_config import build_config, labels_of
from ml_backend.auth import credentials_of
from ml_backend.cli.connection import page_address
from ml_backend.cli.console import bars, print_result, progress, say
from ml_backend.cli.options import ApiKey, AsJson, Strings, Title, Url
from ml_backend.label_studio.project_lock import project_file, project_lock
from ml_backend.label_studio.tabs import REVIEW_QUEUE, review_tabs
from ml_backend.settings import Settings, listed
from projection.errors import ReviewError, RunError
from projection.io.files import open_text, read_object
from projection.pipeline.run import StoredRun, load_run
from projection.pipeline.run_summary import load_summary
from projection.text.wording import counted
from training.data.reviewed import REVIEWED, read_reviews

if TYPE_CHECKING:
    from ml_backend.label_studio.client import Project, ReviewServer
    from ml_backend.review.assignment import Team
    from ml_backend.review.import_journal import ImportJournal
    from ml_backend.review.push import PushReport

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
    labels: Annotated[
        str | None,
        Option(help="Labels, by commas; one with a comma in quotes. [default: the run's]"),
    ] = None,
    guidelines: Annotated[
        Path | None, Option(help="Markdown to show before labelling and behind the button ⓘ.")
    ] = None,
    backend: Annotated[str | None, Option(help="Also connect the backend at this URL.")] = None,
    keep_annotators: Annotated[
        bool, Option("--keep-annotators", help="Of an export: keep the numbers of the annotators.")
    ] = False,
    overlap: Annotated[
        int | None, Option(min=1, help="How many people shall label the same sentence.")
    ] = None,
    overlap_share: Annotated[
        float, Option(min=0.01, max=1, help="With --overlap: the share of sentences, 0.01 to 1.")
    ] = 1.0,
    assign: Annotated[
        Strings,
        Option(help="Who labels a language: de=anna@example.org,ben@example.org; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a project to review, or finish making it: tasks, predictions and tabs.

    Running it again adds only what is missing; a project keeps its labels and their keys. A
    sentence is known by its id and its texts. An export brings its reviews along: exporting the
    project again gives the same reviews. They are yours, unless you keep the annotators, who are
    the same people only on the export's own server.
    --assign gives each annotator a tab: the sentences of a language go, by document, to who has
    least open. They stay theirs, unless they are no longer named and nobody has begun them. With
    --overlap, the shared sentences are several people's.
    --backend is its URL as Label Studio reaches it; its user and password come from the same
    settings as those of `spanferry serve`.

    Example: spanferry push runs/de --url http://localhost:8080 --project "Europarl de"
    """
    # The client of Label Studio takes seconds to import, which `--help` should not.
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415
    from ml_backend.review.assignment import Team  # noqa: PLC0415
    from ml_backend.review.import_journal import ImportJournal  # noqa: PLC0415

    offered = labels_of_run(run, listed(labels or ""))
    langs = langs_of_run(run) if assign else ()
    team = Team.read(assign or (), langs, overlap, overlap_share)
    build_config(offered)  # refuses labels that Label Studio cannot show
    shown = None if guidelines is None else guidelines_html(guidelines)
    lock = project_lock("push", url, project)
    with ReviewServer.connect(url, api_key) as server, lock:
        users = server.users().values()
        team = team.of_users(users)
        there = labels_there(server, project)
        kept = [label for label in there if label not in offered]
        made = server.ensure_project(project, build_config([*dict.fromkeys([*there, *offered])]))
        if shown is not None:
            server.set_guidelines(made, shown)
        for line in instructions_of(run):
            server.add_instruction(made, line)
        journal = ImportJournal(project_file(url, project, "import"))
        annotators = team.tab_owners(server, made, users)
        team.set_overlap(server, made, assigned=bool(annotators))
        report = _push(server, made, run, journal, team, keep_annotators=keep_annotators)
        tabs = server.ensure_tabs(made, [*review_tabs(server.languages(made), annotators)])
        queue = server.stream_url(made, tabs[REVIEW_QUEUE.title])
        links = {each: server.stream_url(made, tabs[each]) for each in annotators}
        if backend:
            credentials = credentials_of(Settings.from_env(os.environ))
            server.connect_backend(made, backend, credentials, on_wait=_say_that_it_waits)
    where = {"project": project, "project_id": made.id, "review_queue": queue}
    more = {"labels_kept": kept, "backend": backend, "annotators": links}
    page = page_address(backend, made.id) if backend else ""
    words = in_words(report, queue, kept, page, links)
    print_result({**where, **asdict(report), **more}, [words], as_json=as_json)


def _say_that_it_waits(second: int) -> None:
    if second == 0:
        say("Waiting for the backend to start …")


def _push(
    server: "ReviewServer",
    project: "Project",
    folder: Path,
    journal: "ImportJournal",
    team: "Team",
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
    run = StoredRun(folder)
    with progress("sentences pushed", len(run)) as advance:
        assigned = team.assignment(server, project, (each.sentence for each in run))
        report = push_sentences(
            server,
            project,
            run,
            journal=journal,
            assigner=assigned.assigner,
            on_progress=advance,
        )
    with bars() as on_progress:
        assigned.write(server, project, on_progress)
    return report


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


def labels_of_run(run: Path, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the labels to offer for a run or an export: the `wanted` ones, else all of its own.

    These are the ones its settings name and those of its entities, the usual ones first; if all are
    among the usual four, all four. RunError if it is neither a run folder nor an export, or has a
    label that is not wanted.
    """
    named, used = _labels_in(run)
    if missing := sorted(used - {*wanted}) if wanted else ():
        what = (
            f"without {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} in {run}"
        )
        raise RunError("--labels", what, "Name every label of the run, or leave the option out")
    if wanted:
        return tuple(wanted)
    if not named and used <= {*FAMILIAR}:
        return tuple(FAMILIAR)
    found = [*named, *sorted(used - {*named})]
    return (
        *(label for label in FAMILIAR if label in found),
        *(f for f in found if f not in FAMILIAR),
    )


def langs_of_run(run: Path) -> set[str]:
    """Return the target languages of a run; RunError for an export, in which nothing is open."""
    if is_export(run):
        raise RunError("--assign", f"nothing in {run} is open: it is an export", "Push a run")
    return {projected.sentence.target_lang for projected in load_run(run)}


def _labels_in(run: Path) -> tuple[tuple[str, ...], set[str]]:
    """Return the labels that the settings of a run or an export name, and those of its entities."""
    if is_export(run):
        from training.data.dataset import SUMMARY  # noqa: PLC0415  takes seconds

        summary = run / SUMMARY
        known = read_object(summary).get("labels", [])
        reviews = read_reviews(run)
        used = {e.label for r in reviews for e in (*r.entities, *(r.predicted or ()))}
        return tuple(known), used
    manifest = run / "run.json"
    if not manifest.is_file():
        raise RunError(str(run), "not a run folder (no run.json)", "Make one: spanferry project")
    settings = read_object(manifest).get("settings", {})
    used = {
        entity.label
        for projected in load_run(run)
        for entity in (*projected.entities, *(p.source for p in projected.projections))
    }
    known = settings.get("labels", [])
    if isinstance(known, str):  # of an older spanferry: a label with a blank is in pieces
        known = known.replace(",", " ").split()
        known = known if used <= {*known} else []
    return tuple(known), used


def labels_there(server: "ReviewServer", title: str) -> tuple[str, ...]:
    """Return the labels of a project that has tasks, which may use them."""
    project = server.find_project(title)
    if project is not None and project.task_count:
        with suppress(ReviewError):  # of another layout: it is refused where the project is changed
            return labels_of(project.label_config)
    return ()


def guidelines_html(path: Path) -> str:
    """Return a Markdown file as HTML, in which HTML of the file is text."""
    with open_text(path) as file:
        text = file.read()
    html: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return html


def in_words(
    report: "PushReport",
    queue: str,
    kept: Sequence[str] = (),
    page: str = "",
    links: Mapping[str, str] | None = None,
) -> str:
    """Return what was pushed, what was not and why, and where to review it.

    `kept` are the labels that only the project has, `page` is the address of its page, `links` are
    those of the annotators' tabs.
    """
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
    if kept:
        said.append(f"labels of the project kept beside those of the run: {', '.join(kept)}")
    said.append(f"Review: {queue}")
    said += (f"Review as {person}: {link}" for person, link in (links or {}).items())
    return "\n".join([*said, f"Progress: {page}"] if page else said)
