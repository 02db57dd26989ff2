"""The structure of the code in figures: `python -m tests.structure`.

Prints lines, files per folder, public names, classes and the length of functions. test_structure.py
holds the tree to the limits.
"""

import ast
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("projection", "label_config", "training", "ml_backend")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    """A path as seen from the root of the repository."""
    return str(path.relative_to(ROOT))


def files_per_folder() -> Counter[str]:
    """How many modules each folder of the four packages has, `__init__.py` and the like aside."""
    return Counter(name_of(p.parent) for p in MODULES if not p.stem.startswith("__"))


def classes() -> dict[str, list[str]]:
    """Every class name, with the modules that define it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(name_of(path))
    return dict(found)


def public_names() -> Iterator[tuple[str, str]]:
    """(module, name) of every public class, function and constant of a module."""
    for path in MODULES:
        for node in parsed(path).body:
            names = [node.name] if isinstance(node, Definition) else []
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            yield from ((name_of(path), name) for name in names if not name.startswith("_"))


def without_docstring() -> Iterator[str]:
    """Public modules, classes, functions and methods that do not say what they are for."""
    for path in MODULES:
        tree = parsed(path)
        if ast.get_docstring(tree) is None and path.name != "__main__.py":
            yield name_of(path)
        for node in tree.body:
            yield from (f"{name_of(path)} {name}" for name in _undocumented(node))


def _undocumented(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, Definition) or node.name.startswith("_"):
        return
    if any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in node.decorator_list):
        return
    if ast.get_docstring(node) is None:
        yield node.name
    for inner in node.body if isinstance(node, ast.ClassDef) else ():
        yield from (f"{node.name}.{name}" for name in _undocumented(inner))


def without_tests() -> Iterator[str]:
    """Modules with logic of their own that have no test module of their name in the same room."""
    for path in MODULES:
        test = ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.name}")
        if not test.is_file() and not path.stem.startswith("__") and _has_logic(parsed(path)):
            yield name_of(path)


def _has_logic(tree: ast.Module) -> bool:
    """Whether anything in a module branches or loops."""
    branches = (ast.If, ast.For, ast.While, ast.Match, ast.Try, ast.IfExp, ast.comprehension)
    return any(isinstance(node, branches) for node in ast.walk(tree))


def function_lengths() -> list[int]:
    """Lines of every function and method, sorted."""
    return sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def lines() -> int:
    """Lines of product code."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES)


def report() -> Iterator[str]:
    """The figures, a line each."""
    lengths = function_lengths()
    median, p90 = statistics.median(lengths), lengths[int(0.9 * len(lengths))]
    yield f"lines         {lines():,}"
    yield f"modules       {len(MODULES):,}"
    yield f"public names  {sum(1 for _ in public_names()):,}"
    yield f"classes       {sum(map(len, classes().values())):,}"
    yield f"functions     {len(lengths):,}, median {median:g} lines, p90 {p90}"
    yield from (f"{count:3} files     {folder}" for folder, count in files_per_folder().items())


if __name__ == "__main__":
    sys.stdout.write("\n".join(report()) + "\n")
