"""Requests that wait together are projected together, annotators first, and never too many."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from ml_backend.serving.model_queue import (
    BusyError,
    ClientGoneError,
    ModelQueue,
    NotReadyError,
)
from ml_backend.serving.pace import Pace
from projection.records import ParallelSentence, ProjectedSentence
from tests.ml_backend.conftest import LONGEST, SENTENCE, FixedProjector, wait_until

MOST = 4  # sentences of a turn


def sentences(name: str, count: int) -> list[ParallelSentence]:
    return [replace(SENTENCE, id=f"{name}{number}") for number in range(count)]


class FixedPace(Pace):
    """A second for each of our sentences, which are all alike, however fast this machine is."""

    def learn(self, cost: float, seconds: float) -> None:
        pass

    def seconds(self, cost: float) -> float:
        return cost / (100 + len(SENTENCE.source) + len(SENTENCE.target))

    def fits(self, cost: float) -> bool:
        return True


@pytest.fixture
def queue() -> Iterator[ModelQueue]:
    queue = ModelQueue(MOST, FixedPace())
    yield queue
    queue.close()


class Clients:
    """Clients in threads of their own, each of which is in the queue before the next one asks."""

    def __init__(self, queue: ModelQueue) -> None:
        self._queue, self._threads = queue, ThreadPoolExecutor(16)

    @contextmanager
    def while_busy(self) -> Iterator[None]:
        """What is asked in the block waits until its end."""
        begun, gate = threading.Event(), threading.Event()

        def work() -> bool:
            begun.set()
            return gate.wait(10)

        busy = self._threads.submit(self._queue.ask, work, 10)
        assert begun.wait(10)
        yield
        gate.set()
        assert busy.result(10)

    def project(
        self,
        projector: FixedProjector,
        asked: Sequence[ParallelSentence],
        seconds: float = 99,
        gone: Callable[[], bool] = bool,
    ) -> Future[list[ProjectedSentence | None]]:
        return self._waits(lambda: self._queue.project(projector, asked, seconds, gone), len(asked))

    def ask(
        self, work: Callable[[], object], seconds: float = 10, gone: Callable[[], bool] = bool
    ) -> Future[object]:
        return self._waits(lambda: self._queue.ask(work, seconds, gone), 1)

    def _waits(self, ask: Callable[[], object], more: int) -> Future:  # type: ignore[type-arg]  # of any answer
        before = self._queue.waiting
        asked = self._threads.submit(ask)
        wait_until(lambda: self._queue.waiting == before + more or asked.done())
        return asked


@pytest.fixture
def clients(queue: ModelQueue) -> Clients:
    return Clients(queue)


def test_requests_that_wait_are_projected_together_and_each_gets_its_own(clients: Clients) -> None:
    projector = FixedProjector()
    with clients.while_busy():
        asked = {name: clients.project(projector, sentences(name, 2)) for name in "abc"}
    for name, answer in asked.items():
        found = [each.sentence for each in answer.result(10) if each]
        assert found == sentences(name, 2)
    assert projector.turns == [("a0", "a1", "b0", "b1"), ("c0", "c1")]


def test_a_small_request_waits_for_one_turn_of_a_large_one(clients: Clients) -> None:
    projector = FixedProjector()
    with clients.while_busy():
        large = clients.project(projector, sentences("large", 9))
        small = clients.project(projector, sentences("small", 1))
    assert [each and each.sentence.id for each in large.result(10)] == [
        f"large{n}" for n in range(9)
    ]
    small.result(10)
    assert [len(turn) for turn in projector.turns] == [4, 4, 2]
    assert projector.turns[1][0] == "small0"


def test_an_annotator_comes_before_all_batches(clients: Clients) -> None:
    projector, turns_before = FixedProjector(), []
    with clients.while_busy():
        batch = clients.project(projector, sentences("batch", 3))
        drawn = clients.ask(lambda: turns_before.append(len(projector.turns)))
    drawn.result(10)
    assert turns_before == [0]
    assert len(batch.result(10)) == 3


def test_a_turn_has_one_model_and_no_request_is_answered_by_another(clients: Clients) -> None:
    """While one model is replaced by another, requests of both wait."""
    old, new = FixedProjector("old"), FixedProjector("new")
    with clients.while_busy():
        asked = [clients.project(each, sentences("s", 3)) for each in (old, new, old, new)]
    versions = [{each.model_version for each in one.result(10) if each} for one in asked]
    assert versions == [{"old"}, {"new"}, {"old"}, {"new"}]
    assert [len(turn) for turn in (*old.turns, *new.turns)] == [4, 2, 4, 2]


def test_what_a_client_has_left_is_not_projected_and_takes_no_place(
    clients: Clients, queue: ModelQueue
) -> None:
    projector, left = FixedProjector(), threading.Event()
    with clients.while_busy():
        gone = clients.project(projector, sentences("gone", 5), gone=left.is_set)
        drawn = clients.ask(lambda: projector.turns.append(("drawn",)), gone=left.is_set)
        stays = clients.project(projector, sentences("stays", 1))
        left.set()
        assert queue.waiting == 1
        for answer in (gone, drawn):
            with pytest.raises(ClientGoneError):
                answer.result(10)
    assert len(stays.result(10)) == 1
    assert projector.turns == [("stays0",)]


def test_a_model_that_is_replaced_is_freed_with_its_last_request(clients: Clients) -> None:
    """However that ended: garbage is collected too seldom for so much memory."""
    projector, left = FixedProjector(), threading.Event()
    kept = weakref.ref(projector)
    gc.disable()
    try:
        with clients.while_busy():
            asked = [
                clients.project(projector, sentences("gone", 1), gone=left.is_set),
                clients.project(projector, sentences("refused", 9), seconds=1),
                clients.project(projector, sentences("stays", 1)),
            ]
            left.set()
        for answer in asked:
            with suppress(ClientGoneError, BusyError):
                answer.result(10)
        del projector, asked, answer
        wait_until(lambda: kept() is None, 10)
    finally:
        gc.enable()


def test_what_is_not_answered_in_time_is_given_up() -> None:
    queue, projector = ModelQueue(MOST), FixedProjector()  # nothing is known of its pace
    clients = Clients(queue)
    with clients.while_busy():
        batch = clients.project(projector, sentences("late", 2), seconds=0.02)
        with pytest.raises(NotReadyError, match=r"0 of 2 sentences in 0 s\. Ask for fewer tasks"):
            batch.result(10)
        drawn = clients.ask(projector.turns.clear, seconds=0.02)
        with pytest.raises(NotReadyError, match=r"no answer in 0 s\. Draw again"):
            drawn.result(10)
        assert queue.waiting == 0
    assert projector.turns == []
    queue.close()


def test_what_cannot_be_answered_in_time_is_refused_at_once(
    clients: Clients, queue: ModelQueue
) -> None:
    projector = FixedProjector()
    with clients.while_busy():
        for name in ("a", "b"):
            clients.project(projector, sentences(name, 20), seconds=50)
        # Every request gets its turn, so one sentence waits for one of each of the others.
        few = clients.project(projector, sentences("few", 1), seconds=3.1)
        with pytest.raises(BusyError, match="20 sentences would take 61 s now") as refused:
            queue.project(projector, sentences("many", 20), 50)
        assert refused.value.retry_after == 11
        with pytest.raises(BusyError) as refused:
            queue.project(projector, sentences("never", 900), 50)
        assert refused.value.retry_after == 60
        assert queue.waiting == 41
    assert len(few.result(10)) == 1


def test_a_sentence_the_model_cannot_read_whole_leaves_a_gap(queue: ModelQueue) -> None:
    long = replace(SENTENCE, source=SENTENCE.source + "x" * LONGEST)
    projected = queue.project(FixedProjector(), [SENTENCE, long, long, SENTENCE], 99)
    assert [each is not None for each in projected] == [True, False, False, True]


class Picky(FixedProjector):
    """Fails at some sentences, and loses others."""

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        if any("bad" in sentence.id for sentence in sentences):
            raise LookupError("a bad one")
        return super().project([each for each in sentences if "lost" not in each.id])


def test_a_request_that_fails_costs_no_other_its_answer(clients: Clients) -> None:
    projector = Picky()
    with clients.while_busy():
        asked = [clients.project(projector, sentences(name, 1)) for name in ("bad", "lost", "good")]
    with pytest.raises(LookupError, match="a bad one"):
        asked[0].result(10)
    # Results are paired by position: one too few would put entities into other sentences.
    with pytest.raises(ValueError, match="1 sentences gave 0 results"):
        asked[1].result(10)
    assert len(asked[2].result(10)) == 1


def test_an_error_in_an_answer_for_an_annotator_is_told_to_whoever_asked(
    queue: ModelQueue,
) -> None:
    with pytest.raises(ZeroDivisionError):
        queue.ask(lambda: 1 / 0, 10)
    assert queue.ask(lambda: 7, 10) == 7


def test_closing_finishes_what_has_begun_and_refuses_the_rest(
    clients: Clients, queue: ModelQueue
) -> None:
    with clients.while_busy():
        waiting = [
            clients.project(FixedProjector(), sentences("batch", 1)),
            clients.ask(lambda: 1),
        ]
        queue.close()
        for answer in waiting:
            with pytest.raises(NotReadyError, match="is stopping"):
                answer.result(10)
    with pytest.raises(NotReadyError, match="is stopping"):
        queue.ask(lambda: 1, 10)
