"""Authentication: one secret, sent as HTTP basic authentication or as a token.

Label Studio sends basic authentication on ML calls. Its webhooks have fixed headers, so they send
`Authorization: Token <password>`.
"""

import base64
import hmac
import json
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ml_backend.settings import PREFIX, Settings, SettingsError

DEFAULT_USER = "spanferry"
FILE_NAME = "backend-credentials.json"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The user and password every guarded endpoint asks for."""

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.user or ":" in self.user:
            raise SettingsError(PREFIX + "USER", f"{self.user!r} cannot be sent over HTTP basic")
        if not self.password:
            raise SettingsError(PREFIX + "PASSWORD", "an empty password lets everyone in")

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

    @property
    def webhook_header(self) -> dict[str, str]:
        """The header a webhook has to be created with."""
        return {"Authorization": f"Token {self.password}"}


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
    if settings.password:
        return Credentials(settings.user or DEFAULT_USER, settings.password)
    path = settings.data_dir / FILE_NAME
    try:
        kept = json.loads(path.read_text("utf-8"))
        return Credentials(kept["user"], kept["password"])
    except FileNotFoundError:
        fix = f"Set {PREFIX}PASSWORD, or start `spanferry serve` once with the same data folder"
        raise SettingsError(str(path), "no password was generated yet", fix) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        fix = "Remove the file to have a new password generated"
        raise SettingsError(str(path), f"cannot be read ({error!r})", fix) from None


def ensure_credentials(settings: Settings) -> Path | None:
    """Generate a password unless one is set, and return its file, readable by its owner only.

    Two servers that start at the same time agree on one password.
    """
    if not settings.auth or settings.password:
        return None
    settings.data_dir.mkdir(parents=True, exist_ok=True)
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
