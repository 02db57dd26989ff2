"""What waits for the model, and the thread that asks it: sentences of many requests at a time."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from ml_backend.serving.pace import Pace, cost_of
from projection.errors import ServerError
from projection.records import ParallelSentence, ProjectedSentence

if TYPE_CHECKING:
    # For types alone: a process that only records webhooks or answers /health needs no torch.
    from projection.protocols import ProjectsSentences

T = TypeVar("T")

LONGEST_RETRY = 60  # seconds

_FEWER = "Ask for fewer tasks at once, or pre-annotate with `spanferry push`"


class NotReadyError(ServerError):
    """The model cannot answer yet, or not in time. Another try may succeed after some seconds."""

    def __init__(self, where: str, what: str, fix: str = "", *, retry_after: int = 5) -> None:
        super().__init__(where, what, fix)
        self.retry_after = retry_after


class BusyError(NotReadyError):
    """More waits for the model than can be answered in time."""


class ClientGoneError(ServerError):
    """Nobody waits for the answer any more."""


@dataclass(eq=False, kw_only=True)
class _Waiting:
    """What a client waits for, unless it is gone, and its answer or error once it is `over`."""

    gone: Callable[[], bool]
    over: threading.Event = field(default_factory=threading.Event)
    answer: Any = None
    error: BaseException | None = None

    def end(self, answer: object = None, error: BaseException | None = None) -> None:
        """Answer, unless it is over. Call this under the lock of the queue."""
        if not self.over.is_set():
            self.answer, self.error = answer, error
            self.over.set()


@dataclass(eq=False)
class _Question(_Waiting):
    """What is asked for an annotator."""

    work: Callable[[], Any]


@dataclass(eq=False)
class _Request(_Waiting):
    """Sentences to project. Those that `done` has no answer for are waiting, and cost `cost`."""

    projector: "ProjectsSentences"
    sentences: Sequence[ParallelSentence]
    cost: int
    done: list[ProjectedSentence | None] = field(default_factory=list)


_Turn = dict[_Request, list[ParallelSentence]]


class ModelQueue:
    """A thread that asks the model, because tokenizers are not thread-safe.

    Questions of annotators come first, then sentences in turns of up to `most`, and of about
    TURN_SECONDS if these are less. A turn has sentences of as many requests as fit into it; a
    request with more of them goes behind the others. Nothing is asked for a client that has left.
    """

    def __init__(self, most: int, pace: Pace | None = None) -> None:
        self._most, self._pace = most, pace or Pace()
        self._questions: deque[_Question] = deque()
        self._requests: list[_Request] = []
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._run, name="ask-model", daemon=True).start()

    def project(
        self,
        projector: "ProjectsSentences",
        sentences: Sequence[ParallelSentence],
        seconds: float,
        gone: Callable[[], bool] = bool,
    ) -> list[ProjectedSentence | None]:
        """Project sentences; None for one that does not fit.

        BusyError at once if that would take longer than `seconds`, NotReadyError if it has,
        ClientGoneError once `gone()`.
        """
        if not sentences:
            return []
        request = _Request(projector, sentences, sum(map(cost_of, sentences)), gone=gone)
        with self._changed:
            self._require_open()
            self._forget_left()
            self._require_time(request, seconds)
            self._requests.append(request)
            self._changed.notify()
        if not request.over.wait(max(0.0, seconds)):
            what = f"{len(request.done)} of {len(sentences)} sentences in {seconds:.0f} s"
            self._end(request, error=NotReadyError("/predict", what, _FEWER))
        answers: list[ProjectedSentence | None] = _answer_of(request)
        return answers

    def ask(self, work: Callable[[], T], seconds: float, gone: Callable[[], bool] = bool) -> T:
        """Return `work()`, done before all sentences that wait; raises as `project`."""
        question = _Question(work, gone=gone)
        with self._changed:
            self._require_open()
            self._questions.append(question)
            self._changed.notify()
        if not question.over.wait(max(0.0, seconds)):
            what, fix = f"no answer in {seconds:.0f} s", "Draw again in a moment"
            self._end(question, error=NotReadyError("/predict", what, fix))
        answer: T = _answer_of(question)
        return answer

    @property
    def waiting(self) -> int:
        """How many sentences and questions wait."""
        with self._changed:
            self._forget_left()
            sentences = (len(each.sentences) - len(each.done) for each in self._requests)
            return len(self._questions) + sum(sentences)

    def close(self) -> None:
        """Refuse what waits, and return at once. A turn that has begun is finished, and dropped."""
        with self._changed:
            self._closed = True
            for each in self._all():
                each.end(error=NotReadyError("model", "the backend is stopping"))
            self._changed.notify()

    def _require_open(self) -> None:
        if self._closed:
            raise NotReadyError("model", "the backend is stopping")

    def _require_time(self, request: _Request, seconds: float) -> None:
        """Raise BusyError unless there is time for a request.

        All take turns, so each of the others costs it as much as itself at most.
        """
        others = sum(min(each.cost, request.cost) for each in self._requests)
        needed = self._pace.seconds(request.cost + others)
        if needed > seconds:
            what = f"{len(request.sentences)} sentences would take {needed:.0f} s now"
            retry = math.ceil(min(needed - seconds, LONGEST_RETRY))
            raise BusyError("/predict", what, _FEWER, retry_after=retry)

    def _run(self) -> None:
        while self._do_next():
            pass  # without a reference to a model that may have been replaced

    def _do_next(self) -> bool:
        """Wait for something to do, and do it; return False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._questions or self._requests)
            if self._closed:
                return False
            self._forget_left()
            question = self._questions.popleft() if self._questions else None
            turn = {} if question else self._next_turn()
        if question:
            self._answer(question)
        elif turn:
            self._project(turn)
        return True

    def _answer(self, question: _Question) -> None:
        try:
            answer = question.work()
        except BaseException as error:  # whoever waits gets it, the thread goes on
            self._end(question, error=error)
        else:
            self._end(question, answer)

    def _next_turn(self) -> _Turn:
        """Return what comes next of each request, all for one projector."""
        turn: _Turn = {}
        cost = count = 0
        for request in self._requests:
            if request.projector is not self._requests[0].projector:
                continue
            for sentence in islice(request.sentences, len(request.done), None):
                cost += cost_of(sentence)
                count += 1
                if turn and (count > self._most or not self._pace.fits(cost)):
                    return turn
                turn.setdefault(request, []).append(sentence)
        return turn

    def _project(self, turn: _Turn) -> None:
        """Project a turn; if that fails, each request alone: none costs another its answer."""
        sentences = [sentence for part in turn.values() for sentence in part]
        projector = next(iter(turn)).projector
        began = time.monotonic()
        try:
            projected = project_fitting(projector, sentences)
        except BaseException as error:
            for request, part in turn.items():
                if len(turn) > 1:
                    self._project({request: part})
                else:
                    self._end(request, error=error)
            return
        took = time.monotonic() - began
        read = [s for s, found in zip(sentences, projected, strict=True) if found is not None]
        with self._changed:
            self._pace.learn(sum(map(cost_of, read)), took)
            self._hand_out(turn, iter(projected))

    def _hand_out(self, turn: _Turn, projected: Iterator[ProjectedSentence | None]) -> None:
        """Give each request its part; those with more to do go behind the others."""
        for request, part in turn.items():
            request.done += islice(projected, len(part))
            request.cost -= sum(map(cost_of, part))
            if len(request.done) == len(request.sentences):
                request.end(request.done)
        others = [each for each in self._requests if each not in turn]
        self._requests = [*others, *(each for each in turn if not each.over.is_set())]

    def _end(
        self, waiting: _Waiting, answer: object = None, error: BaseException | None = None
    ) -> None:
        with self._changed:
            waiting.end(answer, error)

    def _all(self) -> list[_Waiting]:
        return [*self._questions, *self._requests]

    def _forget_left(self) -> None:
        """Drop what nobody waits for any more."""
        for each in self._all():
            if each.gone():
                each.end(error=ClientGoneError("/predict", "the client has left"))
        self._questions = deque(each for each in self._questions if not each.over.is_set())
        self._requests = [each for each in self._requests if not each.over.is_set()]


def project_fitting(
    projector: "ProjectsSentences", sentences: Sequence[ParallelSentence]
) -> list[ProjectedSentence | None]:
    """Project the sentences that fit; None stands for each of the others."""
    fit = [projector.fits(sentence) for sentence in sentences]
    fitting = [sentence for sentence, fits in zip(sentences, fit, strict=True) if fits]
    projected = projector.project(fitting) if fitting else []
    if len(projected) != len(fitting):  # would put entities into other sentences
        raise ValueError(f"{len(fitting)} sentences gave {len(projected)} results")
    results = iter(projected)
    return [next(results) if fits else None for fits in fit]


def _answer_of(waiting: _Waiting) -> Any:
    """Return the answer, or raise the error, without a circle of error, frames and model.

    A model that has been replaced would stay in memory until garbage is collected.
    """
    error, waiting.error = waiting.error, None
    try:
        if error is not None:
            raise error
        return waiting.answer
    finally:
        del error
