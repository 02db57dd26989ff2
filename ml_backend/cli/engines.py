"""Models for `spanferry project`, in this process and in others."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ml_backend.settings import cpu_count
from projection.pipeline.conflicts import CHECKS, PAPER_CHECKS, Check, Policy
from projection.pipeline.engines import Engine
from projection.pipeline.workers import workers

if TYPE_CHECKING:
    from projection.pipeline.projector import Projector

# As published, sentences are dropped by the paper's three rules only; low confidence is for review.
CHECKS_UNDER: Mapping[Policy, Sequence[Check]] = {Policy.DROP: PAPER_CHECKS, Policy.FLAG: CHECKS}


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
    count: int, load: "partial[Projector]", model_version: str, policy: Policy
) -> Engine | None:
    """Return the engine of so many processes; None for this one."""
    if count == 1:
        return None
    return workers(partial(load, workers=count), count, model_version, policy)
