"""The checks of the machine the doctor runs on."""

import shutil
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from ml_backend.label_studio.checks import (
    LEAST_FREE,
    NOTE,
    OK,
    PROBLEM,
    TESTED_VERSION,
    CheckStatus,
    check_clock,
    check_disk,
    check_packages,
    check_version,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("release", "status"),
    [(TESTED_VERSION, OK), ("1.99.0", NOTE), ("1.7", NOTE), ("2.0.0", PROBLEM), ("0.9", PROBLEM)],
)
def test_another_major_version_is_a_problem(release: str, status: CheckStatus) -> None:
    assert check_version(release).verdict is status


@pytest.mark.parametrize(
    ("seconds", "status", "finding"),
    [
        (0, OK, "as Label Studio's"),
        (59, OK, "as Label Studio's"),
        (-300, PROBLEM, "300 s behind"),
        (7200, PROBLEM, "7,200 s ahead of"),
    ],
)
def test_clocks_are_compared(seconds: int, status: CheckStatus, finding: str) -> None:
    theirs = format_datetime(NOW - timedelta(seconds=seconds), usegmt=True)
    found = check_clock(theirs, NOW)
    assert found.verdict is status
    assert finding in found.finding


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_server_that_tells_no_time_is_a_note(date: str) -> None:
    assert check_clock(date, NOW).verdict is NOTE


def test_a_disk_that_is_nearly_full_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free = LEAST_FREE - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = check_disk(tmp_path / "not" / "there")
    assert found.verdict is PROBLEM
    assert "2.0 GB free" in found.finding
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=LEAST_FREE))
    assert check_disk(tmp_path).verdict is OK


def test_an_old_sdk_is_a_problem() -> None:
    assert check_packages().verdict is OK
    assert check_packages("1.0.5").verdict is PROBLEM
