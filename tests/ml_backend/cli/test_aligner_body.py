"""`spanferry aligner body`: the encoder of an aligner, as a shell would ask for it."""

from pathlib import Path

import pytest
from transformers import AutoModelForTokenClassification, AutoTokenizer
from typer.testing import CliRunner

from ml_backend.cli.aligner import app
from projection.errors import TrainingError


def body(*arguments: object) -> None:
    given = ["body", *map(str, arguments)]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_a_tagger_can_begin_from_the_bundled_one(tmp_path: Path) -> None:
    out = tmp_path / "body"
    body("mini", "--out", out)
    _, found = AutoModelForTokenClassification.from_pretrained(
        out, num_labels=9, output_loading_info=True
    )
    assert {key.partition(".")[0] for key in found["missing_keys"]} == {"classifier"}
    assert not found["unexpected_keys"]
    assert "[UNK]" not in AutoTokenizer.from_pretrained(out).tokenize("Zürich 柏林")


def test_a_folder_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "note").touch()
    with pytest.raises(TrainingError, match="exists already"):
        body("mini", "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
