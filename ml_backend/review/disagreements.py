"""Shows annotators' disagreements where the annotators are: on the tasks themselves."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from label_config.labeling_config import labels_of
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.review.agreement import Agreement, agreement
from ml_backend.review.pull import reviews_of
from training.data.adjudication import AdjudicationPolicy, Disagreement, adjudicate

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class DisagreementReport:
    """The disagreements of a project, and what was done about them. Numbers count tasks.

    `marked` say something else than before, `cleared` had a disagreement and have none now.
    The `annotators` opened `opened` of them.
    """

    policy: AdjudicationPolicy
    annotators: int
    agreement: Agreement
    opened: int
    disagreements: tuple[Disagreement, ...]
    marked: int
    cleared: int

    @property
    def open(self) -> tuple[Disagreement, ...]:
        """Those the policy does not settle: for people to look at."""
        return tuple(each for each in self.disagreements if not each.settled)

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object."""
        return {**asdict(self), "open": len(self.open)}


def mark_disagreements(
    server: ReviewServer,
    project: Project,
    policy: AdjudicationPolicy = AdjudicationPolicy.LATEST,
    *,
    reviewer: str | None = None,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> DisagreementReport:
    """Write open disagreements into the tasks they are about, and clear those that are settled.

    Only tasks that say something else are written. So an interrupted run is finished by running it
    again, and a finished one changes nothing.

    Raises:
        ReviewError: if an annotation contradicts what was pushed.
        TrainingError: if the reviewer is missing, needless or unknown.
        ServerError: if Label Studio refuses something or goes away.
    """
    where = f"project {project.title!r}"
    labels = labels_of(project.label_config, where)
    tasks = server.tasks(project, with_predictions=True)
    reviewed = list(reviews_of(tasks, labels, where))
    found = adjudicate(reviewed, policy, reviewer=reviewer)
    says = {each.task_id: each.differs for each in found.disagreements if not each.settled}
    stale = [task for task in tasks if _said(task) != says.get(task["id"], "")]
    for done, task in enumerate(stale):
        on_progress("tasks marked", done, len(stale))
        data = {**task["data"], "disagreement": says.get(task["id"], "")}
        server.update_task_data(task["id"], data)
    on_progress("tasks marked", len(stale), len(stale))
    return DisagreementReport(
        policy=policy,
        annotators=len({review.annotator for review in reviewed}),
        agreement=agreement(reviewed),
        opened=len(found.sentences),
        disagreements=found.disagreements,
        marked=sum(task["id"] in says for task in stale),
        cleared=sum(task["id"] not in says for task in stale),
    )


def _said(task: Mapping[str, Any]) -> str:
    return str(task["data"].get("disagreement") or "")
