"""The command line as a whole: the help of every command, and an interruption."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

from label_config.labeling_config import build_config
from ml_backend.cli import app
from tests.ml_backend.audit.tasks import LABELS, VERSION, draw, reviewed, task
from tests.ml_backend.cli.conftest import Spanferry
from tests.ml_backend.label_studio.studio import KEY, running


def commands() -> list[tuple[str, ...]]:
    """Every command, those of groups as well."""

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if subcommands := getattr(command, "commands", None):
            for name, sub in subcommands.items():
                yield from walk(sub, (*path, name))
        else:
            yield path

    return list(walk(typer.main.get_command(app), ()))


def test_the_version(spanferry: Spanferry) -> None:
    outcome = spanferry("--version")
    assert (outcome.status, outcome.out) == (0, f"spanferry {version('spanferry')}\n")


class TestHelp:
    def test_all_commands(self, spanferry: Spanferry) -> None:
        outcome = spanferry("--help")
        assert outcome.status == 0
        for command in commands():
            assert f"\n  {command[0]} " in outcome.out

    @pytest.mark.parametrize("command", commands(), ids=" ".join)
    def test_every_command_shows_an_example_of_itself(
        self, spanferry: Spanferry, command: tuple[str, ...]
    ) -> None:
        outcome = spanferry(*command, "--help")
        assert outcome.status == 0
        _, example, after = outcome.out.partition("Example:")
        assert example
        assert f"spanferry {' '.join(command)}" in after

    @pytest.mark.parametrize("command", commands(), ids=" ".join)
    def test_every_option_is_explained(
        self, spanferry: Spanferry, command: tuple[str, ...]
    ) -> None:
        found: Any = typer.main.get_command(app)
        for name in command:
            found = found.commands[name]
        unexplained = [p.name for p in found.params if p.name != "help" and not p.help]
        assert unexplained == []

    @pytest.mark.parametrize(
        "command",
        ["push", "export", "propagate", "repredict", "adjudicate", "doctor", "audit draw",
         "audit report"],
    )  # fmt: skip
    def test_the_environment_variables_are_named(self, spanferry: Spanferry, command: str) -> None:
        said = spanferry(*command.split(), "--help").out
        assert "LABEL_STUDIO_URL" in said
        assert "LABEL_STUDIO_API_KEY" in said

    def test_nothing_slow_is_imported_for_it(self) -> None:
        code = "import sys, ml_backend.cli; print(*{'torch', 'transformers'} & sys.modules.keys())"
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert ran.stdout == "\n"


def test_interrupted_it_says_how_to_go_on(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"source": "Anna", "target": "Anna", "target_lang": "de"}\n' * 5000)
    command = ["project", "--jsonl", str(corpus), "--out", str(tmp_path / "run")]
    with subprocess.Popen(
        [sys.executable, "-m", "ml_backend", *command],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("models loaded" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("Interrupted. Finished work is kept")
    assert "Traceback" not in err


class TestFilesThatCannotBeWritten:
    """Every command is one line away from a full disk."""

    @pytest.mark.parametrize(
        ("number", "fix"),
        [
            (errno.ENOSPC, "Free some space"),
            (errno.EROFS, "Check the path"),
            (errno.EACCES, "Check the path"),
            (errno.EIO, "Check the path"),
        ],
    )
    def test_an_error_of_the_system_is_one_line(
        self, spanferry: Spanferry, monkeypatch: pytest.MonkeyPatch, number: int, fix: str
    ) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number), "runs/de/projected.jsonl")

        # The package has a function of the same name.
        monkeypatch.setattr(import_module("ml_backend.cli.push"), "labels_of_run", full)
        access = ("--url", "http://localhost:9", "--api-key", "0" * 40)
        outcome = spanferry("push", "runs/de", "--project", "News", *access)
        said = f"runs/de/projected.jsonl: {os.strerror(number)}. {fix}"
        assert outcome.mistake.startswith(said)

    @pytest.mark.parametrize(
        "command",
        [
            ("audit", "report", "--project", "News", "--out", "/dev/full"),
            ("export", "--project", "News", "--out", "{file}/out"),
            ("report", "--project", "News", "--out", "{file}/out"),
            ("backup", "News", "--out", "{file}/out"),
            ("train", "{corpus}", "--out", "{file}/model"),
        ],
        ids=lambda command: command[0],
    )
    @pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full")
    def test_where_nothing_can_be_written(
        self,
        spanferry: Spanferry,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        command: tuple[str, ...],
    ) -> None:
        (tmp_path / "file").touch()
        corpus = tmp_path / "corpus.jsonl"
        corpus.write_text(
            '{"source": "It rained.", "target": "Es regnete.", "target_lang": "de"}\n'
        )
        arguments = [each.format(corpus=corpus, file=tmp_path / "file") for each in command]
        monkeypatch.setenv("SPANFERRY_DATA_DIR", str(tmp_path / "data"))
        with running() as studio:
            tasks = draw([*map(task, range(1, 6))], 5)
            studio.add_project("News", build_config(LABELS), map(reviewed, tasks), VERSION)
            monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
            monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
            outcome = spanferry(*arguments)
        assert (outcome.status, outcome.out) == (2, ""), outcome
        assert "Traceback" not in outcome.err
        assert ": " in outcome.err.splitlines()[-1]
        assert {path.name for path in tmp_path.iterdir()} <= {"file", "corpus.jsonl", "data"}
        assert Path("/dev/full").is_char_device()
