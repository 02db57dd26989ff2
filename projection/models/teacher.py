"""The teacher that finds the source entities: a token classifier, or GLiNER for any types."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from projection.errors import ModelError
from projection.io.annotations import label_fault
from projection.models import bundled
from projection.protocols import Tags
from projection.records import Entity, Span

GLINER = "gliner:"  # before the name of a GLiNER checkpoint
_SAY_TYPES = "--types, or SPANFERRY_BACKEND_TYPES"


def is_gliner(teacher: str | Path | None) -> bool:
    """Return whether a teacher is named as a GLiNER checkpoint: `gliner:FOLDER_OR_NAME`."""
    return str(teacher).startswith(GLINER)


def check_teacher(teacher: str | Path | None, types: Sequence[str]) -> None:
    """Raise ModelError unless types are named for a GLiNER teacher, and for no other.

    Loads nothing. SpanError if a type is not printable.
    """
    shown, where = ", ".join(types), str(teacher)
    if not is_gliner(teacher):
        if types:
            what = f"{shown}: only a GLiNER teacher looks for types that are named"
            raise ModelError("entity types", what, f"Name one with --teacher {GLINER}…")
        return
    if not types:
        raise ModelError(
            where, "looks for the types it is told, and none are", f"Pass {_SAY_TYPES}"
        )
    names = [Entity(Span(0, 1), each).label for each in types]
    for name, count in Counter(names).items():
        if fault := "is given twice" if count > 1 else label_fault(name):
            raise ModelError(where, f"the entity type {name!r} {fault}", f"Correct {_SAY_TYPES}")
    if find_spec("gliner") is None:
        raise ModelError(where, "gliner is not installed", "pip install 'spanferry[gliner]'")


def load_teacher(
    teacher: str | Path | None = None,
    labels: Mapping[str, str] | None = None,
    suppress: Collection[str] = (),
    types: Sequence[str] = (),
) -> Tags:
    """Load the bundled teacher, or another one from a folder or by its name on the hub.

    `types` are what a GLiNER checkpoint looks for. `labels` maps the entity types to the project's
    (None keeps them), those in `suppress` are ignored.
    """
    check_teacher(teacher, types)
    if is_gliner(teacher):
        from projection.models.gliner import GlinerTagger  # noqa: PLC0415  needs torch

        name = str(teacher).removeprefix(GLINER)
        return GlinerTagger.from_pretrained(name, types, labels, suppress)
    from projection.models.tagger import Tagger  # noqa: PLC0415  needs torch

    loaded = Tagger.from_pretrained(bundled.resolve(teacher, "tagger"), labels, suppress)
    return loaded.for_answers()
