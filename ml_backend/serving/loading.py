"""How the served projector is made. Imports torch only when a model is wanted."""

import math
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ml_backend.serving.memory import keep_loaded
from ml_backend.serving.model_store import TEACHER
from ml_backend.settings import Settings, label_table
from projection.errors import ModelError, SpanferryError
from projection.models.teacher import check_teacher
from projection.records import ParallelSentence

if TYPE_CHECKING:
    from ml_backend.serving.engine import Load
    from projection.pipeline.projector import Projector
    from projection.protocols import ProjectsSentences


def projector_loader(settings: Settings) -> "Load":
    """Return the function that loads the projector of the settings.

    Teacher and aligner are loaded once: another model is served sooner, and needs less memory while
    the one before still answers. ModelError if the teacher cannot be as the settings say.
    """
    check_teacher(settings.teacher, settings.types)

    @cache
    def without_target_model() -> "Projector":
        # Else threads of torch that wait for each other keep the CPU from whatever else needs it.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import torch  # noqa: PLC0415  # takes seconds, which the start of a worker has not

        from projection.pipeline.projector import Projector  # noqa: PLC0415  # needs torch

        torch.set_num_threads(settings.cpu_threads)
        return Projector.load(
            settings.teacher,
            settings.aligner,
            labels=label_table(settings.labels),
            suppress=settings.suppress,
            types=settings.types,
        )

    def load(target: Path | None) -> "ProjectsSentences":
        projector = without_target_model()
        if target is not None:
            from projection.models.tagger import Tagger  # noqa: PLC0415  # needs torch

            tagger = Tagger.from_pretrained(target).for_answers()
            if (target / TEACHER).is_file():  # trained on the project's own types
                projector = projector.with_other_teacher(tagger)
            else:
                projector = projector.with_target_model(tagger)
        keep_loaded()
        return projector

    return load


_PROBE = ParallelSentence(
    id="probe",
    source="Ada Lovelace visited Berlin.",
    target="Ada Lovelace besuchte Berlin.",
    source_lang="en",
    target_lang="de",
    origin="probe",
)


def check_serves(load: "Load", target: Path | None) -> None:
    """Load a model and project a sentence; ModelError if that fails, for whatever reason."""
    where, fix = str(target or "the bundled model"), "The model in use stays"
    try:
        (projected,) = load(target).project([_PROBE])
    except SpanferryError:
        raise
    except Exception as error:
        said = (str(error).splitlines() or [""])[0]
        raise ModelError(where, f"cannot be served ({type(error).__name__}: {said})", fix) from None
    if not math.isfinite(projected.score):
        raise ModelError(where, "its scores are not numbers", fix)
