"""`spanferry aligner english`, as a shell would call it, on a miniature encoder."""

import json
from pathlib import Path

import pytest
import typer
from transformers import AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast
from typer.testing import CliRunner, Result

from ml_backend.cli.english import english
from projection.errors import CorpusError, TrainingError


@pytest.fixture
def encoder(word_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    folder = tmp_path / "uncased"
    config = BertConfig(
        vocab_size=len(word_tokenizer),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=32,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    word_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "news.en"
    path.write_text("Anna saw Anna\nAnna left\n", encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(english)
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_writes_an_encoder_with_the_pieces_the_texts_use(
    encoder: Path, text: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cased"
    result = run(text, text, "--english", encoder, "--out", out)
    assert result.exit_code == 0
    vocabulary = AutoTokenizer.from_pretrained(out).get_vocab()
    assert {"Anna", "saw", "left"} <= vocabulary.keys()
    assert not {"Berlin", "Siemens"} & vocabulary.keys()
    assert f"{len(vocabulary)} pieces kept; {out}" in result.stderr
    config = json.loads((out / "config.json").read_text())
    assert (config["vocab_size"], config["type_vocab_size"]) == (len(vocabulary), 4)


def test_keeps_no_more_pieces_than_asked_for(encoder: Path, text: Path, tmp_path: Path) -> None:
    run(text, "--english", encoder, "--out", tmp_path / "all")
    all_pieces = AutoTokenizer.from_pretrained(tmp_path / "all").get_vocab()
    most = len(all_pieces) - 2
    run(text, "--english", encoder, "--out", tmp_path / "fewer", "--vocabulary", most)
    fewer = AutoTokenizer.from_pretrained(tmp_path / "fewer").get_vocab()
    assert len(fewer) == most
    assert "Anna" in fewer


def test_mistakes_are_domain_errors(encoder: Path, text: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="exists already"):
        run(text, "--english", encoder, "--out", encoder)
    with pytest.raises(CorpusError, match=r"missing\.en"):
        run(tmp_path / "missing.en", "--english", encoder, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
