"""Every command that talks to Label Studio, with every fault at every call it makes.

A fault that passes is survived. One that stays ends the command with one line, and the same command
run again finishes what was begun: nothing is lost, and nothing done twice. A part of the cases runs
always, all of them with SPANFERRY_TEST_ALL=1.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from label_config.labeling_config import build_config
from ml_backend.label_studio import transport
from ml_backend.label_studio.client import ReviewServer
from ml_backend.review.backup import back_up
from projection.records import Entity
from tests.label_studio.examples import EXAMPLES, LABELS
from tests.ml_backend.audit.tasks import ANNA, BONN, VERSION, reviewed, task
from tests.ml_backend.cli.conftest import Spanferry, run_of
from tests.ml_backend.label_studio.studio import FAULTS, KEY, Fault, Studio, running

ALL = os.environ.get("SPANFERRY_TEST_ALL") == "1"
TITLE = "News de"
BONN_IS_A_PERSON = [Entity(ANNA, "PER"), Entity(BONN, "PER")]


def nothing(_: Studio) -> None:
    """The project is not there yet."""


def reviewed_project(studio: Studio) -> None:
    """Corrected, accepted, disagreed on, and open."""
    tasks = [
        *(reviewed(task(n), BONN_IS_A_PERSON) for n in (1, 2)),
        reviewed(reviewed(task(3)), [Entity(ANNA, "PER")], by=2),
        *map(task, (4, 5)),
    ]
    studio.add_project(TITLE, build_config(LABELS), tasks, VERSION)


Start = Callable[[Studio], object]
COMMANDS: dict[str, tuple[Start, tuple[str, ...]]] = {
    "push": (nothing, ("push", "{run}", "--backend", "http://backend:9090")),
    "export": (reviewed_project, ("export", "--out", "{out}")),
    "repredict": (reviewed_project, ("repredict",)),
    "propagate": (reviewed_project, ("propagate", "--apply")),
    "audit": (reviewed_project, ("audit", "draw", "--size", "1")),
    "adjudicate": (reviewed_project, ("adjudicate",)),
    "backup": (reviewed_project, ("backup", TITLE, "--out", "{out}")),
    "restore": (nothing, ("restore", "{backup}")),
}
CASES = [
    pytest.param(command, fault, id=f"{command}-{fault}")
    for command in COMMANDS
    for fault in FAULTS
]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with running() as studio:
        reviewed_project(studio)
        with ReviewServer.connect(studio.url, KEY) as server:
            back_up(server, server.existing_project(TITLE), folder / "backup")
    return run_of(folder / "run", *EXAMPLES[:2])


class Bench:
    """A command to run against a new server each time."""

    def __init__(self, name: str, spanferry: Spanferry, folder: Path, run: Path) -> None:
        self.start, arguments = COMMANDS[name]
        self.out, self._spanferry = folder / "out", spanferry
        filled = [
            each.format(run=run, out=self.out, backup=run / "../backup") for each in arguments
        ]
        self.arguments = (*filled, *(() if name == "backup" else ("--project", TITLE)))

    def call(self, studio: Studio) -> Any:
        access = ("--url", studio.url, "--api-key", KEY)
        return self._spanferry(*self.arguments, *access)


@pytest.fixture
def bench(
    spanferry: Spanferry, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Bench]:
    monkeypatch.setenv("SPANFERRY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SPANFERRY_BACKEND_PASSWORD", "correct horse battery")
    monkeypatch.setenv("SPANFERRY_BACKEND_LOADER", "tests.ml_backend.conftest:fixed_loader")
    monkeypatch.setattr(transport, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(transport, "TIMEOUT", httpx.Timeout(0.1, connect=5.0))
    monkeypatch.setattr("ml_backend.review.import_journal.WAIT_SECONDS", 0.0)
    return lambda name: Bench(name, spanferry, tmp_path, run_folder)


_expected: dict[str, tuple[list[str], dict[str, Any]]] = {}


def expected(bench: Bench, name: str) -> tuple[list[str], dict[str, Any]]:
    """The calls of a command without a fault, and what they lead to."""
    if name not in _expected:
        with running() as studio:
            bench.start(studio)
            done = bench.call(studio)
            assert done.status == 0, done.err
            _expected[name] = studio.calls, studio.state()
    return _expected[name]


def calls_to_break(calls: list[str], fault: str) -> list[int]:
    """The first of all calls that are alike; without ALL a few of them, others for each fault."""
    firsts = sorted({call: n for n, call in reversed([*enumerate(calls)])}.values())
    if ALL:
        return firsts
    return firsts[FAULTS.index(fault) % 9 :: 9]


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_a_fault_is_one_line_and_the_command_run_again_finishes(
    bench: Callable[[str], Bench], name: str, fault: str
) -> None:
    command = bench(name)
    calls, wanted = expected(command, name)
    for number in calls_to_break(calls, fault):
        with running() as studio:
            command.start(studio)
            # It may be made before, for another reason: from here on it fails always.
            studio.fault = Fault(fault, calls[number])

            failed = command.call(studio)

            at = f"{fault} at {calls[number]}: {failed}"
            assert failed.status in {0, 2}, at
            lines = failed.err.splitlines()
            assert "Traceback" not in failed.err, at
            assert KEY not in failed.err + failed.out, at
            assert "<html" not in failed.err.lower(), at
            if failed.status == 2:
                assert failed.out == "", at
                assert ": " in lines[-1], at
                assert len(lines[-1]) < 600, at
            studio.fault = Fault("", -1, 0)
            again = command.call(studio)
            assert again.status == 0, f"{at}, then {again}"
            assert studio.state() == wanted, at


@pytest.mark.parametrize("fault", ["down", "429", "500", "502", "truncated"])
def test_a_fault_that_passes_is_survived(bench: Callable[[str], Bench], fault: str) -> None:
    command = bench("repredict")
    calls, wanted = expected(command, "repredict")
    safe = [n for n, call in enumerate(calls) if not call.startswith("POST") and n > 0]
    for number in safe if ALL else safe[:: max(1, len(safe) // 3)]:
        with running() as studio:
            command.start(studio)
            studio.fault = Fault(fault, number, times=2)
            outcome = command.call(studio)
            assert outcome.status == 0, f"{fault} at {calls[number]}: {outcome.err}"
            assert studio.state() == wanted
