"""Label Studio's "Start training", from the button and from reviews to a model that is served."""

import os
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from label_config.annotations import annotation_of
from ml_backend.api.webhook import MOST_ID
from ml_backend.auth import Credentials
from ml_backend.cli import app
from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.jobs.hints import Hint
from ml_backend.jobs.queue import JobQueue, State
from ml_backend.jobs.reviews import PROJECTS, Look
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.review.push import push
from tests.label_studio.conftest import CREDENTIALS, RunningBackend
from tests.lakes import COUNT, POOR, FixedProjector, reviewed, sentence
from tests.ml_backend.cli.test_serve import SECRET, listening, start
from tests.ml_backend.conftest import wait_until

pytestmark = pytest.mark.label_studio


def test_start_training_leaves_one_hint_and_a_look_queues_one_job(
    label_studio: LabelStudioServer, server: ReviewServer, project: Project, backend: RunningBackend
) -> None:
    connected = server.connect_backend(project, backend.url, CREDENTIALS)

    for _ in range(2):  # an impatient lead presses it twice
        answer = httpx.post(
            f"{label_studio.url}/api/ml/{connected.id}/train",
            headers={"Authorization": f"Token {label_studio.account.token}"},
            timeout=30,
        )
        assert answer.is_success, answer.text

    queue = backend.queue
    assert [*queue.hints.left()] == [(project.id, Hint.ASKED)]
    queue.hints.leave(MOST_ID, Hint.ASKED)  # which Label Studio does not have
    account = label_studio.account
    look = Look(queue, lambda: ReviewServer.connect(label_studio.url, account.token), 0)
    look()
    look()
    found = [(job.project, job.why) for job in queue.jobs()]
    assert found == [(project.id, "asked for in Label Studio")]
    assert queue.hints.left() == {}


def queued_after_a_minute(queue: JobQueue) -> bool:
    """Whether a job is queued. Looks are a minute apart, so the last one becomes an old one."""
    with suppress(FileNotFoundError):
        os.utime(queue.root / PROJECTS, (0, 0))
    return bool(queue.jobs())


def test_so_many_reviews_make_a_model_that_is_served_until_it_is_taken_back(
    label_studio: LabelStudioServer, server: ReviewServer, project: Project, tmp_path: Path
) -> None:
    """Everything real but the projector, which any model makes better."""
    data_dir = tmp_path / "data"
    settings = {
        "SPANFERRY_BACKEND_LOADER": "tests.lakes:loader",
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.account.token,
        "START_TRAINING_EACH_N_UPDATES": str(COUNT),
    }
    backend = listening(start(data_dir, **settings))
    try:
        push(
            server, project, FixedProjector(POOR, "bundled").project([*map(sentence, range(COUNT))])
        )
        server.connect_backend(project, backend.url, Credentials("spanferry", SECRET))
        for number, task in enumerate(server.tasks(project)):
            assert backend.jobs.jobs() == []
            review = reviewed(number)
            result = annotation_of(review.entities, review.sentence.target, review.status)
            server.annotate(task["id"], result)
        wait_until(lambda: queued_after_a_minute(backend.jobs), 120)
        wait_until(lambda: backend.jobs.jobs()[0].ended, 600)  # trainings give way to all else

        [job] = backend.call("/status")[1]["jobs"]
        assert job["state"] == State.SERVED, (job["said"], job["log"])
        assert job["why"] == f"{COUNT} reviews since the last one"
        version = job["result"]["version"]
        assert job["result"]["after"] > job["result"]["before"]
        wait_until(lambda: backend.model_version() == version)
        assert backend.call("/status")[1]["active"] == version
        assert [each.model_version for each in server.backends(project)] == [version]

        rollback = ["jobs", "rollback", "--data-dir", str(data_dir)]
        assert "bundled is served again" in CliRunner().invoke(app, rollback).stdout
        wait_until(lambda: backend.model_version() == "bundled")
        assert backend.call("/status")[1]["active"] == "bundled"
    finally:
        backend.kill()
