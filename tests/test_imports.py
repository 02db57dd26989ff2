"""Imports run one way: projection ← label_config, training ← ml_backend."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ALLOWED = {
    "projection": {"projection"},
    "label_config": {"projection", "label_config"},
    "training": {"projection", "training"},
    "ml_backend": {"projection", "label_config", "training", "ml_backend"},
}
# Reading, filtering and converting must work where there is no torch, and start quickly where there
# is. aligners.py, projector.py and footprint.py compose what runs models without naming torch.
RUNS_A_MODEL = {
    *("aligner", "aligners", "checkpoints", "footprint", "joint", "joint_inputs", "joint_model"),
    *("projector", "tagger", "windows"),
}
MODEL_LIBRARIES = {"accelerate", "safetensors", "tokenizers", "torch", "transformers"}

MODULES = sorted(path for package in ALLOWED for path in (ROOT / package).rglob("*.py"))


def imported(node: ast.AST) -> list[str]:
    """The dotted names one statement imports; `from a import b` counts as `a` and `a.b`."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), names=names):
            return [module, *(f"{module}.{alias.name}" for alias in names)]
    return []


def imports(path: Path) -> list[str]:
    """Everything a file imports anywhere, inside functions and for type checkers included."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return [name for node in ast.walk(tree) for name in imported(node)]


def imports_at_run_time(path: Path) -> Iterator[str]:
    """The same without what stands under `if TYPE_CHECKING`."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"), str(path))]
    while pending:
        node = pending.pop()
        yield from imported(node)
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        pending.extend(node.orelse if for_types else ast.iter_child_nodes(node))


def of(names: list[str], packages: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in packages}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_packages_are_where_this_test_looks() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(ALLOWED)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    assert not of(imports(path), set(ALLOWED) - ALLOWED[package])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_name_their_package(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    relative = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
    assert not relative, "a relative import hides from the other tests here"


PROJECTION = [path for path in MODULES if path.parent == ROOT / "projection"]


@pytest.mark.parametrize("path", PROJECTION, ids=name_of)
def test_only_what_runs_a_model_imports_a_model_library(path: Path) -> None:
    """Not even inside a function, where it would be a surprise at run time."""
    if path.stem not in RUNS_A_MODEL:
        assert not of(imports(path), MODEL_LIBRARIES)


@pytest.mark.parametrize("path", [p for p in PROJECTION if p.stem not in RUNS_A_MODEL], ids=name_of)
def test_the_rest_of_projection_does_not_reach_them_by_a_detour(path: Path) -> None:
    running = {f"projection.{name}" for name in RUNS_A_MODEL}
    assert not running & set(imports_at_run_time(path))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_one_file_talks_to_label_studio(path: Path) -> None:
    """`label_studio_sdk.label_interface` and its converters are not the client."""
    # `from label_studio_sdk import …` takes the client or its types; a submodule is one or the
    # other by name.
    client = {
        name
        for name in of(imports(path), {"label_studio_sdk"})
        if not name.startswith("label_studio_sdk.label_interface")
    }
    if path != ROOT / "ml_backend" / "label_studio.py":
        assert not client
