"""Mark the tasks of a project on which annotators disagree."""

from dataclasses import asdict, dataclass

from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.task_writer import OnProgress, has_same_annotations, write_each
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
        """The disagreements that the policy does not settle."""
        return tuple(each for each in self.disagreements if not each.settled)

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object."""
        return {**asdict(self), "open": len(self.open), "unreadable": len(self.unreadable)}


def mark_disagreements(
    server: ReviewServer,
    project: Project,
    policy: AdjudicationPolicy = AdjudicationPolicy.LATEST,
    *,
    reviewer: str | None = None,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> DisagreementReport:
    """Write open disagreements to their tasks and clear settled ones. Idempotent.

    Tasks annotated during the run are left alone.
    """
    where = f"project {project.title!r}"
    tasks = server.tasks(project, with_predictions=True)
    reviewed, unreadable = reviews_of((task for task in tasks if task["annotations"]), where)
    found = adjudicate(reviewed, policy, reviewer=reviewer)
    differs = {each.task_id: each.differs for each in found.disagreements if not each.settled}
    stale = [
        (task, {"disagreement": differs.get(task["id"], "")})
        for task in tasks
        if str(task["data"].get("disagreement") or "") != differs.get(task["id"], "")
    ]
    left_alone = write_each(server, stale, if_still=has_same_annotations, on_progress=on_progress)
    written = {task["id"] for task, _ in stale} - {*left_alone}
    return DisagreementReport(
        policy=policy,
        annotators=len({review.annotator for review in reviewed}),
        agreement=agreement(reviewed),
        opened=len(found.sentences),
        disagreements=found.disagreements,
        marked=len(written & differs.keys()),
        cleared=len(written - differs.keys()),
        meanwhile=len(left_alone),
        unreadable=tuple(unreadable),
    )
