"""The page of an evaluation."""

import json
from pathlib import Path

import pytest

from ml_backend.report.evaluation_page import FIGURES, MISTAKES, write_evaluation
from projection.errors import CorpusError
from training.data.dataset import Row
from training.evaluation.error_analysis import assess
from training.evaluation.tagging_scores import Tagged, score

ROWS = (
    Row("1", ("<b>", "saw", "Anna", "Weber"), ("B-ORG", "O", "B-PER", "I-PER"), "de"),
    Row("2", ("Bern",), ("B-LOC",), "en"),
)
PREDICTED = (("O", "B-MISC", "O", "B-PER"), ("B-LOC",))
FIGURES_TO_WRITE = {"schema": 2, "models": [], "differences": []}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = assess(Tagged(ROWS, PREDICTED, score([row.tags for row in ROWS], PREDICTED)))
    write_evaluation(tmp_path / "out", FIGURES_TO_WRITE, {"models/<de>": found})
    return tmp_path / "out"


def test_the_folder_has_the_figures_and_every_mistake(folder: Path) -> None:
    assert json.loads((folder / FIGURES).read_text("utf-8")) == FIGURES_TO_WRITE
    mistakes = [json.loads(line) for line in (folder / MISTAKES).read_text("utf-8").splitlines()]
    assert sorted(mistake["kind"] for mistake in mistakes) == [
        "missing", "spurious", "wrong_border",
    ]  # fmt: skip
    assert {mistake["model"] for mistake in mistakes} == {"models/<de>"}


def test_gold_is_underlined_and_predictions_are_shaded(folder: Path) -> None:
    page = (folder / "index.html").read_text("utf-8")
    assert "<u><bdi>Anna</bdi></u> <mark><u><bdi>Weber</bdi></u></mark>" in page
    assert "<mark><bdi>saw</bdi></mark> <bdi>Anna</bdi>" in page


def test_what_comes_from_data_is_text(folder: Path) -> None:
    page = (folder / "index.html").read_text("utf-8")
    assert "<bdi>&lt;b&gt;</bdi>" in page
    assert "models/<de>" not in page
    assert "models/&lt;de&gt;" in page


def test_the_plots_are_drawn_where_matplotlib_is(folder: Path) -> None:
    pytest.importorskip("matplotlib")
    assert (folder / "index.html").read_text("utf-8").count("<svg") == 3


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(CorpusError, match="cannot be made a folder"):
        write_evaluation(tmp_path / "out", {}, {})
