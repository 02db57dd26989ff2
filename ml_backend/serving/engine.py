"""Holds the model that answers, and swaps it without letting a request wait for the load."""

import importlib
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from ml_backend.serving.model_store import ModelStore
from ml_backend.serving.worker_thread import Turns
from ml_backend.settings import PREFIX, Settings, SettingsError
from projection.errors import ServerError, SpanferryError
from projection.records import ParallelSentence, ProjectedSentence

if TYPE_CHECKING:
    # For types alone: a process that only records webhooks or answers /health needs no torch.
    from projection.protocols import ProjectsSentences

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_PAUSE = 60.0  # seconds between two tries to load the first model

# Folder of a fine-tuned target model, or None for the bundled one.
Load = Callable[[Path | None], "ProjectsSentences"]


class NotReadyError(ServerError):
    """The model cannot answer yet, or not in time."""


@dataclass(frozen=True, slots=True)
class _State:
    """What the engine has. `degraded` says why the model it should have could not be loaded."""

    projector: "ProjectsSentences | None" = None
    degraded: str | None = None


class Engine:
    """The projector in use.

    One background thread loads the active model and follows the store's pointer: the model in use
    answers until the next one is ready, and stays when the next one cannot be loaded. While there
    is none to answer, loading is tried again and again, at growing intervals. A second
    thread does all projecting, a turn of sentences at a time, so that tokenizers (which are not
    thread-safe) and CPU threads are used by one request at a time. Whoever is annotating comes
    next, however many batches wait.
    """

    def __init__(
        self, load: Load, store: ModelStore, *, poll_seconds: float = 2.0, turn: int = 4
    ) -> None:
        self._load, self._store = load, store
        self._poll_seconds, self._turn = poll_seconds, turn
        self._state = _State()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._turns = Turns("project")
        self._follower = threading.Thread(target=self._follow, name="follow-store", daemon=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> Self:
        """Begin to load the active model. Returns at once."""
        self._follower.start()
        return self

    def close(self) -> None:
        """Stop following the store; a turn that has begun is finished, waiting ones are not."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._turns.close()

    @property
    def model_version(self) -> str | None:
        """Version of the model that answers now; None until the first one is loaded."""
        projector = self._state.projector
        return None if projector is None else projector.model_version

    @property
    def degraded(self) -> str | None:
        """Why the active model is not the one that answers; None when all is well."""
        return self._state.degraded

    @property
    def stored_versions(self) -> tuple[str, ...]:
        """The fine-tuned models one could activate."""
        return self._store.versions()

    @property
    def active_version(self) -> str:
        """The version that should answer: a stored one, or the bundled one.

        Raises:
            ModelError: if the store's pointer is unreadable.
        """
        return self._store.active_version()

    def projector(self, wait: float) -> "ProjectsSentences":
        """The model that answers now, after at most `wait` seconds for the first one to load.

        Raises:
            NotReadyError: if there is still none, or it cannot be loaded.
        """
        with self._changed:
            self._changed.wait_for(self._settled, timeout=wait)
            state = self._state
        if state.projector is not None:
            return state.projector
        if state.degraded is not None:
            raise NotReadyError("model", state.degraded, "Activate another model or fix this one")
        raise NotReadyError("model", "still loading", "Try again shortly")

    def project(
        self,
        projector: "ProjectsSentences",
        sentences: Sequence[ParallelSentence],
        seconds: float,
    ) -> list[ProjectedSentence | None]:
        """Project `sentences` in turns, all with the same model.

        Returns:
            One result a sentence, in order; None for one the model cannot read whole.

        Raises:
            NotReadyError: if that takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        done: list[ProjectedSentence | None] = []
        for start in range(0, len(sentences), self._turn):
            taken = sentences[start : start + self._turn]
            turn = self._turns.submit(partial(project_fitting, projector, taken))
            try:
                done += turn.result(timeout=max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                turn.cancel()
                what = f"{len(done)} of {len(sentences)} sentences in {seconds:.0f} s"
                fix = "Ask for fewer tasks at once, or pre-annotate with `spanferry push`"
                raise NotReadyError("/predict", what, fix) from None
        return done

    def ask(self, question: Callable[[], T], seconds: float) -> T:
        """What `question` returns, asked of a model for someone who is waiting: before all batches.

        Raises:
            NotReadyError: if that takes longer than `seconds`.
        """
        turn = self._turns.submit(question, urgent=True)
        try:
            return turn.result(timeout=max(0.0, seconds))
        except TimeoutError:
            turn.cancel()
            what = f"no answer in {seconds:.0f} s"
            raise NotReadyError("/predict", what, "Draw again in a moment") from None

    def _settled(self) -> bool:
        state = self._state
        return self._stop.is_set() or state.projector is not None or state.degraded is not None

    def _become(self, state: _State) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def _follow(self) -> None:
        """Load what the pointer names whenever it changed, until closed."""
        pause = self._poll_seconds
        while not self._stop.is_set():
            # Read before loading: a change during the load is seen at the next look.
            seen = self._store.stamp()
            self._reload()
            again = time.monotonic() + pause if self._state.projector is None else math.inf
            while self._store.stamp() == seen and time.monotonic() < again:
                if self._stop.wait(self._poll_seconds):
                    return
            pause = min(2 * pause, LONGEST_PAUSE)

    def _reload(self) -> None:
        started = time.monotonic()
        try:
            target = self._store.active()
            projector = self._load(target)
        except Exception as error:  # whatever a checkpoint holds, the model in use goes on
            said = str(error) if isinstance(error, SpanferryError) else repr(error)
            log.exception("The active model cannot be loaded; %s", self._meanwhile())
            self._become(replace(self._state, degraded=said))
            return
        name = "the bundled model" if target is None else target.name
        took = time.monotonic() - started
        log.info("Serving %s as %s, loaded in %.1f s", name, projector.model_version, took)
        self._become(_State(projector))

    def _meanwhile(self) -> str:
        version = self.model_version
        return "nothing answers meanwhile" if version is None else f"{version} goes on answering"


def project_fitting(
    projector: "ProjectsSentences", sentences: Sequence[ParallelSentence]
) -> list[ProjectedSentence | None]:
    """Project the sentences that fit; None stands for each of the others.

    Raises:
        ValueError: if the projector loses one, which would put entities into other sentences.
    """
    fit = [projector.fits(sentence) for sentence in sentences]
    fitting = [sentence for sentence, fits in zip(sentences, fit, strict=True) if fits]
    projected = projector.project(fitting) if fitting else []
    if len(projected) != len(fitting):
        raise ValueError(f"{len(fitting)} sentences gave {len(projected)} results")
    results = iter(projected)
    return [next(results) if fits else None for fits in fit]


def load_function(settings: Settings) -> Load:
    """Resolve `settings.loader` (`module:function`) and let it make the function that loads.

    Raises:
        SettingsError: if there is no such function.
    """
    module, _, name = settings.loader.partition(":")
    try:
        make: Callable[[Settings], Load] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            PREFIX + "LOADER", str(error), "It takes the form module:function"
        ) from None
    return make(settings)
