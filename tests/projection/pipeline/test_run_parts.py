"""Readers find all parts in order, and refuse by name a file that is not as it was listed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from projection.errors import RunError
from projection.pipeline.run import StoredRun, load_dropped, load_run
from projection.pipeline.run_parts import KINDS, RunFormat, count_records, records_in
from tests.projection.pipeline.run_examples import NOWHERE, FixedProjector, mixed, project


@pytest.fixture(params=RunFormat)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Three parts."""
    project(mixed(23), tmp_path / "run", form=request.param, part_size=8, batch_size=4)
    return tmp_path / "run"


def test_parts_are_read_in_order_and_counted_without_reading(run: Path) -> None:
    ids = {kind: [row.get("sentence", row)["id"] for _, row in records_in(run, kind)]
           for kind in KINDS}  # fmt: skip
    assert ids["dropped"] == ["3", "5", "13", "15"]
    assert sorted([*ids["projected"], *ids["dropped"]], key=int) == [str(n) for n in range(23)]
    assert [count_records(run, kind) for kind in KINDS] == [19, 4]
    assert len(StoredRun(run)) == len([*StoredRun(run)]) == 19


def test_a_part_that_is_not_done_is_read_too(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        project(mixed(23), out, FixedProjector(NOWHERE, stop_in=3), part_size=8)
    assert [p.sentence.id for p in load_run(out)] == [*"01246789", "10", "11"]
    assert len(StoredRun(out)) == 10


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def change_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [shorten, change_a_bit])
def test_a_damaged_part_is_refused_by_name(run: Path, damage: Callable[[Path], None]) -> None:
    [path] = run.glob("projected-00001.*")
    size = path.stat().st_size
    damage(path)
    read = []
    with pytest.raises(RunError) as refused:
        read.extend(load_run(run))
    assert str(refused.value) == (
        f"{path}: not the file of {size:,} bytes that parts.json lists. "
        "Restore it from a copy, or project into another --out folder"
    )
    assert [*load_dropped(run)], "its neighbor is whole"


def test_a_part_that_is_gone_is_refused_by_name(run: Path) -> None:
    [path] = run.glob("dropped-00001.*")
    path.unlink()
    with pytest.raises(RunError, match=r"missing, although parts\.json lists it"):
        [*load_dropped(run)]


def test_a_last_part_that_is_damaged_is_not_gone_on_from(run: Path) -> None:
    [path] = run.glob("projected-00002.*")
    change_a_bit(path)
    form = RunFormat(path.suffix[1:])
    with pytest.raises(RunError, match=f"{path.name}: not the file of"):
        project(mixed(30), run, form=form, part_size=8)
