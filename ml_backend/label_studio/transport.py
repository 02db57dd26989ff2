"""Requests to Label Studio: to one origin only, with bounded retries, and answered in JSON.

Every failure becomes a `ServerError` that holds neither the key nor a page of HTML.
"""

import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import httpx
from label_studio_sdk.core.api_error import ApiError

from ml_backend.label_studio.access import origin_of, read_url
from projection.errors import ServerError

# Label Studio takes a second for 1,000 tasks; a slow disk may take many times that.
TIMEOUT = httpx.Timeout(300.0, connect=10.0)
PAUSES = (0.5, 2.0, 5.0)
"""Seconds before each new attempt at a request that may be repeated."""
LONGEST_PAUSE = 30.0  # whatever Retry-After says
SHOWN = 300  # characters of what Label Studio said

FIX_BANNED = (
    "Start Label Studio with LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS=false and list what should "
    "stay banned in LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"
)
FIX_KEY = (
    "Copy a key from Account & Settings → Personal Access Token; an old-style token works only "
    "where the organization allows legacy tokens"
)

_AWAY = (502, 503, 504)  # what a proxy answers for a server that is not there
_BUSY = 429
_PASSING = (408, _BUSY, 500, *_AWAY)  # 500: also SQLite's “database is locked”
_REFRESH = "/api/token/refresh/"  # a POST that changes nothing
_NOT_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout)
_JSON_ENDS = (b"{}", b"[]")


class UnreachableError(ServerError):
    """The server does not answer, or its proxy says so. It may be back in a moment.

    `arrived` is false if the request certainly did not.
    """

    arrived = True


class OddAnswerError(httpx.HTTPError):
    """An answer of success that is not a JSON object or list."""


