"""Opening a project of Label Studio for a command."""

import pytest

from ml_backend.cli.connection import open_project
from ml_backend.label_studio.project_lock import project_lock
from projection.errors import ServerError

KEY = "0" * 40


def test_it_says_what_it_does_and_who_does_not_answer(
    nobody: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ServerError, match="no answer"), open_project(nobody, KEY, "News [de]"):
        pass
    assert capsys.readouterr().err == "Fetching the reviews of 'News [de]' …\n"


def test_only_a_command_that_writes_needs_the_lock(nobody: str) -> None:
    with (
        project_lock("push", nobody, "News"),
        pytest.raises(ServerError, match="`spanferry push` is at work on it already"),
        open_project(nobody, KEY, "News", "adjudicate"),
    ):
        pass
    with (
        project_lock("push", nobody, "News"),
        pytest.raises(ServerError, match="no answer"),
        open_project(nobody, KEY, "News"),
    ):
        pass
