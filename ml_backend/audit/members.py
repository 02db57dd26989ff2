"""The tasks of an audit's sample, and what people decided about them."""

from typing import NamedTuple

from ml_backend.audit.sample import FIX, Stratum, stratum_of
from ml_backend.label_studio.tasks import Task, is_propagated
from ml_backend.review.pull import reviews_of
from projection.errors import ReviewError
from projection.io.json_fields import Fields
from projection.records import ReviewedSentence, ReviewStatus, UnreadableReview
from training.data.adjudication import AdjudicationPolicy, adjudicate


class Member(NamedTuple):
    """A task of the sample, and its review if that counts. `state` is a number of the report."""

    stratum: Stratum
    size: int
    version: str
    threshold: float
    state: str
    review: ReviewedSentence | None
    disagreement: bool


def member_of(task: Task, shown: str, where: str, unreadable: list[UnreadableReview]) -> Member:
    """Read a task of the sample in a project that shows the model version `shown`.

    Its annotations that cannot be read are added to `unreadable`. ReviewError if the marks of the
    sample are damaged.
    """
    stratum = stratum_of(task)
    data = Fields(task["data"], f"{where} task {task['id']}", ReviewError, FIX)
    # Older samples do not name what they were drawn for.
    version = data.text_or_none("audit_model_version") or shown
    threshold = data.number_or_none("audit_threshold") or stratum.low
    size = data.integer_or_none("audit_stratum_size") or 0
    reviewed, without = reviews_of([task] if task["annotations"] else [], where)
    unreadable += without
    found = adjudicate(reviewed, AdjudicationPolicy.LATEST)
    decision = found.sentences[0] if found.sentences else None
    if is_propagated(task, version):
        state = "propagated"
    elif decision is None:
        state = "waiting"
    elif decision.status is ReviewStatus.SKIPPED:
        state = "skipped"
    elif decision.predicted is None or decision.model_version != version:
        state = "foreign"
    else:
        state = "reviewed"
    review = decision if state == "reviewed" else None
    return Member(stratum, size, version, threshold, state, review, bool(found.disagreements))
