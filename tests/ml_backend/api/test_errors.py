import logging

import pytest
from flask import Flask
from werkzeug.exceptions import MethodNotAllowed

from ml_backend.api.errors import answer_errors
from ml_backend.api.wire import BodyTooLargeError, RequestError
from ml_backend.serving.model_queue import BusyError, ClientGoneError, NotReadyError

SECRET = "what a task says"


def answered(error: Exception, *, log_text: bool = False) -> tuple[int, str, dict[str, str]]:
    app = Flask(__name__)
    answer_errors(app, log_text=log_text)

    @app.get("/")
    def fail() -> str:
        raise error

    response = app.test_client().get("/")
    assert response.json is not None
    return response.status_code, response.json["error"], dict(response.headers)


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        pytest.param(BodyTooLargeError("tasks", "1,000"), 413, None, id="too large"),
        pytest.param(RequestError("tasks", "is no list"), 400, None, id="wrong"),
        pytest.param(NotReadyError("model", "not loaded yet"), 503, "5", id="not ready"),
        pytest.param(BusyError("predictions", "too many", retry_after=1), 503, "1", id="busy"),
        pytest.param(ClientGoneError("client", "gone"), 499, None, id="client gone"),
        pytest.param(MethodNotAllowed(["POST"]), 405, None, id="method"),
        pytest.param(ValueError(SECRET), 500, None, id="internal"),
    ],
)
def test_every_error_is_json_with_its_status(
    error: Exception, status: int, retry: str | None
) -> None:
    found, said, headers = answered(error)
    assert (found, headers.get("Retry-After")) == (status, retry)
    assert said
    assert SECRET not in said


def test_headers_that_say_what_is_allowed_are_kept() -> None:
    assert answered(MethodNotAllowed(["POST"]))[2]["Allow"] == "POST"


@pytest.mark.parametrize("log_text", [False, True])
def test_task_text_is_logged_only_if_asked_for(
    caplog: pytest.LogCaptureFixture, log_text: bool
) -> None:
    with caplog.at_level(logging.DEBUG):
        answered(ValueError(SECRET), log_text=log_text)
    assert "in fail" in caplog.text, "where it was raised"
    assert (SECRET in caplog.text) is log_text
