"""Files are read by line with line numbers in every complaint, and written whole or not at all."""

import errno
import gzip
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.io import files
from projection.io.files import (
    alone,
    atomic_write,
    json_line,
    locked,
    open_text,
    parse_object,
    read_jsonl,
    read_lines,
    write_json,
)


def lines_of(path: Path) -> list[str]:
    return [line for _, line in read_lines(path)]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param(b"", [], id="empty file"),
        pytest.param(b"a\nb\n", ["a", "b"], id="plain"),
        pytest.param(b"a\nb", ["a", "b"], id="no line end at the end"),
        pytest.param(b"a\r\nb\r\n", ["a", "b"], id="CRLF"),
        pytest.param(
            b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"], id="BOM at the start only"
        ),
        pytest.param(b"a\rb\n", ["a\rb"], id="a stray CR is text"),
        pytest.param(
            "a\u2028b\u2029c\x85d\x0be\n".encode(), ["a\u2028b\u2029c\x85d\x0be"], id="U+2028"
        ),
        pytest.param(b"\n\n", ["", ""], id="empty lines count"),
        pytest.param(b" a \n", [" a "], id="white space is text"),
    ],
)
@pytest.mark.parametrize(
    "pack", [pytest.param(bytes, id="plain file"), pytest.param(gzip.compress, id="gzip")]
)
def test_lines(
    tmp_path: Path, content: bytes, lines: list[str], pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "whatever.name"
    path.write_bytes(pack(content))
    assert lines_of(path) == lines


def test_open_text_ends_lines_at_newlines_only(tmp_path: Path) -> None:
    path = tmp_path / "a.iob2.gz"
    path.write_bytes(gzip.compress("\ufeffa\u2028b\rc\r\nd\n".encode()))
    with open_text(path) as text:
        assert list(text) == ["a\u2028b\rc\r\n", "d\n"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"ok\ncaf\xe9\n", r"a\.de:2: not UTF-8 \(byte 0xe9 at byte 4\)", id="Latin-1"),
        pytest.param(
            "Hallo Köln".encode("utf-16-le"), "without a byte order .* -f UTF-16LE", id="UTF-16LE"
        ),
        pytest.param("Hallo Köln".encode("utf-16-be"), "iconv -f UTF-16BE", id="UTF-16BE"),
        pytest.param(b"\xff\xfea", r"a\.de: not UTF-16, as its mark says", id="odd UTF-16"),
        pytest.param(
            gzip.compress(b"x" * 999)[:-9], r"a\.de: damaged archive", id="gzip cut short"
        ),
        pytest.param(
            gzip.compress(b"x")[:10] + b"\xff" * 20, r"damaged archive", id="gzip damaged"
        ),
    ],
)
def test_what_cannot_be_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.de"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        lines_of(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_utf_16_and_32_with_their_mark_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.de"
    path.write_bytes("Köln\u0d0a\r\n👨‍👩‍👧\n".encode(encoding))
    assert lines_of(path) == ["Köln\u0d0a", "👨‍👩‍👧"]


def test_a_missing_file_and_a_folder_are_not_tracebacks(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such file"):
        lines_of(tmp_path / "none")
    with pytest.raises(CorpusError, match="cannot be read"):
        lines_of(tmp_path)


def test_a_pipe_or_a_device_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(CorpusError, match=r"pipe: cannot be read \(a pipe; a file is needed\)"):
        lines_of(pipe)
    with pytest.raises(CorpusError, match="a device; a file is needed"):
        lines_of(Path("/dev/zero"))
    with pytest.raises(CorpusError, match="cannot be read"):
        lines_of(Path("a\0b"))


def test_an_error_of_the_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[bytes]:
        yield b"first\n"
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files, "unpacked", broken)
    path = tmp_path / "a"
    path.write_bytes(b"")
    with pytest.raises(CorpusError, match=r"a: cannot be read \(Input/output error\)"):
        lines_of(path)


