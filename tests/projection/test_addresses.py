"""Corpora elsewhere read like files here, and no message shows what an address keeps secret."""

import bz2
import gzip
import io
import lzma
import socket
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from projection import addresses
from projection.addresses import Address, path_or_address
from projection.errors import CorpusError
from projection.io.files import open_bytes, read_lines
from tests.projection.peak import peak_below
from tests.projection.web import FileServer, serving_files

TEXT = "Angela Merkel besuchte Köln.\n" * 2000
LINES = [(number, "Angela Merkel besuchte Köln.") for number in range(1, 2001)]


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("news.de", content)
    return file.getvalue()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server with a text and its archives, to which lost connections are opened at once."""
    monkeypatch.setattr(addresses, "_PAUSES", (0.0, 0.0))
    plain = TEXT.encode()
    with serving_files({"/news.de": plain, "/all.zip": zipped(plain)}) as server:
        yield server


class TestNames:
    @pytest.mark.parametrize(
        ("url", "shown", "name"),
        [
            pytest.param("s3://b/news/a.en.gz", "s3://b/news/a.en.gz", "a.en.gz", id="object"),
            pytest.param(
                "hf://datasets/u/c@main/a.en", "hf://datasets/u/c@main/a.en", "a.en", id="revision"
            ),
            pytest.param(
                "abfs://box@account.dfs.core.windows.net/a.en",
                "abfs://box@account.dfs.core.windows.net/a.en",
                "a.en",
                id="container",
            ),
            pytest.param("https://h:80/a.en", "https://h:80/a.en", "a.en", id="port"),
            pytest.param("https://me:key@h/a.en", "https://***@h/a.en", "a.en", id="password"),
            pytest.param("ftp://me:a@b@h/a.en", "ftp://***@h/a.en", "a.en", id="at sign in it"),
            pytest.param("https://h/a.iob2?sig=x/y", "https://h/a.iob2?***", "a.iob2", id="query"),
            pytest.param("https://h?sig=x@y/a.en", "https://***/a.en", "a.en", id="no path"),
            pytest.param("https://h/a.en#key", "https://h/a.en?***", "a.en", id="fragment"),
        ],
    )
    def test_an_address_is_a_path_without_secrets(self, url: str, shown: str, name: str) -> None:
        address = path_or_address(url)
        assert isinstance(address, Address)
        assert (str(address), address.name, address.url) == (shown, name, url)
        assert url == shown or url not in f"{address!r} {address.parent} {address / 'a'}"

    @pytest.mark.parametrize("path", ["news.en", "/a/s3:/news.en", "a:b", "S3/news.en", "http:/a"])
    def test_other_paths_are_local(self, path: str) -> None:
        assert type(path_or_address(path)) is type(Path())

    def test_a_local_folder_of_that_name_comes_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("s3:").mkdir()
        Path("s3:/news.en").write_text("here\n", "utf-8")
        assert list(read_lines(path_or_address("s3://news.en"))) == [(1, "here")]


class TestReading:
    @pytest.mark.parametrize(
        ("content", "member"),
        [
            pytest.param(TEXT.encode(), "", id="plain"),
            pytest.param(TEXT.encode("utf-16"), "", id="UTF-16"),
            pytest.param(gzip.compress(TEXT.encode(), mtime=0), "", id="gzip"),
            pytest.param(bz2.compress(TEXT.encode()), "", id="bzip2"),
            pytest.param(lzma.compress(TEXT.encode()), "", id="xz"),
            pytest.param(zipped(TEXT.encode()), "", id="zip"),
            pytest.param(zipped(TEXT.encode()), "/news.de", id="member of a zip"),
        ],
    )
    def test_objects_are_unpacked_as_files_are(self, content: bytes, member: str) -> None:
        folder = f"memory://{uuid4()}"
        fsspec.filesystem("memory").pipe(f"{folder}/a.zip", content)
        assert list(read_lines(path_or_address(f"{folder}/a.zip{member}"))) == LINES

    def test_a_password_and_a_query_are_sent(self, web: FileServer) -> None:
        url = f"http://me:secret@{web.host}/all.zip/news.de?sig=abc"
        assert list(read_lines(path_or_address(url))) == LINES
        [request] = web.seen
        assert request.startswith("/all.zip?sig=abc ")
        assert "Authorization: Basic bWU6c2VjcmV0" in request

    def test_a_large_file_is_a_stream(self, web: FileServer) -> None:
        web.files["/large.de"] = TEXT.encode() * 400
        path = path_or_address(f"http://{web.host}/large.de")
        with peak_below(len(web.files["/large.de"]) / 4):
            first = list(islice(read_lines(path), 2000))
        assert first == LINES

    def test_a_lost_connection_is_continued(self, web: FileServer) -> None:
        web.cuts = [5000, 0, 20_000]
        assert list(read_lines(path_or_address(f"http://{web.host}/news.de"))) == LINES
        starts = [
            line for request in web.seen for line in request.splitlines() if "Range: b" in line
        ]
        assert starts == ["Range: bytes=5000-"] * 2 + ["Range: bytes=25000-"]


class Forbidding(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Objects that nobody may read."""

    protocol = "forbidding"

    def open(self, path: str, *_: Any, **__: Any) -> Any:
        raise PermissionError(f"Access Denied: {path}")


