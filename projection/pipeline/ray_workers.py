"""The engine of a Ray cluster, or of a local one: an actor a worker, each with its own models.

https://docs.ray.io/en/latest/ray-core/actors.html
"""

import logging
import os
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from typing import Any

from projection.errors import RunError, SpanferryError
from projection.pipeline.conflicts import Policy
from projection.pipeline.engines import (
    Batch,
    Engine,
    LoadProjector,
    WorkerStage,
    failed,
    in_order,
)
from projection.pipeline.run_summary import RunRow

log = logging.getLogger(__name__)

_RETRIES = 2  # of a batch whose machine is lost
_PATIENCE = 30.0  # seconds until it is said that no machine is free


def check_ray() -> None:
    """Raise RunError if Ray is not installed."""
    if find_spec("ray") is None:
        raise RunError("--engine ray", "Ray is not installed", "pip install 'spanferry[ray]'")


def ray_workers(load: LoadProjector, count: int, model_version: str, policy: Policy) -> Engine:
    """Return an engine of up to `count` actors of one CPU, which load the models of this version.

    They join as the cluster has room for them. The cluster is that of RAY_ADDRESS, else one on this
    machine. A batch whose machine is lost is done again elsewhere; RunError if that fails, too, or
    Ray is not installed.
    """
    check_ray()

    def engine(batches: Iterator[Batch]) -> Generator[list[RunRow], None, None]:
        pool = _Actors(count)
        try:
            pool.start(load, model_version, policy)
            yield from in_order(batches, pool)
        finally:
            pool.stop()

    return engine


class _Actors:
    """A pool for `in_order`, which grows while actors start."""

    def __init__(self, count: int) -> None:
        import ray  # noqa: PLC0415  an extra, which takes seconds

        self._ray, self._count = ray, count
        self._ours = not ray.is_initialized()
        if self._ours:
            local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": count}
            ray.init(
                log_to_driver=False,
                include_dashboard=False,
                logging_level=logging.ERROR,
                **local,
            )
        self._all: list[Any] = []
        self._idle: list[Any] = []
        self._starting: dict[Any, Any] = {}  # by the answer that is waited for
        self._busy: dict[Any, tuple[Any, int, Batch]] = {}

    @property
    def size(self) -> int:
        """How many have started."""
        return len(self._idle) + len(self._busy)

    def start(self, load: LoadProjector, model_version: str, policy: Policy) -> None:
        """Ask for all actors, and wait for the first."""
        options = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": _RETRIES}
        remote_stage = self._ray.remote(**options)(WorkerStage)
        for _ in range(self._count):
            self._all.append(actor := remote_stage.remote(load, model_version, policy))
            self._starting[actor.__ray_ready__.remote()] = actor
        while not self._idle:
            self.take()

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
