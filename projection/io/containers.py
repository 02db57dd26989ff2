"""Packed files as streams of bytes, within limits: gzip, bzip2, xz, one member of a zip archive.

A file is known by its first bytes, not by its name. Nothing is unpacked to the disk, so that the
names in an archive lead nowhere. What is not read is named, with what unpacks it.
"""

import bz2
import gzip
import io
import lzma
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from projection.addresses import Address
from projection.errors import CorpusError
from projection.text.wording import counted

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 1 << 15
# Text packs 3 to 50 times; beyond this much of it, a bomb is refused for its ratio.
FREE_BYTES = 1 << 26
MOST_TIMES = 200
MOST_BYTES = 1 << 36
_MOST_DIRECTORY = 1 << 20  # bytes of the list of a zip archive's members
_MOST_DICTIONARY = 1 << 28  # bytes that unpacking xz may take; `xz -9` needs 65 MB

_AGAIN = "Download or compress it again"
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Of an archive's members these are no corpus.
_BESIDES = ("readme", "license", "licence", "copying", ".")
_TAR_MAGIC_AT, _LONGEST_MAGIC = 257, 262

_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it first: zstd -d"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it first: 7z x"),
    (b"Rar!\x1a\x07", "a RAR archive", "Unpack it first: unrar x"),
    (b"\x04\x22\x4d\x18", "an lz4 archive", "Unpack it first: lz4 -d"),
    (b"LZIP\x01", "an lzip archive", "Unpack it first: lzip -d"),
    (b"\x5d\x00\x00", "an LZMA archive", "Unpack it first: unlzma"),
    (b"\x1f\x9d", "a compress archive (.Z)", "Unpack it first: uncompress"),
    (b"PAR1\x15", "a Parquet file", "Write it as JSON Lines first"),
    (b"SQLite format 3\x00", "an SQLite database", "Write it as text first"),
    (b"%PDF-", "a PDF document", "Write it as text first"),
    (b"{\\rtf", "an RTF document", "Save it as text (UTF-8)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", "Save it as text (UTF-8)"),
)


