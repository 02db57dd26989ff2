"""`spanferry score-links`, with a model whose links can be told by looking."""

import json
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from projection.aligners.lexical_evidence import Lexicon
from tests.ml_backend.cli.conftest import Spanferry
from tests.projection.aligners.joint_models import telling_aligner

ROWS = (
    {"source": ["Anna", "left"], "target": ["sie", "Anna"], "sure": [[0, 1], [1, 0]]},
    {"source": ["Anna"], "target": ["Anna"], "sure": [[0, 0]]},
    {"source": ["no"], "target": ["link"], "sure": []},
)


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "links.en-de.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return path


@pytest.fixture
def aligner(word_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    telling_aligner(word_tokenizer, Lexicon.of({}), apart=True).save_pretrained(tmp_path / "joint")
    return tmp_path / "joint"


def test_links_are_compared_and_pairs_without_any_are_left_out(
    spanferry: Spanferry, gold: Path, aligner: Path
) -> None:
    """It links words that are spelt alike: two of three sure links."""
    given = ("score-links", gold, "--target-lang", "de", "--aligner", aligner)
    scores = spanferry(*given, "--json").json
    assert (scores["precision"], scores["sentences"]) == (1, 2)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["f1"] == pytest.approx(0.8)
    head, figures = spanferry(*given).out.splitlines()
    assert head.split() == ["precision", "recall", "F1", "sentence", "pairs"]
    assert figures.split() == ["100.0", "66.7", "80.0", "2"]


def test_nothing_to_compare_with(spanferry: Spanferry, tmp_path: Path) -> None:
    path = tmp_path / "links.jsonl"
    path.write_text(json.dumps(ROWS[2]), "utf-8")
    mistake = spanferry("score-links", path, "--target-lang", "de").mistake
    assert "has no pair with a sure link" in mistake


def test_a_pair_aligner_links_no_words(
    spanferry: Spanferry, gold: Path, copying_aligner: Path
) -> None:
    given = ("score-links", gold, "--target-lang", "de", "--aligner", copying_aligner)
    assert "is a pair aligner, which links no words" in spanferry(*given).mistake
