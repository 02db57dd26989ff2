"""The OpenAPI document names every endpoint, and generated requests are answered as it says.

Schemathesis makes requests that fit the document and requests that do not: about 500 always, four
times as many with SPANFERRY_TEST_ALL=1.
"""

import json
import logging
import os
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings

from label_config.labeling_config import build_config
from tests.ml_backend.conftest import make_task, source_region

DOCUMENT = json.loads(files("ml_backend.api").joinpath("openapi.json").read_text("utf-8"))
TIMES = 4 if os.environ.get("SPANFERRY_TEST_ALL") == "1" else 1
HEADERS = {"Authorization": "Token open sesame!"}
CONFIG = build_config(("PER", "LOC"))


def operations() -> Iterator[tuple[str, str]]:
    """Method and path of all that the document describes."""
    for path, item in DOCUMENT["paths"].items():
        shared = item.get("$ref", "").rpartition("/")[2]
        for method in DOCUMENT["components"]["pathItems"][shared] if shared else item:
            if method != "parameters":
                yield method.upper(), path


def test_the_document_names_every_endpoint_and_nothing_else(app: Flask) -> None:
    served = {
        (method, rule.rule.replace("<int:", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {*operations()} == served


def test_the_document_is_one_and_is_served(client: FlaskClient) -> None:
    import schemathesis  # noqa: PLC0415  as below

    schemathesis.openapi.from_dict(DOCUMENT).validate()
    response = client.get("/openapi.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert response.json == DOCUMENT


def test_the_document_asks_for_credentials_where_the_service_does(app: Flask) -> None:
    for method, path in operations():
        item = DOCUMENT["paths"][path]
        is_open = "$ref" in item or item[method.lower()].get("security") == []
        refused = (
            app.test_client().open(path.replace("{project}", "1"), method=method).status_code == 401
        )
        assert refused != is_open, path


def small(part: Any) -> Any:
    """The document with short lists in requests, and without security: quicker to generate for."""
    if isinstance(part, dict):
        shorter = {"maxItems": 2} if part.get("type") == "array" else {}
        answers = {k: v for k, v in part.items() if k in ("responses", "Prediction")}
        rest = {k: small(v) for k, v in part.items() if k not in answers and k != "security"}
        return {**shorter, **rest, **answers}
    return [small(each) for each in part] if isinstance(part, list) else part


def with_real_tasks(body: dict[str, Any]) -> dict[str, Any]:
    """A generated body with tasks that can be projected around, and in place of, its own."""
    tasks = [
        {**each, "data": make_task(i)["data"]} if isinstance(each, dict) and i % 2 else each
        for i, each in enumerate(body["tasks"])
    ]
    body = {**body, "label_config": CONFIG}
    context = (body.get("params") or {}).get("context")
    if context and isinstance(context.get("result"), list):
        context["result"].append(source_region("Berlin", "LOC"))
    return {**body, "tasks": [make_task(7), *tasks, make_task(8)]}


@pytest.mark.parametrize(
    ("path", "cases", "generated"),
    [
        pytest.param(path, cases, generated, id=f"{path} {generated}")
        for path, cases in (("/predict", 100), ("/webhook", 100), ("/setup", 55))
        for generated in ("positive", "negative")
    ],
)
def test_generated_requests_are_answered_as_documented(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, path: str, cases: int, generated: str
) -> None:
    # Schemathesis takes a second to import, which other tests should not wait for.
    import schemathesis  # noqa: PLC0415
    from schemathesis.checks import not_a_server_error  # noqa: PLC0415
    from schemathesis.specs.openapi import checks  # noqa: PLC0415

    caplog.set_level(logging.ERROR)
    conforms = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]
    if generated == "positive":
        conforms.append(checks.positive_data_acceptance)
    operation = schemathesis.openapi.from_dict(small(DOCUMENT))[path]["POST"]
    mode = schemathesis.GenerationMode(generated)
    tried = 0

    @hypothesis_settings(
        max_examples=cases * TIMES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        nonlocal tried
        tried += 1
        case.call_and_validate(app=client.application, headers=HEADERS, checks=conforms)
        body = case.body
        if path == "/predict" and isinstance(body, dict) and isinstance(body.get("tasks"), list):
            one_result_each(client, body)

    ask()
    assert tried >= cases
    assert not caplog.records


def one_result_each(client: FlaskClient, body: dict[str, Any]) -> None:
    """Each result is what its task is answered with alone: right number, right order."""

    def results(*tasks: Any) -> Any:
        response = client.post("/predict", json={**full, "tasks": tasks})
        if response.status_code == 400:
            return None
        assert response.status_code == 200
        return response.json["results"]

    try:
        full = with_real_tasks(body)
    except (AttributeError, TypeError):  # params that are no objects are refused
        return
    together = results(*full["tasks"])
    if together is not None:
        alone = [results(task) for task in full["tasks"]]
        assert alone == [[result] for result in together]
        assert together[0]
