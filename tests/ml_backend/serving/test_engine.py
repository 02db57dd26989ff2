"""The engine: answers with one model while it loads the next."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ml_backend.serving.engine import Engine, load_function
from ml_backend.serving.model_queue import NotReadyError
from ml_backend.serving.model_store import BUNDLED, ModelStore
from ml_backend.settings import Settings, SettingsError
from projection.errors import ModelError
from tests.ml_backend.conftest import (
    BUNDLED_VERSION,
    FixedProjector,
    model_folder,
    wait_until,
)


class GatedLoad:
    """Loads nothing before it is let: what a large model looks like from outside."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.loads: list[Path | None] = []
        self.error: Exception | None = None

    def __call__(self, target: Path | None) -> FixedProjector:
        self.loads.append(target)
        assert self.gate.wait(60)
        if self.error is not None:
            raise self.error
        return FixedProjector(BUNDLED_VERSION if target is None else target.name)


@pytest.fixture
def load() -> Iterator[GatedLoad]:
    load = GatedLoad()
    yield load
    load.gate.set()


@pytest.fixture
def engine(load: GatedLoad, store: ModelStore) -> Iterator[Engine]:
    with Engine(load, store, poll_seconds=0.01) as engine:
        yield engine


@pytest.fixture
def version(store: ModelStore, tmp_path: Path) -> str:
    """A model in the store."""
    return store.add(model_folder(tmp_path / "mine"))


def test_the_engine_starts_at_once_and_knows_no_version_before_the_load(engine: Engine) -> None:
    assert engine.model_version is None
    assert engine.degraded is None
    with pytest.raises(NotReadyError, match="still loading"):
        engine.projector(wait=0.01)


def test_a_request_may_wait_for_the_first_load(engine: Engine, load: GatedLoad) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(engine.projector, 10)
        load.gate.set()
        assert waiting.result(10).model_version == BUNDLED_VERSION == engine.model_version


def test_the_old_model_answers_until_the_new_one_is_ready(
    engine: Engine, load: GatedLoad, store: ModelStore, version: str
) -> None:
    load.gate.set()
    old = engine.projector(10)
    load.gate.clear()
    store.activate(version)
    wait_until(lambda: len(load.loads) == 2)
    assert engine.projector(0) is old
    load.gate.set()
    wait_until(lambda: engine.model_version == version)


def test_a_change_during_a_load_is_not_missed(
    engine: Engine, load: GatedLoad, store: ModelStore, version: str
) -> None:
    wait_until(lambda: load.loads == [None])
    store.activate(version)
    load.gate.set()
    wait_until(lambda: engine.model_version == version)


def test_a_failed_load_keeps_the_old_model_and_says_so(
    engine: Engine, load: GatedLoad, store: ModelStore, version: str
) -> None:
    load.gate.set()
    engine.projector(10)
    load.error = ModelError("config.json", "made for another task")
    store.activate(version)
    wait_until(lambda: engine.degraded)
    assert engine.degraded == "config.json: made for another task"
    assert engine.model_version == BUNDLED_VERSION
    load.error = None
    store.activate(BUNDLED)
    wait_until(lambda: engine.degraded is None)


def test_a_failed_first_load_is_told_at_once_to_those_who_wait(
    engine: Engine, load: GatedLoad
) -> None:
    load.error = RuntimeError("out of memory")
    load.gate.set()
    with pytest.raises(NotReadyError, match=r"RuntimeError\('out of memory'\)"):
        engine.projector(10)


def test_a_failed_first_load_is_tried_again(engine: Engine, load: GatedLoad) -> None:
    """A hub or a disk that is away for a moment, without anybody touching the store."""
    load.error = OSError("the disk is away")
    load.gate.set()
    wait_until(lambda: len(load.loads) > 2)
    assert engine.degraded
    load.error = None
    wait_until(lambda: engine.model_version)
    assert engine.degraded is None
    loads = len(load.loads)
    time.sleep(0.1)
    assert len(load.loads) == loads, "a model that is there is not loaded again"


def test_a_broken_pointer_does_not_stop_the_engine(
    engine: Engine, load: GatedLoad, store: ModelStore, version: str
) -> None:
    load.gate.set()
    engine.projector(10)
    store.activate(version)
    wait_until(lambda: engine.model_version == version)
    (store.root / "active.json").write_text("?", "utf-8")
    wait_until(lambda: engine.degraded)
    assert engine.model_version == version
    (store.root / "active.json").unlink()
    wait_until(lambda: engine.model_version == BUNDLED_VERSION)


def test_closing_ends_the_wait(engine: Engine) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(engine.projector, 10)
        engine.close()
        with pytest.raises(NotReadyError):
            waiting.result(5)


@pytest.mark.parametrize(
    "loader", ["nowhere:load", "ml_backend.serving.loading:nothing", "", "json", ":"]
)
def test_a_loader_that_does_not_exist_is_named(settings: Settings, loader: str) -> None:
    with pytest.raises(SettingsError, match="SPANFERRY_BACKEND_LOADER"):
        load_function(settings.model_copy(update={"loader": loader}))
