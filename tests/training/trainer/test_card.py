"""What the cards of trained models say; tests/training/export has those of exports."""

from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

from training.trainer.card import aligner_card, model_card, table

ALIGNER: dict[str, Any] = {
    "preset": "context-joint",
    "settings": {"base": "xlm-roberta-base", "blind": 0.1},
    "data": {"de": {"sentences": 40, "names": 2}},
    "examples": 41,
    "lexicon": 7,
    "steps": 3,
    "curve": [(1, 0.5), (3, 0.25)],
    "made_with": {"torch": "2.13"},
}
SCORES = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3}
TAGGER: dict[str, Any] = {
    "labels": ["PER"],
    "settings": {"base": "xlm-roberta-base", "loss": "ce"},
    "data": {"sentences": 9, "entities": 3, "fingerprint": "abc"},
    "model_version": "v1",
    "dev": [{"step": 2, "f1": 0.25}, {"step": 4, "f1": 0.5}],
    "kept": 4,
    "scores": {**SCORES, "by_type": {"PER": SCORES}},
    "parts": {
        "eval": {
            "sentences": 5,
            "entities": 4,
            "languages": ["no", "und"],
            "corpora": {"a|b": 5, "": 1},
            "fingerprint": "def",
        }
    },
}


def test_an_aligner() -> None:
    card = aligner_card("mine", ALIGNER)
    header = ModelCard(card).data
    assert (header.language, header.library_name) == (["en", "de"], "spanferry")
    for line in ("# mine", "| de | 40 | 2 |", "| blind | 0.1 |", "| torch | 2.13 |"):
        assert line in card.splitlines()
    assert "3 steps. Mean loss at step 1: 0.500, 3: 0.250." in card
    assert "7 pairs of words and stems are in the lexicon." in card
    assert "lexicon" not in aligner_card("mine", {**ALIGNER, "lexicon": 0})


def test_a_tagger() -> None:
    """Norwegian is a language, not a Boolean; the bundled base is no model of the hub."""
    card = model_card("mine", TAGGER)
    header = ModelCard(card).data
    assert (header.language, header.base_model) == (["no"], "xlm-roberta-base")
    assert "| all | 50.00 | 25.00 | 33.33 |" in card.splitlines()
    assert r"| eval | 5 | 4 | a\|b | `def` |" in card.splitlines()
    assert r"in percent, on `def` (a\|b)." in card
    bundled = {**TAGGER, "settings": {"base": "mini"}, "scores": None, "parts": {}}
    card = model_card("mine", bundled)
    assert ModelCard(card).data.base_model is None
    assert "No evaluation data was given." in card
    assert "## Data" not in card
    assert "Dev part: F1 50.00, the best of 2 evaluations while training (step 4)." in card


def test_no_path_of_this_machine_is_in_it(tmp_path: Path) -> None:
    base = tmp_path / "my-base"
    base.mkdir()
    card = model_card("mine", {**TAGGER, "settings": {"base": str(base)}, "dev": []})
    assert "trained from `my-base`" in card
    assert str(tmp_path) not in card
    assert "Dev part" not in card


def test_no_gap_where_nothing_is_said() -> None:
    for card in (aligner_card("mine", ALIGNER), model_card("mine", {**TAGGER, "parts": {}})):
        assert "\n\n\n" not in card
        assert card.endswith(".\n")


def test_a_table_keeps_its_columns_whatever_is_in_it() -> None:
    assert table(["a"], [["b|c\nd"]]).splitlines() == ["| a |", "| --- |", r"| b\|c d |"]
