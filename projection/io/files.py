"""Files: reading with checked UTF-8 and limits, atomic writing, locks."""

import codecs
import errno
import fcntl
import io
import json
import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from projection.addresses import Address
from projection.errors import CorpusError, SpanferryError
from projection.io.containers import CHUNK, ChunkReader, archive_of, unpacked

log = logging.getLogger(__name__)

BOM = b"\xef\xbb\xbf"
MOST_LINE_BYTES = 1 << 24
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_IN_WORDS = re.compile(r"(?:os error |Errno )(\d+)")
_TORCH_WRITER = re.compile(r"PytorchStreamWriter|inline_container|unexpected pos \d+ vs")
_DAMAGED = "Restore the file, or make it again"
_SPREAD = {"{", "[", "[{"}  # how JSON over several lines begins
_KINDS = {
    stat.S_ISFIFO: "a pipe",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
    stat.S_ISDIR: "a folder",
}


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file for reading, unpacked (see `containers`), whatever its name.

    `a.zip/b.txt` is a member of an archive; an Address is read from where it leads. CorpusError if
    it is no file, or cannot be read; while it is read, too.
    """
    file, member = archive_of(path)
    try:
        opened = _open_file(file)
    except FileNotFoundError as error:
        raise CorpusError(str(path), "no such file", "Check the path") from error
    except (OSError, ValueError) as error:
        what = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise CorpusError(str(path), what) from error
    with opened as raw:
        yield io.BufferedReader(ChunkReader(_reading(unpacked(raw, file, member), path)))


def _open_file(path: Path) -> io.BufferedReader:
    """Open a regular file. Without O_NONBLOCK, opening a pipe would wait for its writer."""
    if isinstance(path, Address):
        return io.BufferedReader(ChunkReader(path.chunks()), CHUNK)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = next((kind for is_kind, kind in _KINDS.items() if is_kind(mode)), "no file")
        raise OSError(errno.EINVAL, f"{kind}; a file is needed")
    return os.fdopen(handle, "rb")


def _reading(chunks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    try:
        yield from chunks
    except OSError as error:
        what = f"cannot be read ({error.strerror or error})"
        raise CorpusError(str(path), what, "Check the disk or the network folder") from error


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    r"""Open UTF-8 text, packed or not, with or without a BOM; only `\n` ends a line."""
    with open_bytes(path) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="\n") as text:
        yield text


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Stream (line number from 1, line without its `\n` or `\r\n`).

    It must be UTF-8, or UTF-16 or UTF-32 with a byte order mark. CorpusError naming the line if it
    is not, or a line has more than `MOST_LINE_BYTES`.
    """
    with open_bytes(path) as stream:
        lines = _as_utf8(stream, path)
        for number in count(1):
            raw = lines.readline(MOST_LINE_BYTES + 1)
            if not raw:
                return
            if len(raw) > MOST_LINE_BYTES:
                what = f"a line of more than {MOST_LINE_BYTES:,} bytes"
                raise CorpusError(f"{path}:{number}", what, "Put every sentence on its own line")
            content = raw.removeprefix(BOM) if number == 1 else raw
            try:
                line = content.decode("utf-8")
            except UnicodeDecodeError as error:
                what = f"not UTF-8 (byte 0x{content[error.start]:02x} at byte {error.start + 1})"
                fix = "Convert the file, for instance with iconv -f latin1 -t utf-8"
                raise CorpusError(f"{path}:{number}", what, fix) from error
            yield number, line.removesuffix("\n").removesuffix("\r")


def _as_utf8(stream: io.BufferedReader, path: Path) -> io.BufferedReader:
    """The stream, recoded if its mark says that it is UTF-16 or UTF-32."""
    start = stream.peek(4096)
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return io.BufferedReader(ChunkReader(_recoded(stream, encoding, path)), CHUNK)
    for order, zeros, others in (("LE", start[1::2], start[::2]), ("BE", start[::2], start[1::2])):
        if zeros.count(0) > 0.7 * len(zeros) > 2 and others.count(0) < 0.1 * len(others):
            what, fix = "UTF-16 without a byte order mark", f"iconv -f UTF-16{order} -t UTF-8"
            raise CorpusError(str(path), what, f"Convert the file: {fix}")
    return stream


