"""What a reviewer sees and does, in a real browser."""

from collections.abc import Iterator

import pytest

from ml_backend.label_studio import Project, ReviewServer
from ml_backend.label_studio_server import LabelStudioServer
from ml_backend.pull import fetch_reviewed
from ml_backend.push import push
from projection.records import ReviewStatus
from tests.label_studio.examples import BY_ID, EXAMPLES, projected

playwright = pytest.importorskip("playwright", reason="playwright is not installed: the dev extra")

from tests.label_studio.pages import ReviewPage, chromium, reviewing  # noqa: E402

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]


@pytest.fixture
def reviewer(label_studio: LabelStudioServer) -> Iterator[ReviewPage]:
    if chromium() is None:
        pytest.skip("there is no Chromium: install one, or name it in CHROMIUM")
    with reviewing(label_studio) as page:
        yield page


def test_the_words_on_screen_are_the_projected_ones_and_ctrl_enter_accepts_them(
    reviewer: ReviewPage, server: ReviewServer, project: Project
) -> None:
    push(server, project, projected())
    ids = {task["data"]["pair_id"]: task["id"] for task in server.tasks(project)}

    seen = {}
    for example in EXAMPLES:
        reviewer.open(server.task_url(project, ids[example.id]))
        seen[example.id] = [tuple(mark) for mark in reviewer.marked()]
    reviewer.open(server.task_url(project, ids["emoji"]))
    source = reviewer.source()
    reviewer.submit()

    assert seen == {example.id: example.marks for example in EXAMPLES}
    assert source.startswith("😀 Ada Lovelace")
    [submitted] = fetch_reviewed(server, server.project(project.id))
    assert submitted.sentence.id == "emoji"
    assert submitted.status is ReviewStatus.ACCEPTED
    assert [e.span.of(submitted.sentence.target) for e in submitted.entities] == [
        phrase for _, phrase in BY_ID["emoji"].marks
    ]
