"""Models for `spanferry project`, in this process and in others."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from ml_backend.settings import cpu_count
from projection.pipeline.conflicts import CHECKS, PAPER_CHECKS, Check, Policy
from projection.pipeline.engines import Engine
from projection.pipeline.ray_workers import ray_workers
from projection.pipeline.workers import workers

if TYPE_CHECKING:
    from projection.pipeline.projector import Projector

# As published, sentences are dropped by the paper's three rules only; low confidence is for review.
CHECKS_UNDER: Mapping[Policy, Sequence[Check]] = {Policy.DROP: PAPER_CHECKS, Policy.FLAG: CHECKS}


class EngineName(StrEnum):
    """Where sentences are projected."""

    LOCAL = "local"
    RAY = "ray"


def load_projector(
    *,
    policy: Policy,
    teacher: str | None,
    aligner: str | None,
    labels: Mapping[str, str] | None,
    suppress: Collection[str],
    types: Sequence[str],
    workers: int = 1,
) -> "Projector":
    """Load the models; one of several `workers` computes with its share of the CPUs."""
    # torch takes seconds to import, which `--help` should not.
    import torch  # noqa: PLC0415

    from projection.pipeline.projector import Projector  # noqa: PLC0415

    if workers > 1:
        torch.set_num_threads(max(1, min(cpu_count(), torch.get_num_threads()) // workers))
    checks = CHECKS_UNDER[policy]
    return Projector.load(
        teacher, aligner, labels=labels, suppress=suppress, checks=checks, types=types
    )


def engine_of(
    name: EngineName, count: int, load: "partial[Projector]", policy: Policy
) -> AbstractContextManager[Engine | None]:
    """Return so many workers, to be started; None as their engine stands for this process."""
    if name is EngineName.LOCAL and count == 1:
        return nullcontext()
    make = ray_workers if name is EngineName.RAY else workers
    return make(partial(load, workers=count), count, policy)
