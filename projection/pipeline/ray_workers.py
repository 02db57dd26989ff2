"""The engine of a Ray cluster, or of a local one: an actor a worker, each with its own models.

https://docs.ray.io/en/latest/ray-core/actors.html
"""

import logging
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from projection.errors import RunError, SpanferryError
from projection.pipeline.conflicts import Policy
from projection.pipeline.engines import (
    Batch,
    Engine,
    LoadProjector,
    failed,
    in_order,
    project_batch,
)
from projection.pipeline.run_summary import RunRow

log = logging.getLogger(__name__)

_RETRIES = 2  # of a batch whose machine is lost
_PATIENCE = 30.0  # seconds until it is said that no machine is free


def check_ray() -> None:
    """Raise RunError if Ray is not installed."""
    if find_spec("ray") is None:
        raise RunError("--engine ray", "Ray is not installed", "pip install 'spanferry[ray]'")


@contextmanager
def ray_workers(load: LoadProjector, count: int, policy: Policy) -> Iterator[Engine]:
    """Start up to `count` actors of one CPU, which load the models; yield their engine.

    They join as the cluster has room for them. The cluster is that of RAY_ADDRESS, else one on this
    machine. A batch whose machine is lost is done again elsewhere; RunError if that fails, too, or
    Ray is not installed.
    """
    check_ray()
    pool = _Actors()
    try:
        pool.start(load, count, policy)
        yield pool.engine
    finally:
        pool.stop()


class _Stage:
    """`project_batch` in an actor."""

    def __init__(self, load: LoadProjector, policy: Policy) -> None:
        self._projector, self._policy = load(), policy

    def project(self, batch: Batch) -> list[RunRow]:
        """The lines of a batch."""
        return project_batch(batch, self._projector, self._policy)


class _Actors:
    """A pool for `in_order`, which grows while actors start."""

    def __init__(self) -> None:
        import ray  # noqa: PLC0415  an extra, which takes seconds

        self._ray, self._ours = ray, not ray.is_initialized()
        self._all: list[Any] = []
        self._idle: list[Any] = []
        self._starting: dict[Any, Any] = {}  # by the answer that is waited for
        self._busy: dict[Any, tuple[Any, int, Batch]] = {}

    @property
    def size(self) -> int:
        """How many have started."""
        return len(self._idle) + len(self._busy)

    def start(self, load: LoadProjector, count: int, policy: Policy) -> None:
        """Ask for all actors."""
        if self._ours:
            local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": count}
            quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
            self._ray.init(include_dashboard=False, **quiet, **local)
        options = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": _RETRIES}
        stage = self._ray.remote(**options)(_Stage)
        for _ in range(count):
            self._all.append(actor := stage.remote(load, policy))
            self._starting[actor.__ray_ready__.remote()] = actor

    def engine(self, batches: Iterator[Batch]) -> Generator[list[RunRow], None, None]:
        """Wait for the first actor, and project."""
        while not self.size:
            self.take()
        yield from in_order(batches, self)

    def give(self, number: int, batch: Batch) -> None:
        """Hand a batch to an actor that has none."""
        actor = self._idle.pop()
        self._busy[actor.project.remote(batch)] = actor, number, batch

    def take(self) -> list[tuple[int, list[RunRow]]]:
        """Wait for a batch, or for an actor that has started."""
        answer = self._first_answer([*self._busy, *self._starting])
        if (started := self._starting.pop(answer, None)) is not None:
            self._idle.append(started)
            return []
        actor, number, batch = self._busy.pop(answer)
        try:
            rows = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            if (cause := getattr(error, "cause", None)) is None:
                what = f"was lost {_RETRIES + 1} times ({type(error).__name__})"
                raise failed(batch, f"{what}: was the memory full?") from error
            name = "" if isinstance(cause, SpanferryError) else f"{type(cause).__name__}: "
            raise failed(batch, f"failed ({name}{cause})") from error
        self._idle.append(actor)
        return [(number, rows)]

    def _first_answer(self, waiting: list[Any]) -> Any:
        found, _ = self._ray.wait(waiting, timeout=_PATIENCE)
        if not found and not self.size:
            log.warning("Waiting for the Ray cluster to start a worker: has it a free CPU?")
        [answer] = found or self._ray.wait(waiting)[0]
        return answer

    def stop(self) -> None:
        """End the actors, and the cluster if it was started here."""
        for actor in self._all:
            self._ray.kill(actor)
        if self._ours:
            self._ray.shutdown()
