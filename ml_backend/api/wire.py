"""The bodies Label Studio 1.23 sends and expects.

A body that cannot be read is refused. Unknown keys are ignored: releases add new ones.
"""

import json
from typing import Any, NamedTuple, TypedDict, cast

from projection.errors import SpanferryError
from projection.io.records_json import Json

MOST_VALUES = 3_000_000  # in a JSON body: each takes many times its length in memory


class RequestError(SpanferryError):
    """A request body that is not what the endpoint takes."""


class BodyTooLargeError(RequestError):
    """A request body with more than is answered in one request."""


class Prediction(TypedDict):
    """One pre-annotation. Label Studio stores it even when `result` is empty."""

    model_version: str
    score: float
    result: list[dict[str, Any]]


class PredictRequest(NamedTuple):
    """Tasks to pre-annotate; `drawn` are an annotator's regions, None if nobody is annotating."""

    tasks: tuple[Json, ...]
    drawn: tuple[Json, ...] | None
    label_config: str = ""
    project: int | None = None


def read_object(raw: bytes, where: str) -> Json:
    """Parse a JSON object, or raise RequestError."""
    if raw.count(b",") > MOST_VALUES:
        what = f"more than {MOST_VALUES} values"
        raise BodyTooLargeError(f"{where} body", what, "Send fewer tasks at once")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{where} body", f"not JSON ({error})", "Send a JSON object") from None
    return _object(body, f"{where} body")


def read_predict(raw: bytes, most: int) -> PredictRequest:
    """Read `{"tasks": […], "project": "5.…", "params": {"context": {"result": […]}}}`.

    BodyTooLargeError for more than `most` tasks or drawn regions.
    """
    body = read_object(raw, "/predict")
    if "tasks" not in body:
        raise RequestError("/predict body", "there are no tasks", 'Send {"tasks": […]}')
    context = _object(body.get("params") or {}, "/predict params").get("context")
    tasks, drawn = _objects(body["tasks"], "/predict tasks", most), None
    if context is not None:
        where = "/predict params.context"
        drawn = _objects(_object(context, where).get("result") or [], f"{where}.result", most)
    label_config = str(body.get("label_config") or "")
    return PredictRequest(tasks, drawn, label_config, _project(body.get("project")))


def _project(value: object) -> int | None:
    """Return the id in `5.1767607200`, a project and when it was made; None without one."""
    number = str(value).partition(".")[0]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else None


def _object(value: object, where: str) -> Json:
    if not isinstance(value, dict):
        raise RequestError(where, f"a {type(value).__name__}, not an object", "Send a JSON object")
    return cast(Json, value)


def _objects(value: object, where: str, most: int) -> tuple[Json, ...]:
    if not isinstance(value, list):
        raise RequestError(where, f"a {type(value).__name__}, not a list", "Send a list of objects")
    if len(value) > most:
        what = f"{len(value)}, more than the {most} of one request"
        raise BodyTooLargeError(where, what, "Select fewer in Label Studio")
    return tuple(_object(item, f"{where}[{i}]") for i, item in enumerate(value))
