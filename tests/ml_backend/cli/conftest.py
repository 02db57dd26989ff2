"""`spanferry` as a shell would call it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ml_backend.cli import main
from projection.pipeline.conflicts import Policy
from projection.pipeline.run import project_corpus
from tests.label_studio.examples import Example, FixedProjector


class Outcome(NamedTuple):
    """What a shell would see."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        assert self.status == 0, self.err
        (line,) = self.out.splitlines()
        answer: dict[str, Any] = json.loads(line)
        return answer

    @property
    def mistake(self) -> str:
        """The one line on stderr."""
        assert (self.status, self.out) == (2, "")
        (line,) = self.err.splitlines()
        return line


Spanferry = Callable[..., Outcome]


@pytest.fixture
def spanferry(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Spanferry:
    """Run `spanferry` with these arguments."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["spanferry", *map(str, arguments)])
        status: object = 0
        try:
            main()
        except SystemExit as stop:
            status = stop.code
        printed = capsys.readouterr()
        return Outcome(int(str(status or 0)), printed.out, printed.err)

    return call


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Access to a Label Studio that does not answer, in the environment; its address."""
    url = "http://127.0.0.1:9"
    env = {"LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": "0" * 40, "COLUMNS": "200"}
    for name, value in {**env, "SPANFERRY_DATA_DIR": str(tmp_path / "data")}.items():
        monkeypatch.setenv(name, value)
    return url


def run_of(folder: Path, *examples: Example, **settings: object) -> Path:
    """Make a run folder of these examples."""
    project_corpus(
        [example.sentence for example in examples],
        FixedProjector(examples={example.id: example for example in examples}),
        folder,
        policy=Policy.FLAG,
        settings=settings,
        on_progress=lambda _: None,
    )
    return folder
