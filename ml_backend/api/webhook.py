"""Webhook events: acknowledged at once, written down by one background thread.

Label Studio sends an event once, waits one second, and keeps the annotator waiting meanwhile. An
event says that something changed; what changed is fetched from Label Studio when it is needed. So
only ids are kept, neither texts nor the project's token. The file is for people who want to know
what happened when: nothing here reads it.
"""

import json
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from ml_backend.api.wire import Json, RequestError
from ml_backend.jobs.events import Event

log = logging.getLogger(__name__)

SCHEMA = 1


def read_event(body: Json, received: datetime) -> Event:
    """Read the body of a webhook: `action`, and the ids of what it is about.

    Raises:
        RequestError: if there is no action.
    """
    action = body.get("action")
    if not isinstance(action, str) or not 0 < len(action) <= 100:
        raise RequestError(
            "/webhook body", "there is no action", 'Label Studio sends {"action": "…"}'
        )
    return Event(
        action=action,
        received=received.astimezone(UTC).isoformat(timespec="milliseconds"),
        project=next(_ids(body.get("project")), None),
        tasks=tuple(_ids(body.get("task"), body.get("tasks"))),
        annotations=tuple(_ids(body.get("annotation"), body.get("annotations"))),
    )


def _ids(*values: object) -> Iterator[int]:
    """Ids of an object, or of a list of objects. Deleted things come as objects with only an id."""
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            found = item.get("id") if isinstance(item, dict) else item
            if isinstance(found, int) and not isinstance(found, bool):
                yield found


class EventLog:
    """Appends events to a file of one JSON object a line, without making the caller wait.

    At most `capacity` events wait to be written. Several processes may append to one file.
    `on_written` hears of events that are, in the background.
    """

    def __init__(
        self,
        path: Path,
        capacity: int,
        on_written: Callable[[Sequence[Event]], None] = lambda _: None,
    ) -> None:
        self._path, self._on_written = path, on_written
        self._lost, self._counting = 0, threading.Lock()
        self._waiting: queue.Queue[Event | None] = queue.Queue(capacity)
        self._writer = threading.Thread(target=self._write_all, name="write-events", daemon=True)
        self._writer.start()

    @property
    def depth(self) -> int:
        """Events that wait to be written."""
        return self._waiting.qsize()

    @property
    def lost(self) -> int:
        """Events that were refused or could not be written."""
        return self._lost

    def put(self, event: Event) -> bool:
        """Queue an event; False if the queue is full and the event is lost."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._lose(1)
            log.warning("Lost %s: %d events wait to be written", event.action, self.depth)
            return False
        return True

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, then stop; give up after `seconds`."""
        try:
            self._waiting.put(None, timeout=seconds)
        except queue.Full:
            log.warning("Stopped with %d events unwritten", self.depth)
        self._writer.join(seconds)

    def _write_all(self) -> None:
        going_on = True
        while going_on:
            batch = self._take()
            going_on = None not in batch
            events = [event for event in batch if event is not None]
            try:
                self._append(events)
            except OSError:
                self._lose(len(events))
                log.exception("Lost %d events", len(events))
                continue
            self._tell(events)

    def _tell(self, events: Sequence[Event]) -> None:
        try:
            self._on_written(events)
        except Exception:  # whatever comes of an event, those after it must be written
            log.exception("%d events are written, and had no effect", len(events))

    def _lose(self, count: int) -> None:
        with self._counting:
            self._lost += count

    def _take(self) -> list[Event | None]:
        """Wait for an event and take all there are, so that a burst is written in one go."""
        batch = [self._waiting.get()]
        while not self._waiting.empty():
            batch.append(self._waiting.get())
        return batch

    def _append(self, events: list[Event]) -> None:
        if not events:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps({"schema": SCHEMA, **asdict(event)}) + "\n" for event in events)
        # Unbuffered and opened to append: lines of several processes do not mix.
        with self._path.open("ab", buffering=0) as file:
            # A line cut short, by a crash or a full disk, must not swallow the next one.
            begun = "\n" if _ends_within_a_line(self._path) else ""
            file.write((begun + "".join(lines)).encode())
            os.fsync(file.fileno())


def _ends_within_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
