"""A verb works on a project once at a time."""

from pathlib import Path

import pytest

from ml_backend.label_studio.project_lock import alone
from projection.errors import ServerError


def test_two_at_once_are_refused_and_two_in_a_row_are_not(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            alone(tmp_path, "push", "http://x", "News"),
            pytest.raises(ServerError, match=r"`spanferry push` is at work on it already\. Wait"),
            alone(tmp_path, "push", "http://x/", "News"),
        ):
            pass


def test_other_verbs_projects_and_servers_go_on(tmp_path: Path) -> None:
    with (
        alone(tmp_path, "push", "http://x", "News"),
        alone(tmp_path, "repredict", "http://x", "News"),
        alone(tmp_path, "push", "http://x", "Sport"),
        alone(tmp_path, "push", "http://y", "News"),
    ):
        pass
