"""The service with the bundled models under load, in a process of its own.

    python -m tests.ml_backend.api.service_load

Refusals: 50 clients ask for predictions, and again as soon as they are answered. Swap: until both
of two workers answer with a model that was activated. The exit status is 1 if a target is missed.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ml_backend.serving.model_store import ModelStore
from projection.models import bundled
from tests.label_studio.throughput import Figure
from tests.ml_backend.cli.test_serve import SECRET, Process, listening, start
from tests.ml_backend.conftest import make_task, predict_body, wait_until

CLIENTS, SECONDS, TASKS = 50, 15.0, 8
REFUSED_MS, SWAP_SECONDS = 50.0, 5.0
LOADER = "ml_backend.serving.loading:projector_loader"


async def ask(port: int, raw: bytes) -> int:
    """The status of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


async def ask_again_and_again(port: int) -> dict[int, list[float]]:
    """The milliseconds of each answer, by status."""
    body = json.dumps(predict_body(*map(make_task, range(TASKS)))).encode()
    head = "POST /predict HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Token {SECRET}\r\nContent-Length: {len(body)}\r\n\r\n"
    took: defaultdict[int, list[float]] = defaultdict(list)
    end = time.monotonic() + SECONDS

    async def client() -> None:
        while (began := time.monotonic()) < end:
            status = await ask(port, head.encode() + body)
            took[status].append(1000 * (time.monotonic() - began))

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return took


def refusals(process: Process) -> Iterator[Figure]:
    took = asyncio.run(ask_again_and_again(int(process.url.rpartition(":")[2])))
    p95 = statistics.quantiles(took[503], n=20)[-1]
    yield Figure("refused predictions, 95th percentile", p95, "ms", at_most=REFUSED_MS)
    yield Figure("  refused", len(took[503]) / SECONDS, "a second")
    yield Figure("  sentences projected meanwhile", TASKS * len(took[200]) / SECONDS, "a second")


def swap(process: Process) -> Iterator[Figure]:
    store = ModelStore(process.data_dir / "models")
    version = store.add(bundled.path("tagger"))
    for what, change in (
        ("another model", lambda: store.activate(version)),
        ("back to the bundled one", store.rollback),
    ):
        loaded = process.said().count("Serving ") + 2
        began = time.monotonic()
        change()
        wait_until(lambda loaded=loaded: process.said().count("Serving ") >= loaded, 60)
        took = time.monotonic() - began
        yield Figure(f"two workers serve {what}", took, "s", at_most=SWAP_SECONDS)


def main() -> int:
    good = True
    for measure, workers in ((refusals, 1), (swap, 2)):
        with tempfile.TemporaryDirectory() as folder:
            options = ("--workers", str(workers))
            process = start(Path(folder) / "data", *options, SPANFERRY_BACKEND_LOADER=LOADER)
            try:
                listening(process)
                wait_until(lambda p=process, n=workers: p.said().count("Serving ") == n, 120)
                for figure in measure(process):
                    sys.stdout.write(f"{figure}\n")
                    good = good and figure.good
            finally:
                process.kill()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
