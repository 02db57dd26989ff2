"""Snapshots are renewed beside whoever looks: one at a time, at most one a minute."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ml_backend.lead.refresh import FRESH_SECONDS, MOST_WAITING, Snapshots, take_in_child
from ml_backend.lead.snapshot import SCHEMA
from projection.errors import ServerError
from projection.io.files import write_json
from tests.ml_backend.conftest import wait_until


class Clock:
    """Time that goes on when told to."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Studio:
    """Writes snapshots, or fails as Label Studio does when it is away."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.clock = folder, clock
        self.taken: list[int] = []
        self.away, self.takes = False, 0.0
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, number: int) -> None:
        self.taken.append(number)
        assert self.go_on.wait(10)
        row = {"schema": SCHEMA, "title": "News", "made_at": self.clock.now, "body": "…"}
        self.clock.now += self.takes
        if self.away:
            raise ServerError("http://studio", "no answer", "Check that it is running")
        write_json(self.folder / f"{number}.json", row)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def studio(tmp_path: Path, clock: Clock) -> Studio:
    return Studio(tmp_path, clock)


@pytest.fixture
def snapshots(studio: Studio) -> Snapshots:
    return Snapshots(studio.folder, studio, studio.clock)


def settled(snapshots: Snapshots, number: int = 5) -> Callable[[], bool]:
    """Whether an attempt has been made and none is under way."""
    return lambda: number in snapshots._attempts and number not in snapshots._waiting


def test_a_snapshot_is_taken_once_a_minute_however_often_somebody_looks(
    snapshots: Snapshots, studio: Studio, clock: Clock
) -> None:
    studio.go_on.clear()
    first = [snapshots.look(5) for _ in range(20)]
    assert {(each.snapshot, each.coming, each.trouble) for each in first} == {(None, True, "")}
    studio.go_on.set()
    wait_until(settled(snapshots))
    clock.now += FRESH_SECONDS - 1
    shown = snapshots.look(5)
    assert (shown.age, shown.coming, studio.taken) == (FRESH_SECONDS - 1, False, [5])
    assert shown.snapshot is not None
    clock.now += 1
    assert snapshots.look(5).coming
    wait_until(lambda: studio.taken == [5, 5])


def test_one_snapshot_is_taken_at_a_time_and_few_wait(snapshots: Snapshots, studio: Studio) -> None:
    studio.go_on.clear()
    shown = [snapshots.look(number) for number in range(1, 100)]
    assert sum(each.coming for each in shown) == MOST_WAITING
    wait_until(lambda: studio.taken)
    assert studio.taken == [1]
    studio.go_on.set()
    wait_until(settled(snapshots, MOST_WAITING))
    assert studio.taken == [*range(1, MOST_WAITING + 1)]


def test_while_label_studio_is_away_the_last_state_stays_and_one_attempt_a_minute_is_made(
    snapshots: Snapshots, studio: Studio, clock: Clock
) -> None:
    snapshots.look(5)
    wait_until(settled(snapshots))
    studio.away = True
    clock.now += FRESH_SECONDS
    snapshots.look(5)
    wait_until(settled(snapshots))
    clock.now += FRESH_SECONDS / 2
    shown = snapshots.look(5)
    assert shown.snapshot is not None
    assert (shown.age, shown.coming) == (1.5 * FRESH_SECONDS, False)
    assert shown.trouble == "http://studio: no answer. Check that it is running"
    assert len(studio.taken) == 2


def test_a_project_that_takes_long_is_fetched_half_of_the_time(
    snapshots: Snapshots, studio: Studio, clock: Clock
) -> None:
    studio.takes = 100.0
    snapshots.look(5)
    wait_until(settled(snapshots))
    clock.now += 99
    assert not snapshots.look(5).coming
    clock.now += 1
    assert snapshots.look(5).coming


def test_a_mistake_of_ours_is_logged_and_the_next_attempt_is_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: int) -> None:
        raise OSError(28, "No space left on device")

    snapshots = Snapshots(tmp_path, broken, clock := Clock())
    snapshots.look(5)
    wait_until(settled(snapshots))
    assert snapshots.look(5).trouble == "the state cannot be kept: the backend's log says why"
    assert "No space left" in caplog.text
    clock.now += FRESH_SECONDS
    assert snapshots.look(5).coming


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"schema": 1}', '{"schema": 99}'])
def test_a_damaged_snapshot_is_taken_again(snapshots: Snapshots, studio: Studio, kept: str) -> None:
    (studio.folder / "5.json").write_text(kept, "utf-8")
    assert snapshots.look(5).snapshot is None
    wait_until(settled(snapshots))
    assert snapshots.look(5).snapshot is not None


def test_a_process_that_fails_says_why_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    said = "LABEL_STUDIO_URL: is not set. Set it where `spanferry serve` is started"
    with pytest.raises(ServerError) as error:
        take_in_child(tmp_path / "lead", "")(5)
    assert str(error.value) == said
