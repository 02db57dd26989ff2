"""Reading values out of Label Studio's JSON: the right type, or an error that names the place."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from projection.errors import ReviewError, SpanError
from projection.records import Entity, Span

Json = Mapping[str, Any]

# Label Studio 1.23 saves the text of a drag across lines with a backslash and an n for each of
# these; the offsets stay exact.
_LINE_BREAK = re.compile(r"[\r\n]")


def object_of(value: object, where: str, mend: str) -> Json:
    """`value`, if it is a JSON object.

    Raises:
        ReviewError: otherwise.
    """
    if not isinstance(value, Mapping):
        raise ReviewError(where, f"not an object but {value!r}", mend)
    return value


def list_at(record: Json, key: str, where: str, mend: str) -> Sequence[Any]:
    """The list under `key`.

    Raises:
        ReviewError: if it is missing or not a list.
    """
    value = record.get(key)
    if not isinstance(value, list | tuple):
        raise ReviewError(where, _not_a("list", record, key), mend)
    return value


def text_at(record: Json, key: str, where: str, mend: str) -> str:
    """The string under `key`.

    Raises:
        ReviewError: if it is missing or not a string.
    """
    value = record.get(key)
    if not isinstance(value, str):
        raise ReviewError(where, _not_a("text", record, key), mend)
    return value


def number_at(record: Json, key: str, where: str, mend: str) -> float | None:
    """The number under `key`; None if it is missing or null.

    Raises:
        ReviewError: if it is anything else.
    """
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReviewError(where, _not_a("number", record, key), mend)
    return value


def id_at(record: Json, key: str, where: str, mend: str) -> int | None:
    """The database id under `key`; None if it is missing or null.

    Raises:
        ReviewError: if it is anything else.
    """
    value = record.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ReviewError(where, _not_a("whole number", record, key), mend)
    return value


def entity_at(record: Json, label: str, text: str, where: str, mend: str) -> Entity:
    """The entity described by `start`, `end`, `text` and `score` of `record`, if `text` agrees.

    Raises:
        ReviewError: if an offset is missing, outside `text`, or covers something else than what
            `record` says it does.
    """
    start, end = (id_at(record, key, where, mend) for key in ("start", "end"))
    if start is None or end is None:
        raise ReviewError(where, "an offset is missing", mend)
    try:
        span = Span(start, end)
        covered = span.of(text)
        entity = Entity(span, label, number_at(record, "score", where, mend))
    except SpanError as error:
        raise ReviewError(where, str(error), mend) from error
    shown = text_at(record, "text", where, mend)
    if shown not in (covered, _LINE_BREAK.sub(r"\\n", covered)):
        raise ReviewError(where, f"{span} covers {covered!r}, but was shown as {shown!r}", mend)
    return entity


def _not_a(kind: str, record: Json, key: str) -> str:
    return f"{key!r} is missing" if key not in record else f"{key!r} is no {kind}: {record[key]!r}"
