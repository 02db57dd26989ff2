"""A training job from the reviews to the gate, with a real (short) training."""

import json
import re
import shutil
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
from werkzeug import Response
from werkzeug.serving import make_server

from label_config.annotations import annotation_of
from label_config.labeling_config import build_config
from label_config.tasks import to_prediction, to_task
from ml_backend.jobs.queue import Job, JobQueue, State
from ml_backend.jobs.retrain import (
    LEAST_HELD_OUT,
    ProjectReviews,
    Retraining,
    parted,
    patiently,
)
from ml_backend.label_studio.client import Project, ReviewServer, UnreachableError, server_version
from ml_backend.propagation.memory import Memories
from ml_backend.serving.model_store import BUNDLED, TEACHER, ModelStore
from projection.models.tagger import Tagger
from projection.protocols import Link
from projection.records import (
    Entity,
    ParallelSentence,
    ProjectedSentence,
    ReviewedSentence,
    Span,
)
from tests.lakes import (
    COUNT,
    GOOD,
    LABELS,
    NAMES,
    POOR,
    FixedProjector,
    person,
    reviewed,
)
from tests.ml_backend.conftest import model_folder
from training.export.export import write_export
from training.tagger.presets import preset_named


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
        seen = FixedProjector(POOR).project([review.sentence])[0]
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


