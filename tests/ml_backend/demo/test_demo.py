"""The demo as people run it: a process, a real Label Studio, and nothing left behind."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from ml_backend.demo.demo import SENTENCES
from ml_backend.demo.label_studio_server import is_free
from ml_backend.label_studio.client import ReviewServer
from projection.models.bundled import SAMPLE_LANGUAGES
from projection.records import ConflictKind
from tests.label_studio.used import left_database

DEMO = [sys.executable, "-m", "ml_backend", "demo"]
# What docs/team.md tells people to export is meant for another backend.
FOR_ANOTHER = {
    "SPANFERRY_BACKEND_PASSWORD": "of the team",
    "BASIC_AUTH_USER": "team",
    "START_TRAINING_EACH_N_UPDATES": "1",
}
READY_SECONDS, END_SECONDS = 240, 60

pytestmark = pytest.mark.label_studio


class RunningDemo:
    """`spanferry demo` without a terminal, once it says that it is ready."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._said = folder.parent / f"{folder.name}.out"
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                [*DEMO, "--folder", str(folder)], stdout=said, env={**os.environ, **environment}
            )
        deadline = time.monotonic() + READY_SECONDS
        while "Ctrl-C stops everything" not in self.said:
            assert self.process.poll() is None, "the demo ended by itself"
            assert time.monotonic() < deadline, "the demo is not ready"
            time.sleep(0.2)

    @property
    def said(self) -> str:
        return self._said.read_text()

    def shown(self, pattern: str) -> str:
        found = re.search(pattern, self.said)
        assert found, self.said
        return found[1]

    @property
    def port(self) -> int:
        return urlsplit(self.shown(r"LABEL_STUDIO_URL=(\S+)")).port or 80

    @property
    def access(self) -> tuple[str, str]:
        return self.shown(r"STUDIO_URL=(\S+)"), self.shown(r"STUDIO_API_KEY=(\w+)")

    def tasks(self) -> int:
        with ReviewServer.connect(*self.access) as server:
            return server.existing_project("spanferry demo").task_count

    def start_training(self) -> None:
        """Return once its process is there."""
        url, key = self.access
        with ReviewServer.connect(url, key) as server:
            [backend] = server.backends(server.existing_project("spanferry demo"))
        train, headers = f"{url}/api/ml/{backend.id}/train", {"Authorization": f"Token {key}"}
        httpx.post(train, headers=headers, timeout=30).raise_for_status()
        wait_until(lambda: any(map(is_runner, started_in(self.folder))))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(END_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(END_SECONDS)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of Label Studio: a database that another server has created, if one has."""
    return left_database(tmp_path_factory.mktemp("database"), tmp_path_factory)


@pytest.fixture(scope="module")
def walked(
    tmp_path_factory: pytest.TempPathFactory, database: dict[str, str]
) -> tuple[Path, dict[str, Any]]:
    """What the headless demo made, and its figures."""
    if importlib.util.find_spec("label_studio") is None:
        pytest.skip("Label Studio is not installed: pip install 'spanferry[label-studio]'")
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [*DEMO, "--headless", "--json", "--folder", str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, **database},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(started_in(folder)) == [], "it left processes behind"
    return folder / "headless", json.loads(done.stdout)


@pytest.fixture
def start(
    walked: tuple[Path, dict[str, Any]], database: dict[str, str]
) -> Iterator[Callable[[], RunningDemo]]:
    """Starts a demo in what the headless one made; it is gone whatever becomes of the test."""
    started: list[RunningDemo] = []

    def begin() -> RunningDemo:
        started.append(RunningDemo(walked[0], {**FOR_ANOTHER, **database}))
        return started[-1]

    yield begin
    for demo in started:
        demo.kill()
    wait_until(lambda: not list(started_in(walked[0])))


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def started_in(folder: Path) -> Iterator[int]:
    """Processes whose command line or environment names `folder`, or what is in it."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in text and int(process.name) != os.getpid():
            yield int(process.name)


def is_runner(pid: int) -> bool:
    try:
        return b"jobs" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def test_headless_it_walks_the_whole_loop(walked: tuple[Path, dict[str, Any]]) -> None:
    _, figures = walked
    assert figures["projected"] == SENTENCES * len(SAMPLE_LANGUAGES) == 192
    assert set(figures["flagged"]) >= {ConflictKind.FAILED_MAPPING, ConflictKind.OVERLAP}
    assert figures["accepted"] + figures["corrected"] == figures["exported"] >= 144
    assert figures["corrected"] > 0
    assert set(figures["f1"]) == {"all", *SAMPLE_LANGUAGES}
    assert figures["f1"]["all"]["after"] > figures["f1"]["all"]["before"]
    assert figures["exported"] + figures["repredicted"] == 192
    audit = figures["audit"]
    assert (audit["drawn"], audit["reviewed"], audit["waiting"]) == (40, 40, 0)
    assert 0.7 < audit["precision"]["value"] <= 1
    assert Path(figures["report"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    before, after = figures["versions"]
    assert before != after
    assert all(seconds >= 0 for seconds in figures["seconds"].values())


def test_it_finds_its_work_again_and_stops_what_it_started(
    start: Callable[[], RunningDemo],
) -> None:
    first = start()
    assert first.tasks() == 192
    port, password = first.port, first.shown(r"password\s+(\S+)")
    first.start_training()
    assert first.stop() == 0
    wait_until(lambda: not list(started_in(first.folder)))
    assert is_free(port)

    second = start()
    assert (second.tasks(), second.shown(r"password\s+(\S+)")) == (192, password)
    second.kill()
    wait_until(lambda: not list(started_in(second.folder)))
    assert is_free(second.port)
