"""Pushing and repredicting, against a review server that lives in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ml_backend.label_studio.client import Backend, Project, UnreachableError
from ml_backend.review import import_journal
from ml_backend.review import push as push_module
from ml_backend.review.import_journal import ImportJournal
from ml_backend.review.push import push, push_reviews
from ml_backend.review.repredict import repredict
from projection.errors import ReviewError, RunError, ServerError
from projection.io.corpus import corpus_id
from projection.pipeline.review_order import review_order
from projection.records import ProjectedSentence, ReviewedSentence, ReviewStatus
from tests.label_studio.examples import BY_ID, FIRST, SECOND, FixedProjector, many, projected

CHUNK, FIRST_CHUNK = push_module.CHUNK, push_module.FIRST_CHUNK


class FixedServer:
    """The part of ReviewServer that pushing needs, in memory. Goes away when told to."""

    def __init__(self, requests_before_it_goes: int | None = None) -> None:
        self.held: list[dict[str, Any]] = []
        self.requests: list[int] = []
        self.there = Project(1, "Fixed", "<View/>", "", 0, 0, 0)
        self._left = requests_before_it_goes
        self._ids = count(1)

    def _request(self, size: int) -> None:
        if self._left == 0:
            raise ServerError("fixed", "gone")
        if self._left is not None:
            self._left -= 1
        self.requests.append(size)

    def project(self, _: int) -> Project:
        return self.there

    def comes_back(self) -> None:
        self._left = None

    def import_tasks(self, _: Project, tasks: Sequence[dict[str, Any]]) -> list[int]:
        self._request(len(tasks))
        for task in tasks:
            empty = {"annotations": [], "drafts": []}
            predictions = [{"id": next(self._ids), **p} for p in task["predictions"]]
            ids = {"predictions": predictions, "id": next(self._ids)}
            self.held.append({**empty, **task, **ids})
        self.there = replace(self.there, task_count=len(self.held))
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

    def delete_task(self, task_id: int) -> None:
        self.held = [task for task in self.held if task["id"] != task_id]

    def task(self, task_id: int) -> dict[str, Any]:
        task = next(task for task in self.held if task["id"] == task_id)
        counted = {"total_predictions": len(task["predictions"])}
        return {**task, **counted, "draft_exists": bool(task["drafts"])}

    def backends(self, _: Project) -> list[Backend]:
        return []

    def set_model_version(self, _: Project, version: str) -> bool:
        known = {p["model_version"] for task in self.held for p in task["predictions"]}
        if version in known:
            self.there = replace(self.there, model_version=version)
        return version in known


def push_all(server: FixedServer, sentences: Iterable[ProjectedSentence]) -> push_module.PushReport:
    return push(server, server.there, sentences)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sentences", "requests"),
    [
        pytest.param(0, [], id="nothing, no request"),
        pytest.param(FIRST_CHUNK, [FIRST_CHUNK], id="one request"),
        pytest.param(
            FIRST_CHUNK + 2 * CHUNK + 1, [FIRST_CHUNK, CHUNK, CHUNK, 1], id="and the rest"
        ),
    ],
)
def test_after_the_first_ones_a_thousand_tasks_go_in_one_request(
    sentences: int, requests: list[int]
) -> None:
    server = FixedServer()

    report = push_all(server, many(sentences))

    assert server.requests == requests
    assert report.added == sentences
    assert report.current is (sentences > 0)


def queue_of(server: FixedServer) -> list[str]:
    """Ids in the order of their ranks, which Label Studio compares as texts."""
    ranked = sorted(server.held, key=lambda task: str(task["data"]["rank"]))
    return [task["data"]["pair_id"] for task in ranked]


def test_tasks_are_ranked_in_the_order_to_review_them_wherever_they_stood() -> None:
    sentences, server = many(120), FixedServer()
    in_order = [sentences[place].sentence.id for place in review_order(sentences)]

    push_all(server, reversed(sentences))  # an iterator, that can be gone through once

    assert queue_of(server) == in_order != [task["data"]["pair_id"] for task in server.held]


def test_what_is_pushed_later_is_ranked_by_itself_and_changes_no_rank() -> None:
    first, later, server = many(12), projected(), FixedServer()
    push_all(server, first)
    before = {task["id"]: task["data"]["rank"] for task in server.held}

    push_all(server, later)

    assert before.items() <= {task["id"]: task["data"]["rank"] for task in server.held}.items()
    of_later = [name for name in queue_of(server) if name in BY_ID]
    assert of_later == [later[place].sentence.id for place in review_order(later)]
    # In turns, from the first on: the most valuable of the later ones wait for nothing.
    assert of_later[0] in queue_of(server)[:2]


def test_what_an_export_left_unseen_is_ranked_too() -> None:
    found, server = many(12), FixedServer()
    unseen = [
        ReviewedSentence(
            each.sentence, each.entities, ReviewStatus.UNSEEN, "",
            predicted=each.entities, model_version=FIRST,
        )
        for each in found
    ]  # fmt: skip
    push_reviews(server, server.there, unseen)  # type: ignore[arg-type]
    assert sorted(task["data"]["rank"] for task in server.held) == [f"{n:08}" for n in range(1, 13)]


def test_what_an_interruption_left_out_is_added_later_and_the_version_set() -> None:
    server = FixedServer(requests_before_it_goes=1)
    sentences = many(FIRST_CHUNK + 10)
    with pytest.raises(ServerError, match="gone"):
        push_all(server, sentences)
    assert server.there.model_version == ""

    server.comes_back()
    report = push_all(server, sentences)

    assert (report.added, report.skipped) == (10, FIRST_CHUNK)
    assert [task["data"]["pair_id"] for task in server.held] == [s.sentence.id for s in sentences]
    assert server.there.model_version == FIRST


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
    assert server.there.model_version == FIRST


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
        repredict(server, server.there, projector)  # type: ignore[arg-type]
    assert server.there.model_version == FIRST

    server.comes_back()
    report = repredict(server, server.there, projector)  # type: ignore[arg-type]

    assert (report.predicted, report.up_to_date, report.current) == (len(projected()), 0, True)


def test_a_task_that_is_not_ours_is_named() -> None:
    server = FixedServer()
    server.import_tasks(server.there, [{"data": {"text": "…"}, "predictions": []}])

    with pytest.raises(ReviewError, match=r"none of 1 task can be read. task 1"):
        repredict(server, server.there, FixedProjector(SECOND))  # type: ignore[arg-type]

    push_all(server, projected())
    report = repredict(server, server.there, FixedProjector(SECOND))  # type: ignore[arg-type]
    assert [each.task_id for each in report.unreadable] == [1]
    assert report.predicted == len(projected())


# Sentences that would be there twice


def begun(task: dict[str, Any]) -> None:
    task["drafts"] = [1]


@pytest.mark.parametrize("begins", [None, 0, 1])
def test_two_pushes_at_the_same_time_leave_one_task_a_sentence(begins: int | None) -> None:
    server = FixedServer()
    pushed = projected()

    class Other(FixedServer):
        """Another machine pushes the same between the look and the import."""

        def import_tasks(self, project: Project, tasks: Sequence[dict[str, Any]]) -> list[int]:
            theirs = server.import_tasks(project, tasks)
            mine = server.import_tasks(project, tasks)
            if begins is not None:
                first = [theirs, mine][begins][0]
                begun(next(task for task in server.held if task["id"] == first))
            return mine

        def __getattribute__(self, name: str) -> Any:
            return object.__getattribute__(self if name == "import_tasks" else server, name)

    report = push_all(Other(), pushed)

    assert (report.removed, report.missing, report.doubles) == (len(pushed), 0, ())
    ids = [task["data"]["pair_id"] for task in server.held]
    assert sorted(ids) == sorted(each.sentence.id for each in pushed)
    if begins is not None:
        assert any(task["drafts"] for task in server.held), "what somebody has begun is gone"


def test_what_nobody_else_has_changed_is_not_read_again() -> None:
    """Reading the tasks of a project takes Label Studio nearly as long as importing them."""
    looks = list[int]()

    class Watched(FixedServer):
        def tasks(
            self, project: Project, *, with_predictions: bool = False
        ) -> list[dict[str, Any]]:
            looks.append(len(self.held))
            return [*super().tasks(project, with_predictions=with_predictions)]

    server, pushed = Watched(), projected()
    push_all(server, pushed[:-1])
    report = push_all(server, pushed)
    assert looks == [len(pushed) - 1]
    assert (report.added, report.skipped, report.missing) == (1, len(pushed) - 1, 0)


def test_second_tasks_that_people_have_begun_are_kept_and_named() -> None:
    server = FixedServer()
    [one] = projected()[:1]
    for _ in range(3):
        server.import_tasks(server.there, [push_module._task_of(one)])
    for task in server.held[:2]:
        begun(task)
    kept = [task["id"] for task in server.held[:2]]

    report = push_all(server, [one])

    assert [task["id"] for task in server.held] == kept
    assert (report.skipped, report.removed, report.doubles) == (1, 1, (kept[1],))


def test_tasks_of_other_sentences_and_of_others_are_left_alone() -> None:
    server = FixedServer()
    first, second = projected()[:2]
    for _ in range(2):
        server.import_tasks(server.there, [push_module._task_of(second)])
        server.import_tasks(server.there, [{"data": {"text": "…"}, "predictions": []}])

    assert push_all(server, [first]).removed == 0
    assert len(server.held) == 5


def test_sentences_that_are_not_there_in_the_end_are_counted() -> None:
    class Forgetful(FixedServer):
        def import_tasks(self, project: Project, tasks: Sequence[dict[str, Any]]) -> list[int]:
            return super().import_tasks(project, tasks[:-2])

    assert push_all(Forgetful(), projected()).missing == 2


# An import that outlives its push


class SlowServer(FixedServer):
    """Does the import of a push that is gone after some looks at the project."""

    def __init__(self, looks: int, tasks: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        self.looks, self._coming = looks, tasks

    def project(self, _: int) -> Project:
        self.looks -= 1
        if self.looks == 0:
            self.import_tasks(self.there, self._coming)
        return self.there


def test_an_import_that_was_cut_off_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(import_journal, "_POLL_SECONDS", 0.0)
    pushed = projected()
    server = SlowServer(3, [push_module._task_of(each) for each in pushed])
    journal = ImportJournal(tmp_path / "journal")
    journal.begin(len(pushed))

    report = push(server, server.there, pushed, journal=journal)  # type: ignore[arg-type]

    assert (report.added, report.skipped) == (0, len(pushed))
    assert journal.pending() is None


def test_an_import_that_never_comes_is_given_up_and_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(import_journal, "WAIT_SECONDS", 0.0)
    server = SlowServer(99, [])
    journal = ImportJournal(tmp_path / "journal")
    journal.begin(5)

    report = push(server, server.there, projected(), journal=journal)  # type: ignore[arg-type]

    assert report.added == len(projected())
    assert journal.pending() is None


@pytest.mark.parametrize(
    ("arrived", "kept"),
    [pytest.param(True, True, id="lost"), pytest.param(False, False, id="down")],
)
def test_only_an_import_that_may_go_on_is_remembered(
    tmp_path: Path, arrived: bool, kept: bool
) -> None:
    class Gone(FixedServer):
        def import_tasks(self, project: Project, tasks: Sequence[dict[str, Any]]) -> list[int]:
            error = UnreachableError("fixed", "no answer")
            error.arrived = arrived
            raise error

    journal, server = ImportJournal(tmp_path / "journal"), Gone()
    with pytest.raises(UnreachableError):
        push(server, server.there, projected(), journal=journal)  # type: ignore[arg-type]
    pending = journal.pending()
    assert (pending is not None) is kept
    assert pending is None or pending.tasks == len(projected())
