"""kill -9 in the middle of commands that write: the old state or the new one, whole.

`project`, `push`, `export`, `train` and `jobs run`: a few points always, twenty of each with
SPANFERRY_TEST_ALL=1. The processes are forked from one that has imported everything, so that a
point costs less than a second.
"""

import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from ml_backend.jobs.hints import Hint
from ml_backend.jobs.queue import Job, JobQueue, State
from ml_backend.jobs.queue import Work as JobWork
from ml_backend.jobs.reviews import PROJECTS, Look
from ml_backend.label_studio.client import ReviewServer
from ml_backend.serving.model_store import ModelStore
from projection.errors import TrainingError
from projection.io import folders
from projection.io.files import write_json
from projection.io.folders import training_into
from projection.pipeline.run import load_run
from projection.pipeline.run_summary import load_summary
from tests.label_studio.examples import EXAMPLES
from tests.ml_backend.cli.conftest import run_of
from tests.ml_backend.label_studio.studio import KEY, Fault, Studio, running
from tests.ml_backend.reviews import ALL, RIGHT, review
from training.data.reviewed import read_reviews
from training.data.rows import Row, Rows
from training.export.export import write_export
from training.tagger.preset_changes import changed
from training.tagger.presets import PRESETS
from training.tagger.recipe_runner import train_preset
from training.tagger.training_data import TrainingData

ALL_POINTS = os.environ.get("SPANFERRY_TEST_ALL") == "1"
POINTS = 20 if ALL_POINTS else 3
WRITES = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree"}
SEED = 3

fork = multiprocessing.get_context("forkserver")
fork.set_forkserver_preload(["tests.ml_backend.cli.test_kills", "ml_backend.label_studio.client"])

Work = Callable[..., object]


def _in_child(
    work: Work, arguments: tuple[Any, ...], folder: str, last: int | str, told: Any
) -> None:
    """Do the work, and be killed before the write under the folder of this number or name."""
    done = 0

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal done
        if event in WRITES and str(args[0]).startswith(folder):
            if event == "open" and not isinstance(args[2], int):
                return
            if event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR):
                return
            name = Path(str(args[0])).name
            if done == last or (isinstance(last, str) and name.startswith(last)):
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1

    sys.addaudithook(watch)
    work(*arguments)
    told.send(done)


def writes_of(work: Work, *arguments: Any, folder: Path, last: int | str = -1) -> int | None:
    """Do the work in a process of its own. Return its writes, None if it was killed."""
    ours, theirs = fork.Pipe(duplex=False)
    process = fork.Process(target=_in_child, args=(work, arguments, str(folder), last, theirs))
    process.start()
    theirs.close()
    process.join(300)
    # 255: the fork server could not say how it ended.
    assert process.exitcode in {0, -signal.SIGKILL, 255}, process.exitcode
    return int(ours.recv()) if process.exitcode == 0 else None


def points(count: int) -> list[int]:
    """Where to kill, of so many places."""
    return sorted(random.Random(SEED).sample(range(count), min(POINTS, count)))


# Projecting


def project(out: Path) -> None:
    run_of(out, *EXAMPLES)


def test_a_run_that_was_killed_is_finished_by_the_same_command(tmp_path: Path) -> None:
    whole = writes_of(project, tmp_path / "whole", folder=tmp_path)
    assert whole
    wanted = [*load_run(tmp_path / "whole")]
    for last in points(whole):
        out = tmp_path / f"killed-{last}"
        assert writes_of(project, out, folder=tmp_path, last=last) is None
        assert writes_of(project, out, folder=tmp_path) is not None
        assert [*load_run(out)] == wanted, f"killed before write {last}"
        assert load_summary(out).read == len(EXAMPLES)
        assert {path.name for path in out.glob(".*")} == {".lock"}, f"killed before write {last}"


# Exporting

BEFORE = [review(ALL, RIGHT)]
AFTER = [*BEFORE, review(ALL, ALL, number=2)]


def export(out: Path, number: int) -> None:
    write_export([BEFORE, AFTER][number], out, title="News", labels=("PER", "ORG", "LOC"))


