"""Files: reading with gzip and checked UTF-8, atomic writing, locks."""

import gzip
import io
import json
import logging
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from filelock import FileLock, Timeout

from projection.errors import CorpusError

log = logging.getLogger(__name__)

GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file or pipe for reading, gzipped or not, whatever its name."""
    try:
        opened = path.open("rb")
    except FileNotFoundError as error:
        raise CorpusError(str(path), "no such file", "Check the path") from error
    except OSError as error:
        raise CorpusError(str(path), f"cannot be read ({error.strerror})") from error
    with opened as raw:
        if not raw.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
            yield raw
            return
        try:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                # Buffered, because GzipFile reads line by line slowly.
                yield io.BufferedReader(cast("io.RawIOBase", unpacked))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            what = f"damaged gzip ({error})"
            raise CorpusError(str(path), what, "Download or compress it again") from error


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    r"""Open UTF-8 text, gzipped or not, with or without a BOM; only `\n` ends a line."""
    with open_bytes(path) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="\n") as text:
        yield text


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Stream (line number from 1, line without its `\n` or `\r\n`); it must be UTF-8."""
    with open_bytes(path) as stream:
        for number, raw in enumerate(stream, start=1):
            content = raw.removeprefix(BOM) if number == 1 else raw
            try:
                line = content.decode("utf-8")
            except UnicodeDecodeError as error:
                what = f"not UTF-8 (byte 0x{content[error.start]:02x} at byte {error.start + 1})"
                fix = "Convert the file, for instance with iconv -f latin1 -t utf-8"
                raise CorpusError(f"{path}:{number}", what, fix) from error
            yield number, line.removesuffix("\n").removesuffix("\r")


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


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def json_line(row: Mapping[str, object]) -> str:
    """One line of a JSON Lines file, with its line end."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """Write UTF-8 text to a temporary file that replaces `path` once it is on the disk.

    It is removed if the block raises.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as text:
            yield text
            text.flush()
            os.fsync(text.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


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
