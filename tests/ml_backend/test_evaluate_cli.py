"""`spanferry evaluate` as a shell would call it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ml_backend.cli import app
from ml_backend.cli.evaluate import models_and_data
from projection import bundled
from projection.errors import TrainingError

TAGGER = str(bundled.path("tagger"))
TEACHER = str(bundled.path("teacher"))


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.iob2"
    path.write_text(
        "Angela\tB-PER\nMerkel\tI-PER\nvisited\tO\nLondon\tB-LOC\n.\tO\n\nIt\tO\nrained\tO\n.\tO\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def evaluate() -> Callable[..., str]:
    def call(*words: object) -> str:
        result = CliRunner().invoke(
            app, ["evaluate", *map(str, words)], catch_exceptions=False, env={"COLUMNS": "200"}
        )
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_two_models_are_judged_and_compared(evaluate: Callable[..., str], gold: Path) -> None:
    answer = json.loads(evaluate(TEACHER, TAGGER, gold, "--trained-on", gold, "--json"))

    assert answer["schema"] == 2
    assert [found["model"] for found in answer["models"]] == [TEACHER, TAGGER]
    teacher = answer["models"][0]
    assert (teacher["f1"], teacher["support"], teacher["sentences"]) == (1, 2, 2)
    assert teacher["seen"] == {"found": 2, "of": 2, "share": 1}
    assert set(teacher["mistakes"]) == {"wrong_border", "wrong_label", "missing", "spurious"}
    [difference] = answer["differences"]
    assert (difference["first"], difference["second"]) == (TEACHER, TAGGER)


def test_what_is_printed_for_people(evaluate: Callable[..., str], gold: Path) -> None:
    printed = evaluate(TEACHER, gold, "--trained-on", gold)
    assert "F1 with 95 % certainty from" in printed
    assert "mistakes: 0 wrong border, 0 wrong label, 0 missing, 0 spurious" in printed
    assert "recall of names met in training: 100.00 (2 of 2)" in printed
    assert "Paired bootstrap" not in printed
    assert "Paired bootstrap" in evaluate(TEACHER, TAGGER, gold)


def test_the_folder_has_the_page_the_figures_and_every_mistake(
    evaluate: Callable[..., str], tmp_path: Path
) -> None:
    """Words of the data are text on the page, whatever they look like."""
    path, out = tmp_path / "gold.iob2", tmp_path / "evaluation"
    path.write_text("<script>\tB-ORG\nvisited\tO\nLondon\tB-PER\n\n", encoding="utf-8")

    answer = json.loads(evaluate(TEACHER, path, "--out", out, "--json"))

    page = (out / "index.html").read_text(encoding="utf-8")
    assert json.loads((out / "evaluation.json").read_text()) == answer
    mistakes = [json.loads(line) for line in (out / "mistakes.jsonl").read_text().splitlines()]
    by_kind = answer["models"][0]["mistakes"]
    assert len(mistakes) == sum(kind["count"] for kind in by_kind.values()) > 0
    assert {mistake["model"] for mistake in mistakes} == {TEACHER}
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<mark><u><bdi>London</bdi></u></mark>" in page
    assert "<svg" in page


@pytest.mark.parametrize(
    ("words", "models", "data"),
    [
        pytest.param(["hub/a", "x.iob2"], ["hub/a"], ["x.iob2"], id="one on the hub"),
        pytest.param(["a", "hub/b", "x.iob2"], ["a", "hub/b"], ["x.iob2"], id="two on the hub"),
        pytest.param(["a", "x.iob2", "typo"], ["a"], ["x.iob2", "typo"], id="after data come data"),
        pytest.param(["a", "a", "x.iob2"], ["a"], ["x.iob2"], id="the same twice"),
        pytest.param(["a", "x.iob2", TAGGER], ["a", TAGGER], ["x.iob2"], id="a folder anywhere"),
    ],
)
def test_models_are_told_from_data(words: list[str], models: list[str], data: list[str]) -> None:
    assert models_and_data(words) == (models, [Path(name) for name in data])


def test_a_model_alone_is_not_enough() -> None:
    with pytest.raises(TrainingError, match="evaluation data: there are none"):
        models_and_data([TAGGER])
