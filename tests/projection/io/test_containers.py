"""Packed files are read as a stream, within limits, or named with what unpacks them."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.io import containers
from projection.io.files import open_bytes, read_lines
from tests.projection.io.corpora import write
from tests.projection.peak import peak_below

TEXT = "Angela Merkel besuchte Köln.\nSiemens ist in München.\n"
LINES = [(1, "Angela Merkel besuchte Köln."), (2, "Siemens ist in München.")]


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def in_zip(content: bytes) -> bytes:
    return zipped(("README.txt", b"x"), ("__MACOSX/._a", b"x"), ("LICENSE", b"x"), ("a", content))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": in_zip,
}


@pytest.mark.parametrize("packer", PACKERS)
@settings(max_examples=30)
@given(content=st.binary(max_size=300))
def test_what_was_packed_is_read(
    tmp_path_factory: pytest.TempPathFactory, packer: str, content: bytes
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "packed", PACKERS[packer](b"x" + content))
    with open_bytes(path) as stream:
        assert stream.read() == b"x" + content


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_streams_that_follow_each_other_are_one(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = write(tmp_path / "a", b"".join(pack(f"{text}\n".encode()) for _, text in LINES))
    assert list(read_lines(path)) == LINES


@pytest.mark.parametrize("packer", PACKERS)
@settings(max_examples=30)
@given(content=st.binary(max_size=200), cut=st.integers(1, 400), byte=st.integers(0, 255))
def test_a_damaged_archive_is_a_mistake_in_the_corpus(
    tmp_path_factory: pytest.TempPathFactory, packer: str, content: bytes, cut: int, byte: int
) -> None:
    packed = bytearray(PACKERS[packer](content)[: max(8, cut)])
    packed[cut % len(packed)] = byte
    path = write(tmp_path_factory.getbasetemp() / "damaged", bytes(packed))
    with suppress(CorpusError), open_bytes(path) as stream:
        stream.read()


class TestZip:
    """One member, which is the only corpus or is named."""

    MOSES = zipped(("en-de.en", b"One.\n"), ("en-de.de", b"Eins.\n"), ("README", b"x"))

    def test_of_several_one_has_to_be_named(self, tmp_path: Path) -> None:
        path = write(tmp_path / "en-de.zip", self.MOSES)
        message = (
            r"en-de\.zip: an archive of 3 files: 'en-de\.en', 'en-de\.de'\. Name one of them, "
        )
        with pytest.raises(CorpusError, match=message):
            list(read_lines(path))
        assert list(read_lines(path / "en-de.de")) == [(1, "Eins.")]
        with pytest.raises(CorpusError, match="an archive of 3 files"):
            list(read_lines(path / "en-de.fr"))

    def test_names_that_lead_out_of_an_archive_lead_nowhere(self, tmp_path: Path) -> None:
        folder = tmp_path / "inner"
        folder.mkdir()
        path = write(folder / "a.zip", zipped(("../../outside.en", b"One.\n")))
        assert list(read_lines(path)) == [(1, "One.")]
        assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param(zipped(), "an archive of 0 files", id="empty"),
            pytest.param(
                zipped(("[Content_Types].xml", b"x"), ("xl/a.xml", b"x")),
                r"an Office document\. Save it as text",
                id="spreadsheet",
            ),
            pytest.param(
                zipped(("a", b"x"), method=zipfile.ZIP_LZMA), "unusual way. Unpack it", id="method"
            ),
            pytest.param(
                zipped(*((f"{n:0100}", b"") for n in range(9000))), "too many members", id="members"
            ),
            pytest.param(
                zipped(("a.gz", gzip.compress(b"x"))), "packed more than once", id="gzip in it"
            ),
        ],
    )
    def test_others_are_named(self, tmp_path: Path, content: bytes, message: str) -> None:
        path = write(tmp_path / "a.zip", content)
        with pytest.raises(CorpusError, match=message):
            list(read_lines(path))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"\x28\xb5\x2f\xfd\x04", "a zstd archive. Unpack it first: zstd -d"),
        (b"7z\xbc\xaf\x27\x1c\x00", "a 7-Zip archive"),
        (b"x" * 257 + b"ustar", "a tar archive. Unpack it first: tar -xf"),
        (gzip.compress(b"x" * 257 + b"ustar" + b"y" * 99), "a tar archive"),
        (b"PAR1\x15\x04", "a Parquet file. Write it as JSON Lines"),
        (b"%PDF-1.7", "a PDF document"),
    ],
    ids=["zstd", "7z", "tar", "tar in gzip", "Parquet", "PDF"],  # the bytes of gzip hold the time
)
def test_what_is_not_read_is_named(tmp_path: Path, start: bytes, message: str) -> None:
    path = write(tmp_path / "a.en", start)
    with pytest.raises(CorpusError, match=message):
        list(read_lines(path))


@pytest.mark.parametrize("packer", PACKERS)
def test_a_bomb_is_refused_for_its_ratio(
    tmp_path: Path, packer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "FREE_BYTES", 1 << 18)
    monkeypatch.setattr(containers, "MOST_TIMES", 20)
    path = write(tmp_path / "bomb", PACKERS[packer](b"A\n" * (1 << 20)))
    with pytest.raises(CorpusError, match="unpacks to more than"):
        list(read_lines(path))


def test_the_size_of_what_is_unpacked_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "MOST_BYTES", 1000)
    path = write(tmp_path / "a.gz", gzip.compress(b"A\n" * 600))
    with pytest.raises(CorpusError, match="unpacks to more than"):
        list(read_lines(path))


def test_a_small_archive_with_one_huge_line_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as packed:
        for _ in range(40):
            packed.write(b"a" * (1 << 20))
    too_long = r"a\.jsonl\.gz:1: a line of more than 16,777,216 bytes"
    with peak_below(60 << 20), pytest.raises(CorpusError, match=too_long):
        list(read_lines(path))
