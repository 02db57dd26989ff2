"""`spanferry serve` with the bundled models under load, in a process of its own.

    python -m tests.ml_backend.api.service_load [--clients 50] [--minutes 10] [--json]

Each client asks again as soon as it is answered, and comes back when a refusal says: half of its
requests are predictions of one to four tasks with 40-word sentences, a fifth are those of an
annotator who has drawn a region and goes on two seconds later, the others go to /health and
/webhook. One prediction in thirty is given up after 0.2 s. At half of the time another model is
activated, at three quarters the bundled one again; /health is asked all the time, too. The settings
of docs/settings.md are read from the environment.

The exit status is 1 if a target is missed. The machine's own delays are in all figures: `delay of
this machine` is how late a timer goes off here, and `load` counts the processes at work.
"""

import argparse
import asyncio
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import PREFIX
from projection.models import bundled
from projection.pipeline.projector import pair
from tests.label_studio.benchmark import MARKED, SOURCE, TARGET, body, percentile, region, task_of
from tests.label_studio.throughput import Figure
from tests.ml_backend.cli.test_serve import SECRET, Process, listening, start
from tests.ml_backend.conftest import wait_until

SHARES = {"predict": 15, "interactive": 6, "health": 5, "webhook": 4}  # of thirty requests
LEAVES_AFTER, DRAWS_AFTER, LOOKS_AFTER, BEGINS_WITHIN = 0.2, 2.0, 0.05, 10.0  # seconds
SETTLES_AFTER = 5.0  # seconds: the backend drops what nobody waits for any more
MOST_TASKS = 4
REFUSED_MS, SWAP_SECONDS, GROWTH_PERCENT = 50.0, 5.0, 5.0
# The percentile and the milliseconds it may take.
TARGETS = {"interactive": (95, 300.0), "health": (99, 100.0), "webhook": (99, 200.0)}
LOADER = "ml_backend.serving.loading:projector_loader"
LEFT = 0  # the status of an answer that its client did not wait for


@dataclass(frozen=True)
class Answer:
    """An answer: its status, the milliseconds it took, the model versions in it."""

    endpoint: str
    status: int
    ms: float
    versions: tuple[str, ...] = ()
    retry_after: float | None = None


@dataclass
class Seen:
    """What was seen while the load lasted. Memory in MiB, times in seconds."""

    answers: list[Answer] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    swaps: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    loading: bool = False
    while_loading: list[float] = field(default_factory=list)
    cpu: float = 0.0
    no_cpu: float = 0.0

    def took(self, endpoint: str, status: int = 200) -> list[float]:
        return [a.ms for a in self.answers if (a.endpoint, a.status) == (endpoint, status)]


