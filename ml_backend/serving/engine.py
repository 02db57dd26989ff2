"""The model that answers, swapped without letting a request wait for the load."""

import importlib
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ml_backend.serving.memory import trim_memory
from ml_backend.serving.model_queue import ModelQueue, NotReadyError
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import PREFIX, Settings, SettingsError
from projection.errors import SpanferryError

if TYPE_CHECKING:
    # For types alone: a process that only records webhooks or answers /health needs no torch.
    from projection.protocols import ProjectsSentences

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0  # seconds between two tries to load the active model
FREED_SECONDS = 2.0  # that freeing a model takes at most, in the thread of its last request

Load = Callable[[Path | None], "ProjectsSentences"]
"""Loads the folder of a fine-tuned target model or teacher, or with None the bundled ones."""


class Engine:
    """The projector in use, and the `queue` of what waits for its answers.

    A thread loads the active model and follows the store's pointer: the model in use answers
    until the next one is ready, and stays if that cannot be loaded. Without any, the models that
    were active before are tried, then the bundled one. The active one is tried again at growing
    intervals. At most `turn` sentences are projected at a time.
    """

    def __init__(
        self, load: Load, store: ModelStore, *, poll_seconds: float = 2.0, turn: int = 32
    ) -> None:
        self.store, self.queue = store, ModelQueue(turn)
        self._load, self._poll_seconds = load, poll_seconds
        # The projector in use, and why the active one could not be loaded.
        self._state: tuple[ProjectsSentences | None, str | None] = (None, None)
        # The one before, as long as a request may use it.
        self._retired: weakref.ref[ProjectsSentences] | None = None
        self._trim_at = math.inf
        self._changed = threading.Condition()
        self._stop = threading.Event()
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
        """Stop the threads, and refuse what waits for an answer."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self.queue.close()

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
                self._trim_retired()

    def _trim_retired(self) -> None:
        """Return a model's memory to the system, some seconds after its last request."""
        now = time.monotonic()
        if self._retired is not None and self._retired() is None:
            self._retired, self._trim_at = None, now + FREED_SECONDS
        if now > self._trim_at:
            self._trim_at = math.inf
            trim_memory()

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
            before, self._state = self._state[0], state
            self._changed.notify_all()
        if before is not None and before is not state[0]:
            self._retired = weakref.ref(before)

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


def load_function(settings: Settings) -> Load:
    """Resolve `settings.loader` (`module:function`) and call it; SettingsError if there is none."""
    module, _, name = settings.loader.partition(":")
    try:
        make: Callable[[Settings], Load] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        fix = "It takes the form module:function"
        raise SettingsError(PREFIX + "LOADER", str(error), fix) from None
    return make(settings)
