"""The bodies Label Studio 1.23 sends and expects.

A body that cannot be read is refused. Unknown keys are ignored: releases add new ones.
"""

import json
from typing import Any, NamedTuple, TypedDict, cast

from projection.errors import SpanferryError
from projection.io.records_json import Json


class RequestError(SpanferryError):
    """A request body that is not what the endpoint takes."""


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


def read_object(raw: bytes, where: str) -> Json:
    """Parse a JSON object, or raise RequestError."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{where} body", f"not JSON ({error})", "Send a JSON object") from None
    return _object(body, f"{where} body")


def read_predict(raw: bytes) -> PredictRequest:
    """Read `{"tasks": […], "label_config": "…", "params": {"context": {"result": […]}}}`."""
    body = read_object(raw, "/predict")
    if "tasks" not in body:
        raise RequestError("/predict body", "there are no tasks", 'Send {"tasks": […]}')
    context = _object(body.get("params") or {}, "/predict params").get("context")
    tasks, drawn = _objects(body["tasks"], "/predict tasks"), None
    if context is not None:
        where = "/predict params.context"
        drawn = _objects(_object(context, where).get("result") or [], f"{where}.result")
    return PredictRequest(tasks, drawn, str(body.get("label_config") or ""))


def _object(value: object, where: str) -> Json:
    if not isinstance(value, dict):
        raise RequestError(where, f"a {type(value).__name__}, not an object", "Send a JSON object")
    return cast(Json, value)


def _objects(value: object, where: str) -> tuple[Json, ...]:
    if not isinstance(value, list):
        raise RequestError(where, f"a {type(value).__name__}, not a list", "Send a list of objects")
    return tuple(_object(item, f"{where}[{i}]") for i, item in enumerate(value))
