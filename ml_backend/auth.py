"""Authentication: one secret, sent as HTTP basic authentication or as a token.

Label Studio sends basic authentication on ML calls. Its webhooks have fixed headers, so they send
`Authorization: Token <password>`, or a secret of their own that opens nothing else.
"""

import base64
import hmac
import json
import os
import secrets
import stat
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ml_backend.settings import PREFIX, Settings, SettingsError

DEFAULT_USER = "spanferry"
FILE_NAME = "backend-credentials.json"
SHORTEST = 12  # characters of a password or secret
GUESSES, GUESS_SECONDS = 10, 60.0  # wrong credentials an address may send in so many seconds
_MOST_ADDRESSES = 1024


@dataclass(frozen=True, slots=True)
class Credentials:
    """The user and password every guarded endpoint asks for."""

    user: str
    password: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not self.user or ":" in self.user:
            raise SettingsError(PREFIX + "USER", f"{self.user!r} cannot be sent over HTTP basic")
        _require_long(PREFIX + "PASSWORD", self.password)
        for secret in self.webhook_secrets:
            _require_long(PREFIX + "WEBHOOK_SECRETS", secret)

    def allow(self, authorization: str | None) -> bool:
        """Return whether an `Authorization` header is right, in constant time."""
        scheme, _, sent = (authorization or "").partition(" ")
        match scheme.lower():
            case "basic":
                raw = b""
                with suppress(ValueError):
                    raw = base64.b64decode(sent.strip(), validate=True)
                return _any_equal(raw, f"{self.user}:{self.password}")
            case "token" | "bearer":
                # WSGI decodes headers as latin-1.
                return _any_equal(sent.strip().encode("latin-1", "replace"), self.password)
            case _:
                return False

    def allow_webhook(self, authorization: str | None) -> bool:
        """Return whether the header of a webhook is right: of a webhook secret, or as `allow`."""
        scheme, _, sent = (authorization or "").partition(" ")
        raw = sent.strip().encode("latin-1", "replace") if scheme.lower() == "token" else b""
        found = [_any_equal(raw, secret) for secret in self.webhook_secrets]
        return self.allow(authorization) or any(found)

    @property
    def webhook_header(self) -> dict[str, str]:
        """The header a webhook has to be created with."""
        return {"Authorization": f"Token {(*self.webhook_secrets, self.password)[0]}"}


class Brake:
    """Slows guessing down: an address that sent `GUESSES` different wrong credentials has to wait.

    Repeating a guess counts once: a project that still sends an old password stops no other one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        # By address: when its first guess came, and the hashes of all.
        self._guesses: OrderedDict[str, tuple[float, set[int]]] = OrderedDict()

    def seconds_left(self, address: str) -> float:
        """Return how long an address has to wait; 0 if it may go on."""
        with self._lock:
            since, guesses = self._guesses.get(address, (0.0, set()))
        return max(0.0, since + GUESS_SECONDS - self._clock()) if len(guesses) >= GUESSES else 0.0

    def count(self, address: str, guess: str) -> None:
        """Count a wrong guess."""
        with self._lock:
            now = self._clock()
            since, guesses = self._guesses.pop(address, (now, set()))
            if now - since > GUESS_SECONDS:
                since, guesses = now, set()
            guesses.add(hash(guess))
            self._guesses[address] = since, guesses
            if len(self._guesses) > _MOST_ADDRESSES:
                self._guesses.popitem(last=False)


def _require_long(setting: str, secret: object) -> None:
    if not isinstance(secret, str):
        raise SettingsError(
            setting, f"is a {type(secret).__name__}, not a text", "Put it in quotes"
        )
    if len(secret) < SHORTEST:
        fix = "`openssl rand -hex 24` makes a good one"
        raise SettingsError(setting, f"has fewer than {SHORTEST} characters", fix)


def _any_equal(sent: bytes, expected: str) -> bool:
    """Compare with both encodings of basic credentials: UTF-8 (RFC 7617) and latin-1."""
    forms = [expected.encode()]
    with suppress(UnicodeEncodeError):
        forms.append(expected.encode("latin-1"))
    return any([hmac.compare_digest(sent, form) for form in forms])  # noqa: C419  in constant time


def credentials_of(settings: Settings) -> Credentials | None:
    """Return the credentials of the settings, else of the data folder; None if `auth` is off."""
    if not settings.auth:
        return None
    hooks = settings.webhook_secrets
    if settings.password:
        return Credentials(settings.user or DEFAULT_USER, settings.password, hooks)
    path = settings.data_dir / FILE_NAME
    try:
        others = stat.S_IMODE(path.stat().st_mode) & 0o077
        kept = json.loads(path.read_text("utf-8"))
        user, password = kept["user"], kept["password"]
    except FileNotFoundError:
        fix = f"Set {PREFIX}PASSWORD, or start `spanferry serve` once with the same data folder"
        raise SettingsError(str(path), "no password was generated yet", fix) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        fix = "Remove the file to have a new password generated"
        raise SettingsError(str(path), f"cannot be read ({type(error).__name__})", fix) from None
    if others:
        raise SettingsError(str(path), "others may read it", f"chmod 600 {path}")
    if not isinstance(user, str) or not isinstance(password, str):
        fix = "Write both in quotes, or remove the file to have a new password generated"
        raise SettingsError(str(path), "the user or the password is not a text", fix)
    return Credentials(user, password, hooks)


def ensure_credentials(settings: Settings) -> Path | None:
    """Generate a password unless one is set, and return its file, readable by its owner only.

    Two servers that start at the same time agree on one password.
    """
    if not settings.auth or settings.password:
        return None
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.data_dir / FILE_NAME
    if not path.exists():
        made = {"user": DEFAULT_USER, "password": secrets.token_urlsafe(24)}
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(made, indent=2) + "\n")
        with suppress(FileExistsError):  # another server was faster
            path.hardlink_to(beside)
        Path(beside).unlink()
    return path
