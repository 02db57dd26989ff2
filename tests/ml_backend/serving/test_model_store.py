"""The model store: models are known by their model version, and never half there."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ml_backend.serving.model_store import BUNDLED, INCOMING, POINTER, UNSERVED, ModelStore
from projection.errors import ModelError
from projection.pipeline.projector import Projector
from tests.ml_backend.conftest import model_folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def two(store: ModelStore, tmp_path: Path) -> tuple[str, str]:
    """Two stored versions."""
    first, second = (model_folder(tmp_path / name, version=name) for name in ("first", "second"))
    return store.add(first), store.add(second)


def test_an_empty_store_serves_the_bundled_model(store: ModelStore) -> None:
    assert store.versions() == ()
    assert store.active() is None
    assert store.active_version() == BUNDLED
    assert store.stamp() is None


def test_versions_are_listed_in_the_order_they_were_added(
    store: ModelStore, two: tuple[str, str]
) -> None:
    assert store.versions() == two


def test_a_stored_model_is_known_by_the_version_its_predictions_have(
    store: ModelStore, tmp_path: Path, projector: Callable[[Path], Projector]
) -> None:
    version = store.add(model_folder(tmp_path / "mine"))
    assert projector(store.root / version).model_version.endswith(f"-{version}")


@pytest.fixture
def projector(
    word_tagger: Callable[[Mapping[str, str]], Path], copying_aligner: Path
) -> Callable[[Path], Projector]:
    """The projector with this target model."""
    teacher = word_tagger({"Berlin": "PER"})
    return lambda target: Projector.load(teacher, copying_aligner, target_model=target)


def test_the_copy_is_whole_and_the_original_may_go(store: ModelStore, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine", version="x")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"more")
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    copy = store.root / store.add(folder)
    shutil.rmtree(folder)
    assert {path.relative_to(copy): path.read_bytes() for path in copy.rglob("*.*")} == before


def test_the_same_model_has_the_same_version(store: ModelStore, tmp_path: Path) -> None:
    folders = [model_folder(tmp_path / name, version="x") for name in "ab"]
    (folders[1] / "README.md").write_text("a card")
    versions = {*map(store.add, folders)}
    assert store.versions() == tuple(versions)


def _rename_label(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "O", "1": "B-LOC", "2": "I-LOC"}
    (folder / "config.json").write_text(json.dumps(config))


def _rename_word(folder: Path) -> None:
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("Berlin", "Bern"))


def _change_weights(folder: Path) -> None:
    shutil.rmtree(folder)
    model_folder(folder, version="y")


@pytest.mark.parametrize("change", [_change_weights, _rename_label, _rename_word])
def test_another_model_is_another_version(
    store: ModelStore, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = model_folder(tmp_path / "mine")
    before = store.add(folder)
    change(folder)
    assert store.add(folder) != before


def test_training_state_stays_behind(store: ModelStore, tmp_path: Path) -> None:
    """Pickles run code when they are read."""
    folder = model_folder(tmp_path / "mine")
    before = sorted(path.name for path in folder.iterdir())
    (folder / "training_args.bin").touch()
    (folder / "optimizer.pt").touch()
    (folder / "checkpoint-500").mkdir()
    version = store.add(folder)
    assert sorted(path.name for path in (store.root / version).iterdir()) == before


def test_a_checkpoint_that_cannot_be_loaded_is_refused_and_leaves_nothing(
    store: ModelStore, tmp_path: Path
) -> None:
    folder = model_folder(tmp_path / "mine")
    (folder / "model.safetensors").write_bytes(b"?" * 16)
    with pytest.raises(ModelError, match="mine: no checkpoint could be loaded"):
        store.add(folder)
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("missing", "message"),
    [("config.json", "no config.json"), ("model.safetensors", "no safetensors weights")],
)
def test_what_is_no_model_is_refused_and_leaves_nothing(
    store: ModelStore, tmp_path: Path, missing: str, message: str
) -> None:
    folder = model_folder(tmp_path / "mine")
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=message):
        store.add(folder)
    assert not store.root.exists()


def test_a_copy_that_fails_leaves_nothing(store: ModelStore, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine")
    (folder / "notes.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"notes\.txt: cannot be copied"):
        store.add(folder)
    assert list(store.root.iterdir()) == []


def test_what_a_killed_copy_left_is_swept_up_and_one_under_way_is_not(
    store: ModelStore, tmp_path: Path
) -> None:
    left, under_way = (store.root / f"{INCOMING}{name}" for name in ("left", "under-way"))
    for folder in (left, under_way):
        (folder / "model").mkdir(parents=True)
    os.utime(left, times=(0, 0))
    store.add(model_folder(tmp_path / "mine"))
    assert (left.exists(), under_way.exists()) == (False, True)


def test_adding_at_once_gives_one_model(store: ModelStore, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine")
    with ThreadPoolExecutor(4) as threads:
        versions = set(threads.map(store.add, [folder] * 8))
    assert store.versions() == tuple(versions)
    assert [path.name for path in store.root.iterdir()] == list(versions)


class TestUnserved:
    """Every training adds models of a quarter of a gigabyte, most of which nobody serves."""

    @pytest.fixture
    def add(self, store: ModelStore, tmp_path: Path) -> Callable[[str], str]:
        def made(name: str) -> str:
            folder = tmp_path / name
            return store.add(folder if folder.exists() else model_folder(folder, version=name))

        return made

    def test_the_newest_are_kept_and_all_that_were_active(
        self, store: ModelStore, add: Callable[[str], str]
    ) -> None:
        active, before = (add(name) for name in "ab")
        store.activate(active)
        store.activate(before)
        others = [add(f"other-{i}") for i in range(UNSERVED + 2)]
        assert store.versions() == (active, before, *others[2:])
        assert {path.name for path in store.root.iterdir()} == {
            *store.versions(), POINTER, ".lock"
        }  # fmt: skip

    def test_one_that_is_added_again_is_among_the_newest(
        self, store: ModelStore, add: Callable[[str], str]
    ) -> None:
        first, *_ = [add(f"other-{i}") for i in range(UNSERVED)]
        add("one-more")
        assert first not in store.versions()
        oldest, *_ = store.versions()
        assert add("other-1") == oldest
        store.activate(oldest)

    def test_none_goes_while_the_pointer_cannot_be_read(
        self, store: ModelStore, add: Callable[[str], str]
    ) -> None:
        store.root.mkdir(parents=True)
        (store.root / POINTER).write_text("{")
        added = [add(f"other-{i}") for i in range(UNSERVED + 2)]
        assert store.versions() == tuple(added)


def test_activating_moves_the_pointer_and_its_stamp(
    store: ModelStore, two: tuple[str, str]
) -> None:
    stamps = [store.stamp()]
    for version in two:
        store.activate(version)
        assert store.active() == store.root / version
        assert store.active_version() == version
        stamps.append(store.stamp())
    assert len(set(stamps)) == 3


def test_rollback_goes_back_step_by_step(store: ModelStore, two: tuple[str, str]) -> None:
    first, second = two
    for version in (first, second, second, BUNDLED):
        store.activate(version)
    assert [store.rollback() for _ in range(3)] == [second, first, BUNDLED]
    assert store.active() is None
    with pytest.raises(ModelError, match="nothing was active before"):
        store.rollback()


def test_a_full_model_version_names_the_stored_one(store: ModelStore, two: tuple[str, str]) -> None:
    store.activate(f"spanferry-1f0c36a2b9d4-{two[0]}")
    assert store.active_version() == two[0]
    assert store.find("spanferry-1f0c36a2b9d4") is None
    assert store.find(f"somebody-{two[0]}") is None


def test_activating_what_is_active_changes_nothing(store: ModelStore, two: tuple[str, str]) -> None:
    store.activate(two[0])
    stamp = store.stamp()
    store.activate(two[0])
    assert store.stamp() == stamp


@pytest.mark.parametrize("version", ["0123456789ab", "..", ".lock", "", "active.json"])
def test_only_a_stored_version_can_be_activated(
    store: ModelStore, two: tuple[str, str], version: str
) -> None:
    with pytest.raises(ModelError, match=f"Known: bundled, {two[0]}, {two[1]}"):
        store.activate(version)
    assert store.active() is None


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"active": "bundled"}', '{"active": "bundled", "before": 1}'],
)
@pytest.mark.usefixtures("two")
def test_a_pointer_that_is_none_says_the_fix(store: ModelStore, content: str) -> None:
    (store.root / POINTER).write_text(content, "utf-8")
    with pytest.raises(ModelError, match="jobs rollback"):
        store.active()


@pytest.mark.usefixtures("two")
def test_a_pointer_to_a_model_that_is_gone_is_an_error(store: ModelStore) -> None:
    pointer = {"schema": 1, "active": "gone", "before": []}
    (store.root / POINTER).write_text(json.dumps(pointer), "utf-8")
    with pytest.raises(ModelError, match="no model 'gone'"):
        store.active()


def test_readers_never_see_half_a_pointer(store: ModelStore, two: tuple[str, str]) -> None:
    with ThreadPoolExecutor(4) as threads:
        flips = [threads.submit(store.activate, two[i % 2]) for i in range(100)]
        seen = {store.active_version() for _ in range(300)}
        for flip in flips:
            flip.result()
    assert seen <= {BUNDLED, *two}
