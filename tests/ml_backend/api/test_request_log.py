import json
import logging

import pytest
from flask import Flask

from ml_backend.api.request_log import HEADER, JsonFormatter, log_requests
from ml_backend.settings import Settings


def requested(settings: Settings, given: str | None = None) -> str:
    app = Flask(__name__)
    app.add_url_rule("/", "root", lambda: "answer")
    log_requests(app, settings)
    headers = {} if given is None else {HEADER: given}
    return app.test_client().get("/", headers=headers).headers[HEADER]


def test_a_request_keeps_the_id_its_client_gave(settings: Settings) -> None:
    assert requested(settings, "call-7.a") == "call-7.a"


@pytest.mark.parametrize("given", [None, "", "a" * 65, "two words", "<b>"])
def test_what_is_no_id_is_replaced(settings: Settings, given: str | None) -> None:
    made = requested(settings, given)
    assert len(made) == 32
    assert made != requested(settings, given)


def test_requests_are_logged_only_as_json(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    requested(settings)
    assert caplog.records == []
    requested(settings.model_copy(update={"log_format": "json"}))
    [record] = caplog.records
    line = json.loads(JsonFormatter().format(record))
    assert line["message"] == "GET root"
    assert (line["level"], line["status"], line["endpoint"]) == ("INFO", 200, "root")
    assert line["seconds"] >= 0


def test_a_record_is_one_line_with_its_error() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("name", logging.ERROR, "", 0, "%s\n", ("text",), info)
    said = JsonFormatter().format(record)
    assert "\n" not in said
    assert "two\nlines" in json.loads(said)["error"]