def export_by_two_renames(out: Path, number: int) -> None:
    """On a system that cannot exchange two folders in one step."""
    folders._exchange = lambda *_: False  # in a process of its own
    export(out, number)


@pytest.mark.parametrize("work", [export, export_by_two_renames])
def test_an_export_that_was_killed_leaves_the_old_one_or_the_new_one(
    tmp_path: Path, work: Work
) -> None:
    export(tmp_path / "whole", 0)
    whole = writes_of(work, tmp_path / "whole", 1, folder=tmp_path)
    assert whole
    at_the_end = range(whole - 4, whole)  # where the folders are exchanged
    for last in {*(points(whole) if work is export else ()), *at_the_end}:
        folder = tmp_path / f"killed-{last}"
        folder.mkdir()
        export(folder / "out", 0)
        assert writes_of(work, folder / "out", 1, folder=tmp_path, last=last) is None
        assert len(read_reviews(folder / "out")) in {1, 2}, f"killed before write {last}"
        assert writes_of(work, folder / "out", 1, folder=tmp_path) is not None
        assert len(read_reviews(folder / "out")) == 2, f"killed before write {last}"
        assert [path.name for path in folder.iterdir()] == ["out"], f"killed before write {last}"


# Training


def train(base: Path, out: Path) -> None:
    """Two stages, one of which teaches the other; 3 steps an epoch, a checkpoint after each."""
    rows = [
        Row(str(i), (name, "sah", place), ("B-PER", "O", "B-LOC"), "de")
        for i, (name, place) in enumerate([("Anna", "Bern"), ("Zoë", "Berlin")] * 6)
    ]
    changes = {"base": str(base), "batch_size": 4, "freeze": 0, "max_length": 32, "epochs": 2.0}
    data = TrainingData(english=Rows.of(rows), reviewed=Rows.of(rows[:8]))
    torch.set_num_threads(1)
    with training_into(out), suppress(TrainingError):  # it is done
        train_preset(changed(PRESETS["wu2020"], changes), data, out)


def test_a_training_that_was_killed_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, word_tagger: Callable[[Mapping[str, str]], Path]
) -> None:
    base = word_tagger({"Anna": "B-PER", "Bern": "B-LOC"})
    whole = writes_of(train, base, tmp_path / "whole" / "out", folder=tmp_path)
    assert whole
    wanted = {path.name: path.read_bytes() for path in (tmp_path / "whole" / "out").iterdir()}
    assert {"model.safetensors", "training.json"} <= wanted.keys()
    # At the end, too: the model is there, and its work folders still are.
    for last in {*points(whole), whole - 3}:
        out = tmp_path / f"killed-{last}" / "out"
        assert writes_of(train, base, out, folder=tmp_path, last=last) is None
        assert writes_of(train, base, out, folder=tmp_path) is not None
        found = {path.name: path.read_bytes() for path in out.iterdir()}
        assert found == wanted, f"killed before write {last}"
        assert [path.name for path in out.parent.iterdir()] == ["out"], f"before write {last}"


# Pushing


def push(url: str, run: Path, data: Path) -> None:
    from ml_backend.cli import main  # noqa: PLC0415  takes seconds

    os.environ["SPANFERRY_DATA_DIR"] = str(data)
    access = ["--url", url, "--api-key", KEY]
    sys.argv = ["spanferry", "push", str(run), "--project", "News", *access]
    with suppress(SystemExit):  # with status 0, or what is compared afterwards differs
        main()


