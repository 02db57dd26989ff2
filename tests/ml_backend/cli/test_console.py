"""What the commands print: results, messages and progress where there is no terminal."""

import json
import logging
import unicodedata
from pathlib import Path

import pytest
from rich.text import Text

from ml_backend.cli.console import (
    MessageHandler,
    Rate,
    bars,
    print_result,
    say,
    say_unreadable,
    table,
)
from projection.records import UnreadableReview
from tests.ml_backend.cli.conftest import Spanferry

# Sets the title, clears the screen, colors (C0 and C1), goes back, reverses what follows.
COMMANDS = "\x1b]0;title\x07\x1b[2J\x9b31m\r\b\x7f\u202eabc\u2066"


def test_each_part_says_how_much_there_is_if_that_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with bars() as on_progress:
        on_progress("sentences", 2, 4)
        on_progress("sentences", 4, 4)
        on_progress("corpora", 7, 0)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "sentences …"
    assert said[1].startswith("sentences: 4 of 4, ")
    assert said[2] == "corpora …"
    assert said[3].startswith("corpora: 7, ")


@pytest.mark.parametrize(
    ("total", "steps", "said"),
    [
        pytest.param(100, [(10, 1.0)], "", id="the first step may have waited for a model"),
        pytest.param(5000, [(1000, 1.0), (150, 3.0)], ", 75 a second, 51 s left", id="resumed"),
        pytest.param(10**6, [(9, 1.0), (1024, 14.0)], ", 79 a second, 4 h left", id="hours"),
        pytest.param(None, [(1, 1.0), (1, 3.0)], ", 0.5 a second", id="no total"),
        pytest.param(4, [(4, 1.0), (0, 3.0)], "", id="nothing since"),
        pytest.param(5, [(1, 60.0), (1, 120.0)], ", 3 min left", id="a minute each"),
    ],
)
def test_pace_is_that_of_new_work(
    total: int | None, steps: list[tuple[int, float]], said: str
) -> None:
    pace = Rate(total)
    assert [pace.step(*step) for step in steps][-1] == said


def test_a_result_is_one_json_object_or_what_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    result, shown = {"text": "Köln", "count": 2}, ["a [bold] :heart: word", "x" * 200]
    print_result(result, shown, as_json=True)
    assert json.loads(capsys.readouterr().out) == result
    print_result(result, shown, as_json=False)
    assert capsys.readouterr().out.splitlines() == shown


def test_a_message_goes_to_stderr_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say("a [bold] word and 'a quoted one' " + "x" * 200)
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", ["a [bold] word and 'a quoted one' " + "x" * 200])


def test_figures_of_a_table_are_aligned_right_and_cells_are_no_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("[red]Ada[/red]", "1,000", "yes"), ("Bonn", "2", "no")]
    print_result({}, [table(("name", "before\nn", "kept"), rows, text=(0, 2))], as_json=False)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "                before",
        "name                 n  kept",
        "[red]Ada[/red]   1,000  yes",
        "Bonn                 2  no",
    ]


def test_what_cannot_be_read_is_a_line_each_up_to_a_limit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say_unreadable([UnreadableReview(n, None, "", "", "", f"task {n}: odd") for n in range(23)])
    said = capsys.readouterr().err.splitlines()
    assert (said[0], said[-2:]) == (
        "Left out: task 0: odd",
        ["Left out: task 19: odd", "Left out: 3 more"],
    )


def test_no_text_gives_commands_to_a_terminal(
    capsys: pytest.CaptureFixture[str], spanferry: Spanferry, tmp_path: Path
) -> None:
    shown = [COMMANDS, Text(COMMANDS), table((COMMANDS,), [(COMMANDS,)])]
    print_result({}, shown, as_json=False)
    said = capsys.readouterr().out
    assert said.count("␛]0;title␇␛[2J�31m␍␈␡�abc�") == 3
    assert "␛]0;title␛[2J�31m␡�abc�" in said  # of a Text, rich has left some out
    print_result({"text": COMMANDS}, (), as_json=True)
    line = capsys.readouterr().out
    assert json.loads(line) == {"text": COMMANDS}
    say(COMMANDS)
    with bars() as on_progress:
        on_progress(COMMANDS, 1, 1)
    MessageHandler().emit(logging.makeLogRecord({"msg": "in %s", "args": (COMMANDS,)}))
    said += line + capsys.readouterr().err
    said += spanferry("report", "--export", tmp_path / COMMANDS, "--out", tmp_path / "out").mistake
    obeyed = {c for c in said if unicodedata.category(c) == "Cc" or unicodedata.bidirectional(c) in
              ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")}  # fmt: skip
    assert obeyed == {"\n"}
