"""Requests that are wrong on purpose, in raw bytes to the whole service: each has its answer."""

import json
import logging
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from label_config.labeling_config import build_config
from ml_backend.api.app import create_app
from ml_backend.api.http_worker import REFUSES, Limits
from ml_backend.api.predict import LONGEST_TEXT
from ml_backend.api.wire import MOST_VALUES
from ml_backend.auth import credentials_of
from ml_backend.serving.engine import Engine
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import Settings
from projection.records import ParallelSentence
from tests.ml_backend.api.http_server import HttpServer
from tests.ml_backend.conftest import (
    FixedProjector,
    make_task,
    predict_body,
    region,
    source_region,
)

PASSWORD = "a-password-of-many-letters"
CONFIG = build_config(("PER", "ORG", "LOC"))
JSON = b"Content-Type: application/json\r\n"


class ShortProjector(FixedProjector):
    """Fails if it is asked about a text that should not have come that far."""

    def fits(self, sentence: ParallelSentence) -> bool:
        assert max(len(sentence.source), len(sentence.target)) <= LONGEST_TEXT
        return super().fits(sentence)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """The service with room for bodies of 4 MiB and 9 tasks."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"), password=PASSWORD, max_body_mb=4, max_tasks=9
    )
    with Engine(lambda _: ShortProjector(), ModelStore(settings.model_store)) as engine:
        app = create_app(settings, engine)
        limits = Limits(credentials_of(settings), settings.max_body_mb * 2**20, threads=4)
        limits.refuses = app.config[REFUSES]
        with HttpServer(app, limits) as server:
            yield server


def request(first: str, body: bytes = b"", head: bytes = JSON) -> bytes:
    length = (
        b"" if b"Length" in head or b"chunked" in head else b"Content-Length: %d\r\n" % len(body)
    )
    known = b"Authorization: Token " + PASSWORD.encode() + b"\r\n"
    return first.encode() + b" HTTP/1.1\r\nHost: x\r\n" + known + head + length + b"\r\n" + body


def predict(body: bytes, head: bytes = JSON) -> bytes:
    return request("POST /predict", body, head)


def webhook(**body: Any) -> bytes:
    return request("POST /webhook", json.dumps(body).encode())


def tasks(*odd: Any, **more: Any) -> bytes:
    """A task, the odd ones, and a task again."""
    return predict(json.dumps({**predict_body(make_task(1), *odd, make_task(2)), **more}).encode())


def drawing(*drawn: Any, config: Any = CONFIG, **task: Any) -> bytes:
    """What an annotator's page sends."""
    body = predict_body({**make_task(), **task}, drawn=list(drawn))
    return predict(json.dumps({**body, "label_config": config}).encode())


def entity(**changed: Any) -> dict[str, Any]:
    return make_task(entities=[{"start": 2, "end": 14, "label": "PER", **changed}])


def made(*idents: Any) -> list[dict[str, Any]]:
    """Predictions of one moment with these ids."""
    return [{"id": each, "created_at": "2026-01-05", "result": [region(2, 14)]} for each in idents]


def without_offsets() -> dict[str, Any]:
    broken = deepcopy(source_region("Berlin"))
    del broken["value"]["globalOffsets"]
    return broken


BOMB = '<!DOCTYPE v [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><View>&b;</View>'
FILE = '<!DOCTYPE v [<!ENTITY x SYSTEM "file:///etc/passwd">]><View>&x;</View>'
DEEP: Any = 1
for _ in range(200):
    DEEP = [DEEP]

