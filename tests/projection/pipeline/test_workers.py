"""Several processes write what one would; one that dies is named, and the run goes on later."""

import multiprocessing
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from projection.errors import RunError
from projection.pipeline.conflicts import Policy
from projection.pipeline.run import load_run
from projection.pipeline.workers import workers
from projection.records import ParallelSentence
from tests.projection.pipeline.run_examples import (
    NOWHERE,
    DyingProjector,
    FixedProjector,
    contents,
    mixed,
    project,
)

fixed = partial(FixedProjector, NOWHERE)


def test_two_workers_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    """After an interruption by one process, too."""
    with pytest.raises(KeyboardInterrupt):
        project(mixed(50), tmp_path / "two", FixedProjector(NOWHERE, stop_in=3), part_size=18)
    with workers(fixed, 2, Policy.FLAG) as engine:
        project(mixed(50), tmp_path / "two", engine=engine, part_size=18)
    project(mixed(50), tmp_path / "one", part_size=18)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        pytest.param("is killed", "has died (SIGKILL: was the memory full?)", id="killed"),
        pytest.param("fails", "failed (ValueError: no matrix)", id="a bug"),
    ],
)
def test_a_worker_that_is_lost_is_one_error_and_the_run_goes_on(
    tmp_path: Path, how: str, said: str
) -> None:
    out, load = tmp_path / "run", partial(DyingProjector, how)
    with pytest.raises(RunError) as refused, workers(load, 1, Policy.FLAG) as engine:
        project(mixed(23), out, engine=engine)
    assert str(refused.value) == (
        f"parallel.en:8 to parallel.en:11: the worker with these 4 sentences {said}. "
        "What is written is kept: run the same command again to go on from there"
    )
    assert [p.sentence.id for p in load_run(out)] == [*"012467"]
    assert project(mixed(23), out).read == 23


def test_models_that_cannot_be_loaded_are_said(tmp_path: Path) -> None:
    load, said = partial(FixedProjector, no="such option"), r"failed \(TypeError: .* 'no'"
    with pytest.raises(RunError, match=said), workers(load, 1, Policy.FLAG) as engine:
        project(mixed(4), tmp_path / "run", engine=engine)


def test_workers_end_at_once_and_few_batches_are_read_ahead() -> None:
    """Batch 2 of 0 … takes a minute."""
    read = []

    def batches() -> Iterator[list[ParallelSentence]]:
        for start in range(0, 200, 4):
            read.append(start)
            yield mixed(200)[start : start + 4]

    with workers(partial(DyingProjector, "waits"), 2, Policy.FLAG) as engine:
        results = engine(batches())
        assert [len(next(results)), len(next(results))] == [4, 4]
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert len(read) <= 2 + 6
    assert not multiprocessing.active_children()
