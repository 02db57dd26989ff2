"""Pushing and repredicting, against a review server that lives in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from ml_backend.label_studio.client import Backend, Project
from ml_backend.review import push as push_module
from ml_backend.review.push import push
from ml_backend.review.repredict import repredict
from projection.errors import ReviewError, RunError, ServerError
from projection.io.corpus import corpus_id
from projection.records import ProjectedSentence
from tests.label_studio.examples import FIRST, SECOND, FixedProjector, many, projected

CHUNK = push_module.CHUNK


class FixedServer:
    """The part of ReviewServer that pushing needs, in memory. Goes away when told to."""

    def __init__(self, requests_before_it_goes: int | None = None) -> None:
        self.held: list[dict[str, Any]] = []
        self.requests: list[int] = []
        self.project = Project(1, "Fixed", "<View/>", "", 0, 0, 0)
        self._left = requests_before_it_goes
        self._ids = count(1)

    def _request(self, size: int) -> None:
        if self._left == 0:
            raise ServerError("fixed", "gone")
        if self._left is not None:
            self._left -= 1
        self.requests.append(size)

    def comes_back(self) -> None:
        self._left = None

    def import_tasks(self, _: Project, tasks: Sequence[dict[str, Any]]) -> list[int]:
        self._request(len(tasks))
        for task in tasks:
            empty = {"annotations": [], "drafts": []}
            predictions = [{"id": next(self._ids), **p} for p in task["predictions"]]
            ids = {"predictions": predictions, "id": next(self._ids)}
            self.held.append({**empty, **task, **ids})
        self.project = replace(self.project, task_count=len(self.held))
        return [task["id"] for task in self.held[-len(tasks) :]]

    def import_predictions(self, _: Project, predictions: Iterable[dict[str, Any]]) -> None:
        predictions = list(predictions)
        self._request(len(predictions))
        by_id = {task["id"]: task for task in self.held}
        for prediction in predictions:
            kept = {"id": next(self._ids), **prediction}
            by_id[prediction["task"]]["predictions"].append(kept)

    def update_task_data(self, task_id: int, data: dict[str, Any]) -> None:
        next(task for task in self.held if task["id"] == task_id)["data"] = data

    def tasks(self, _: Project, *, with_predictions: bool = False) -> list[dict[str, Any]]:
        return self.held

    def task(self, task_id: int) -> dict[str, Any]:
        task = next(task for task in self.held if task["id"] == task_id)
        counted = {"total_predictions": len(task["predictions"])}
        return {**task, **counted, "draft_exists": bool(task["drafts"])}

    def backends(self, _: Project) -> list[Backend]:
        return []

    def set_model_version(self, _: Project, version: str) -> bool:
        known = {p["model_version"] for task in self.held for p in task["predictions"]}
        if version in known:
            self.project = replace(self.project, model_version=version)
        return version in known


def push_all(server: FixedServer, sentences: Iterable[ProjectedSentence]) -> push_module.PushReport:
    return push(server, server.project, sentences)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sentences", "requests"),
    [
        pytest.param(0, [], id="nothing, no request"),
        pytest.param(CHUNK, [CHUNK], id="one full chunk"),
        pytest.param(2 * CHUNK + 1, [CHUNK, CHUNK, 1], id="and the rest"),
    ],
)
def test_a_thousand_tasks_go_in_one_request(sentences: int, requests: list[int]) -> None:
    server = FixedServer()

    report = push_all(server, many(sentences))

    assert server.requests == requests
    assert report.added == sentences
    assert report.current is (sentences > 0)


def test_what_an_interruption_left_out_is_added_later_and_the_version_set() -> None:
    server = FixedServer(requests_before_it_goes=1)
    sentences = many(CHUNK + 10)
    with pytest.raises(ServerError, match="gone"):
        push_all(server, sentences)
    assert server.project.model_version == ""

    server.comes_back()
    report = push_all(server, sentences)

    assert (report.added, report.skipped) == (10, CHUNK)
    assert [task["data"]["pair_id"] for task in server.held] == [s.sentence.id for s in sentences]
    assert server.project.model_version == FIRST


def test_a_sentence_that_comes_twice_in_one_run_is_pushed_once() -> None:
    server = FixedServer()

    report = push_all(server, [*projected(), *projected()])

    assert (report.added, report.skipped) == (len(projected()), len(projected()))


def test_the_same_id_from_another_corpus_is_another_sentence() -> None:
    server = FixedServer()
    [one, *_] = projected()
    other = replace(one, sentence=replace(one.sentence, origin="other.en:1"))

    assert push_all(server, [one, other]).added == 2


def test_a_sentence_pushed_by_an_earlier_version_is_known() -> None:
    """Its id was made of its place alone; the same corpus now gives one with a hash."""
    server = FixedServer()
    [one, *_] = projected()
    push_all(server, [one])
    pair = one.sentence
    now = replace(pair, id=corpus_id(pair.id, pair.source, pair.target))

    report = push_all(server, [replace(one, sentence=now)])

    assert (report.added, report.skipped, report.collisions) == (0, 1, ())


def test_another_text_under_a_known_id_is_another_sentence_and_named() -> None:
    """As when two corpora have the same file name, or a sentence was edited."""
    server = FixedServer()
    push_all(server, projected()[:2])
    first, second, third = projected()[:3]
    other = replace(
        first, sentence=replace(first.sentence, source=f"{first.sentence.source} Indeed.")
    )
    another = replace(
        second, sentence=replace(second.sentence, target=f"{second.sentence.target} Ja.")
    )

    report = push_all(server, [other, another, third])
    again = push_all(server, [other, another, third, first, second])

    assert (report.added, report.skipped) == (3, 0)
    assert report.collisions == (first.sentence.origin, second.sentence.origin)
    assert (again.added, again.skipped, again.collisions) == (0, 5, ())


def test_sentences_of_a_newer_model_do_not_come_in_by_pushing() -> None:
    server = FixedServer()
    push_all(server, projected())

    report = push_all(server, projected(FixedProjector(SECOND)))

    assert (report.added, report.current) == (0, False)
    assert server.project.model_version == FIRST


def test_two_models_in_one_run_are_refused_with_the_line() -> None:
    mixed = [*projected(), *projected(FixedProjector(SECOND))]

    with pytest.raises(RunError, match=r"examples.en:plain: projected by fixed-2"):
        push_all(FixedServer(), mixed)


def test_an_interrupted_repredicting_is_finished_by_running_it_again() -> None:
    server = FixedServer()
    push_all(server, projected())
    projector = FixedProjector(SECOND)
    server._left = 0
    with pytest.raises(ServerError, match="gone"):
        repredict(server, server.project, projector)  # type: ignore[arg-type]
    assert server.project.model_version == FIRST

    server.comes_back()
    report = repredict(server, server.project, projector)  # type: ignore[arg-type]

    assert (report.predicted, report.up_to_date, report.current) == (len(projected()), 0, True)


def test_a_task_that_is_not_ours_is_named() -> None:
    server = FixedServer()
    server.import_tasks(server.project, [{"data": {"text": "…"}, "predictions": []}])

    with pytest.raises(ReviewError, match="task 1"):
        repredict(server, server.project, FixedProjector(SECOND))  # type: ignore[arg-type]
