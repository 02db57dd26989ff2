"""How the served projector is made. Imports torch only when a model is wanted."""

from pathlib import Path
from typing import TYPE_CHECKING

from ml_backend.settings import Settings, label_table

if TYPE_CHECKING:
    from ml_backend.serving.engine import Load
    from projection.protocols import ProjectsSentences


def projector_loader(settings: Settings) -> "Load":
    """Return the function that loads the projector of the settings."""

    def load(target: Path | None) -> "ProjectsSentences":
        import torch  # noqa: PLC0415  # takes seconds, which the start of a worker has not

        from projection.pipeline.projector import Projector  # noqa: PLC0415  # needs torch

        torch.set_num_threads(settings.cpu_threads)
        return Projector.load(
            settings.teacher,
            settings.aligner,
            labels=label_table(settings.labels),
            suppress=settings.suppress,
            target_model=target,
        )

    return load
