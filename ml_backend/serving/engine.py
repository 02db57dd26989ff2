"""The model that answers, swapped without letting a request wait for the load."""

import importlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from ml_backend.serving.model_store import ModelStore
from ml_backend.serving.worker_thread import WorkerThread
from ml_backend.settings import PREFIX, Settings, SettingsError
from projection.errors import ServerError, SpanferryError
from projection.records import ParallelSentence, ProjectedSentence

if TYPE_CHECKING:
    # For types alone: a process that only records webhooks or answers /health needs no torch.
    from projection.protocols import ProjectsSentences

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_PAUSE = 60.0  # seconds between two tries to load the active model
TURN_CHARACTERS = 4000  # of the sentences of one turn; a single one may have more

Load = Callable[[Path | None], "ProjectsSentences"]
"""Loads the folder of a fine-tuned target model or teacher, or with None the bundled ones."""


class NotReadyError(ServerError):
    """The model cannot answer yet, or not in time."""


class ClientGoneError(ServerError):
    """Nobody waits for the answer any more."""


class Engine:
    """The projector in use.

    One thread loads the active model and follows the store's pointer: the model in use answers
    until the next one is ready, and stays if that cannot be loaded. Without any, the models that
    were active before are tried, then the bundled one. The active one is tried again at growing
    intervals. A second thread projects `turn` sentences at a time, because tokenizers are not
    thread-safe. Interactive requests precede queued batches.
    """

    def __init__(
        self, load: Load, store: ModelStore, *, poll_seconds: float = 2.0, turn: int = 4
    ) -> None:
        self.store = store
        self._load, self._poll_seconds, self._turn = load, poll_seconds, turn
        # The projector in use, and why the active one could not be loaded.
        self._state: tuple[ProjectsSentences | None, str | None] = (None, None)
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._worker = WorkerThread("project")
        self._follower = threading.Thread(target=self._follow, name="follow-store", daemon=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> Self:
        """Start to load the active model, and return at once."""
        self._follower.start()
        return self

    def close(self) -> None:
        """Stop the threads. A turn that has begun is finished, waiting ones are cancelled."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._worker.close()

    @property
    def model_version(self) -> str | None:
        """The version of the model in use; None until the first one is loaded."""
        projector, _ = self._state
        return None if projector is None else projector.model_version

    @property
    def degraded(self) -> str | None:
        """The reason why the active model is not in use; None if it is."""
        return self._state[1]

    def projector(self, wait: float) -> "ProjectsSentences":
        """Return the model in use; NotReadyError if there is none after `wait` seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stop.is_set() or self._state != (None, None), timeout=wait
            )
            projector, degraded = self._state
        if projector is not None:
            return projector
        if degraded is not None:
            raise NotReadyError("model", degraded, "Activate another model or fix this one")
        raise NotReadyError("model", "still loading", "Try again shortly")

    @property
    def waiting(self) -> int:
        """How many turns and questions wait for the model."""
        return self._worker.waiting

    def project(
        self,
        projector: "ProjectsSentences",
        sentences: Sequence[ParallelSentence],
        seconds: float,
        gone: Callable[[], bool] = bool,
    ) -> list[ProjectedSentence | None]:
        """Project in turns; None for one that does not fit.

        NotReadyError after `seconds`, ClientGoneError once `gone()`; then nothing more is computed.
        """
        deadline = time.monotonic() + seconds
        done: list[ProjectedSentence | None] = []
        for taken in turns(sentences, self._turn):
            turn = self._worker.submit(_unless(gone, partial(project_fitting, projector, taken)))
            what = f"{len(done)} of {len(sentences)} sentences in {seconds:.0f} s"
            fix = "Ask for fewer tasks at once, or pre-annotate with `spanferry push`"
            projected = _awaited(turn, deadline - time.monotonic(), what, fix)
            done += projected
        return done

    def ask(self, question: Callable[[], T], seconds: float, gone: Callable[[], bool] = bool) -> T:
        """Return `question()`, run before all queued batches; raises as `project`."""
        turn = self._worker.submit(_unless(gone, question), urgent=True)
        return _awaited(turn, seconds, f"no answer in {seconds:.0f} s", "Draw again in a moment")

    def _follow(self) -> None:
        """Load the active model whenever the pointer changes, until closed."""
        pause = self._poll_seconds
        while not self._stop.is_set():
            # Read before loading: a change during the load is seen at the next look.
            seen = self.store.stamp()
            self._reload()
            pause = min(2 * pause, LONGEST_PAUSE) if self.degraded else self._poll_seconds
            again = time.monotonic() + pause if self.degraded else math.inf
            while self.store.stamp() == seen and time.monotonic() < again:
                if self._stop.wait(self._poll_seconds):
                    return

    def _reload(self) -> None:
        """Load the active model, or else see that some model answers."""
        state: tuple[ProjectsSentences | None, str | None]
        try:
            state = self._loaded(self.store.active()), None
        except Exception as error:  # whatever a checkpoint holds, the model in use stays
            said = str(error) if isinstance(error, SpanferryError) else repr(error)
            if said != self.degraded:
                log.exception("The active model cannot be loaded; in use: %s", self.model_version)
            state = self._state[0] or self._fallback(), said
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def _fallback(self) -> "ProjectsSentences | None":
        """Load the newest model that was active before and still can be loaded."""
        for target in self.store.before():
            try:
                return self._loaded(target)
            except Exception:
                log.exception("A model that was active before cannot be loaded either")
        return None

    def _loaded(self, target: Path | None) -> "ProjectsSentences":
        started = time.monotonic()
        projector = self._load(target)
        name = "the bundled model" if target is None else target.name
        took = time.monotonic() - started
        log.info("Serving %s as %s, loaded in %.1f s", name, projector.model_version, took)
        return projector


def _unless(gone: Callable[[], bool], work: Callable[[], T]) -> Callable[[], T]:
    """Return `work`, but for a client that has left when its turn comes."""

    def turn() -> T:
        if gone():
            raise ClientGoneError("/predict", "the client has left")
        return work()

    return turn


def turns(sentences: Sequence[ParallelSentence], most: int) -> Iterator[list[ParallelSentence]]:
    """Yield sentences by up to `most`, fewer if they are long."""
    turn: list[ParallelSentence] = []
    characters = 0
    for sentence in sentences:
        length = len(sentence.source) + len(sentence.target)
        if turn and (len(turn) == most or characters + length > TURN_CHARACTERS):
            yield turn
            turn, characters = [], 0
        turn.append(sentence)
        characters += length
    if turn:
        yield turn


def _awaited(turn: Future[T], seconds: float, what: str, fix: str) -> T:
    try:
        return turn.result(timeout=max(0.0, seconds))
    except TimeoutError:
        turn.cancel()
        raise NotReadyError("/predict", what, fix) from None


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


def load_function(settings: Settings) -> Load:
    """Resolve `settings.loader` (`module:function`) and call it; SettingsError if there is none."""
    module, _, name = settings.loader.partition(":")
    try:
        make: Callable[[Settings], Load] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        fix = "It takes the form module:function"
        raise SettingsError(PREFIX + "LOADER", str(error), fix) from None
    return make(settings)
