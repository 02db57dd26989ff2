"""Corpora elsewhere, named by addresses such as `s3://bucket/news.en.gz`, as streams of bytes.

fsspec opens object storage and Hugging Face, with the credentials that its packages find; httpx the
web.
"""

import errno
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PosixPath
from typing import Self

from projection.errors import CorpusError

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://")
_IN_ARCHIVE = re.compile(r"([^/]*//[^/]*/.*?\.zip)/(.+)", re.IGNORECASE | re.DOTALL)
_CONTAINERS = ("abfs", "abfss", "az")  # container@account, no user@host
_CHUNK = 1 << 17
_TIMEOUT = 60.0
_PAUSES = (0.5, 5.0, 30.0)
"""Seconds before each attempt to go on after a connection was lost."""


class Address(PosixPath):
    """The URL of a file, where a path is asked for: with its name, and as text without secrets.

    No user and password, and no query, which may be a signature.
    """

    url = ""
    _text = ""

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the address that a URL is."""
        text = _without_secrets(url)
        address = cls(text.partition("?")[0])
        address.url, address._text = url, text
        return address

    def __str__(self) -> str:
        return self._text or super().__str__()

    @property
    def scheme(self) -> str:
        """What the URL begins with, such as `s3`."""
        return self.url.partition(":")[0]

    def of_archive(self) -> tuple[Self, str | None]:
        """Return the address of the file, and the name of a member if it goes on into a zip."""
        url, mark, query = self.url.partition("?")
        if (found := _IN_ARCHIVE.fullmatch(url)) is None:
            return self, None
        return type(self).of(found[1] + mark + query), found[2]

    def chunks(self) -> Iterator[bytes]:
        """Stream the content; CorpusError if it cannot be opened, or read to its end."""
        try:
            yield from (_web if self.scheme in {"http", "https"} else _stored)(self.url)
        except Exception as error:  # each scheme has a package with errors of its own
            raise self._fault(error) from None

    def _fault(self, error: Exception) -> CorpusError:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, ImportError):
            missing = getattr(error.__cause__, "name", None) or error.name
            what = f"{self.scheme}:// needs a package that is not installed"
            return CorpusError(str(self), what, f"pip install {missing}")
        if isinstance(error, FileNotFoundError) or status in {404, 410}:
            fix = "Check the address, and whether it needs credentials"
            return CorpusError(str(self), "no such object", fix)
        if isinstance(error, PermissionError) or status in {401, 403}:
            fix = f"Check the credentials for {self.scheme}://"
            return CorpusError(str(self), "no permission to read it", fix)
        why = str(getattr(error, "strerror", None) or "")
        if not why or re.search("[?@]", why):  # what else a library says may hold secrets
            why = type(error).__name__
        what = f"cannot be read ({f'HTTP {status}' if status else why})"
        return CorpusError(str(self), what, "Check the address and the network")


def path_or_address(text: str) -> Path:
    """Return an Address for the URL of a file, unless there is a folder such as `s3:` here."""
    found = _ADDRESS.match(text)
    return Path(text) if found is None or Path(f"{found[1]}:").is_dir() else Address.of(text)


def _without_secrets(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if re.search(r"[?#]", host):  # where users and queries cannot be told apart
        host = "***"
    elif "@" in host and scheme not in _CONTAINERS:
        host = f"***@{host.rpartition('@')[2]}"
    return f"{scheme}://{host}{slash}{re.sub('[?#].*', '?***', path, flags=re.DOTALL)}"


def _stored(url: str) -> Iterator[bytes]:
    """The content of an object; fsspec reads it in blocks."""
    import fsspec  # noqa: PLC0415  takes a tenth of a second

    try:
        fsspec.get_filesystem_class(url.partition(":")[0])
    except ValueError as error:
        raise OSError(errno.EPROTONOSUPPORT, "fsspec knows no such scheme") from error
    system, path = fsspec.url_to_fs(url)
    with system.open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _web(url: str) -> Iterator[bytes]:
    """The body of an answer; a connection that is lost is continued if the server can.

    Servers close the connection to a reader as slow as an aligner.
    """
    import httpx  # noqa: PLC0415  takes a tenth of a second

    done, version, pauses = 0, "", [*_PAUSES]
    while True:
        asked = {"Accept-Encoding": "identity"}
        asked |= {"Range": f"bytes={done}-", "If-Range": version} if done else {}
        request = partial(httpx.stream, headers=asked, follow_redirects=True, timeout=_TIMEOUT)
        try:
            with request("GET", url) as answer:
                answer.raise_for_status()
                if done and answer.status_code != httpx.codes.PARTIAL_CONTENT:
                    raise ConnectionError(errno.EIO, "the connection was lost, or the file changed")
                version = answer.headers.get("ETag") or answer.headers.get("Last-Modified", "")
                for chunk in answer.iter_raw():
                    done += len(chunk)
                    pauses = [*_PAUSES]
                    yield chunk
                return
        except httpx.TransportError as error:
            if not (version and pauses):
                raise ConnectionError(errno.EIO, str(error)) from error
            time.sleep(pauses.pop(0))
