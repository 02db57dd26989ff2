"""Who may call, and with what: refused before a body is read."""

import math

from flask import Flask, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import (
    RequestEntityTooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)

from ml_backend.auth import Brake, Credentials

OPEN_ENDPOINTS = frozenset({"root", "health", "ready"})

_CHALLENGE = WWWAuthenticate("basic", {"realm": "spanferry"})
_ASK_FOR = "no or wrong credentials. Send HTTP basic ones, or Authorization: Token <password>"
_WRONG_TOO_OFTEN = "too many wrong credentials from this address. Wait a minute"
_SEND_JSON = "the body is not declared as JSON. Send Content-Type: application/json"


def guard(app: Flask, credentials: Credentials | None) -> None:
    """Refuse requests without credentials, large bodies, and bodies that are not JSON."""
    brake = Brake()

    @app.before_request
    def check() -> None:
        if request.endpoint is None:
            return  # not found
        if credentials is not None and request.endpoint not in OPEN_ENDPOINTS:
            _authenticate(credentials, brake)
        limit = app.config["MAX_CONTENT_LENGTH"]
        if request.content_length is not None and request.content_length > limit:
            raise RequestEntityTooLarge
        # A page in a browser may send other types to any address.
        if request.method == "POST" and request.content_length and not request.is_json:
            raise UnsupportedMediaType(_SEND_JSON)


def _authenticate(credentials: Credentials, brake: Brake) -> None:
    address, sent = request.remote_addr or "", request.headers.get("Authorization")
    if left := brake.seconds_left(address):
        raise TooManyRequests(_WRONG_TOO_OFTEN, retry_after=math.ceil(left))
    is_webhook = request.endpoint == "webhook"
    if not (credentials.allow_webhook(sent) if is_webhook else credentials.allow(sent)):
        if sent:
            brake.count(address, sent)
        raise Unauthorized(_ASK_FOR, www_authenticate=_CHALLENGE)