class ChunkReader(io.RawIOBase):
    """Chunks of bytes as a raw stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer from one chunk; 0 bytes are the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        room = memoryview(buffer).cast("B")
        size = min(len(room), len(self._rest))
        room[:size], self._rest = self._rest[:size], self._rest[size:]
        self._position += size
        return size

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._position


def archive_of(path: Path) -> tuple[Path, str | None]:
    """Return a file, and the name of a member if the path goes on into an archive."""
    if isinstance(path, Address):
        return path.of_archive()
    for folder in path.parents:
        if folder.suffix.lower() == ".zip" and folder.is_file():
            return folder, path.relative_to(folder).as_posix()
    return path, None


def unpacked(raw: io.BufferedReader, path: Path, member: str | None = None) -> Iterator[bytes]:
    """Stream the content of an open file, unpacked if it is packed; a zip archive's `member`.

    CorpusError if it is damaged, packed in a way that is not read, or beyond the limits.
    """
    start = raw.peek(_LONGEST_MAGIC)
    if member is not None or start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _of_archive(raw, path, member)
        return
    readers: dict[bytes, Callable[[], Iterator[bytes]]] = {
        b"\x1f\x8b": lambda: _read(gzip.GzipFile(fileobj=raw)),
        b"BZh": lambda: _streams(raw, bz2.BZ2Decompressor),
        b"\xfd7zXZ\x00": lambda: _streams(raw, _xz),
    }
    for magic, open_packed in readers.items():
        if start.startswith(magic):
            yield from _limited(open_packed(), path, lambda: raw.tell() + CHUNK)
            return
    _refuse_others(start, str(path))
    yield from _read(raw)


def _refuse_others(start: bytes, where: str) -> None:
    for magic, what, fix in _OTHERS:
        if start.startswith(magic):
            raise CorpusError(where, what, fix)
    if start[_TAR_MAGIC_AT:].startswith(b"ustar"):
        raise CorpusError(where, "a tar archive", "Unpack it first: tar -xf")


def _read(stream: io.BufferedIOBase | IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, _MOST_DICTIONARY)


def _streams(
    raw: io.BufferedReader, new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
) -> Iterator[bytes]:
    """Unpack one stream after the other, as files have that were compressed in parallel."""
    data = raw.read(CHUNK)
    while data:
        unpacker = new()
        while not unpacker.eof:
            if unpacker.needs_input and not data:
                data = raw.read(CHUNK)
                if not data:
                    raise EOFError("it ends too early")
            yield unpacker.decompress(data, CHUNK)
            data = b""
        data = unpacker.unused_data.lstrip(b"\0") or raw.read(CHUNK).lstrip(b"\0")


def _limited(chunks: Iterator[bytes], where: object, packed: Callable[[], int]) -> Iterator[bytes]:
    """Pass the chunks on while they are in proportion to the bytes they were `packed` in."""
    size, start = 0, b""
    try:
        for chunk in chunks:
            if len(start) < _LONGEST_MAGIC:
                start += chunk[:_LONGEST_MAGIC]
                _refuse_others(start, str(where))
                if start.startswith((b"\x1f\x8b", b"PK\x03\x04", b"BZh9", b"\xfd7zXZ\x00")):
                    raise CorpusError(str(where), "packed more than once", "Unpack it first")
            size += len(chunk)
            if size > min(MOST_BYTES, max(FREE_BYTES, MOST_TIMES * packed())):
                what = f"unpacks to more than {size:,} bytes, {MOST_TIMES} times its size"
                raise CorpusError(str(where), what, "Unpack it first, if it is to be trusted")
            yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise CorpusError(str(where), f"damaged archive ({error})", _AGAIN) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise CorpusError(str(where), f"damaged archive ({error})", _AGAIN) from error


class _ZipStream(io.BufferedReader):
    """An archive's file; a list of members that would fill the memory is not read."""

    def read(self, size: int | None = -1, /) -> bytes:
        most = _MOST_DIRECTORY if size is None or size < 0 else size
        if most > _MOST_DIRECTORY:
            raise zipfile.BadZipFile("too many members")
        return super().read(most)


def _seekable(raw: io.BufferedReader) -> io.BufferedReader:
    """The stream, or a temporary file with its content: the list of members is at the end."""
    if raw.seekable():
        return raw
    copy = TemporaryFile(buffering=0)  # noqa: SIM115  _ZipStream closes it
    shutil.copyfileobj(raw, copy)
    copy.seek(0)
    return io.BufferedReader(copy)


def _of_archive(raw: io.BufferedReader, path: Path, member: str | None) -> Iterator[bytes]:
    try:
        seekable = _seekable(raw)
        with _ZipStream(seekable.raw) as file, zipfile.ZipFile(file) as archive:
            info = _member(archive.infolist(), path, member)
            if info.compress_type not in _ZIP_METHODS or info.flag_bits & 1:
                what = f"{info.filename!r} is encrypted, or packed in an unusual way"
                raise CorpusError(str(path), what, "Unpack it first")
            with archive.open(info) as stream:
                where = f"{path}/{info.filename}"
                yield from _limited(_read(stream), where, lambda: info.compress_size)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise CorpusError(str(path), f"damaged archive ({error})", _AGAIN) from error


def _member(infos: list[zipfile.ZipInfo], path: Path, name: str | None) -> zipfile.ZipInfo:
    """The member of that name, or the only one that may be a corpus."""
    if any(info.filename == "[Content_Types].xml" for info in infos):
        raise CorpusError(str(path), "an Office document", "Save it as text (UTF-8)")
    found = [i for i in infos if (_may_be_corpus(i) if name is None else i.filename == name)]
    if len(found) != 1:
        shown = found or infos
        names = ", ".join(f"{info.filename!r:.60}" for info in shown[:10])
        what = f"an archive of {counted(len(infos), 'file')}: {names}"
        raise CorpusError(str(path), what, f"Name one of them, such as {path}/FILE")
    return found[0]


def _may_be_corpus(info: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(info.filename.lower())
    return not (info.is_dir() or name.parts[:1] == ("__macosx",) or name.name.startswith(_BESIDES))
