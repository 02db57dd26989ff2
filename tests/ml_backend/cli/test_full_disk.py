"""A full disk: one line with what, where and fix, nothing half-written, and then it goes on.

Files may have so many bytes only, by the limit of the process; to the code that writes, this is the
same as a disk that is full at this point.
"""

import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from projection.io.conll import write_iob2
from projection.io.folders import new_folder
from tests.label_studio.examples import EXAMPLES
from tests.ml_backend.cli.conftest import Spanferry, run_of
from tests.ml_backend.cli.test_faults import TITLE, reviewed_project
from tests.ml_backend.label_studio.studio import KEY, running
from training.data.reviewed import read_reviews

SETTINGS = ("--set=freeze=0", "--set=epochs=1", "--set=log=none")
TRAIN = ("train", "{gold}", "--preset", "plain", "--base", "{tagger}", *SETTINGS)
MODELS = ("--teacher", "{tagger}", "--aligner", "{aligner}")
SIDES = ("--source", "{gold}", "--target", "{gold}", "--target-lang", "de")
COMMANDS: dict[str, tuple[str, ...]] = {
    "project": ("project", *SIDES, *MODELS, "--out", "{out}"),
    "export": ("export", "--project", TITLE, "--out", "{out}"),
    "report": ("report", "--project", TITLE, "--out", "{out}"),
    "backup": ("backup", TITLE, "--out", "{out}"),
    "train": (*TRAIN, "--out", "{out}"),
    "train, several": (*TRAIN, "--seeds", "1", "--out", "{out}"),
    "pack": ("aligner", "pack", "{aligner}", "{out}"),
    "average": ("aligner", "average", "{aligner}", "{aligner}", "--out", "{out}"),
}
PLACES = {
    "project": [100],
    "export": [0, 2000],  # the first file, and the tables that a library writes
    "report": [0],
    "backup": [0],
    "train": [1000, 20_000, 100_000],  # the configuration, the weights, the optimizer
    "train, several": [0, 20_000],
    "pack": [1000],
    "average": [1000],
}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def call(
    spanferry: Spanferry,
    word_tagger: Callable[[Mapping[str, str]], Path],
    copying_aligner: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Spanferry]:
    """Call a command with a project to read, a corpus, and tiny models."""
    names: dict[str, object] = {"out": tmp_path / "there" / "out", "gold": tmp_path / "gold.iob2"}
    names |= {"tagger": word_tagger({"Anna": "B-PER"}), "aligner": copying_aligner}
    write_iob2([(("Anna", "sah", "Bern"), ("B-PER", "O", "O"))] * 4, tmp_path / "gold.iob2")
    (tmp_path / "there").mkdir()
    monkeypatch.setenv("SPANFERRY_DATA_DIR", str(tmp_path / "data"))
    with running() as studio:
        reviewed_project(studio)
        monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
        yield lambda *arguments: spanferry(*(str(each).format(**names) for each in arguments))


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, size) for name, sizes in PLACES.items() for size in sizes],
)
def test_a_full_disk_is_one_line_and_the_command_goes_on_later(
    call: Spanferry, tmp_path: Path, name: str, size: int
) -> None:
    out = tmp_path / "there" / "out"
    with files_of_at_most(size):
        refused = call(*COMMANDS[name])
    assert (refused.status, refused.out) == (2, "")
    assert "Traceback" not in refused.err
    line = refused.err.splitlines()[-1]
    assert line.startswith(str(out))
    assert "File too large" in line or "No space left" in line  # PyTorch does not tell which
    done = call(*COMMANDS[name])
    assert done.status == 0, done.err
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["out"]


def test_an_old_export_stays_whole(call: Spanferry, tmp_path: Path) -> None:
    out = tmp_path / "there" / "out"
    assert call(*COMMANDS["export"]).status == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for size in (0, 500, 2000):
        with files_of_at_most(size):
            assert call(*COMMANDS["export"]).status == 2
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert read_reviews(out)


def test_a_push_that_cannot_note_what_it_does_says_so(call: Spanferry, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", *EXAMPLES[:2])
    with files_of_at_most(0):
        refused = call("push", run, "--project", "Another one")
    assert refused.status == 2
    assert refused.err.splitlines()[-1].startswith(str(tmp_path / "data"))
    assert call("push", run, "--project", "Another one").status == 0


def test_a_backend_whose_data_folder_cannot_be_made(call: Spanferry, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = call("serve", "--data-dir", tmp_path / "file" / "data")
    assert refused.status == 2
    assert refused.err.splitlines()[-1].startswith(str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(OSError(28, "No space left on device"), "[Errno 28] No space", id="no name"),
        pytest.param(RuntimeError("I/O error (os error 28)"), "[Errno 28] No space", id="Rust"),
        pytest.param(RuntimeError("unexpected pos 640 vs 528"), "[Errno 28] No space", id="C++"),
        pytest.param(ValueError("a bug"), "a bug", id="anything else stays as it is"),
    ],
)
def test_errors_of_libraries_name_the_folder(tmp_path: Path, error: Exception, said: str) -> None:
    with pytest.raises((OSError, ValueError)) as caught, new_folder(tmp_path / "out"):
        raise error
    assert str(caught.value).startswith(said)
    assert getattr(caught.value, "filename", None) in {None, str(tmp_path / "out")}
    assert [*tmp_path.iterdir()] == []
