"""A backup of a project as a folder, and the project made from it again.

A backup holds everything as Label Studio exports it: tasks, predictions, annotations, drafts, tabs,
settings and users, with the hash of each file. Tasks and annotations get new ids when they are
restored; what else Label Studio does not take back is kept beside them (`label_studio.imported`).
Drafts become those of whoever restores them.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.imported import kept_of, meta_of
from ml_backend.label_studio.tasks import Task
from ml_backend.review.import_journal import ImportJournal, after_pending_import, import_noted
from projection.errors import CorpusError, ReviewError
from projection.io.files import json_line, read_jsonl, read_object, write_json
from projection.io.folders import new_folder, recover
from projection.io.records_json import Json

SCHEMA = 1
PROJECT, TASKS, MANIFEST = "project.json", "tasks.jsonl", "manifest.json"
CHUNK = 1000  # tasks a request

_SEEN = ("result", "was_cancelled", "lead_time", "ground_truth")
_PREDICTED = ("result", "score", "model_version")
_FIX = "Take another copy of the backup"


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds. `content` is a hash of it all that does not depend on ids."""

    title: str
    tasks: int
    predictions: int
    annotations: int
    drafts: int
    tabs: int
    content: str


def back_up(server: ReviewServer, project: Project, out: Path) -> BackupReport:
    """Write a project to the folder `out`, which appears whole or not at all."""
    tasks = server.tasks(project, with_predictions=True, with_drafts=True)
    tabs = server.tabs(project)
    about = {
        "schema": SCHEMA,
        "title": project.title,
        "model_version": project.model_version,
        "settings": server.settings(project),
        "tabs": tabs,
        "users": {str(number): email for number, email in server.users().items()},
    }
    report = _report(project.title, tasks, len(tabs))
    recover(out)
    with new_folder(out, replace=(out / MANIFEST).is_file()) as folder:
        write_json(folder / PROJECT, about)
        with (folder / TASKS).open("w", encoding="utf-8", newline="\n") as lines:
            lines.writelines(map(json_line, tasks))
        files = {name: _hash_of(folder / name) for name in (PROJECT, TASKS)}
        write_json(folder / MANIFEST, {"schema": SCHEMA, "files": files, **asdict(report)})
    return report


def read_backup(folder: Path) -> tuple[Json, list[Json], BackupReport]:
    """Read a backup: the project, its tasks, the report; CorpusError unless all is as written."""
    recover(folder)
    where = folder / MANIFEST
    if not where.is_file():
        raise CorpusError(str(folder), f"no backup (no {MANIFEST})", "Make one: spanferry backup")
    manifest = read_object(where)
    if manifest.get("schema") != SCHEMA:
        what = f"schema {manifest.get('schema')}, but this version reads {SCHEMA}"
        raise CorpusError(str(where), what, "Restore it with the version that made it")
    for name in (PROJECT, TASKS):
        path = folder / name
        if not path.is_file() or _hash_of(path) != manifest.get("files", {}).get(name):
            raise CorpusError(str(path), "is not as it was written", _FIX)
    about = read_object(folder / PROJECT)
    tasks = [row for _, row in read_jsonl(folder / TASKS)]
    report = _report(about["title"], tasks, len(about["tabs"]))
    if report.content != manifest.get("content"):
        raise CorpusError(str(where), "its hash is not that of the tasks", _FIX)
    return about, tasks, report


