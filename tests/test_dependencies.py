"""What the packages import is what pyproject.toml declares, and nothing more."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement

from tests.structure import MODULES, PACKAGES, ROOT, name_of, parsed

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PYPROJECT["optional-dependencies"]
MOST = 22

# Where each extra may be imported. Elsewhere only base dependencies are sure to be there.
HOME = {
    "serve": ("ml_backend/api/", "ml_backend/jobs/", "ml_backend/cli/serve.py"),
    "label-studio": ("ml_backend/demo/",),
    "plots": ("ml_backend/report/", "training/evaluation/", "training/experiments/"),
    "spacy": ("training/export/",),
    "tracking": ("training/trainer/",),
    "lora": ("training/trainer/",),
    "onnx": ("projection/interchange/",),
    "openvino": ("projection/models/",),
    "clean": ("projection/corpus/",),
    "gliner": ("projection/models/",),
    "ray": ("projection/pipeline/",),
    "models": ("training/bundled/", "training/aligner/silver.py"),
}
# Imported without a declaration.
UNDECLARED = {
    "werkzeug": "flask is built on it",
    "_typeshed": "type checkers bring it, and only they import it",
    "markdown-it-py": "rich is built on it",
    "pyarrow": "datasets is built on it",
    "pydantic": "pydantic-settings is built on it",
    "wandb": "imported only by a training that somebody asked to log there",
}
# Declared without an import in our code.
NOT_IMPORTED = {
    "label-studio": "started as a process",
    "tensorboard": "transformers writes to it",
    "onnx": "PyTorch's exporter writes with it",
    "onnxscript": "PyTorch's exporter is built on it",
}


def canonical(name: str) -> str:
    """A distribution's name as package indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    """The distributions that requirements name."""
    return {canonical(Requirement(each).name) for each in requirements}


def third_party(path: Path) -> set[str]:
    """The top-level modules that a file imports, of neither Python nor this project."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - set(PACKAGES)


def distributions(modules: set[str]) -> set[str]:
    """The distributions that hold modules; a module that is not installed stands for itself."""
    return {canonical(name) for module in modules for name in INSTALLED.get(module, [module])}


INSTALLED = packages_distributions()
BASE = names(PYPROJECT["dependencies"])


def test_the_base_is_small() -> None:
    assert len(BASE) == len(PYPROJECT["dependencies"]) <= MOST


def test_what_is_imported_is_declared() -> None:
    for path in MODULES:
        here = [extra for extra, homes in HOME.items() if name_of(path).startswith(homes)]
        allowed = BASE.union(map(canonical, UNDECLARED), *(names(EXTRAS[extra]) for extra in here))
        assert distributions(third_party(path)) <= allowed, name_of(path)


def test_what_is_declared_is_imported() -> None:
    imported = distributions(set().union(*map(third_party, MODULES)))
    declared = BASE.union(*(names(EXTRAS[extra]) for extra in HOME))
    assert declared - imported == set(NOT_IMPORTED)


def test_every_extra_but_tools_has_a_home() -> None:
    assert set(EXTRAS) == {*HOME, "audit", "dev"}


def test_every_requirement_is_pinned_for_the_tests() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {canonical(name): version for name, version in (line.split("==") for line in lines)}
    assert pinned["torch"] == "2.13.0"
    for group in [PYPROJECT["dependencies"], *EXTRAS.values()]:
        for needed in map(Requirement, group):
            if needed.name != PYPROJECT["name"]:
                assert needed.specifier.contains(pinned[canonical(needed.name)]), needed