def test_reading_starts_before_the_file_is_read(tmp_path: Path) -> None:
    """The second half of the archive is damaged, which nobody notices before getting there."""
    noise = "\n".join(f"{i * i * 7919 % 1000003}" for i in range(200_000)).encode()
    packed = gzip.compress(b"first\n" + noise)
    path = tmp_path / "big.gz"
    path.write_bytes(packed[: len(packed) // 2])
    lines = read_lines(path)
    assert next(lines) == (1, "first")
    with pytest.raises(CorpusError, match="damaged archive"):
        list(lines)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param('{"a": ', "not JSON", id="broken"),
        pytest.param("[1]", "a JSON list, not an object", id="not an object"),
        pytest.param('{"a": NaN}', "NaN is not a JSON number", id="NaN"),
        pytest.param('{"a": "\\ud83d"}', "half of a surrogate pair", id="half a character"),
        pytest.param("[" * 100_000, "not usable JSON", id="nested beyond reason"),
        pytest.param('{"a": 1} {"b": 2}', "Extra data at column 10", id="two on a line"),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"fine": true}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=rf"a\.jsonl:3: .*{message}"):
        list(read_jsonl(path))


def test_blank_lines_are_passed_over_but_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\n{"a": 1}\r\n  \r\n{"a": 2}')
    assert list(read_jsonl(path)) == [(2, {"a": 1}), (4, {"a": 2})]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["👨‍👩‍👧", "e\u0301", "a\r\nb", "x\u2028y", "שלום", "𠮷\x00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_a_json_line_is_one_line_and_reads_back(row: dict[str, object]) -> None:
    line = json_line(row)
    assert line.endswith("\n")
    assert "\n" not in line[:-1]
    assert parse_object(line, "here") == row


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))))
def test_written_lines_read_back(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    with atomic_write(path) as text:
        text.writelines(f"{line}\n" for line in lines)
    found = lines_of(path)
    # A byte order mark is a mark only at the very start of a file.
    assert found == [*(line.removeprefix("\ufeff") for line in lines[:1]), *lines[1:]]


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"read": 1})

    def interrupted() -> None:
        with atomic_write(path) as text:
            text.write("half of")
            text.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert json.loads(path.read_text()) == {"read": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_an_atomic_write_shows_only_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with atomic_write(path) as text:
        text.write("all\r\nof it")
        assert not path.exists()
    assert path.read_bytes() == b"all\r\nof it"


def test_those_who_write_one_file_take_turns_and_a_killed_one_leaves_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.json"
    (tmp_path / ".a.json.tmp").write_text("half of what a killed process wrote, and longer")

    def write(number: int) -> None:
        with atomic_write(path) as text:
            for _ in range(50):
                text.write(f"{number}\n")

    with ThreadPoolExecutor(8) as pool:
        assert len([*pool.map(write, range(40))]) == 40
    lines = path.read_text().splitlines()
    assert (len(lines), len({*lines})) == (50, 1)
    assert [*tmp_path.iterdir()] == [path]


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_json(Path(os.devnull), {"a": 1})
    assert Path(os.devnull).is_char_device()
    if Path("/dev/full").is_char_device():
        with pytest.raises(OSError, match="No space left"):
            write_json(Path("/dev/full"), {"a": 1})
        assert Path("/dev/full").is_char_device()


def test_a_written_file_is_readable_by_whoever_the_folder_allows(tmp_path: Path) -> None:
    plain, atomic = tmp_path / "plain", tmp_path / "atomic"
    plain.write_text("x")
    with atomic_write(atomic) as text:
        text.write("x")
    assert atomic.stat().st_mode == plain.stat().st_mode


def test_a_lock_is_had_by_one_at_a_time_and_nobody_waits(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    with alone(path) as first, alone(path) as second:
        assert (first, second) == (True, False)
    with alone(path) as again:
        assert again


def test_what_goes_wrong_under_a_lock_is_told_and_lets_go_of_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), alone(tmp_path / ".lock"):
        raise ZeroDivisionError
    with alone(tmp_path / ".lock") as again:
        assert again


def test_whoever_has_to_wait_for_a_lock_is_told_for_whom(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "lock"
    with locked(path, "somebody"):
        pass
    assert not caplog.messages
    entered = threading.Event()

    def wait() -> None:
        with locked(path, "somebody"):
            entered.set()

    other = threading.Thread(target=wait)
    with alone(path) as ours:
        assert ours
        other.start()
        assert not entered.wait(0.1)
    other.join(10)
    assert entered.is_set()
    assert caplog.messages == ["waiting for somebody"]