def requests() -> dict[str, list[bytes]]:
    """The requests of each kind, ready to be sent."""
    numbered = [task_of(pair(f"{n}: {SOURCE}", f"{n}: {TARGET}", "de")) for n in range(40)]
    drawn = task_of(pair(SOURCE, TARGET, "de"))
    event = {"action": "ANNOTATION_CREATED", "project": {"id": 5}}
    return {
        "predict": [
            raw("/predict", body(numbered[n : n + 1 + n % MOST_TASKS]))
            for n in range(len(numbered) - MOST_TASKS)
        ],
        "interactive": [
            raw("/predict", body([drawn], region(side, phrase)))
            for side, phrases in MARKED.items()
            for phrase in phrases
        ],
        "health": [b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"],
        "webhook": [raw("/webhook", event)],
    }


def raw(path: str, sent: dict[str, Any]) -> bytes:
    content = json.dumps(sent).encode()
    head = f"POST {path} HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Token {SECRET}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def ask(port: int, endpoint: str, sent: bytes, *, leaves: bool = False) -> Answer:
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        head, _, content = (
            await asyncio.wait_for(reader.read(-1), LEAVES_AFTER if leaves else None)
        ).partition(b"\r\n\r\n")
    except TimeoutError:
        return Answer(endpoint, LEFT, 1000 * (time.perf_counter() - began))
    finally:
        writer.close()
    ms = 1000 * (time.perf_counter() - began)
    told = re.search(rb"(?i)retry-after: (\d+)", head)
    versions = set(re.findall(r'"model_version": ?"([^"]+)"', content.decode()))
    status = int(head.split(b" ", 2)[1])
    return Answer(endpoint, status, ms, tuple(sorted(versions)), float(told[1]) if told else None)


async def client(port: int, kinds: dict[str, list[bytes]], seen: Seen, number: int) -> None:
    """Ask until cancelled."""
    draw = random.Random(number)
    await asyncio.sleep(BEGINS_WITHIN * draw.random())
    while True:
        (endpoint,) = draw.choices([*SHARES], [*SHARES.values()])
        leaves = endpoint == "predict" and draw.random() < 1 / 30
        answer = await ask(port, endpoint, draw.choice(kinds[endpoint]), leaves=leaves)
        seen.answers.append(answer)
        await asyncio.sleep(answer.retry_after or DRAWS_AFTER * (endpoint == "interactive"))


async def look(port: int, kinds: dict[str, list[bytes]], seen: Seen) -> None:
    """Ask for /health until cancelled, and note what that took while a model was loaded."""
    while True:
        answer = await ask(port, "health", kinds["health"][0])
        if seen.loading:
            seen.while_loading.append(answer.ms)
        await asyncio.sleep(LOOKS_AFTER)


async def watch_delays(seen: Seen) -> None:
    """Note how late a timer of 10 ms goes off, until cancelled."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.01)
        seen.delays_ms.append(1000 * (time.perf_counter() - began - 0.01))


async def load(process: Process, version: str, clients: int, seconds: float) -> Seen:
    """Have the clients ask for so long, and change the model twice meanwhile."""
    seen, kinds = Seen(), requests()
    port, store = int(process.url.rpartition(":")[2]), ModelStore(process.data_dir / "models")
    before = used(process)
    began = time.monotonic()
    asking = [asyncio.create_task(client(port, kinds, seen, n)) for n in range(clients)]
    asking += map(asyncio.create_task, (look(port, kinds, seen), watch_delays(seen)))

    async def until(second: float) -> None:
        await asyncio.sleep(began + second - time.monotonic())

    async def swapped(change: Any) -> float:
        loads = process.said().count("Serving ")
        activated, seen.loading = time.monotonic(), True
        await asyncio.to_thread(change)
        while process.said().count("Serving ") == loads:
            await asyncio.sleep(0.05)
        seen.loading = False
        return time.monotonic() - activated

    await until(min(60.0, seconds / 3))
    seen.memory.append(used(process)[0])
    await until(seconds / 2)
    seen.swaps.append(await swapped(lambda: store.activate(version)))
    await until(3 * seconds / 4)
    seen.swaps.append(await swapped(store.rollback))
    await until(seconds)
    _, cpu, no_cpu = used(process)
    seen.cpu, seen.no_cpu = cpu - before[1], no_cpu - before[2]
    for each in asking:
        each.cancel()
    for ended in await asyncio.gather(*asking, return_exceptions=True):
        if not isinstance(ended, asyncio.CancelledError):
            raise SystemExit(f"a client was not answered: {ended!r}")
    await asyncio.sleep(SETTLES_AFTER)
    seen.memory.append(used(process)[0])
    return seen


def used(process: Process) -> tuple[float, float, float]:
    """What the processes that answer use: MiB resident, seconds with a CPU, seconds without."""
    memory = busy = delayed = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == process.running.pid:
                memory += int((folder / "statm").read_text().split()[1])
                for thread in (folder / "task").glob("*/schedstat"):
                    ran, waited, _ = map(int, thread.read_text().split())
                    busy, delayed = busy + ran, delayed + waited
    return memory * os.sysconf("SC_PAGESIZE") / 2**20, busy / 1e9, delayed / 1e9


def table(seen: Seen) -> Iterator[dict[str, Any]]:
    """A row for each kind of request."""
    for endpoint in SHARES:
        mine = [each for each in seen.answers if each.endpoint == endpoint]
        took = seen.took(endpoint)
        row: dict[str, Any] = {"endpoint": endpoint, "requests": len(mine)}
        row["answers"] = dict(sorted(Counter(each.status for each in mine).items()))
        yield row | {f"p{percent}_ms": late(took, percent) for percent in (50, 95, 99)}


def late(ms: list[float], percent: int) -> float:
    """The percentile of what was measured; 0 if nothing was."""
    return percentile(ms, percent) if len(ms) > 1 else 0.0


def figures(seen: Seen, seconds: float) -> Iterator[Figure]:
    for endpoint, (percent, most) in TARGETS.items():
        value = late(seen.took(endpoint), percent)
        yield Figure(f"{endpoint}, {percent}th percentile", value, "ms", at_most=most)
    value = late(seen.while_loading, 99)
    yield Figure("health while a model is loaded, 99th", value, "ms", at_most=TARGETS["health"][1])
    value = late([each.ms for each in seen.answers if each.status == 503], 95)
    yield Figure("refused, 95th percentile", value, "ms", at_most=REFUSED_MS)
    others = [
        each
        for each in seen.answers
        if each.status not in (LEFT, 200) and not (each.status == 503 and each.retry_after)
    ]
    yield Figure("errors", len(others), "answers", at_most=0)
    mixed = [each for each in seen.answers if len(each.versions) > 1]
    yield Figure("answers of several model versions", len(mixed), "answers", at_most=0)
    for swap, said in zip(seen.swaps, ("another model", "the bundled one"), strict=True):
        yield Figure(f"{said} is served after", swap, "s", at_most=SWAP_SECONDS)
    first, last = seen.memory
    yield Figure("resident after the first minute", first, "MiB")
    yield Figure("resident at the end", last, "MiB")
    yield Figure("  growth", 100 * (last / first - 1), "%", at_most=GROWTH_PERCENT)
    yield Figure("predictions", len(seen.took("predict")) / seconds, "a second")
    yield Figure("the backend's threads had a CPU for", seen.cpu / seconds, "seconds a second")
    yield Figure("  and waited for one for", seen.no_cpu / seconds, "seconds a second")
    yield Figure("delay of this machine, 99th percentile", percentile(seen.delays_ms, 99), "ms")
    yield Figure("load in the last minute", os.getloadavg()[0], "processes")


def in_words(seen: Seen, found: Sequence[Figure]) -> Iterator[str]:
    yield f"{'':<12}{'requests':>9}{'p50':>9}{'p95':>9}{'p99':>9}  ms of those answered 200"
    for row in table(seen):
        times = "".join(f"{row[f'p{percent}_ms']:>9.0f}" for percent in (50, 95, 99))
        counts = ", ".join(f"{n} × {status or 'left'}" for status, n in row["answers"].items())
        yield f"{row['endpoint']:<12}{row['requests']:>9}{times}  {counts}"
    for version, count in versions(seen).items():
        yield f"{count} answers by {version}"
    yield from map(str, found)


def versions(seen: Seen) -> Counter[str]:
    predictions = [a for a in seen.answers if a.endpoint in ("predict", "interactive")]
    return Counter(" and ".join(each.versions) for each in predictions if each.versions)


def measured(clients: int, seconds: float) -> Seen:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        given = {name: text for name, text in os.environ.items() if name.startswith(PREFIX)}
        store = ModelStore(data / "models")
        version = store.add(bundled.path("tagger"))
        process = start(data, **{**given, f"{PREFIX}LOADER": LOADER})
        try:
            listening(process)
            wait_until(lambda: "Serving " in process.said(), 120)
            return asyncio.run(load(process, version, clients, seconds))
        finally:
            process.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description="Load the backend.")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    seen = measured(asked.clients, 60 * asked.minutes)
    found = [*figures(seen, 60 * asked.minutes)]
    if asked.json:
        shown = [{**asdict(each), "good": each.good} for each in found]
        told = {"requests": [*table(seen)], "versions": versions(seen), "figures": shown}
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in in_words(seen, found))
    return 0 if all(each.good for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
