"""Reading and writing files: gzip or not, UTF-8 checked by line, written whole or not at all."""

import gzip
import io
import json
import logging
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

from filelock import FileLock, Timeout

from projection.errors import CorpusError

log = logging.getLogger(__name__)

GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file or pipe for reading, gzipped or not, whatever its name says.

    Raises:
        CorpusError: if it cannot be opened, or turns out to be damaged while it is read.
    """
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
                # GzipFile hands out lines one small read at a time; the buffer is the speed.
                yield io.BufferedReader(cast("io.RawIOBase", unpacked))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CorpusError(
                str(path), f"damaged gzip ({error})", "Download or compress it again"
            ) from error


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    r"""Open UTF-8 text, gzipped or not, with or without a byte order mark; only `\n` ends a line.

    `read_lines` is stricter, with line numbers in errors.
    """
    with open_bytes(path) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="\n") as text:
        yield text


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Stream (line number from 1, line without its `\n` or `\r\n`).

    Raises:
        CorpusError: naming file and line, if a line is not UTF-8.
    """
    with open_bytes(path) as stream:
        for number, raw in enumerate(stream, start=1):
            content = raw.removeprefix(BOM) if number == 1 else raw
            try:
                line = content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise CorpusError(
                    f"{path}:{number}",
                    f"not UTF-8 (byte 0x{content[error.start]:02x} at byte {error.start + 1})",
                    "Convert the file, for instance with iconv -f latin1 -t utf-8",
                ) from error
            yield number, line.removesuffix("\n").removesuffix("\r")


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream (line number from 1, object) of a JSON Lines file. Blank lines are passed over.

    Raises:
        CorpusError: naming file and line, if a line is not one JSON object.
    """
    for number, line in read_lines(path):
        if line and not line.isspace():
            yield number, parse_object(line, f"{path}:{number}")


def parse_object(line: str, where: str) -> dict[str, Any]:
    """One JSON object.

    Raises:
        CorpusError: if `line` is anything else, or holds text that UTF-8 cannot carry.
    """
    try:
        row = json.loads(line, parse_constant=_refuse_constant)
        if "\\ud" in line.lower():  # only an escape can smuggle in half a surrogate pair
            json.dumps(row, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise CorpusError(
            where, f"not JSON ({error.msg} at column {error.colno})", "Export this line again"
        ) from error
    except UnicodeEncodeError as error:
        raise CorpusError(
            where, "half of a surrogate pair (\\ud8xx)", "Export the text as UTF-8, not UTF-16"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CorpusError(where, f"not usable JSON ({error})", "Export this line again") from error
    if not isinstance(row, dict):
        raise CorpusError(
            where, f"a JSON {type(row).__name__}, not an object", "Write one {…} per line"
        )
    return row


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def json_line(row: Mapping[str, object]) -> str:
    """One line of a JSON Lines file, with its line end."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """Write UTF-8 text so that `path` is either what it was before or whole, even after a crash.

    The text goes to a temporary file beside `path` and takes its name when it is on the disk.
    Nothing is left behind if the block raises.
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
def locked(path: Path, held_by: str = "") -> Iterator[None]:
    """Lock the file `path`, after waiting for any process that has it.

    Waiting is logged if `held_by` says who may hold the lock.
    """
    with alone(path) as ours:
        if ours:
            yield
            return
    if held_by:
        log.warning("waiting for %s", held_by)
    with FileLock(path):
        yield


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Lock the file `path` unless another process has it. Yields True if the lock is ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(FileLock(path, blocking=False))
            ours = True
        except Timeout:
            ours = False
        yield ours


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
