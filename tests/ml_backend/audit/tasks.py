"""Tasks of an audit, as Label Studio exports them."""

from collections.abc import Sequence
from typing import Any

from label_config.annotations import annotation_of
from label_config.labeling_config import build_config
from label_config.tasks import to_prediction, to_task
from ml_backend.audit.report import AuditReport, audit_report
from ml_backend.audit.sample import audit_of, plan
from ml_backend.label_studio.client import Project
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    ReviewStatus,
    Span,
)

VERSION = "v1"
TEXT = "😀 Anna wohnt in Bonn."
ANNA, BONN = Span(2, 6), Span(16, 20)
LABELS = ("PER", "LOC")
PER, LOC = Entity(ANNA, "PER"), Entity(BONN, "LOC")
Task = dict[str, Any]


def task(
    number: int,
    score: float = 0.99,
    *,
    lang: str = "de",
    entities: Sequence[Entity] = (Entity(ANNA, "PER", 0.99), Entity(BONN, "LOC", 0.99)),
    conflict: bool = False,
    version: str = VERSION,
    annotations: Sequence[Task] = (),
    drafts: Sequence[int] = (),
) -> Task:
    sentence = ParallelSentence(
        f"n{number}", "Anna lives in Bonn.", TEXT, "en", lang, f"news.en:{number}"
    )
    conflicts = (Conflict(ConflictKind.LOW_CONFIDENCE, "unsure"),) if conflict else ()
    projected = ProjectedSentence(sentence, tuple(entities), (), conflicts, score, version)
    prediction = {"id": 1000 + number, "created_at": "2026-01-01", **to_prediction(projected)}
    return {
        "id": number,
        **to_task(projected),
        "predictions": [prediction],
        "annotations": list(annotations),
        "drafts": list(drafts),
    }


def reviewed(
    original: Task,
    entities: Sequence[Entity] | None = None,
    status: ReviewStatus = ReviewStatus.ACCEPTED,
    by: int = 1,
) -> Task:
    """The task after somebody decided, as proposed unless said otherwise."""
    if entities is None:
        proposed = [region["value"] for region in original["predictions"][-1]["result"]]
        entities = [
            Entity(Span(value["start"], value["end"]), value["labels"][0]) for value in proposed
        ]
    made = len(original["annotations"])
    annotation = {
        "id": 10 * original["id"] + made,
        "completed_by": by,
        "result": annotation_of(entities, TEXT, status),
        "was_cancelled": status is ReviewStatus.SKIPPED,
        "parent_prediction": original["predictions"][-1]["id"],
        "lead_time": 2.0,
        "updated_at": f"2026-01-02T00:00:{made:02}Z",
    }
    return {**original, "annotations": [*original["annotations"], annotation]}


def predicted_again(original: Task, version: str = "v2") -> Task:
    """The task with the same prediction of a newer model beside the old one."""
    old = original["predictions"][-1]
    newer = {**old, "id": 5000 + original["id"], "model_version": version}
    return {**original, "predictions": [*original["predictions"], newer]}


def carried_over(original: Task) -> Task:
    """The task after `spanferry propagate` gave Bonn another type."""
    [anna, bonn] = original["predictions"][-1]["result"]
    changed = {**bonn, "value": {**bonn["value"], "labels": ["PER"]}}
    prediction = {**original["predictions"][-1], "result": [anna, changed]}
    said = {**original["data"], "propagated": "“Bonn”: LOC → PER"}
    return {**original, "data": said, "predictions": [prediction]}


def draw(tasks: Sequence[Task], size: int, *, name: str = "a", **options: Any) -> list[Task]:
    """All tasks as they are once the plan is done."""
    planned = plan(tasks, VERSION, name, size=size, **{"threshold": 0.8, **options})
    return [{**t, "data": {**t["data"], **planned.fields.get(t["id"], {})}} for t in tasks]


def sample(tasks: Sequence[Task], name: str = "a") -> set[int]:
    return {t["id"] for t in tasks if audit_of(t) == name}


def report(tasks: Sequence[Task], name: str | None = None, **options: Any) -> AuditReport:
    version = options.pop("version", VERSION)
    project = Project(1, "News", build_config(LABELS), version, len(tasks), 0, 0)
    return audit_report(project, tasks, name, **options)


def review_all(tasks: Sequence[Task], wrong: Sequence[int] = ()) -> list[Task]:
    """The sample reviewed; in the n-th of it for n in `wrong` one border was off."""
    done, met = [], 0
    for each in tasks:
        if not audit_of(each):
            done.append(each)
            continue
        corrected = [PER, Entity(Span(13, 20), "LOC")]
        done.append(reviewed(each, corrected if met in wrong else None))
        met += 1
    return done