# Name, request, status, and what the error says; of /predict whether each result has regions.
HOSTILE: list[tuple[str, bytes, int, str]] = [
    # --- not HTTP
    ("no HTTP", b"nonsense\r\n\r\n", 400, "Bad Request"),
    ("headers too large", b"GET / HTTP/1.1\r\nX: " + b"x" * 2**19 + b"\r\n\r\n", 431, "max_header"),
    ("a header's name in two words", b"GET / HTTP/1.1\r\nX Y: 1\r\n\r\n", 400, "Invalid header"),
    ("an address that is none", request("GET http://[::1/x"), 400, "the address or a length"),
    ("an address in latin-1", b"GET /\xff\xfe HTTP/1.1\r\n\r\n", 400, "Bad URI"),
    ("a negative length", predict(b"{}", b"Content-Length: -2\r\n"), 400, "Content-Length is"),
    (
        "two lengths",
        predict(b"{}", b"Content-Length: 2\r\nContent-Length: 3\r\n"),
        400,
        "Length is",
    ),
    ("a length of 20 digits", predict(b"{}", b"Content-Length: %s\r\n" % (b"9" * 20)), 413, "max_"),
    ("a length of 5,000", predict(b"{}", b"Content-Length: %s\r\n" % (b"9" * 5000)), 400, "length"),
    ("an encoding nobody knows", predict(b"", b"Transfer-Encoding: gzip\r\n"), 501, "Not Impl"),
    *(
        (name, predict(chunk, b"Transfer-Encoding: chunked\r\n" + JSON), 400, said)
        for name, chunk, said in (
            ("a chunk's size that is none", b"zz\r\n{}\r\n0\r\n\r\n", "Invalid chunk size"),
            ("a negative chunk", b"-2\r\n{}\r\n0\r\n\r\n", "Invalid chunk size"),
            ("a chunk that goes on", b"2\r\n{}}\r\n0\r\n\r\n", "not properly terminated"),
            ("a chunk with control characters", b"2;\0\r\n{}\r\n0\r\n\r\n", "chunk extension"),
            ("a chunk's size without an end", b"1" * 2**19, "no end"),
            ("a trailer without an end", b"0\r\nX: " + b"x" * 2**19, "no end"),
        )
    ),
    # --- not one of our endpoints
    ("an endpoint that is none", request("POST /predict/", b"{}"), 404, "/predict/: "),
    ("a path out of the root", request("GET /../etc/passwd"), 404, "/../etc/passwd: "),
    ("a path with a zero", request("GET /%00"), 404, "not found"),
    ("another method", request("GET /predict"), 405, "/predict: "),
    ("a method nobody knows", request("BREW /predict"), 405, "/predict: "),
    # --- not declared as JSON
    ("a text", predict(b"{}", b"Content-Type: text/plain\r\n"), 415, "Send Content-Type"),
    (
        "a form",
        predict(b"a=1", b"Content-Type: application/x-www-form-urlencoded\r\n"),
        415,
        "Send",
    ),
    ("no type", predict(b"{}", b"X: 1\r\n"), 415, "Send Content-Type: application/json"),
    # --- not JSON, or not an object
    *(
        (f"{path} {name}", request(f"POST /{path}", body), 400, f"/{path} body: {said}")
        for path in ("predict", "webhook")
        for name, body, said in (
            ("nothing", b"", "not JSON"),
            ("cut short", b'{"tasks": [', "not JSON"),
            ("not UTF-8", b"\xff\xfe\xfa", "not JSON"),
            ("gzip", b"\x1f\x8b{}", "not JSON"),
            ("deep lists", b"[" * 100_000, "not JSON"),
            ("deep objects", b'{"a":' * 100_000, "not JSON"),
            ("an integer of 5,000 digits", b'{"tasks": [%s]}' % (b"9" * 5000), "not JSON"),
            ("a list", b"[]", "a list, not an object"),
            ("a string", b'"x"', "a str, not an object"),
            ("null", b"null", "a NoneType, not an object"),
        )
    ),
    # --- /predict: not what it takes
    *(
        (f"predict {name}", predict(body), 400, f"/predict {said}")
        for name, body, said in (
            ("no tasks", b"{}", "body: there are no tasks"),
            ("tasks null", b'{"tasks": null}', "tasks: a NoneType, not a list"),
            ("tasks in an object", b'{"tasks": {}}', "tasks: a dict, not a list"),
            ("tasks in a string", b'{"tasks": "x"}', "tasks: a str, not a list"),
            ("a task that is a number", b'{"tasks": [{}, 7]}', "tasks[1]: a int, not an object"),
            ("a task that is a list", b'{"tasks": [[]]}', "tasks[0]: a list, not an object"),
            ("a task that is null", b'{"tasks": [null]}', "tasks[0]: a NoneType"),
            ("params in a number", b'{"tasks": [], "params": 1}', "params: a int"),
            ("context", b'{"tasks": [], "params": {"context": []}}', "params.context: a list"),
            (
                "a drawn number",
                b'{"tasks": [], "params": {"context": {"result": [1]}}}',
                "params.context.result[0]: a int, not an object",
            ),
        )
    ),
    ("tasks beyond the limit", tasks(*[{}] * 8), 413, "10, more than the 9"),
    ("regions beyond the limit", drawing(*[{}] * 10), 413, "10, more than the 9"),
    ("values beyond the limit", predict(b"[" + b"," * (MOST_VALUES + 1)), 413, "more than 3000000"),
    # --- /predict: odd tasks cost no other its answer
    ("no keys", tasks({}), 200, "101"),
    ("data in a list", tasks({"id": 1, "data": []}), 200, "101"),
    ("an id that is an object", tasks({**make_task(), "id": {"a": [1]}}), 200, "111"),
    ("an id that is no number", tasks({**make_task(), "id": float("nan")}), 200, "111"),
    ("an id of 400 digits", tasks({**make_task(), "id": 10**400}), 200, "111"),
    ("infinite offsets", tasks(entity(end=float("inf"))), 200, "101"),
    ("an offset of 400 digits", tasks(entity(end=10**400)), 200, "101"),
    ("offsets that are true", tasks(entity(start=False, end=True)), 200, "101"),
    ("a score that is no number", tasks(entity(score=float("nan"))), 200, "101"),
    ("half a character", tasks(make_task(target="\ud83d")), 200, "101"),
    ("a text in a number", tasks(make_task(source=10**400)), 200, "101"),
    ("a record 200 lists deep", tasks(make_task(entities=DEEP)), 200, "101"),
    ("a zero in the text", tasks(make_task(target="Ada Lovelace\0")), 200, "111"),
    ("a text at the limit", tasks(make_task(target="Berlin".ljust(LONGEST_TEXT))), 200, "111"),
    ("a text beyond it", tasks(make_task(target="Berlin".ljust(LONGEST_TEXT + 1))), 200, "101"),
    ("another's prediction", tasks({**make_task(), "predictions": [1, None]}), 200, "111"),
    ("a project nobody knows", tasks(project="999999.1"), 200, "11"),
    ("a project that is a list", tasks(project=[{}]), 200, "11"),
    (
        "a key twice: the last one counts",
        predict(b'{"tasks": [7], "tasks": [' + json.dumps(make_task()).encode() + b"]}"),
        200,
        "1",
    ),
    # --- /predict: odd drawings
    *(
        (f"drawing: {name}", drawing(source_region("Berlin", "LOC"), **changed), 200, found)
        for name, changed, found in (
            ("ids of several types", {"predictions": made(1, "2", None, [3])}, "1"),
            ("an id that is no number", {"predictions": made(float("nan"), 10**400)}, "1"),
            ("drafts of several types", {"drafts": [{"updated_at": 1}, {"updated_at": "b"}]}, "1"),
            ("predictions in a string", {"predictions": "x", "drafts": 7}, "1"),
            ("an expanding config", {"config": BOMB}, "0"),
            ("a config that reads a file", {"config": FILE}, "0"),
            ("a config cut short", {"config": "<View"}, "0"),
            ("a config of half a character", {"config": "\ud800"}, "0"),
            ("a config that is an object", {"config": {"a": 1}}, "0"),
        )
    ),
    ("a region without offsets", drawing(without_offsets()), 200, "0"),
    ("a region that is empty", drawing({}), 200, "0"),
    ("a value that is a list", drawing({**source_region("Berlin"), "value": [1]}), 200, "0"),
    # --- /webhook
    ("no action", webhook(), 400, "there is no action"),
    ("an action that is a number", webhook(action=3), 400, "there is no action"),
    ("an action of 101 characters", webhook(action="x" * 101), 400, "there is no action"),
    ("a webhook of no project", webhook(action="START_TRAINING", project="x"), 200, ""),
    ("a project that is true", webhook(action="START_TRAINING", project=True), 200, ""),
    ("an action of half a character", webhook(action="\ud800", project={"id": 1}), 200, ""),
]


def test_there_are_enough_of_them_and_none_twice() -> None:
    assert len({raw for _, raw, _, _ in HOSTILE}) == len({name for name, *_ in HOSTILE})
    assert len(HOSTILE) >= 50


@pytest.mark.parametrize(
    ("raw", "status", "expected"), [pytest.param(*each, id=name) for name, *each in HOSTILE]
)
def test_hostile_requests_are_answered(
    server: HttpServer, caplog: pytest.LogCaptureFixture, raw: bytes, status: int, expected: str
) -> None:
    found, body = server.ask(raw)
    assert found == status, body
    if status != 200:
        assert expected in body["error"]
        assert [*body] == ["error"]
        assert "Traceback" not in body["error"]
    elif "results" in body:
        assert "".join(str(int(_has_regions(each))) for each in body["results"]) == expected
    assert server.ask(request("GET /health"))[0] == 200
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def _has_regions(result: Any) -> bool:
    return bool(result) and (not isinstance(result, dict) or bool(result["result"]))
