"""The demo as people run it: a process, a real Label Studio, and nothing left behind."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ml_backend.label_studio import ReviewServer
from ml_backend.label_studio_server import is_free
from projection.records import ConflictKind

DEMO = [sys.executable, "-m", "ml_backend", "demo"]
READY_SECONDS, END_SECONDS = 240, 60

pytestmark = pytest.mark.label_studio


@pytest.fixture(autouse=True)
def _needs_label_studio() -> None:
    if importlib.util.find_spec("label_studio") is None:
        pytest.skip("Label Studio is not installed: pip install 'spanferry[label-studio]'")


class RunningDemo:
    """`spanferry demo` without a terminal, once it says that it is ready."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._said = folder.parent / f"{folder.name}.out"
        with self._said.open("w") as said:
            self.process = subprocess.Popen([*DEMO, "--folder", str(folder)], stdout=said)
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

    def tasks(self) -> int:
        url, key = self.shown(r"STUDIO_URL=(\S+)"), self.shown(r"STUDIO_API_KEY=(\w+)")
        with ReviewServer.connect(url, key) as server:
            return server.existing_project("spanferry demo").task_count

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(END_SECONDS)


@pytest.fixture
def demo_folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "demo"
    left = [pid for pid in started_in(tmp_path) if pid != os.getpid()]
    assert left == [], "the demo left processes behind"


def started_in(folder: Path) -> Iterator[int]:
    """Processes whose command line or data folder is below `folder`."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder / "demo") in text:
            yield int(process.name)


def test_it_stops_what_it_started_and_finds_its_work_again(demo_folder: Path) -> None:
    first = RunningDemo(demo_folder)
    assert first.tasks() == 256
    port, password = first.port, first.shown(r"password\s+(\S+)")
    assert first.stop() == 0
    assert is_free(port)
    second = RunningDemo(demo_folder)
    assert (second.tasks(), second.shown(r"password\s+(\S+)")) == (256, password)
    assert second.stop() == 0


def test_headless_it_walks_the_whole_loop(demo_folder: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--headless", "--json", "--folder", str(demo_folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["projected"] == 256
    assert set(figures["flagged"]) >= {ConflictKind.FAILED_MAPPING, ConflictKind.OVERLAP}
    assert figures["accepted"] + figures["corrected"] == figures["exported"] >= 192
    assert figures["corrected"] > 0
    assert figures["f1"]["all"]["after"] > figures["f1"]["all"]["before"]
    assert figures["exported"] + figures["repredicted"] == 256
    audit = figures["audit"]
    assert (audit["drawn"], audit["reviewed"], audit["waiting"]) == (40, 40, 0)
    assert 0.7 < audit["precision"]["value"] <= 1
    assert Path(figures["report"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    before, after = figures["versions"]
    assert before != after
    assert all(seconds >= 0 for seconds in figures["seconds"].values())
