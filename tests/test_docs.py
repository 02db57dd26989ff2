"""README and docs tell the truth: code runs, and commands, options, targets and files exist."""

import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ml_backend.cli import app
from projection.records import ConflictKind
from projection.text.wording import CONFLICT_NAMES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
TOP = [ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "SECURITY")]
PAGES = [*TOP, *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(app)


def code_of(text: str) -> Iterator[str]:
    """The lines of code blocks, indented or fenced, continued ones joined; and inline code."""
    fenced = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    blocks = [*fenced.findall(text), *re.findall(r"(?m)(?:^ {4}.*\n)+", fenced.sub("", text))]
    for block in blocks:
        yield from re.sub(r"\\\n", " ", block).splitlines()
    prose = re.sub(r"(?m)^ {4}.*$", "", fenced.sub("", text))
    yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))


def calls_in(line: str) -> Iterator[list[str]]:
    """The words after each `spanferry` in a line, up to a comment or the next command."""
    for call in re.split(r"(?:^|[\s/`(])spanferry(?= [a-z])", line)[1:]:
        yield re.split(r" #|[|;&)]", call)[0].split()


def inside(command: Any) -> dict[str, Any]:
    """The commands of a group."""
    found: dict[str, Any] = getattr(command, "commands", {})
    return found


def resolve(words: list[str]) -> tuple[Any, str]:
    """The command that the words call, and its name."""
    found: Any = COMMANDS
    named = []
    for word in words:
        if not inside(found) or not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        assert word in inside(found), f"spanferry {' '.join([*named, word])}: no such command"
        found = inside(found)[word]
        named.append(word)
    return found, " ".join(named)


def options_of(command: Any) -> set[str]:
    return {opt for param in command.params for opt in (*param.opts, *param.secondary_opts)}


def all_options(command: Any) -> set[str]:
    return options_of(command).union(*map(all_options, inside(command).values()))


def options_in(words: list[str]) -> set[str]:
    return {found[0] for word in words if (found := re.match(r"--[a-z][a-z0-9-]*", word))}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "Makefile"], ids=lambda page: page.name)
def test_every_command_and_option_it_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    lines = re.sub(r"\\\n", " ", text).splitlines() if page.name == "Makefile" else code_of(text)
    for words in (words for line in lines for words in calls_in(line)):
        command, name = resolve(list(words))
        assert options_in(words) <= options_of(command) | {"--help"}, f"spanferry {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_an_option_it_names_alone_is_one_of_ours(page: Path) -> None:
    alone = {o for code in code_of(page.read_text("utf-8")) if code.startswith("--")
             for o in options_in(code.split())}  # fmt: skip
    assert alone <= all_options(COMMANDS) | {"--help"}


def test_the_test_finds_commands_and_options() -> None:
    """So that it does not pass because it reads nothing."""
    calls = [words for page in PAGES for line in code_of(page.read_text("utf-8"))
             for words in calls_in(line)]  # fmt: skip
    assert len(calls) > 40
    assert {name for words in calls if (name := resolve(list(words))[1])} > {"push", "audit draw"}
    assert "--split" in {option for words in calls for option in options_in(words)}


def test_every_make_target_exists() -> None:
    known = subprocess.run(
        ["make", "--print-data-base", "--question", "--no-builtin-rules", "--file", "Makefile"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    targets = set(re.findall(r"(?m)^([^#\s:=][^\s:=]*):(?!=)", known))
    named = {
        target
        for page in PAGES
        for line in code_of(page.read_text("utf-8"))
        for target in re.findall(r"(?:^ *|&& |`)make ([\w./-]+)", line)
    }
    assert named > {"demo", "test"}
    assert named <= targets


def test_every_module_it_runs_exists() -> None:
    for page in PAGES:
        for line in code_of(page.read_text("utf-8")):
            for module in re.findall(r"python3? -m ([\w.]+)", line):
                assert importlib.util.find_spec(module), f"{page.name}: {module}"


def test_the_python_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```\n\n((?:    [^\n]*\n)+)", README, re.DOTALL)
    assert len(blocks) == README.count("```python")
    for code, shown in blocks:
        exec(compile(code, "README.md", "exec"), {})
        assert capsys.readouterr().out == re.sub(r"(?m)^    ", "", shown)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_it_links_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_the_glossary_has_every_conflict_by_its_name() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    assert re.findall(r"(?m)^\| · ([^|]+) \|", glossary) == [
        CONFLICT_NAMES[k] for k in ConflictKind
    ]
    assert len(glossary.splitlines()) <= 40, "one screen"