def test_a_push_that_was_killed_is_finished_and_leaves_nothing_twice(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", *EXAMPLES)
    with running() as studio:
        assert writes_of(push, studio.url, run, tmp_path / "data", folder=tmp_path) is not None
        calls, wanted = len(studio.calls), studio.state()
    imports = next(n for n, call in enumerate(studio.calls) if call.endswith("/import"))
    for number in sorted({*points(calls), imports}):
        with running() as studio:
            kill_at(studio, number)
            data = tmp_path / f"data-{number}"
            arguments = (push, studio.url, run, data)
            assert writes_of(*arguments, folder=tmp_path) is None, number
            assert writes_of(*arguments, folder=tmp_path) is not None, number
            assert studio.state() == wanted, f"killed at call {number}"


# Training

EACH = 2


def look_and_train(url: str, root: Path, work: JobWork) -> None:
    queue = JobQueue(root)
    queue.run(work, Look(queue, partial(ReviewServer.connect, url, KEY), EACH))


def write_model(job: Job, folder: Path) -> Job:
    """What a training does as far as files go."""
    write_json(folder / "export.json", {"project": job.project})
    write_json(folder / "model.json", {"project": job.project})
    return replace(job, state=State.SERVED)


def reviewed_projects(studio: Studio) -> list[int]:
    """One with enough reviews, one with fewer, and one that does not exist."""
    blank = {"data": {}, "predictions": [], "annotations": [{}]}
    tasks = [{**blank, "id": number} for number in range(EACH + 1)]
    enough = studio.add_project("News", "<View/>", tasks[:EACH], "")
    return [enough, studio.add_project("Sport", "<View/>", tasks[EACH:], ""), 99]


def test_a_killed_runner_leaves_each_training_once(tmp_path: Path) -> None:
    with running() as studio:
        enough, few, unknown = reviewed_projects(studio)

        def begun(root: Path) -> JobQueue:
            queue = JobQueue(root)
            queue.hints.leave(enough, Hint.REVIEWED)
            queue.hints.leave(few, Hint.ASKED)
            queue.hints.leave(unknown, Hint.ASKED)
            return queue

        begun(tmp_path / "whole")
        arguments = (look_and_train, studio.url)
        whole = writes_of(*arguments, tmp_path / "whole", write_model, folder=tmp_path)
        assert whole
        for last in [*points(whole), f".{PROJECTS}"]:  # the jobs are there, and the hints
            queue = begun(tmp_path / f"killed-{last}")
            again = (*arguments, queue.root, write_model)
            assert writes_of(*again, folder=tmp_path, last=last) is None
            # A job that waits is done before a look is answered.
            studio.fault = Fault("502", "GET /api/version")
            assert writes_of(*again, folder=tmp_path) is not None
            studio.fault = Fault("", -1, 0)
            assert writes_of(*again, folder=tmp_path) is not None
            found = sorted((job.project, job.state, job.reviews) for job in queue.jobs())
            served = [(enough, State.SERVED, EACH), (few, State.SERVED, 1)]
            assert found == served, f"killed before write {last}"
            assert queue.hints.left() == {}, f"killed before write {last}"


def train_asked_for(folder: Path) -> None:
    from tests.ml_backend.jobs.test_retrain import retraining  # noqa: PLC0415  needs torch

    JobQueue(folder / "jobs").run(retraining(ModelStore(folder / "models")))


@pytest.mark.skipif(not ALL_POINTS, reason="minutes: each point trains a model")
def test_a_training_that_was_killed_is_finished_and_stores_one_model(tmp_path: Path) -> None:
    JobQueue(tmp_path / "whole" / "jobs").add(7, "asked for")
    whole = writes_of(train_asked_for, tmp_path / "whole", folder=tmp_path)
    assert whole
    for last in points(whole)[::4]:
        folder = tmp_path / f"killed-{last}"
        queue = JobQueue(folder / "jobs")
        queue.add(7, "asked for")
        assert writes_of(train_asked_for, folder, folder=tmp_path, last=last) is None
        assert writes_of(train_asked_for, folder, folder=tmp_path) is not None
        [job] = queue.jobs()
        assert job.state is State.SERVED, f"killed before write {last}: {job.said}"
        assert job.result is not None
        store = ModelStore(folder / "models")
        assert store.versions() == (store.active_version(),) == (job.result["version"],)


def kill_at(studio: Studio, number: int) -> None:
    """Kill whoever makes the call of this number; the server goes on with it."""

    def kill(_: str) -> None:
        if len(studio.calls) == number:
            for child in multiprocessing.active_children():
                child.kill()
                child.join()

    studio.before = kill
