"""The rooms stay a house: imports run one way, folders stay small, names are used once."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.structure import (
    MODULES,
    ROOT,
    classes,
    files_per_folder,
    name_of,
    parsed,
    without_docstring,
    without_tests,
)

# What each package may import, and within each the rooms in the order in which they may import each
# other: a room may import those in tuples before its own, but not those beside or after it. Modules
# that stand in no room come first.
ALLOWED = {
    "projection": {"projection"},
    "label_config": {"projection", "label_config"},
    "training": {"projection", "training"},
    "ml_backend": {"projection", "label_config", "training", "ml_backend"},
}
ORDER: dict[str, tuple[tuple[str, ...], ...]] = {
    "projection": (
        ("text",),
        ("io",),
        ("corpus", "evaluation", "interchange"),
        ("models",),
        ("aligners",),
        ("pipeline",),
    ),
    "label_config": (),
    "training": (
        ("data",),
        ("trainer",),
        ("evaluation", "export"),
        ("aligner",),
        ("tagger",),
        ("experiments", "bundled"),
    ),
    "ml_backend": (
        ("label_studio", "serving", "benchmark"),
        ("review",),
        ("propagation", "audit", "report"),
        ("jobs",),
        ("lead",),
        ("api",),
        ("demo",),
        ("cli",),
    ),
}
MOST_FILES = 14
LARGER = {"ml_backend/cli", "ml_backend/report"}  # one file a command; one file a section

# Reading, filtering and converting must work where there is no torch, and start quickly where there
# is. loading.py and projector.py compose what runs models without naming torch.
RUNS_A_MODEL = {
    *("aligners.pair", "aligners.loading", "aligners.joint", "aligners.joint_inputs"),
    *(
        "aligners.joint_layers",
        "aligners.joint_network",
        "models.checkpoints",
        "models.checkpoint_checks",
        "models.computing",
        "models.packed_weights",
    ),
    *("models.tagger", "models.teacher", "models.versions", "models.windows"),
    *("models.gliner", "interchange.onnx", "models.openvino", "pipeline.projector"),
}
MODEL_LIBRARIES = {"accelerate", "safetensors", "tokenizers", "torch", "transformers"}


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
    return [name for node in ast.walk(parsed(path)) for name in imported(node)]


def imports_at_run_time(path: Path) -> Iterator[str]:
    """The same without what stands under `if TYPE_CHECKING`."""
    pending: list[ast.AST] = [parsed(path)]
    while pending:
        node = pending.pop()
        yield from imported(node)
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        pending.extend(node.orelse if for_types else ast.iter_child_nodes(node))


def of(names: list[str], packages: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in packages}


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def room_of(package: str, name: str) -> str:
    """The room a dotted name is in, empty for what stands beside the rooms."""
    rooms = {room for level in ORDER[package] for room in level}
    inside = name.split(".")[1:2]
    return inside[0] if inside and inside[0] in rooms else ""


def level_of(package: str, room: str) -> int:
    return next((i for i, level in enumerate(ORDER[package], start=1) if room in level), 0)


def test_the_packages_are_where_this_test_looks() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(ALLOWED)
    rooms = {(p, room) for p, levels in ORDER.items() for level in levels for room in level}
    folders = {(path.relative_to(ROOT).parts[0], path.parent.name) for path in MODULES}
    assert rooms == {(package, folder) for package, folder in folders if package != folder}


def test_imports_run_one_way_between_packages() -> None:
    for path in MODULES:
        others = set(ALLOWED) - ALLOWED[path.relative_to(ROOT).parts[0]]
        assert not of(imports(path), others), name_of(path)


def test_imports_run_one_way_between_rooms() -> None:
    for path in (path for path in MODULES if path.name != "__main__.py"):
        package = path.relative_to(ROOT).parts[0]
        here = room_of(package, dotted(path))
        for name in of(imports(path), {package}):
            there = room_of(package, name)
            runs_back = level_of(package, there) >= level_of(package, here)
            assert there == here or not runs_back, f"{name_of(path)} imports {name}"


def test_imports_name_their_package() -> None:
    """A relative import hides from the other tests here."""
    relative = [
        f"{name_of(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


def test_folders_stay_small() -> None:
    counts = files_per_folder()
    assert not {f: n for f, n in counts.items() if n > MOST_FILES and f not in LARGER}


def test_no_class_name_is_used_twice() -> None:
    assert not {name: where for name, where in classes().items() if len(where) > 1}


def test_everything_public_says_what_it_is() -> None:
    assert not list(without_docstring())


def test_every_module_with_logic_has_tests_of_its_name() -> None:
    assert not list(without_tests())


PROJECTION = [path for path in MODULES if path.is_relative_to(ROOT / "projection")]
LIGHT = [p for p in PROJECTION if dotted(p).removeprefix("projection.") not in RUNS_A_MODEL]


def test_only_what_runs_a_model_imports_a_model_library() -> None:
    """Not even inside a function, where it would be a surprise at run time."""
    for path in LIGHT:
        assert not of(imports(path), MODEL_LIBRARIES), name_of(path)


def test_the_rest_of_projection_does_not_reach_them_by_a_detour() -> None:
    running = {f"projection.{name}" for name in RUNS_A_MODEL}
    for path in LIGHT:
        assert not running & set(imports_at_run_time(path)), name_of(path)


def test_one_room_talks_to_label_studio() -> None:
    """`label_studio_sdk.label_interface` and its converters are not the client.

    `from label_studio_sdk import …` takes the client or its types; a submodule is one or the other
    by name.
    """
    for path in MODULES:
        client = {
            name
            for name in of(imports(path), {"label_studio_sdk"})
            if not name.startswith("label_studio_sdk.label_interface")
        }
        if path.parent != ROOT / "ml_backend" / "label_studio":
            assert not client, name_of(path)
