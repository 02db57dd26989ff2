"""The audit: CI runs it, and whatever one of its parts passes over has a reason beside it."""

import re
import tomllib

import pytest

from tests.structure import MODULES, ROOT, name_of

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
HASHED = ("serve", "label-studio", "plots", "dev", "models", "gliner", "uv")
REASON = r" +# \w.{9,}"  # at least ten characters


def without_reason(lines: list[str]) -> list[str]:
    """The lines that no reason ends."""
    return [line for line in lines if not re.search(REASON + "$", line)]


def skips_of_bandit() -> list[str]:
    """The lines of `skips`, each with one rule."""
    table = PYPROJECT.split("[tool.bandit]")[1].split("skips = [\n")[1].split("\n]")[0]
    lines = table.splitlines()
    rules = tomllib.loads(PYPROJECT)["tool"]["bandit"]["skips"]
    assert [re.findall(r'"(B\d+)",', line) for line in lines] == [[rule] for rule in rules]
    return lines


@pytest.mark.parametrize(
    ("line", "has_one"),
    [
        ("IGNORED += GHSA-1  # only on Windows", True),
        ('  "B101", # held by ruff', True),
        ("IGNORED += GHSA-1", False),
        ("IGNORED += GHSA-1  #", False),
        ("IGNORED += GHSA-1  # ok", False),
    ],
)
def test_a_reason_is_words(line: str, *, has_one: bool) -> None:
    assert (without_reason([line]) == []) is has_one


def test_every_ignored_advisory_has_a_reason() -> None:
    assert without_reason(re.findall(r"(?m)^IGNORED \+=.*$", MAKEFILE)) == []
    assert re.findall(r"(?m)^IGNORED *:?=(.*)$", MAKEFILE) == [""]
    assert MAKEFILE.count("--ignore-vuln") == MAKEFILE.count("$(IGNORED:%=--ignore-vuln %)") == 1


def test_every_skip_of_bandit_has_a_reason() -> None:
    assert without_reason(skips_of_bandit()) == []


def test_every_allowed_secret_has_a_reason() -> None:
    lines = (ROOT / ".ci" / "not-secrets").read_text("utf-8").splitlines()
    assert without_reason(lines) == []
    for line in lines:
        re.compile(line.partition("  # ")[0])


def test_every_line_that_bandit_passes_over_has_a_reason() -> None:
    for path in MODULES:
        lines = [line for line in path.read_text("utf-8").splitlines() if "# nosec" in line]
        bare = [line for line in lines if not re.search(r"# nosec B\d+  \w.{9,}", line)]
        assert bare == [], name_of(path)


def test_the_hashes_are_those_of_the_versions_that_are_installed() -> None:
    pinned = {
        line.lower().replace("_", "-").replace(".", "-")
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    }
    files = {extra: ROOT / ".ci" / "hashes" / f"{extra}.txt" for extra in HASHED}
    assert sorted(files.values()) == sorted((ROOT / ".ci" / "hashes").iterdir())
    for path in files.values():
        packages = path.read_text("utf-8").replace(" \\\n", " ").splitlines()
        assert all(" --hash=sha256:" in each for each in packages)
        names = [each.split()[0].replace("_", "-").replace(".", "-") for each in packages]
        assert [name for name in names if name not in pinned] == []
    for extras in re.findall(r"\$\(call install,(.*)\)", MAKEFILE):
        assert {*extras.split()} <= {*HASHED}


def test_ci_runs_the_audit_and_takes_its_result() -> None:
    for target, tool in (
        ("audit", "bandit"),
        ("audit", "pip-audit"),
        ("lint", "detect-secrets-hook"),
    ):
        assert f"$(BIN)/{tool} " in MAKEFILE.split(f"\n{target}: ")[1].split("\n\n")[0]
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert ci.index("make audit") < ci.index("\nmake test\n") < ci.index('wait "$audit"')
    assert ci.endswith('exit "$audited"\n')
