"""Label Studio's "Start training", from the button to the queue."""

import time

import httpx
import pytest

from ml_backend.label_studio import Project, ReviewServer
from ml_backend.label_studio_server import LabelStudioServer
from tests.label_studio.conftest import CREDENTIALS, RunningBackend

pytestmark = pytest.mark.label_studio


def test_start_training_queues_one_job_of_the_project(
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

    deadline = time.monotonic() + 10
    while not (jobs := backend.queue.jobs()):
        assert time.monotonic() < deadline, "no job"
        time.sleep(0.05)
    assert [(job.project, job.why) for job in jobs] == [(project.id, "asked for in Label Studio")]
