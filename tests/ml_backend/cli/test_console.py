"""What the commands print: results, messages and progress where there is no terminal."""

import json

import pytest

from ml_backend.cli.console import bars, print_result, say, table


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


def test_a_result_is_one_json_object_or_what_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    result, shown = {"text": "Köln", "count": 2}, ["a [bold] word", "x" * 200]
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
