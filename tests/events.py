"""The file of webhook events, as somebody sees it who opens it."""

import json
from collections.abc import Iterator
from pathlib import Path

from ml_backend.api.webhook import SCHEMA
from ml_backend.jobs.events import Event


def read_events(path: Path) -> Iterator[Event]:
    """The events written so far, oldest first. What was cut short by a crash is left out."""
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        assert record.pop("schema") == SCHEMA
        yield Event(**record | {key: tuple(record[key]) for key in ("tasks", "annotations")})