def _recoded(stream: io.BufferedReader, encoding: str, path: Path) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    chunk = None
    try:
        while chunk != b"":
            chunk = stream.read(CHUNK)
            yield decoder.decode(chunk, final=not chunk).encode()
    except UnicodeError as error:
        what = f"not {encoding.upper()}, as its mark says ({error})"
        raise CorpusError(str(path), what, "Convert the file to UTF-8") from error


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream (line number from 1, object) of a JSON Lines file; blank lines are skipped."""
    for number, line in read_lines(path):
        if line and not line.isspace():
            yield number, parse_object(line, f"{path}:{number}")


def parse_object(line: str, where: str) -> dict[str, Any]:
    """One JSON object, of text that UTF-8 can encode; else a CorpusError."""
    try:
        row = json.loads(line, parse_constant=_refuse_constant)
        if "\\ud" in line.lower():  # only an escape can spell half a surrogate pair
            json.dumps(row, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        if line.strip() in _SPREAD:
            what, fix = "not JSON on one line", "Write one {…} per line, such as with jq -c"
            raise CorpusError(where, what, fix) from error
        what = f"not JSON ({error.msg} at column {error.colno})"
        raise CorpusError(where, what, "Export this line again") from error
    except UnicodeEncodeError as error:
        what = "half of a surrogate pair (\\ud8xx)"
        raise CorpusError(where, what, "Export the text as UTF-8, not UTF-16") from error
    except (ValueError, RecursionError) as error:
        raise CorpusError(where, f"not usable JSON ({error})", "Export this line again") from error
    if not isinstance(row, dict):
        what = f"a JSON {type(row).__name__}, not an object"
        raise CorpusError(where, what, "Write one {…} per line")
    return row


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that is one JSON object; else a CorpusError. OSError if it cannot be read."""
    try:
        return parse_object(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise CorpusError(str(path), f"not UTF-8 (at byte {error.start + 1})", _DAMAGED) from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def json_line(row: Mapping[str, object]) -> str:
    """One line of a JSON Lines file, with its line end."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of writing in the block, of any library, into an OSError about `path`."""
    try:
        yield
    except Exception as error:
        if (number := _number_of(error)) is None:
            raise
        where = getattr(error, "filename", None) or str(path)
        if str(where).startswith(str(path.parent / f".{path.name}.")):  # our own scratch files
            where = str(path)
        raise OSError(number, os.strerror(number), where) from error


def _number_of(error: Exception) -> int | None:
    """The system's number of an error; libraries in Rust and C++, and shutil, give it in words."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if isinstance(error, SpanferryError):
        return None
    words = str(error)
    if (found := _IN_WORDS.search(words)) is not None:
        return int(found[1])
    # Of PyTorch, which does not tell the reason.
    return errno.ENOSPC if _TORCH_WRITER.search(words) is not None else None


@contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """Write UTF-8 text to a temporary file that replaces `path` once it is on the disk.

    It is removed if the block raises; that of a process that was killed is written over. Others
    who write to `path` wait. A device or a pipe is written to, never replaced.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="\n") as text:
            yield text
        return
    temporary = path.with_name(f".{path.name}.tmp")
    with writing(path), _locked_file(temporary) as text:
        try:
            yield text
            text.flush()
            os.fsync(text.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _locked_file(path: Path) -> TextIO:
    """Open an empty file that is ours until it is renamed, removed or closed."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                os.ftruncate(handle, 0)
                return os.fdopen(handle, "w", encoding="utf-8", newline="\n")
        os.close(handle)  # meanwhile its owner has renamed or removed it


def write_json(path: Path, row: Mapping[str, object]) -> None:
    """Write one readable JSON object, atomically."""
    with atomic_write(path) as text:
        json.dump(row, text, ensure_ascii=False, allow_nan=False, indent=2)
        text.write("\n")


@contextmanager
def locked(path: Path, held_by: str) -> Iterator[None]:
    """Lock the file `path`; the log says if this waits for `held_by`."""
    with alone(path) as ours:
        if ours:
            yield
            return
    log.warning("waiting for %s", held_by)
    with FileLock(path):
        yield


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Lock the file `path` unless another process has it. Yields True if the lock is ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, blocking=False)
    with suppress(Timeout):
        lock.acquire()
    try:
        yield lock.is_locked
    finally:
        lock.release()


def sync_folder(folder: Path) -> None:
    """Write the names in `folder` to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