class LabelStudioHttp(httpx.Client):
    """A client for the server at `url`, which reads every answer whole.

    No request leaves for another origin, so a redirect cannot take the `key` there. A request that
    does the same if it is done twice is repeated after each of the `pauses`; others are repeated
    only if they have not arrived.
    """

    def __init__(
        self,
        url: httpx.URL,
        *,
        key: str = "",
        pauses: Sequence[float] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        self._origin, self._key = origin_of(url), key
        self._pauses = PAUSES if pauses is None else pauses
        hooks = {"request": [self._refuse_other_origin]}
        super().__init__(
            verify=_certificates(), timeout=timeout, follow_redirects=True, event_hooks=hooks
        )

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request, again after a pause where that is safe. `stream` has no effect."""
        options["stream"] = False
        for pause in self._pauses:
            try:
                answer = super().send(request, **options)
            except httpx.TransportError as error:
                if not _may_repeat(request, error):
                    raise
                time.sleep(pause)
                continue
            if not _may_repeat(request, answer.status_code):
                return self._checked(answer)
            time.sleep(max(pause, _retry_after(answer)))
        return self._checked(super().send(request, **options))

    def _refuse_other_origin(self, request: httpx.Request) -> None:
        if (other := origin_of(request.url)) != self._origin:
            what = f"redirects to {other}, which is not given the API key"
            raise ServerError(self._origin, what, f"Use {other} as the address, if you trust it")

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            body = answer.content.strip()
            if body and body[:1] + body[-1:] not in _JSON_ENDS:
                raise OddAnswerError(_kind_of(body))
            return answer
        text, sent = answer.text, answer.request.headers.get("authorization", "")
        for secret in {self._key, sent.rpartition(" ")[2]} - {""}:
            text = text.replace(secret, "…")
        kind = answer.headers.get("content-type", "").partition(";")[0]
        return httpx.Response(
            answer.status_code,
            headers={"content-type": f"{kind}; charset=utf-8"},
            content=text.encode(),
            request=answer.request,
        )


@cache
def _certificates() -> ssl.SSLContext:
    """Return what every client trusts; reading the files takes a tenth of a second."""
    return httpx.create_ssl_context()


def _may_repeat(request: httpx.Request, outcome: Exception | int) -> bool:
    """Return whether a request that failed so can be sent again without doing anything twice."""
    harmless = request.method != "POST" or request.url.path.endswith(_REFRESH)
    if isinstance(outcome, int):
        return outcome == _BUSY or (harmless and outcome in _PASSING)
    if isinstance(outcome, _NOT_ARRIVED):
        return True
    return harmless and not isinstance(outcome, httpx.TimeoutException)  # they took minutes


def _retry_after(answer: httpx.Response) -> float:
    with suppress(ValueError):  # it may be a date
        return min(float(answer.headers.get("retry-after", 0)), LONGEST_PAUSE)
    return 0.0


def _kind_of(body: bytes | str) -> str:
    start = body[:200].decode(errors="replace") if isinstance(body, bytes) else body[:200]
    if re.match(r"\s*(<!doctype html|<html|<!--)", start, re.IGNORECASE):
        return "a page of HTML"
    return "half an answer" if start[:1] in {"{", "["} else "no JSON object"


def server_version(url: str) -> str:
    """Return the version of the Label Studio at `url`. Needs no key."""
    return str(first_answer(url).json()["release"])


def first_answer(url: str) -> httpx.Response:
    """Return the answer to a request for the version, which needs no key.

    ServerError if nothing answers at `url`, or something that is not Label Studio.
    """
    address = read_url(url)
    where = str(address).rstrip("/")
    try:
        with LabelStudioHttp(address, pauses=(), timeout=httpx.Timeout(10.0)) as http:
            answer = http.get(f"{where}/api/version")
            if answer.status_code in _AWAY:
                raise _unreachable(where, f"status {answer.status_code}")
            if not isinstance(answer.json()["release"], str):
                raise OddAnswerError("another release")
            return answer
    except (OddAnswerError, ValueError, KeyError, TypeError) as error:
        if address.path != "/":
            what = "has a path, and Label Studio does not answer there"
            raise ServerError(where, what, f"Give {origin_of(address)}") from error
        fix = "Give the address of Label Studio's start page, without a path"
        raise ServerError(where, "something answers, but not Label Studio", fix) from error
    except httpx.HTTPError as error:
        raise _unreachable(where, error) from error


@contextmanager
def as_server_error(where: str) -> Iterator[None]:
    """Raise whatever goes wrong in a request to Label Studio, and in reading it, as ServerError."""
    fix = "Check that the address is Label Studio's, and what a proxy before it does"
    try:
        yield
    except OddAnswerError as error:
        raise ServerError(where, f"answered with {error}", fix) from error
    except ApiError as error:
        raise _server_error(where, error) from error
    except httpx.HTTPError as error:
        raise _unreachable(where, error) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # The SDK builds its objects from any JSON, and fails where a field is used.
        what = f"answered in a form that cannot be read ({type(error).__name__})"
        raise ServerError(where, what, fix) from error


def value_of(mapping: object, name: str) -> str:
    """Return a value of what should be a JSON object, or ""; the case of names is ignored."""
    items = mapping.items() if isinstance(mapping, Mapping) else ()
    return next((str(value) for key, value in items if str(key).lower() == name), "")


def as_list(answered: Any) -> list[Any]:
    """Return an answer that must be a list, else TypeError."""
    if not isinstance(answered, list):
        raise TypeError("no list")
    return answered


def require_same(answered: object, wanted: object) -> None:
    """Raise ValueError unless an answer is about what was asked for."""
    if answered != wanted:
        raise ValueError(f"{answered} is not {wanted}")


def _unreachable(where: str, outcome: Exception | str) -> UnreachableError:
    what = str(outcome) or type(outcome).__name__
    fix = "Check the address and that Label Studio is running"
    made = UnreachableError(where, f"no answer ({what})", fix)
    made.arrived = not isinstance(outcome, _NOT_ARRIVED)
    return made


def _server_error(where: str, error: ApiError) -> ServerError:
    status, said = error.status_code or 0, _what_it_said(error.body)
    if status in _AWAY:
        return _unreachable(where, f"status {status}")
    if status == httpx.codes.UNAUTHORIZED:
        return ServerError(where, f"the API key is refused ({said})", FIX_KEY)
    if status == httpx.codes.FORBIDDEN and "network address" in said:
        return ServerError(where, said, FIX_BANNED)
    if status < httpx.codes.BAD_REQUEST:
        return ServerError(where, "answered with half an answer", "Try again")
    fix = "See Label Studio's log" if status >= httpx.codes.INTERNAL_SERVER_ERROR else ""
    return ServerError(where, f"Label Studio answered {status}: {said}", fix)


def _what_it_said(body: object) -> str:
    """Return the readable part of an error body in one line, without HTML and without tasks."""
    if isinstance(body, Mapping):
        fields = body.get("validation_errors")
        if isinstance(fields, Mapping):
            names = {key: "" if key == "non_field_errors" else f"{key}: " for key in fields}
            said = "; ".join(f"{names[key]}{_flat(value)}" for key, value in fields.items())
        else:
            said = _flat(body.get("detail", dict(body)))
    elif isinstance(body, str) and _kind_of(body) == "a page of HTML":
        said = "a page of HTML"
    else:
        said = _flat(body)
    return " ".join(said.split())[:SHOWN] or "nothing more"


def _flat(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    # Behind these are a link, and the task that cannot be imported.
    return text.split(" <a href=", 1)[0].split(" :: ", 1)[0]
