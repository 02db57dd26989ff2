"""The model store: content-addressed, and never half of anything."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ml_backend.serving.model_store import BUNDLED, INCOMING, POINTER, ModelStore, content_hash
from projection.errors import ModelError
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


def test_the_copy_is_whole_and_the_original_may_go(store: ModelStore, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine", version="x")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"more")
    version = store.add(folder)
    assert content_hash(store.root / version) == content_hash(folder) == version


def test_the_same_files_give_the_same_version(store: ModelStore, tmp_path: Path) -> None:
    versions = {store.add(model_folder(tmp_path / name, version="x")) for name in "ab"}
    assert store.versions() == tuple(versions)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda f: (f / "model.safetensors").write_bytes(b"\1" * 16), id="weights"),
        pytest.param(lambda f: (f / "model.safetensors").rename(f / "w.safetensors"), id="names"),
        pytest.param(lambda f: (f / "vocab.txt").touch(), id="one more file"),
    ],
)
def test_another_model_is_another_version(
    store: ModelStore, tmp_path: Path, change: object
) -> None:
    folder = model_folder(tmp_path / "mine")
    before = store.add(folder)
    assert callable(change)
    change(folder)
    assert store.add(folder) != before


def test_training_state_stays_behind(store: ModelStore, tmp_path: Path) -> None:
    """Pickles run code when they are read."""
    folder = model_folder(tmp_path / "mine")
    version = store.add(folder)
    (folder / "training_args.bin").touch()
    (folder / "optimizer.pt").touch()
    (folder / "checkpoint-500").mkdir()
    assert store.add(folder) == version
    assert sorted(path.name for path in (store.root / version).iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


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
    (folder / "tokenizer.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"tokenizer\.json: cannot be copied"):
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
def test_a_pointer_that_is_none_says_how_to_mend_it(store: ModelStore, content: str) -> None:
    (store.root / POINTER).write_text(content, "utf-8")
    with pytest.raises(ModelError, match="Remove the file"):
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