def restore(
    server: ReviewServer,
    folder: Path,
    title: str | None = None,
    *,
    journal: ImportJournal | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> tuple[Project, BackupReport]:
    """Make a project of a backup, by default with its title, or finish making it.

    In the end the project is read again and its hash compared. ReviewError if a project of this
    title has other tasks.
    """
    about, tasks, report = read_backup(folder)
    title, journal = title or about["title"], journal or ImportJournal()
    project = server.ensure_project(title, about["settings"]["label_config"])
    project = after_pending_import(server, project, journal)
    wanted = Counter(map(content_of, tasks))
    there = server.tasks(project, with_predictions=True) if project.task_count else []
    if others := sum((Counter(map(content_of, there)) - _unlimited(wanted)).values()):
        what = f"has {others} tasks that are not in the backup"
        raise ReviewError(f"project {title!r}", what, "Restore under another title: --project")
    emails = {email: number for number, email in server.users().items()}
    people = {number: emails.get(email) for number, email in about["users"].items()}
    missing, fresh = wanted - Counter(map(content_of, there)), []
    for task in tasks:
        if missing[content_of(task)]:
            missing[content_of(task)] -= 1
            fresh.append(_as_imported(task, people))
    for start in range(0, len(fresh), CHUNK):
        chunk = fresh[start : start + CHUNK]
        import_noted(server, project, chunk, journal, len(there) + start + len(chunk))
        on_progress(len(chunk))
    _remove_copies(server, project, wanted)
    server.change_settings(project, about["settings"])
    server.add_tabs(project, about["tabs"])
    if about["model_version"]:
        server.set_model_version(server.project(project.id), about["model_version"])
    _verify(server, project, report)
    if report.drafts:
        _restore_drafts(server, project, tasks)
    return server.project(project.id), report


def content_of(task: Task) -> str:
    """Return a hash of a task with its predictions and annotations, without what ids they have."""
    where = f"task {task.get('id')}"
    kept = [each._replace(notes=None) for each in kept_of(task, where)]
    row = {
        "data": task["data"],
        "predictions": [_of(each, _PREDICTED) for each in _by_id(task["predictions"])],
        "annotations": [
            {**_of(annotation, _SEEN), **each._asdict()}
            for annotation, each in zip(task["annotations"], kept, strict=True)
        ],
    }
    row["annotations"].sort(key=lambda each: json.dumps(each, sort_keys=True))
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()


def _as_imported(task: Task, people: Mapping[str, int | None]) -> Json:
    """Return a task as Label Studio imports it, with what it loses of the annotations."""
    annotations = []
    for number, annotation in enumerate(task["annotations"]):
        made = {"id": number, **_of(annotation, _SEEN)}
        if (user := people.get(str(annotation.get("completed_by")))) is not None:
            made["completed_by"] = user
        annotations.append(made)
    meta = task["meta"] if isinstance(task.get("meta"), dict) else {}
    return {
        "data": task["data"],
        "meta": {**meta, **meta_of(kept_of(task, f"task {task['id']}"))},
        "predictions": [_of(each, _PREDICTED) for each in _by_id(task["predictions"])],
        "annotations": annotations,
    }


def _remove_copies(server: ReviewServer, project: Project, wanted: Counter[str]) -> None:
    """Remove tasks that an import that was cut off has made once more, all of them alike."""
    left = Counter(wanted)
    for task in server.tasks(project, with_predictions=True):
        content = content_of(task)
        left[content] -= 1
        if content in wanted and left[content] < 0:
            server.delete_task(task["id"])


def _restore_drafts(server: ReviewServer, project: Project, tasks: Iterable[Task]) -> None:
    """Add the drafts that are missing; drafts of the same task come back in order."""
    made: defaultdict[str, list[Task]] = defaultdict(list)
    for found in server.tasks(project, with_predictions=True, with_drafts=True):
        made[content_of(found)].append(found)
    for task in tasks:
        same = made[content_of(task)].pop(0)
        numbers = [annotation["id"] for annotation in task["annotations"]]
        imported = {a.get("import_id"): a["id"] for a in same["annotations"]}
        for draft in _by_id(task["drafts"])[len(same["drafts"]) :]:
            of = draft.get("annotation")
            number = imported.get(numbers.index(of)) if of in numbers else None
            server.add_draft(same["id"], _of(draft, ("result", "lead_time")), number)


def _verify(server: ReviewServer, project: Project, report: BackupReport) -> None:
    found = _report("", server.tasks(project, with_predictions=True), 0)
    if found.content != report.content:
        what = (
            f"{found.tasks} tasks with {found.predictions} predictions and {found.annotations} "
            f"annotations are not the {report.tasks}, {report.predictions} and "
            f"{report.annotations} of the backup"
        )
        fix = "Restore again, or under another title: --project"
        raise ReviewError(f"project {project.title!r}", what, fix)


def _report(title: str, tasks: Sequence[Task], tabs: int) -> BackupReport:
    digest = hashlib.sha256("".join(sorted(map(content_of, tasks))).encode())
    return BackupReport(
        title=title,
        tasks=len(tasks),
        predictions=sum(len(task["predictions"]) for task in tasks),
        annotations=sum(len(task["annotations"]) for task in tasks),
        drafts=sum(len(task["drafts"]) for task in tasks),
        tabs=tabs,
        content=digest.hexdigest(),
    )


def _unlimited(counts: Counter[str]) -> Counter[str]:
    """Return counts that allow any number of what is there at all."""
    return Counter(dict.fromkeys(counts, 1 << 60))


def _by_id(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: int(row["id"]))


def _of(row: Mapping[str, Any], keys: Sequence[str]) -> Json:
    return {key: row.get(key) for key in keys}


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
