"""The bodies Label Studio sends and expects, as observed with 1.23.

A body that cannot be read is refused whole. What is merely unknown is ignored: Label Studio adds
keys from release to release.
"""

import json
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from projection.errors import SpanferryError
from projection.io.records_json import Json


class RequestError(SpanferryError):
    """A request body that is not what the endpoint takes."""


class Prediction(TypedDict):
    """One pre-annotation. Label Studio stores it even when `result` is empty."""

    model_version: str
    score: float
    result: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """Tasks to pre-annotate. `drawn` are regions an annotator has drawn, or None when nobody is
    annotating. `label_config` is the labeling config of the project, as XML.
    """

    tasks: tuple[Json, ...]
    drawn: tuple[Json, ...] | None
    label_config: str = ""


def read_object(raw: bytes, where: str) -> Json:
    """Parse a JSON object.

    Raises:
        RequestError: naming `where`.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{where} body", f"not JSON ({error})", "Send a JSON object") from None
    return _object(body, f"{where} body")


def read_predict(raw: bytes) -> PredictRequest:
    """Read `{"tasks": […], "label_config": "…", "params": {"context": null or {"result": […]}}}`.

    Raises:
        RequestError: if a part we read has another form.
    """
    body = read_object(raw, "/predict")
    if "tasks" not in body:
        raise RequestError("/predict body", "there are no tasks", 'Send {"tasks": […]}')
    params = _object(body.get("params") or {}, "/predict params")
    tasks, drawn = _objects(body["tasks"], "/predict tasks"), _drawn(params.get("context"))
    return PredictRequest(tasks, drawn, str(body.get("label_config") or ""))


def _drawn(context: object) -> tuple[Json, ...] | None:
    if context is None:
        return None
    where = "/predict params.context"
    return _objects(_object(context, where).get("result") or [], f"{where}.result")


def _object(value: object, where: str) -> Json:
    if not isinstance(value, dict):
        raise RequestError(where, f"a {type(value).__name__}, not an object", "Send a JSON object")
    return cast(Json, value)


def _objects(value: object, where: str) -> tuple[Json, ...]:
    if not isinstance(value, list):
        raise RequestError(where, f"a {type(value).__name__}, not a list", "Send a list of objects")
    return tuple(_object(item, f"{where}[{i}]") for i, item in enumerate(value))
