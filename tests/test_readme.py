"""The README tells the truth: its code runs, and its commands exist."""

import re
from pathlib import Path

import pytest
import typer

from ml_backend.cli import app

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_python_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = re.findall(r"```python\n(.*?)```\n\n((?:    [^\n]*\n)+)", README, re.DOTALL)[0]
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == re.sub(r"(?m)^    ", "", shown)


def test_every_command_it_names_exists() -> None:
    group = typer.main.get_command(app)
    known = set(getattr(group, "commands", {}))
    named = set(re.findall(r"spanferry ((?!&&)[a-z][a-z-]+)", README))
    assert named
    assert named <= known
    make = (Path(__file__).parents[1] / "Makefile").read_text("utf-8")
    for target in re.findall(r"make (demo|test|format|screenshots)\b", README):
        assert re.search(rf"(?m)^(?:[\w ]+ )?{target}\b.*:", make)


def test_its_pictures_are_there() -> None:
    pictures = re.findall(r"\]\((docs/[^)]+)\)", README)
    assert pictures
    assert all((Path(__file__).parents[1] / path).is_file() for path in pictures)
