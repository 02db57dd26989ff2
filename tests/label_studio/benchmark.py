"""How long someone who is annotating waits for the backend, with the bundled models.

    python -m tests.label_studio.benchmark interactive [--calls 200]

Asks a backend over HTTP what Label Studio asks, one call after the other: where a marked English
phrase of a 40-word sentence went, and where a marked target phrase comes from, in turn. The task
brings no source entities, so the teacher reads the sentence in every call. Then once more, while
batches of 200 tasks are pre-annotated. The settings of docs/settings.md are read from the
environment. The time inside Label Studio itself is not in it.

Fails if more than one in twenty takes longer than a second.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx

from label_config.labeling_config import build_config
from label_config.tasks import to_task
from projection.pipeline.projector import pair
from projection.records import ParallelSentence, ProjectedSentence
from tests.label_studio.bundled_backend import CREDENTIALS, bundled_backend

SOURCE = (
    "On Tuesday evening the harbour guild of Ghent and the rowing club of Bruges asked Marta "
    "Vidal, who runs the Museum of Ropes in Ostend, to lend them the Baltic Charter for an "
    "exhibition about trade with Riga and Danzig."
)
TARGET = (
    "Am Dienstagabend baten die Hafengilde von Gent und der Ruderverein von Brügge Marta Vidal, "
    "die in Ostende das Seilereimuseum leitet, ihnen für eine Ausstellung über den Handel mit "
    "Riga und Danzig die Baltische Urkunde zu leihen."
)
MARKED = {
    "source": ("harbour guild", "Ghent", "rowing club", "Museum of Ropes", "Baltic Charter"),
    "target": ("Hafengilde", "Brügge", "Ruderverein", "Seilereimuseum", "Baltische Urkunde"),
}
LIMIT = 1.0  # seconds, for 95 % of the calls
BUSY = ", while a batch is under way"
BATCH = 200  # tasks of a pre-annotation that goes on meanwhile


def region(side: str, phrase: str) -> dict[str, Any]:
    """A region as the browser sends it when an annotator has drawn it over `phrase`."""
    start = {"source": SOURCE, "target": TARGET}[side].index(phrase)
    offsets: dict[str, Any] = {"start": start, "end": start + len(phrase)}
    if side == "source":
        node = {"start": "/div[1]/text()[1]", "end": "/div[1]/text()[1]"}
        offsets = {**node, "startOffset": 0, "endOffset": 1, "globalOffsets": offsets}
    return {
        "id": f"{side}-{start}",
        "from_name": "source_entities" if side == "source" else "entities",
        "to_name": side,
        "type": "labels",
        "origin": "manual",
        "value": {**offsets, "text": phrase, "labels": ["ORG"]},
    }


def task_of(sentence: ParallelSentence) -> dict[str, Any]:
    return {"id": 1, **to_task(ProjectedSentence(sentence, (), (), (), 1.0, "none"))}


def body(tasks: list[dict[str, Any]], drawn: dict[str, Any] | None = None) -> dict[str, Any]:
    context = None if drawn is None else {"result": [drawn]}
    config = build_config(("PER", "ORG", "LOC", "MISC"))
    return {"tasks": tasks, "label_config": config, "params": {"context": context}}


def percentile(seconds: list[float], percent: int) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1]


def timed(ask: Callable[[dict[str, Any]], Any], calls: int) -> dict[str, list[float]]:
    """Seconds of every call, by the side on which something was marked."""
    task = task_of(pair(SOURCE, TARGET, "de"))
    marks = cycle(
        (side, phrase)
        for phrases in zip(*MARKED.values(), strict=True)
        for side, phrase in zip(MARKED, phrases, strict=True)
    )
    seconds: dict[str, list[float]] = {side: [] for side in MARKED}
    for _ in range(calls):
        side, phrase = next(marks)
        started = time.perf_counter()
        ask(body([task], region(side, phrase)))
        seconds[side].append(time.perf_counter() - started)
    return seconds


@contextmanager
def preannotating(ask: Callable[[dict[str, Any]], Any]) -> Iterator[None]:
    """Batches of many different tasks, one after the other, until the block ends."""
    over = threading.Event()
    numbered = [pair(f"{n}: {SOURCE}", f"{n}: {TARGET}", "de") for n in range(BATCH)]

    def go_on() -> None:
        while not over.is_set():
            ask(body([task_of(sentence) for sentence in numbered]))

    thread = threading.Thread(target=go_on)
    thread.start()
    time.sleep(0.5)  # until it is under way
    yield
    over.set()
    thread.join()


def interactive(calls: int, *, busy: bool) -> dict[str, list[float]]:
    """Seconds of each of `calls` calls of a backend that has answered a few before."""
    with (
        tempfile.TemporaryDirectory() as folder,
        bundled_backend(Path(folder), os.environ) as backend,
    ):
        login = (CREDENTIALS.user.encode(), CREDENTIALS.password.encode())

        def ask(asked: dict[str, Any]) -> None:
            answer = httpx.post(f"{backend.url}/predict", json=asked, auth=login, timeout=100)
            answer.raise_for_status()
            del backend.asked[:]

        timed(ask, 10)
        if not busy:
            return timed(ask, calls)
        with preannotating(ask):
            return timed(ask, calls)


def in_words(seconds: list[float]) -> str:
    middle, late = statistics.median(seconds), percentile(seconds, 95)
    return (
        f"{len(seconds)} calls, median {1000 * middle:.0f} ms, "
        f"95 % within {1000 * late:.0f} ms, slowest {1000 * max(seconds):.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the backend.")
    parser.add_argument("what", choices=["interactive"])
    parser.add_argument("--calls", type=int, default=200)
    arguments = parser.parse_args()
    latest = 0.0
    for busy in (False, True):
        for side, seconds in interactive(arguments.calls, busy=busy).items():
            latest = max(latest, percentile(seconds, 95))
            sys.stdout.write(f"marked in the {side}{BUSY * busy}: {in_words(seconds)}\n")
            sys.stdout.flush()
    if latest > LIMIT:
        sys.exit(f"too slow: 95 % within {1000 * latest:.0f} ms, {1000 * LIMIT:.0f} ms are allowed")


if __name__ == "__main__":
    main()
