"""Records read from TOML files, with every mistake named by file and key."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from projection.errors import SpanferryError

ONLY_FIELDS = ConfigDict(extra="forbid")  # `__pydantic_config__` of such a record
Record = TypeVar("Record")

_UNKNOWN = "unexpected_keyword_argument"  # what pydantic calls an unknown key


def read_toml(path: Path, error: type[SpanferryError], fix: str) -> dict[str, Any]:
    """Read a TOML file; raises `error` if it is not there or not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as caught:
        raise error(str(path), "no such file", fix) from caught
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as caught:
        raise error(str(path), f"is not TOML ({caught})") from caught


def record_of(
    kind: type[Record],
    table: Mapping[str, Any],
    where: str,
    error: type[SpanferryError],
    fix: str,
) -> Record:
    """Build a dataclass from a table whose keys are its fields.

    Raises `error` at an unknown key, with the nearest known one; at a missing one; or at a value
    that the field cannot hold.
    """
    try:
        # As JSON: there strictness still allows lists for tuples, and texts for enumerations.
        return TypeAdapter(kind).validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as caught:
        errors = caught.errors()
        # A misspelt key says more than that the right one is missing.
        first = next((e for e in errors if e["type"] == _UNKNOWN), errors[0])
        steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]]
        place = f"{where} {''.join(steps).removeprefix('.')}".strip()
        what = {
            "missing": "missing",
            _UNKNOWN: "no such key",
            "value_error": first["msg"].removeprefix("Value error, "),
        }.get(first["type"], f"{first['input']!r:.40}: {first['msg']}")
        if first["type"] == _UNKNOWN and (near := _nearest(kind, first["loc"])):
            fix = f"Did you mean {near}? {fix}"
        raise error(place, what, fix) from caught


def _nearest(kind: type, place: tuple[int | str, ...]) -> str:
    """The field most like the key at `place`, if it is one of `kind` itself and close enough."""
    if len(place) != 1 or not is_dataclass(kind):
        return ""
    return next(iter(get_close_matches(str(place[0]), [f.name for f in fields(kind)], n=1)), "")
