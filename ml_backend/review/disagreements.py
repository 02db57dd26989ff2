"""Open the disagreements of a project: tasks list the versions, of which a person picks one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from label_config.labeling_config import SETTLED, build_config, labels_of, takes_over
from label_config.tasks import VERSIONS, versions_in, with_versions
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.task_writer import Fields, OnProgress, has_same_annotations, write_each
from ml_backend.label_studio.tasks import Task
from ml_backend.review.agreement import Agreement, agreement
from ml_backend.review.pull import reviews_of
from projection.records import UnreadableReview
from training.data.adjudication import AdjudicationPolicy, Disagreement, adjudicate


@dataclass(frozen=True, slots=True)
class DisagreementReport:
    """The disagreements of a project, and what was written to its tasks. Numbers count tasks.

    The `annotators` decided on `opened`. `marked` have another disagreement than before, `cleared`
    none any more; `meanwhile` were annotated during the run. `unreadable` annotations are left out.
    """

    policy: AdjudicationPolicy
    annotators: int
    agreement: Agreement
    opened: int
    disagreements: tuple[Disagreement, ...]
    marked: int
    cleared: int
    meanwhile: int
    unreadable: tuple[UnreadableReview, ...] = ()

    @property
    def open(self) -> tuple[Disagreement, ...]:
        """The disagreements that neither a person nor the policy settles."""
        return tuple(each for each in self.disagreements if not each.settled)

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object."""
        found = [
            {**asdict(each), "annotators": each.annotators, "differs": each.differs}
            for each in self.disagreements
        ]
        counts = {"open": len(self.open), "unreadable": len(self.unreadable)}
        return {**asdict(self), "disagreements": found, **counts}


def mark_disagreements(
    server: ReviewServer,
    project: Project,
    policy: AdjudicationPolicy = AdjudicationPolicy.OPEN,
    *,
    reviewer: str | None = None,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> DisagreementReport:
    """Write open disagreements to their tasks and clear settled ones. Idempotent.

    A labeling config without the keys to pick a version is renewed, unless somebody has changed it.
    Tasks annotated during the run are left alone.
    """
    where = f"project {project.title!r}"
    _ensure_keys(server, project, where)
    names = {str(number): email for number, email in server.users().items()}
    tasks = server.tasks(project, with_predictions=True)
    reviewed, unreadable = reviews_of((task for task in tasks if task["annotations"]), where)
    found = adjudicate(reviewed, policy, reviewer=reviewer)
    by_task = {each.task_id: each for each in found.disagreements}
    still_open = {each.task_id for each in found.disagreements if not each.settled}
    wanted = ((task, _fields(task, by_task.get(task["id"]), names)) for task in tasks)
    stale = [
        (task, fields)
        for task, fields in wanted
        if any((task["data"].get(key) or "") != value for key, value in fields.items())
    ]
    left_alone = write_each(server, stale, if_still=has_same_annotations, on_progress=on_progress)
    written = {task["id"] for task, _ in stale} - {*left_alone}
    return DisagreementReport(
        policy=policy,
        annotators=len({review.annotator for review in reviewed}),
        agreement=agreement(reviewed),
        opened=len(found.sentences) + len(still_open),
        disagreements=found.disagreements,
        marked=len(written & still_open),
        cleared=len(written - still_open),
        meanwhile=len(left_alone),
        unreadable=tuple(unreadable),
    )


def _ensure_keys(server: ReviewServer, project: Project, where: str) -> None:
    config = build_config(labels_of(project.label_config, where))
    if f'name="{SETTLED}"' not in project.label_config and takes_over(config, project.label_config):
        server.ensure_project(project.title, config)


def _fields(task: Task, found: Disagreement | None, names: Mapping[str, str]) -> Fields:
    """Return what the task of a disagreement says of it; `names` are those of annotators."""
    html = str(task["data"].get("conflicts_html") or "")
    if found is None:
        return {"disagreement": "", "conflicts_html": with_versions(html, ())}
    if found.settled:
        return {"disagreement": ""}
    # A number that somebody may have picked never gets another meaning.
    listed, shown = versions_in(task), []
    for version in found.versions:
        known = [place for place, each in enumerate(listed) if each in version.annotation_ids]
        if not known:
            listed.extend(version.annotation_ids[-1:])
            known = [len(listed) - 1]
        who = ", ".join(names.get(each, each) for each in version.annotators)
        shown.append((known[0] + 1, who, version.has))
    html = with_versions(html, sorted(shown))
    return {"disagreement": found.differs, VERSIONS: listed, "conflicts_html": html}