def retraining(
    store: ModelStore,
    *,
    before: Collection[str] = POOR,
    after: Collection[str] = GOOD,
    connect: Callable[[], ReviewServer] = lambda: ReviewedProject(COUNT),
) -> Retraining:
    """The work with projectors that are good at something without and with the new model."""
    return Retraining(
        connect,
        lambda target: FixedProjector(before if target is None else after),
        store,
        store.root.parent / "memory",
        preset=preset_named("plain"),
        epochs_of_few=1,
        pauses=(0.0, 0.0),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job whose process was ended when its training was done."""
    folder = tmp_path_factory.mktemp("trained")
    queue = JobQueue(folder / "jobs")
    queue.add(7, "asked for")

    def killed(_: Path | None) -> FixedProjector:
        raise SystemExit

    with pytest.raises(SystemExit):
        queue.run(replace(retraining(ModelStore(folder / "models")), load=killed))
    assert (queue.root / "1" / "model" / "model.safetensors").exists()
    return folder


@pytest.fixture
def queue(trained: Path, tmp_path: Path) -> JobQueue:
    shutil.copytree(trained / "jobs", tmp_path / "jobs")
    return JobQueue(tmp_path / "jobs")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def done(queue: JobQueue, work: Retraining) -> tuple[Job, dict[str, object]]:
    """The newest job, done, and its result."""
    assert queue.run(work) == 1
    job = queue.jobs()[0]
    return job, dict(job.result or {})


def test_a_better_model_is_served_and_can_be_rolled_back(
    queue: JobQueue, store: ModelStore
) -> None:
    job, result = done(queue, retraining(store))

    assert job.state is State.SERVED, job.said
    assert result["before"] == pytest.approx(2 / 3)
    assert result["after"] == 1
    assert result["sentences"] + result["learned_from"] == COUNT  # type: ignore[operator]
    assert store.active_version() == result["version"]
    assert 0 < result["low"] <= result["high"]  # type: ignore[operator]
    assert re.fullmatch(
        r"F1 of pre-annotations 66\.7 → 100\.0 \(\+33\.3, 95 % interval \+\d.* to \+\d.*\) "
        rf"on \d+ held-out sentences: {result['version']} is served",
        job.said,
    )
    written = sorted(path.name for path in (queue.folder(job) / "export").iterdir())
    assert written == ["reviewed.jsonl", "summary.json"], "what a job reads, and no more"
    assert not (queue.folder(job) / "model").exists(), "it is in the store"
    assert store.rollback() == BUNDLED


def test_a_worse_model_is_kept_but_not_served(queue: JobQueue, store: ModelStore) -> None:
    job, result = done(queue, retraining(store, before=GOOD, after=POOR))

    assert job.state is State.KEPT
    assert "F1 of pre-annotations 100.0 → 66.7" in job.said
    assert store.active_version() == BUNDLED
    assert store.versions() == (result["version"],), "to be looked at, and activated by hand"


def test_one_that_is_just_as_good_is_kept(queue: JobQueue, store: ModelStore) -> None:
    job, result = done(queue, retraining(store, before=GOOD))
    assert job.state is State.KEPT
    assert job.said.endswith("no gain beyond chance, so it is not served")
    assert store.active_version() == BUNDLED
    assert store.versions() == (result["version"],)


def test_one_whose_gain_could_be_chance_is_kept(queue: JobQueue, store: ModelStore) -> None:
    class Lucky(FixedProjector):
        """Finds the person in one sentence only."""

        def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
            first, *rest = super().project(sentences)
            everything = (*first.entities, person(first.sentence))
            return [replace(first, entities=everything), *rest]

    def load(target: Path | None) -> FixedProjector:
        return FixedProjector(POOR) if target is None else Lucky(POOR)

    job, result = done(queue, replace(retraining(store), load=load))
    assert result["after"] > result["before"]  # type: ignore[operator]
    assert result["low"] <= 0  # type: ignore[operator]
    assert job.state is State.KEPT
    assert job.said.endswith("no gain beyond chance, so it is not served")


def test_the_stored_model_is_known_by_the_version_of_its_training_record(
    queue: JobQueue, store: ModelStore
) -> None:
    _, result = done(queue, retraining(store))
    version = str(result["version"])
    assert Tagger.from_pretrained(store.root / version).version == version
    record = json.loads((store.root / version / "training.json").read_text("utf-8"))
    assert version in json.dumps(record)


def test_an_interrupted_job_goes_on_with_the_reviews_it_began_with(
    queue: JobQueue, store: ModelStore
) -> None:
    """Others came meanwhile, with which it would have to begin anew."""
    changed = queue.root / "1" / "model" / "model.safetensors"
    before = changed.stat().st_mtime_ns
    seen = []

    def load(target: Path | None) -> FixedProjector:
        seen.append(None if target is None else (target / changed.name).stat().st_mtime_ns)
        return FixedProjector(POOR if target is None else GOOD)

    def connect() -> ReviewServer:
        pytest.fail("asked for the reviews again")

    job, _ = done(queue, replace(retraining(store, connect=connect), load=load))
    assert job.state is State.SERVED, job.said
    assert seen == [None, before], "trained again"


# Teachers


class Linking(FixedProjector):
    """Finds the source of the town and of the person, which stand at the same place there."""

    def link(self, _: ParallelSentence, marked: Sequence[Span]) -> list[Link]:
        return [Link(span, 0.9) for span in marked]


def taught(store: ModelStore, folder: Path, *, tagger: str, teacher: str) -> Retraining:
    """A training of both, which are good at the corpora named."""

    def load(model: Path | None) -> FixedProjector:
        if model is None:
            return Linking(POOR)
        return Linking([teacher if (model / TEACHER).is_file() else tagger])

    work = replace(retraining(store), load=load, taught_from=10)  # type: ignore[arg-type]
    return replace(work, teacher=model_folder(folder / "old-teacher"))


@pytest.mark.parametrize("better", ["model", "teacher"])
def test_of_a_tagger_and_a_teacher_the_better_one_is_served(
    queue: JobQueue, store: ModelStore, tmp_path: Path, better: str
) -> None:
    good_at = {
        "model": {"tagger": "news", "teacher": "-"},
        "teacher": {"tagger": "-", "teacher": "news"},
    }
    job, result = done(queue, taught(store, tmp_path, **good_at[better]))

    assert job.state is State.SERVED, job.said
    candidates = result["candidates"]
    assert store.active_version() == result["version"] == candidates[better]["version"]  # type: ignore[index]
    assert sorted(each["after"] for each in candidates.values()) == [pytest.approx(2 / 3), 1]  # type: ignore[attr-defined]
    assert {*store.versions()} == {each["version"] for each in candidates.values()}  # type: ignore[attr-defined]
    assert re.match(r"F1 of pre-annotations with the tagger .*; with the teacher .*: ", job.said)
    stored = store.root / candidates["teacher"]["version"]  # type: ignore[index]
    assert {*Tagger.from_pretrained(stored).labels} == {*LABELS}, "the types of the project"
    assert [path.name for path in queue.folder(job).iterdir() if path.is_dir()] == ["export"]


def test_where_neither_is_better_none_is_served(
    queue: JobQueue, store: ModelStore, tmp_path: Path
) -> None:
    job, _ = done(queue, taught(store, tmp_path, tagger="-", teacher="-"))
    assert (job.state, store.active_version()) == (State.KEPT, BUNDLED)
    assert job.said.endswith("no gain beyond chance, so none is served")


def test_what_was_corrected_is_remembered_after_a_training(
    queue: JobQueue, store: ModelStore
) -> None:
    work = retraining(store)
    done(queue, work)
    phrases = {each.correction.phrase for each in Memories(work.memory).of(7).corrections}
    assert phrases == {*NAMES}, "none was found at first"


# Several projects


@pytest.fixture
def beside(queue: JobQueue) -> JobQueue:
    """The same, with a finished job of another project with reviews of sport."""
    other = queue.add(8, "asked for")

    def finished(job: Job, folder: Path) -> Job:
        if job.id == other.id:
            export(folder, "sport")
        return replace(job, state=State.KEPT, result={})

    shutil.move(queue.root / "1", queue.root.parent / "1")
    assert queue.run(finished) == 1
    shutil.move(queue.root.parent / "1", queue.root / "3")
    return queue


def export(folder: Path, corpus: str, labels: Sequence[str] = LABELS) -> None:
    reviews = [reviewed(number, corpus) for number in range(COUNT)]
    ProjectReviews(8, corpus, tuple(labels), reviews).write(folder / "export")


BOTH = ("news", "sport")


def test_it_learns_from_the_other_projects_and_is_measured_on_them(
    beside: JobQueue, store: ModelStore
) -> None:
    job, result = done(beside, retraining(store, before=("sport",), after=BOTH))

    assert job.state is State.SERVED, job.said
    others, together = result["others"], result["together"]
    assert (others["8"]["before"], others["8"]["after"]) == (1, 1)  # type: ignore[index]
    held_out = result["sentences"] + others["8"]["sentences"]  # type: ignore[index, operator]
    assert together["sentences"] == held_out  # type: ignore[index]
    assert result["learned_from"] == 2 * COUNT - held_out
    assert "of all projects" in job.said


def test_one_that_is_better_here_and_worse_on_the_whole_is_not_served(
    beside: JobQueue, store: ModelStore
) -> None:
    class Ruined(FixedProjector):
        """Without the new model; with it, in sport nothing is found any more."""

        def entities(self, sentence: ParallelSentence) -> tuple[Entity, ...]:
            return () if sentence.id.startswith("sport") else super().entities(sentence)

    def load(target: Path | None) -> FixedProjector:
        return FixedProjector(("sport",)) if target is None else Ruined(GOOD)

    job, result = done(beside, replace(retraining(store), load=load))
    assert result["after"] > result["before"]  # type: ignore[operator]
    assert job.state is State.KEPT, job.said
    assert store.active_version() == BUNDLED


def test_from_a_project_with_other_types_it_does_not_learn(
    beside: JobQueue, store: ModelStore
) -> None:
    """What is not marked there would be unlearned here."""
    shutil.rmtree(beside.root / "2" / "export")
    export(beside.root / "2", "sport", labels=("PER", "LOC"))
    _, result = done(beside, retraining(store))
    assert result["sentences"] + result["learned_from"] == COUNT  # type: ignore[operator]
    assert result["others"], "but it must not spoil it"


def test_what_is_held_out_of_one_project_is_not_learned_from_in_another() -> None:
    news = [reviewed(number) for number in range(COUNT)]
    (learned, held_out), again = parted([news, news])
    assert again == (learned, held_out)


def test_the_whole_export_of_an_earlier_version_is_read(
    beside: JobQueue, store: ModelStore
) -> None:
    shutil.rmtree(beside.root / "2" / "export")
    reviews = [reviewed(number, "sport") for number in range(COUNT)]
    write_export(reviews, beside.root / "2" / "export", title="Sport", labels=LABELS)
    _, result = done(beside, retraining(store, before=("sport",), after=BOTH))
    assert result["others"]["8"]["after"] == 1  # type: ignore[index]


def test_of_each_project_the_newest_reviews_are_kept(beside: JobQueue, store: ModelStore) -> None:
    folders = [beside.root / str(number) for number in (1, 2, 3)]
    shutil.copytree(folders[2], folders[0])
    earlier = replace(beside.job(3), id=1, state=State.KEPT, ended="2026-03-02T10:00:00Z")
    (folders[0] / "job.json").write_text(json.dumps(earlier.to_json()), "utf-8")

    job, _ = done(beside, retraining(store))
    assert job.id == 3
    assert [(each / "export").is_dir() for each in folders] == [False, True, True]
    assert beside.job(1).state is State.KEPT, "what became of it can still be read"


# What is held out


def test_the_same_sentences_are_held_out_when_more_are_reviewed() -> None:
    [(_, first)] = parted([[reviewed(n) for n in range(70)]])
    [(_, later)] = parted([[reviewed(n) for n in range(100)]])
    assert {r.sentence.id for r in first} <= {r.sentence.id for r in later}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda reviews: reviews[:5], id="too few sentences"),
        pytest.param(
            lambda reviews: [replace(review, entities=(), provenance=()) for review in reviews],
            id="nothing to find in them",
        ),
    ],
)
def test_too_little_to_compare_models_on_fails_with_the_fix(
    queue: JobQueue,
    store: ModelStore,
    change: Callable[[list[ReviewedSentence]], list[ReviewedSentence]],
) -> None:
    folder = queue.root / "1" / "export"
    reviews = change(ProjectReviews.read(7, folder).reviewed)
    shutil.rmtree(folder)
    ProjectReviews(7, "Lakes", LABELS, reviews).write(folder)

    job, _ = done(queue, retraining(store, after=GOOD))

    assert job.state is State.FAILED
    assert "too few to tell whether a model is better" in job.said
    assert f"Review more: about {5 * LEAST_HELD_OUT}" in job.said


# Label Studio away


def away() -> ReviewServer:
    raise UnreachableError("http://x", "no answer (refused)", "Check the address")


def test_it_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    asked = []

    def ask() -> int:
        asked.append(1)
        if len(asked) < 3:
            away()
        return len(asked)

    assert patiently(ask, (0.0, 0.0)) == 3
    assert caplog.text.count("no answer (refused)") == 2


def test_a_proxy_before_one_that_is_away_says_as_much() -> None:
    http = make_server("127.0.0.1", 0, Response("Bad Gateway", HTTPStatus.BAD_GATEWAY))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        with pytest.raises(UnreachableError, match=r"no answer \(status 502\)"):
            server_version(f"http://127.0.0.1:{http.port}")
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def test_one_that_stays_away_fails_the_job(tmp_path: Path, store: ModelStore) -> None:
    queue = JobQueue(tmp_path / "new")
    queue.add(7, "asked for")
    job, _ = done(queue, retraining(store, connect=away))
    assert (job.state, job.attempts) == (State.FAILED, 1)
    assert job.said == "http://x: no answer (refused). Check the address"
