"""The address and the API key of a Label Studio server, checked before anything is sent."""

import httpx

from projection.errors import ServerError


def read_url(url: str) -> httpx.URL:
    """Return an address without blanks and slashes at its ends; ServerError if it is none."""
    where, text = "the URL of Label Studio", url.strip().rstrip("/")
    fix = "Write it as in a browser, such as http://localhost:8080"
    try:
        read = httpx.URL(text)
    except httpx.InvalidURL:
        raise ServerError(where, "not a URL", fix) from None
    if read.userinfo:  # it may be a password, so the URL is not shown
        raise ServerError(where, "has a user or password in it", "Log in with an API key instead")
    if read.scheme not in {"http", "https"} or not read.host:
        raise ServerError(text or where, "not a URL", "Write it with http:// or https://")
    return read.copy_with(query=None, fragment=None)


def read_key(api_key: str) -> str:
    """Return an API key without blanks at its ends; ServerError if it cannot be one."""
    key = api_key.strip()
    if not key:
        raise ServerError("the API key", "is empty", "Set LABEL_STUDIO_API_KEY")
    for position, character in enumerate(key, start=1):
        if not "!" <= character <= "~":
            what = f"has a character no key has (position {position})"
            raise ServerError("the API key", what, "Copy it again from Account & Settings")
    return key


def token_kind(api_key: str) -> str:
    """Return the kind of an API key. Personal access tokens are JSON web tokens: `a.b.c`."""
    return "personal access token" if api_key.count(".") == 2 else "legacy token"


def origin_of(url: httpx.URL) -> str:
    """Return scheme, host and port of a URL."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
