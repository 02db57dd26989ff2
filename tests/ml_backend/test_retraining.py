"""A training job from the reviews to the gate, with a real (short) training."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from label_config.config import build_config
from label_config.reviews import annotation_of
from label_config.tasks import to_prediction, to_task
from ml_backend.jobs import Job, JobQueue, State
from ml_backend.label_studio import Project, ReviewServer
from ml_backend.retraining import LEAST_HELD_OUT, Retraining, parted
from ml_backend.store import BUNDLED, ModelStore
from projection.errors import TrainingError
from projection.records import (
    Entity,
    ParallelSentence,
    ProjectedSentence,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from training.presets import preset_named

LABELS = ("PER", "ORG", "LOC", "MISC")
NAMES = ("Anna", "Bela", "Carla", "Dora", "Emil")
BERLIN = Entity(Span(0, 6), "LOC", 0.9)


def sentence(number: int) -> ParallelSentence:
    """A sentence pair from a corpus of many documents; a town, then a person."""
    name = NAMES[number % len(NAMES)]
    return ParallelSentence(
        f"n{number}",
        f"Berlin, said {name}, has {number} lakes.",
        f"Berlin, sagte {name}, hat {number} Seen.",
        "en",
        "de",
        f"news-{number}.en:1",
    )


def person(sentence: ParallelSentence) -> Entity:
    start = sentence.target.index("sagte ") + len("sagte ")
    return Entity(Span(start, sentence.target.index(",", start)), "PER", 0.9)


def reviewed(number: int) -> ReviewedSentence:
    pair = sentence(number)
    return ReviewedSentence(pair, (BERLIN, person(pair)), ReviewStatus.CORRECTED, "1")


class FixedProjector:
    """Finds the town, and the person too if it is a good one."""

    labels = LABELS

    def __init__(self, *, good: bool) -> None:
        self.good, self.model_version = good, "good" if good else "poor"

    def fits(self, _: ParallelSentence) -> bool:
        return True

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        return [
            ProjectedSentence(
                s, (BERLIN, person(s)) if self.good else (BERLIN,), (), (), 0.9, self.model_version
            )
            for s in sentences
        ]


class ReviewedProject(ReviewServer):
    """A project whose every task has been reviewed."""

    def __init__(self, count: int) -> None:
        self.count = count

    def close(self) -> None:
        pass

    def project(self, project_id: int) -> Project:
        return Project(project_id, "Lakes", build_config(LABELS), "poor", self.count, 0, self.count)

    def tasks(self, *_: object, **__: object) -> list[dict[str, object]]:
        return [self._task(number) for number in range(self.count)]

    @staticmethod
    def _task(number: int) -> dict[str, object]:
        review = reviewed(number)
        seen = FixedProjector(good=False).project([review.sentence])[0]
        annotation = {
            "id": number,
            "completed_by": 1,
            "was_cancelled": False,
            "parent_prediction": number,
            "updated_at": "2026-03-02T10:00:00Z",
            "result": annotation_of(review.entities, review.sentence.target, review.status),
        }
        return {
            **to_task(seen),
            "id": number,
            "meta": {},
            "drafts": [],
            "annotations": [annotation],
            "predictions": [{**to_prediction(seen), "id": number, "task": number}],
        }


def do(tmp_path: Path, *, before: bool, after: bool) -> tuple[Job, ModelStore]:
    """Run one job; the projector without a target model is good or not, and the one with it."""
    store = ModelStore(tmp_path / "models")
    queue = JobQueue(tmp_path / "jobs")
    queue.add(7, "asked for")
    retraining = Retraining(
        lambda: ReviewedProject(70),
        lambda target: FixedProjector(good=before if target is None else after),
        store,
        preset_named("plain"),
        epochs_of_few=1,
    )
    assert queue.run(retraining) == 1
    return queue.job(1), store


def test_a_better_model_is_served_and_can_be_rolled_back(tmp_path: Path) -> None:
    job, store = do(tmp_path, before=False, after=True)

    assert job.state is State.SERVED, job.said
    assert job.result is not None
    assert job.result["before"] == pytest.approx(2 / 3)
    assert job.result["after"] == 1
    assert job.result["sentences"] + job.result["learned_from"] == 70
    assert store.active_version() == job.result["version"]
    assert "is served" in job.said
    assert (tmp_path / "jobs" / "1" / "export" / "README.md").exists()
    assert store.rollback() == BUNDLED


def test_a_worse_model_is_kept_but_not_served(tmp_path: Path) -> None:
    job, store = do(tmp_path, before=True, after=False)

    assert job.state is State.KEPT
    assert "F1 of pre-annotations 100.0 → 66.7" in job.said
    assert store.active_version() == BUNDLED
    assert job.result is not None
    assert store.versions() == (job.result["version"],), "to be looked at, and activated by hand"


def test_one_that_is_just_as_good_is_served(tmp_path: Path) -> None:
    job, _ = do(tmp_path, before=True, after=True)
    assert job.state is State.SERVED


def test_the_same_sentences_are_held_out_when_more_are_reviewed() -> None:
    _, first = parted([reviewed(n) for n in range(70)], "project 'Lakes'")
    _, later = parted([reviewed(n) for n in range(100)], "project 'Lakes'")
    assert {r.sentence.id for r in first} <= {r.sentence.id for r in later}


def test_too_few_reviews_fail_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"Review more: about {5 * LEAST_HELD_OUT}"):
        parted([reviewed(n) for n in range(5)], "project 'Lakes'")

    queue = JobQueue(tmp_path / "jobs")
    queue.add(7, "asked for")

    queue.run(
        Retraining(
            lambda: ReviewedProject(5),
            lambda _: FixedProjector(good=True),
            ModelStore(tmp_path / "models"),
        )
    )
    assert queue.job(1).state is State.FAILED
    assert "too few to tell" in queue.job(1).said
