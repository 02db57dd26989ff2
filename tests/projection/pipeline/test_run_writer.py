"""A run in parts survives kill -9 anywhere, and reads what is done only once."""

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from projection.errors import RunError
from projection.pipeline.run import load_run
from projection.pipeline.run_parts import RunFormat, read_parts
from projection.records import ParallelSentence
from tests.projection.pipeline.run_examples import (
    NOWHERE,
    FixedProjector,
    contents,
    mixed,
    project,
    rows,
)

PARTED: dict[str, Any] = {"part_size": 8, "batch_size": 3}  # batches of 3, 3 and 2
PARQUET: dict[str, Any] = {**PARTED, "form": RunFormat.PARQUET}
SEED = 3
WRITES = {"os.rename", "os.remove", "os.truncate"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def names(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.name != ".lock")


def test_a_large_corpus_is_in_parts_and_a_small_one_is_not(tmp_path: Path) -> None:
    parted, whole = tmp_path / "parted", tmp_path / "whole"
    summary = project(mixed(23), parted, **PARTED)
    assert replace(project(mixed(23), whole, batch_size=3), seconds=0) == replace(
        summary, seconds=0
    )
    made = ("dropped.jsonl", "parts.json", "projected.jsonl", "run.json", "summary.json")
    assert names(whole) == [*made]
    more = [f"{kind}-0000{n}.jsonl" for kind in ("dropped", "projected") for n in (1, 2)]
    assert names(parted) == sorted([*made, *more])
    assert [part.sentences for part in read_parts(parted)] == [8, 8, 7]
    ids = [[p.sentence.id for p in load_run(out)] for out in (parted, whole)]
    assert ids[0] == ids[1]


def test_no_batch_is_in_two_parts(out: Path) -> None:
    projector = FixedProjector()
    project(mixed(23), out, projector, **PARTED)
    assert [ids[0] for ids in projector.asked] == ["0", "4", "6", "8", "11", "14", "16", "19", "22"]


def test_parquet_holds_the_same_lines_and_goes_on(tmp_path: Path) -> None:
    packed, plain = tmp_path / "packed", tmp_path / "plain"
    project(mixed(23), packed, limit=10, **PARQUET)
    project(mixed(23), packed, **PARQUET)
    project(mixed(23), plain, **PARTED)
    assert [*load_run(packed)] == [*load_run(plain)]
    assert not [*packed.glob("*.jsonl")]
    assert len([*packed.glob("*.parquet")]) == 6


def test_a_format_is_for_the_whole_run(out: Path) -> None:
    project(mixed(9), out, limit=4)
    with pytest.raises(RunError, match="made with format None, now 'parquet'"):
        project(mixed(9), out, form=RunFormat.PARQUET)


def test_what_is_done_is_not_read_again(out: Path) -> None:
    project(mixed(23), out, limit=16, **PARTED)
    for name in ("projected.jsonl", "dropped-00001.jsonl"):
        (out / name).unlink()
    projector = FixedProjector(NOWHERE)
    summary = project(mixed(23), out, projector, **PARTED)
    assert projector.asked[0] == ["16", "17", "18"]
    assert (summary.read, summary.dropped) == (23, {"empty": 2, "too_long": 2})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param(
            lambda corpus: corpus[:4] + corpus[5:],
            r"projected.X: sentences 1 to 8 are not the corpus's. Was the corpus changed",
            id="a sentence less",
        ),
        pytest.param(
            lambda corpus: [*corpus[:9], replace(corpus[9], target="Oh."), *corpus[10:]],
            r"projected-00001.X: sentences 9 to 16 are not",
            id="another text",
        ),
        pytest.param(
            lambda corpus: corpus[:10],
            r"projected-00001.X: sentences 9 to 16 are not .* the limit lowered",
            id="a lower limit",
        ),
        pytest.param(
            lambda corpus: corpus[:18],
            r"projected-00002.jsonl: has 18 \(and 4 more\), the corpus has not",
            id="in the last part",
        ),
    ],
)
@pytest.mark.parametrize("form", RunFormat)
def test_another_corpus_is_refused_and_nothing_is_touched(
    out: Path,
    changed: Callable[[list[ParallelSentence]], list[ParallelSentence]],
    message: str,
    form: RunFormat,
) -> None:
    project(mixed(23), out, form=form, **PARTED)
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(RunError, match=message.replace("X", form)):
        project(changed(mixed(23)), out, form=form, **PARTED)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_run_of_an_older_version_goes_on_in_one_file(out: Path) -> None:
    """What it has is one part, however long."""
    project(mixed(13), out, batch_size=2)
    (out / "parts.json").unlink()
    project(mixed(13), out, batch_size=2, part_size=4)
    assert [part.sentences for part in read_parts(out)] == [13]
    assert project(mixed(20), out, batch_size=2, part_size=4).read == 20
    assert [part.sentences for part in read_parts(out)] == [12, 4, 4]
    assert [row["sentence"]["id"] for row in rows(out / "projected-00001.jsonl")] == ["12", "14"]


