"""Ray actors write what one process would; a real local cluster of two workers.

Skipped where Ray is not installed: pip install 'spanferry[ray]'.
"""

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from projection.errors import RunError
from projection.pipeline.conflicts import Policy
from projection.pipeline.ray_workers import check_ray, ray_workers
from projection.pipeline.run import load_run
from tests.projection.pipeline.run_examples import (
    NOWHERE,
    DyingProjector,
    FixedProjector,
    contents,
    mixed,
    project,
)

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="pip install 'spanferry[ray]'")
load = partial(FixedProjector, NOWHERE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two CPUs of this machine."""
    ray: Any = pytest.importorskip("ray", reason="pip install 'spanferry[ray]'")
    size = {"num_cpus": 2, "object_store_memory": 100_000_000}  # shared memory can be scarce
    ray.init(**size, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_it_names_the_extra() -> None:
    with pytest.raises(RunError, match=r"Ray is not installed\. pip install 'spanferry\[ray\]'"):
        check_ray()


@pytest.mark.usefixtures("cluster")
def test_actors_write_the_same_bytes_as_this_process(tmp_path: Path) -> None:
    """One more than there is room for does not hold up the others."""
    with ray_workers(load, 3, Policy.FLAG) as engine:
        project(mixed(50), tmp_path / "ray", engine=engine, part_size=18)
    project(mixed(50), tmp_path / "one", part_size=18)
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("how", "said"),
    [("fails", "failed (ValueError: no matrix)"), ("is killed", "was lost 3 times (Actor")],
)
def test_a_batch_that_fails_is_one_error_and_the_run_goes_on(
    tmp_path: Path, how: str, said: str
) -> None:
    out = tmp_path / "run"
    dying = partial(DyingProjector, how)
    with pytest.raises(RunError) as refused, ray_workers(dying, 1, Policy.FLAG) as engine:
        project(mixed(23), out, engine=engine)
    assert refused.value.where == "parallel.en:8 to parallel.en:11"
    assert said in refused.value.what
    assert [p.sentence.id for p in load_run(out)] == [*"012467"]
    assert project(mixed(23), out).read == 23
