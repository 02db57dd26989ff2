"""Folders that appear whole or not at all, and when a work folder starts anew."""

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from projection.errors import TrainingError
from projection.io.folders import (
    content_hash,
    is_main_process,
    new_folder,
    recover,
    refuse_existing,
    training_into,
    wait_for,
    work_folder,
)


class TestNewFolder:
    def test_it_appears_when_the_block_ends(self, tmp_path: Path) -> None:
        out = tmp_path / "deep" / "out"
        with new_folder(out) as folder:
            (folder / "file").write_text("new")
            assert not out.exists()
        assert (out / "file").read_text() == "new"
        assert [path.name for path in out.parent.iterdir()] == ["out"]

    def test_an_error_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out"):
            raise KeyboardInterrupt
        assert list(tmp_path.iterdir()) == []

    def test_an_old_folder_is_replaced_only_if_asked(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        (out / "old").touch()
        with pytest.raises(OSError, match="not empty"), new_folder(out):
            pass
        with new_folder(out, replace=True) as folder:
            (folder / "new").touch()
        assert [path.name for path in out.iterdir()] == ["new"]
        assert [path.name for path in tmp_path.iterdir()] == ["out"]


class TestWorkFolder:
    def kept(self, out: Path, made_of: object, data: list[int]) -> bool:
        """True if the folder still has what was put into it before."""
        mark = work_folder(out, made_of, data) / "checkpoint"
        was_there = mark.exists()
        mark.touch()
        return was_there

    @pytest.mark.parametrize(
        ("made_of", "data", "kept"),
        [
            pytest.param({"a": 1, "b": 2}, [1, 2, 3], True, id="the same training"),
            pytest.param({"b": 2, "a": 1}, [1, 2, 3], True, id="the same settings"),
            pytest.param({"a": 1, "b": 3}, [1, 2, 3], False, id="another setting"),
            pytest.param({"a": 1, "b": 2}, [1, 9, 3], False, id="another example in the middle"),
            pytest.param({"a": 1, "b": 2}, [2, 1, 3], False, id="another order"),
            pytest.param({"a": 1, "b": 2}, [12, 3], False, id="other borders of examples"),
        ],
    )
    def test_other_trainings_start_anew(
        self, tmp_path: Path, made_of: object, data: list[int], *, kept: bool
    ) -> None:
        out = tmp_path / "model"
        assert not self.kept(out, {"a": 1, "b": 2}, [1, 2, 3])
        assert self.kept(out, made_of, data) is kept


class TestProcesses:
    """Of the processes of `torchrun` one makes a folder, and the others wait for it."""

    def test_one_is_the_main_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("RANK", raising=False)
        assert is_main_process()
        for rank, main in (("0", True), ("1", False)):
            monkeypatch.setenv("RANK", rank)
            assert is_main_process() is main

    def test_the_others_wait(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RANK", "0")
        work = work_folder(tmp_path / "model", {"a": 1})
        monkeypatch.setenv("RANK", "1")
        assert work_folder(tmp_path / "model", {"a": 1}) == work
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(wait_for, work / "done")
            assert not wait([waiting], timeout=0.3).done
            (work / "done").touch()
            waiting.result(timeout=5)


def test_what_exists_is_refused(tmp_path: Path) -> None:
    refuse_existing(tmp_path / "new")
    with pytest.raises(TrainingError, match="exists already"):
        refuse_existing(tmp_path)


def test_the_hash_of_a_folder_changes_with_any_file(tmp_path: Path) -> None:
    seen = {content_hash(tmp_path)}
    for name, text in (("a", "1"), ("b", "1"), ("a", "2")):
        (tmp_path / name).write_text(text)
        seen.add(content_hash(tmp_path))
    assert len(seen) == 4
    assert all(len(each) == 12 for each in seen)


class TestExchange:
    @pytest.mark.parametrize("can", [True, False])
    def test_a_replaced_folder_leaves_nothing_beside_it(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, can: bool
    ) -> None:
        if not can:  # another system, or a file system without it
            monkeypatch.setattr("projection.io.folders._exchange", lambda *_: False)
        for number in range(3):
            with new_folder(tmp_path / "out", replace=True) as folder:
                (folder / f"{number}").touch()
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["2"]
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_writers_of_one_folder_take_turns(self, tmp_path: Path) -> None:
        def write(number: int) -> None:
            with new_folder(tmp_path / "out", replace=True) as folder:
                for part in range(3):
                    (folder / f"{part}").write_text(str(number))

        with ThreadPoolExecutor() as pool:
            assert len([*pool.map(write, range(4))]) == 4
        assert len({path.read_text() for path in (tmp_path / "out").iterdir()}) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["out"]


class TestRecover:
    """What processes that were killed have left."""

    def left(self, out: Path, *, moved_away: bool = False) -> Path:
        """A folder that was being made, 41 MB in real life; the old one may be moved away."""
        scratch = out.parent / f".{out.name}.new"
        (scratch / "new").mkdir(parents=True)
        (scratch / "new" / "half").touch()
        out.parent.joinpath(f".{out.name}.new.lock").touch()
        out.mkdir()
        (out / "old").touch()
        if moved_away:
            out.replace(scratch / "old")
        return out

    @pytest.mark.parametrize("moved_away", [False, True])
    def test_before_reading_the_old_folder_is_there_and_nothing_else(
        self, tmp_path: Path, moved_away: bool
    ) -> None:
        out = self.left(tmp_path / "out", moved_away=moved_away)
        recover(out)
        assert [path.name for path in out.iterdir()] == ["old"]
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_before_writing_too(self, tmp_path: Path) -> None:
        out = self.left(tmp_path / "out", moved_away=True)
        with new_folder(out, replace=True) as folder:
            assert [path.name for path in out.iterdir()] == ["old"]
            (folder / "new").touch()
        assert [path.name for path in out.iterdir()] == ["new"]
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_what_a_living_process_writes_to_is_left_alone(self, tmp_path: Path) -> None:
        others = [tmp_path / "out.new", tmp_path / "other"]
        with new_folder(tmp_path / "out") as folder:
            (folder / "file").touch()
            for out in (tmp_path / "out", *map(self.left, others)):
                recover(out)
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["file"]
        assert {path.name for path in tmp_path.iterdir()} == {"out", "out.new", "other"}

    @pytest.mark.parametrize(
        ("killed", "left"),
        [
            pytest.param("before it moved the model", {"checkpoint"}, id="not done: kept"),
            pytest.param("after", set(), id="done: removed"),
        ],
    )
    def test_checkpoints_are_kept_until_the_model_is_there(
        self, tmp_path: Path, killed: str, left: set[str]
    ) -> None:
        out = tmp_path / "model"
        (work_folder(out, {"a": 1}) / "checkpoint").touch()
        (tmp_path / ".model.done").touch()
        if killed == "after":
            out.mkdir()
        recover(out)
        assert {path.name for path in tmp_path.rglob("checkpoint")} == left
        assert not (tmp_path / ".model.done").exists()

    def test_a_model_of_another_training_costs_no_checkpoints(self, tmp_path: Path) -> None:
        out = tmp_path / "model"
        checkpoint = work_folder(out, {"a": 1}) / "checkpoint"
        checkpoint.touch()
        out.mkdir()
        with pytest.raises(TrainingError, match="exists already"):
            refuse_existing(out)
        assert checkpoint.exists()


class TestTrainingInto:
    def test_a_second_training_into_a_folder_is_refused(self, tmp_path: Path) -> None:
        out = tmp_path / "models" / "de"
        with training_into(out):
            with (
                pytest.raises(TrainingError, match="written by another training"),
                training_into(out),
            ):
                pass
            with training_into(tmp_path / "models" / "it"):
                pass
        with training_into(out):
            pass
        assert [*out.parent.iterdir()] == []

    def test_of_several_processes_only_the_main_one_locks(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        with training_into(tmp_path / "out"):
            monkeypatch.setenv("RANK", "1")
            with training_into(tmp_path / "out"):
                pass