def test_parts_that_nothing_lists_are_not_written_over(out: Path) -> None:
    project(mixed(23), out, **PARTED)
    (out / "parts.json").unlink()
    with pytest.raises(RunError, match=r"projected-00001.jsonl: not listed in parts.json"):
        project(mixed(23), out, **PARTED)


# kill -9

_watching: list[Callable[[], None]] = []


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if not _watching or not isinstance(args[0] if args else None, str | Path):
        return
    opened = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
    if (opened or event in WRITES) and Path(args[0]).name != ".lock":
        look = _watching.pop()
        look()
        _watching.append(look)


sys.addaudithook(_watch)


@contextmanager
def copied_before_each_write(out: Path, copies: Path) -> Iterator[None]:
    """Keep what a process would leave that is killed there; what it has not flushed is lost."""

    def copy() -> None:
        shutil.copytree(out, copies / f"{len([*copies.iterdir()]):03}")

    copies.mkdir(exist_ok=True)
    _watching.append(copy)
    try:
        yield
    finally:
        _watching.clear()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[RunFormat, list[Path]]:
    """Folders as kills leave them: of a run, and of one whose limit is raised."""
    found = {}
    for form in RunFormat:
        folder = tmp_path_factory.mktemp(form.value)
        out, copies = folder / "run", folder / "copies"
        out.mkdir()
        with copied_before_each_write(out, copies):
            project(mixed(23), out, limit=11, form=form, **PARTED)
            project(mixed(23), out, form=form, **PARTED)
        found[form] = sorted(copies.iterdir())
    return found


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[RunFormat, Path]:
    found = {form: tmp_path_factory.mktemp("straight") / "run" for form in RunFormat}
    for form, out in found.items():
        project(mixed(23), out, form=form, **PARTED)
    return found


@pytest.mark.parametrize("form", RunFormat)
def test_a_killed_run_ends_as_if_never_killed(
    killed: dict[RunFormat, list[Path]],
    straight: dict[RunFormat, Path],
    tmp_path: Path,
    form: RunFormat,
) -> None:
    """Wherever it was killed, also in the middle of writing lines."""
    chance = random.Random(SEED)
    wanted = contents(straight[form])
    for before, after in pairwise(killed[form]):
        out = tmp_path / after.name
        shutil.copytree(after, out)
        for path in out.glob("*.jsonl"):
            whole = before / path.name
            size, least = path.stat().st_size, whole.stat().st_size if whole.exists() else 0
            os.truncate(path, chance.randint(min(least, size), size))
        project(mixed(23), out, form=form, **PARTED)
        assert contents(out) == wanted, f"killed before write {after.name}"


def test_the_kills_are_everywhere(killed: dict[RunFormat, list[Path]]) -> None:
    """So that the test before does not pass because nothing was killed."""
    for form, folders in killed.items():
        assert len(folders) > 30
        assert {len(read_parts(folder)) for folder in folders} == {0, 1, 2, 3}
        torn = [folder for folder in folders if [*folder.glob(".*.tmp")]]
        assert torn, form