class TestErrors:
    """One line, with the address as it was written but for its secrets."""

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (404, "no such object. Check the address, and whether it needs credentials"),
            (403, "no permission to read it. Check the credentials for http://"),
            (500, "cannot be read (HTTP 500). Check the address and the network"),
        ],
    )
    def test_what_a_server_refuses(self, web: FileServer, status: int, message: str) -> None:
        web.status = status
        path = path_or_address(f"http://me:secret@{web.host}/news.de?sig=secret")
        with pytest.raises(CorpusError) as error:
            list(read_lines(path))
        assert str(error.value) == f"http://***@{web.host}/news.de?***: {message}"

    def test_a_server_that_is_not_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            host = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(CorpusError) as error:
            list(read_lines(path_or_address(f"http://me:secret@{host}/news.de")))
        where = f"http://***@{host}/news.de: cannot be read "
        assert str(error.value).startswith(f"{where}([Errno 111] Connection refused). Check")

    @pytest.mark.parametrize(
        ("versions", "why"),
        [
            pytest.param(["", ""], "peer closed connection without", id="unknown version"),
            pytest.param(
                ['"1"', '"2"'], "the connection was lost, or the file", id="another version"
            ),
        ],
    )
    def test_what_cannot_be_continued(self, web: FileServer, versions: list[str], why: str) -> None:
        web.cuts, web.versions = [20_000], iter(versions)
        with pytest.raises(CorpusError, match=rf"news\.de\?\*\*\*: cannot be read \({why}"):
            list(read_lines(path_or_address(f"http://{web.host}/news.de?sig=secret")))

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("memory://none/a.en", "memory://none/a.en: no such object"),
            ("s4://b/a.en", "s4://b/a.en: cannot be read (fsspec knows no such scheme)"),
            (
                "absent://b/a.en?k=secret",
                "absent://b/a.en?***: absent:// needs a package that is not installed. "
                "pip install absent_fs",
            ),
            ("forbidding://b/a.en", "forbidding://b/a.en: no permission to read it. Check the"),
            ("http://h:secret/a.en", "cannot be read (InvalidURL)"),
        ],
    )
    def test_what_cannot_be_opened(self, url: str, message: str) -> None:
        fsspec.register_implementation("absent", "absent_fs.AbsentFileSystem", clobber=True)
        fsspec.register_implementation("forbidding", Forbidding, clobber=True)
        with pytest.raises(CorpusError) as error, open_bytes(path_or_address(url)) as stream:
            stream.read()
        assert message in str(error.value)
        assert "\n" not in str(error.value)
