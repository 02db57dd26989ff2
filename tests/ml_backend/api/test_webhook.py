"""Webhook events: read strictly, written by one thread, never lost in silence."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.api.webhook import EventLog, read_event
from ml_backend.api.wire import RequestError
from ml_backend.jobs.events import Event
from tests.events import read_events
from tests.ml_backend.conftest import make_task, wait_until

NOW = datetime(2026, 1, 5, 10, 0, 0, 123456, tzinfo=UTC)
STAMP = "2026-01-05T10:00:00.123+00:00"
PROJECT = {"id": 5, "title": "News", "token": "a-project-token", "label_config": "<View/>"}
ANNOTATION = {"id": 18, "result": [], "completed_by": {"id": 1, "email": "x@example.org"}}


@pytest.mark.parametrize(
    ("body", "event"),
    [
        pytest.param(
            {"action": "START_TRAINING", "project": PROJECT},
            Event("START_TRAINING", STAMP, 5),
            id="start training",
        ),
        pytest.param(
            {
                "action": "ANNOTATION_CREATED",
                "annotation": ANNOTATION,
                "project": PROJECT,
                "task": make_task(2),
            },
            Event("ANNOTATION_CREATED", STAMP, 5, (102,), (18,)),
            id="annotation created",
        ),
        pytest.param(
            {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 18}], "project": PROJECT},
            Event("ANNOTATIONS_DELETED", STAMP, 5, (), (18,)),
            id="deleted annotations come as ids",
        ),
        pytest.param(
            {"action": "TASKS_CREATED", "tasks": [make_task(1), make_task(2)], "project": PROJECT},
            Event("TASKS_CREATED", STAMP, 5, (101, 102)),
            id="several tasks",
        ),
        pytest.param({"action": "SOMETHING_NEW"}, Event("SOMETHING_NEW", STAMP), id="unknown"),
        pytest.param(
            {"action": "TASKS_CREATED", "tasks": {"a": 1}, "task": [None, True, 7], "project": "5"},
            Event("TASKS_CREATED", STAMP, None, (7,)),
            id="what is not an id is left out",
        ),
    ],
)
def test_an_event_keeps_what_it_is_about(body: dict[str, Any], event: Event) -> None:
    assert read_event(body, NOW) == event


def test_times_are_kept_in_utc() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert read_event({"action": "X"}, elsewhere).received == STAMP


@pytest.mark.parametrize("action", [None, "", 7, ["START_TRAINING"], "x" * 101])
def test_an_event_without_an_action_is_refused(action: object) -> None:
    with pytest.raises(RequestError, match="/webhook body: there is no action"):
        read_event({"action": action}, NOW)


def test_unknown_actions_are_counted_together() -> None:
    assert Event("SOMETHING_NEW", STAMP).counted_as == "other"
    assert Event("START_TRAINING", STAMP).counted_as == "START_TRAINING"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "events.jsonl"


def test_events_are_on_disk_once_the_log_is_closed(path: Path) -> None:
    written = [Event("TASKS_CREATED", STAMP, n, (n, n + 1)) for n in range(100)]
    for part in (written[:60], written[60:]):
        log = EventLog(path, capacity=100)
        assert all(log.put(event) for event in part)
        log.close()
    assert list(read_events(path)) == written


def test_events_are_written_without_waiting_for_the_end(path: Path) -> None:
    event = Event("START_TRAINING", STAMP, 5)
    log = EventLog(path, capacity=1)
    log.put(event)
    wait_until(lambda: list(read_events(path)) == [event])
    log.close()


def test_logs_that_share_a_file_do_not_mix_lines(path: Path) -> None:
    logs = [EventLog(path, capacity=1000) for _ in range(3)]
    for number in range(300):
        logs[number % 3].put(Event("x" * 50, STAMP, number))
    for log in logs:
        log.close()
    assert sorted(event.project or 0 for event in read_events(path)) == list(range(300))


def test_neither_texts_nor_tokens_are_kept(path: Path) -> None:
    body = {"action": "ANNOTATION_CREATED", "annotation": ANNOTATION, "project": PROJECT}
    log = EventLog(path, capacity=1)
    log.put(read_event({**body, "task": make_task()}, NOW))
    log.close()
    kept = path.read_text("utf-8")
    assert not [word for word in ("a-project-token", "Lovelace", "example.org") if word in kept]


def test_a_full_queue_refuses_and_counts(path: Path) -> None:
    """A named pipe nobody reads yet is as slow as a disk can be."""
    path.parent.mkdir()
    os.mkfifo(path)
    log = EventLog(path, capacity=2)
    log.put(Event("FIRST", STAMP))
    wait_until(lambda: log.depth == 0)
    accepted = [log.put(Event("NEXT", STAMP)) for _ in range(5)]
    assert accepted == [True, True, False, False, False]
    assert (log.lost, log.depth) == (3, 2)
    # One cannot go back in a pipe, which is the error of the next test.
    reader = threading.Thread(target=path.read_bytes)
    reader.start()
    log.close(seconds=0.1)
    reader.join(5)


def test_an_event_that_cannot_be_written_is_counted_and_the_next_one_is_tried(path: Path) -> None:
    path.mkdir(parents=True)
    log = EventLog(path, capacity=5)
    log.put(Event("LOST", STAMP))
    wait_until(lambda: log.lost == 1)
    path.rmdir()
    log.put(Event("KEPT", STAMP))
    log.close()
    assert [event.action for event in read_events(path)] == ["KEPT"]


ids = st.integers(min_value=1, max_value=2**53)


@given(
    st.builds(
        Event,
        action=st.text(min_size=1),
        received=st.just(STAMP),
        project=st.none() | ids,
        tasks=st.lists(ids).map(tuple),
        annotations=st.lists(ids).map(tuple),
    )
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, event: Event) -> None:
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    log = EventLog(path, capacity=1)
    log.put(event)
    log.close()
    assert list(read_events(path)) == [event]


@pytest.mark.parametrize("cut", [1, 10, 10_000])
def test_a_line_cut_short_by_a_crash_does_not_swallow_the_next(path: Path, cut: int) -> None:
    for action in ("CUT", "NEXT", "LAST"):
        log = EventLog(path, capacity=2)
        log.put(Event(action, STAMP))
        log.close()
        if action == "CUT":
            os.truncate(path, max(0, path.stat().st_size - cut))
    assert [event.action for event in read_events(path)][-2:] == ["NEXT", "LAST"]
    assert path.read_bytes().count(b"\n") == (2 if cut > path.stat().st_size else 3)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["req_webhooks.json", "req_start_training.json"])
def test_recorded_webhooks_are_read(
    captured: Callable[[str], list[dict[str, Any]]], name: str
) -> None:
    for request in captured(name):
        event = read_event(request["json"], NOW)
        assert event.action == event.counted_as == request["json"]["action"]
        assert event.project == request["json"]["project"]["id"]
        about = event.tasks or event.annotations
        assert about or event.action in {"START_TRAINING", "PROJECT_UPDATED"}
        assert replace(event, received="") == replace(read_event(request["json"], NOW), received="")


def test_what_follows_from_events_happens_once_they_are_written(tmp_path: Path) -> None:
    """A failure there costs neither the event nor those after it."""
    path, heard = tmp_path / "events.jsonl", []

    def on_written(events: Sequence[Event]) -> None:
        heard.append([event.action for event in events])
        assert [event.action for event in read_events(path)][-1] == events[-1].action
        raise ZeroDivisionError

    log = EventLog(path, 10, on_written)
    assert log.put(Event("ANNOTATION_CREATED", STAMP, 5))
    wait_until(lambda: heard)
    assert log.put(Event("START_TRAINING", STAMP, 5))
    log.close()
    assert [action for actions in heard for action in actions] == [
        "ANNOTATION_CREATED",
        "START_TRAINING",
    ]
    assert log.lost == 0
