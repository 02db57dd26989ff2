"""Check that an audit covers the threshold from which an export accepts unreviewed sentences."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_backend.audit.report import SCHEMA
from projection.errors import ReviewError
from projection.io.files import read_object
from projection.io.json_fields import Fields

_FIX = "Give what `spanferry audit report --out` wrote"


def read_audit(path: Path) -> dict[str, Any]:
    """Read the JSON of an `AuditReport`; raise ReviewError or CorpusError if it is none."""
    audit = read_object(path)
    fields = Fields(audit, str(path), ReviewError, _FIX)
    if (schema := fields.integer("schema")) != SCHEMA:
        raise fields.error("schema", f"{schema}, but this version reads {SCHEMA}")
    for name in ("project", "name", "model_version"):
        fields.text(name)
    for name in ("target_precision", "threshold"):
        fields.number_or_none(name)
    for name in ("precision", "recall", "unusable_share"):
        for end in ("low", "high"):
            fields.child(name).number_or_none(end)
    fields.children("thresholds")
    fields.texts("notes")
    return audit


def refuse_another_model(audit: Mapping[str, Any], version: str, where: str) -> None:
    """Raise ReviewError unless an audit is about the predictions a project shows."""
    if audit["model_version"] != version or not audit.get("current"):
        what = (
            f"audit {audit['name']!r} is about predictions of {audit['model_version']}, and the "
            f"project shows those of {version or 'all models'}"
        )
        raise ReviewError(where, what, "Draw and review a new audit, and report on it")


def threshold_warnings(audit: Mapping[str, Any], accept_above: float) -> Iterator[str]:
    """Warn if an audit does not show its target precision from `accept_above` on."""
    target, threshold = f"{100 * audit['target_precision']:g} %", audit["threshold"]
    if threshold is None:
        yield f"audit {audit['name']!r} shows no confidence with a precision of {target}"
    elif accept_above < threshold:
        yield (
            f"audit {audit['name']!r} shows a precision of {target} from {threshold:g} on, "
            f"and not from {accept_above:g} on"
        )
