"""Where requests go, how often, and what is made of the answers."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from ml_backend.label_studio.access import read_url
from ml_backend.label_studio.client import ReviewServer, server_version
from ml_backend.label_studio.transport import LabelStudioHttp, OddAnswerError, UnreachableError
from projection.errors import ServerError
from tests.ml_backend.label_studio.studio import serving

LEGACY = "LEGACYSECRETTOKEN0123456789"


def _part(row: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(row).encode()).decode().rstrip("=")


PERSONAL = ".".join(
    [
        _part({"alg": "HS256", "typ": "JWT"}),
        _part({"token_type": "refresh", "exp": 4_000_000_000, "iat": 1, "jti": "x", "user_id": 1}),
        "SIGNATURESECRET",
    ]
)


class Scripted(ThreadingHTTPServer):
    """Answers in turn; the last answer stays. `seen` has every request with all of its words."""

    daemon_threads = True

    def __init__(self, *answers: tuple[int, str, dict[str, str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.seen = [*answers], list[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.seen.append(f"{self.command} {self.path} {self.headers} {body}")
        answers = self.server.answers
        status, text, headers = answers.pop(0) if len(answers) > 1 else answers[0]
        if "/api/version" in self.path and status < 400 and not text:
            status, text, headers = 200, '{"release": "1.23.2"}', {}
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text.encode())), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET  # noqa: N815  # the name that http.server calls


@contextmanager
def scripted(*answers: tuple[int, str, dict[str, str]]) -> Iterator[Scripted]:
    with serving(Scripted(*answers)) as server:
        yield server


def ok(text: str = '{"release": "1.23.2"}') -> tuple[int, str, dict[str, str]]:
    return 200, text, {}


@pytest.mark.parametrize("key", [LEGACY, PERSONAL], ids=["legacy token", "personal access token"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_credentials_follow_a_redirect_to_another_origin(key: str, status: int) -> None:
    with scripted(ok('{"access": "a.b.c"}')) as other:
        elsewhere = {"Location": other.url.replace("127.0.0.1", "localhost") + "/api/"}
        with (
            scripted((status, "", elsewhere)) as studio,
            pytest.raises(ServerError, match="redirects to http://localhost") as raised,
        ):
            ReviewServer.connect(studio.url, key)
    assert other.seen == []
    assert "SECRET" not in str(raised.value)


def test_a_redirect_within_the_origin_is_followed_and_a_loop_ends() -> None:
    with scripted((307, "-", {"Location": "/api/version/"}), ok()) as studio:
        assert server_version(studio.url) == "1.23.2"
    with (
        scripted((307, "-", {"Location": "/api/version"})) as studio,
        pytest.raises(ServerError, match="no answer"),
    ):
        server_version(studio.url)


@pytest.mark.parametrize(
    ("method", "answers", "sent"),
    [
        pytest.param("GET", [503, 502, 200], 3, id="a read is repeated"),
        pytest.param("GET", [500], 3, id="and given up in the end"),
        pytest.param("GET", [404], 1, id="a refusal is final"),
        pytest.param("POST", [502, 200], 1, id="a write may have been done"),
        pytest.param("POST", [429, 200], 2, id="a write that was turned away"),
    ],
)
def test_only_what_may_be_repeated_is(method: str, answers: list[int], sent: int) -> None:
    with (
        scripted(*((status, "{}", {}) for status in answers)) as studio,
        LabelStudioHttp(read_url(studio.url), pauses=(0, 0)) as http,
    ):
        assert (
            http.request(method, f"{studio.url}/api/x").status_code
            == answers[-1 if sent > 1 else 0]
        )
        assert len(studio.seen) == sent


def test_a_write_that_did_not_arrive_is_repeated_and_told_apart() -> None:
    with ReviewServer("http://127.0.0.1:9", LEGACY, pauses=(0,)) as server:
        with pytest.raises(UnreachableError) as raised:
            server.users()
        assert not raised.value.arrived


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<!DOCTYPE html><p>Log in", "a page of HTML"),
        ("\n<html>", "a page of HTML"),
        ("null", "no JSON object"),
        ("3", "no JSON object"),
        ('{"a": [1', "half an answer"),
        ("[{}", "half an answer"),
    ],
)
def test_an_answer_that_is_no_json_is_named(body: str, said: str) -> None:
    with (
        scripted(ok(body)) as studio,
        LabelStudioHttp(read_url(studio.url), pauses=()) as http,
        pytest.raises(OddAnswerError, match=said),
    ):
        http.get(f"{studio.url}/api/x")


@pytest.mark.parametrize("body", ['{"detail": "%s"}', "<pre>Authorization: Token %s</pre>"])
def test_a_key_that_is_echoed_in_an_error_is_not_shown(body: str) -> None:
    with (
        scripted((400, body % LEGACY, {})) as studio,
        ReviewServer(studio.url, LEGACY, pauses=()) as server,
        pytest.raises(ServerError, match="answered 400") as raised,
    ):
        server.users()
    shown = [raised.value, raised.value.__cause__]
    assert LEGACY not in " ".join(map(str, shown))


def test_a_task_that_is_refused_is_not_quoted() -> None:
    body = json.dumps({"detail": "Error at item 0: no data :: {'data': 'what it says'}"})
    with (
        scripted((400, body, {})) as studio,
        ReviewServer(studio.url, LEGACY, pauses=()) as server,
        pytest.raises(ServerError, match=r"Error at item 0: no data") as raised,
    ):
        server.users()
    assert "what it says" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/user/account", r"has a path, .* Give http://127\.0\.0\.1:[0-9]+$"),
        ("", "something answers, but not Label Studio"),
    ],
)
@pytest.mark.parametrize("answer", [ok("<html>"), ok("[]"), ok('{"release": 5}'), (404, "no", {})])
def test_what_is_not_label_studio_is_named_in_one_line(
    path: str, what: str, answer: tuple[int, str, dict[str, str]]
) -> None:
    with scripted(answer) as studio, pytest.raises(ServerError, match=what) as raised:
        server_version(studio.url + path)
    assert len(str(raised.value).splitlines()) == 1


def test_a_label_studio_under_a_path_is_one() -> None:
    with scripted(ok()) as studio:
        assert server_version(f"{studio.url}/studio/") == "1.23.2"
        assert studio.seen[0].startswith("GET /studio/api/version ")


def test_a_proxy_is_no_answer() -> None:
    with scripted((502, "<html>", {})) as studio, pytest.raises(UnreachableError):
        server_version(studio.url)


def test_waiting_as_long_as_asked_for_has_a_limit() -> None:
    from ml_backend.label_studio.transport import _retry_after  # noqa: PLC0415

    for said, seconds in (("3", 3), ("1e9", 30), ("soon", 0), ("-4", -4)):
        assert _retry_after(httpx.Response(429, headers={"Retry-After": said})) == seconds
