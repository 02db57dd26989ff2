"""How work in progress is told where there is no terminal."""

import pytest

from ml_backend.cli.console import bars


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
