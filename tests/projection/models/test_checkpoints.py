"""Loading a checkpoint, or saying which one it is not and why."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForTokenClassification,
    PreTrainedTokenizerFast,
)

from projection.errors import ModelError
from projection.interchange.portable import make_portable
from projection.models import checkpoints
from projection.models.checkpoints import (
    load_checkpoint,
    load_config,
    load_tokenizer,
)
from projection.models.openvino import OFF, SWITCH
from projection.models.tagger import Tagger
from tests.projection.models.test_tagger import IOB2, WordTagger


@pytest.mark.parametrize("has_it", [True, False])
def test_a_model_for_answers_keeps_its_version_and_what_it_finds(
    word_tagger: WordTagger, monkeypatch: pytest.MonkeyPatch, has_it: bool
) -> None:
    monkeypatch.setenv(SWITCH, OFF)
    monkeypatch.setattr(checkpoints, "has_bfloat16", lambda: has_it)
    exact, quick = (Tagger.from_pretrained(word_tagger(IOB2)) for _ in range(2))
    assert quick.for_answers() is quick
    assert {weights.dtype for weights in quick.model.classifier.parameters()} == {
        torch.bfloat16 if has_it else torch.float32
    }
    assert quick.version == exact.version
    texts = ["Anna saw the Berlin of Siemens", "left"]
    spans, expected = (
        [[(e.span, e.label) for e in found] for found in tagger.tag(texts, "en")]
        for tagger in (quick, exact)
    )
    assert spans == expected


def test_code_for_shapes_of_batches_is_not_kept_for_good() -> None:
    """Memory would grow by 100 MB every thousand sentences, up to half a gigabyte."""
    assert int(os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]) <= 16


def test_half_precision_is_computed_in_single(copying_aligner: Path, tmp_path: Path) -> None:
    model, tokenizer = load_checkpoint(AutoModelForTokenClassification, copying_aligner)
    model.half().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, _ = load_checkpoint(AutoModelForTokenClassification, tmp_path)
    assert {tensor.dtype for tensor in again.state_dict().values()} == {torch.float32}
    assert again.config.dtype == torch.float32


def test_a_model_knows_where_it_came_from(copying_aligner: Path) -> None:
    model, _ = load_checkpoint(AutoModelForTokenClassification, copying_aligner)
    assert model.config.name_or_path == str(copying_aligner)
    assert load_config(copying_aligner).model_type == "bert"


def test_weights_that_do_not_fit_the_configuration(copying_aligner: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(copying_aligner, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["intermediate_size"] *= 2
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match="model: no checkpoint could be loaded") as caught:
        load_checkpoint(AutoModelForTokenClassification, folder)
    assert "size mismatch" in str(caught.value) or "ignore_mismatched_sizes" in str(caught.value)


def test_a_name_the_hub_cannot_be_asked_about_fails_at_once(tmp_path: Path) -> None:
    """Without the hub, transformers tries again and again, for 46 seconds."""
    code = """
import time
from projection.models.checkpoints import load_config
from projection.errors import ModelError
began = time.monotonic()
try:
    load_config("models/techer")
except ModelError as error:
    print(error)
print(time.monotonic() - began)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "HF_ENDPOINT": "http://127.0.0.1:9",  # a port where nobody listens
            "HF_HUB_CACHE": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    message, seconds = done.stdout.splitlines()
    assert message.startswith("models/techer: no checkpoint could be loaded (no folder, and from")
    assert float(seconds) < 20
    assert done.stderr == ""


@pytest.mark.parametrize("byte_level", [True, False])
def test_byte_level_tokens_begin_with_a_space(
    copying_aligner: Path, tmp_path: Path, byte_level: bool
) -> None:
    """So that the first word of a text, too, is seen as it stands in running text."""
    backend = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "a": 2}, "[UNK]"))
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.pre_tokenizer = split if byte_level else pre_tokenizers.Whitespace()
    folder = shutil.copytree(copying_aligner, tmp_path / "model")
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]"}
    PreTrainedTokenizerFast(tokenizer_object=backend, **special).save_pretrained(folder)
    _, tokenizer = load_checkpoint(AutoModelForTokenClassification, folder)
    assert tokenizer.init_kwargs.get("add_prefix_space", False) is byte_level


def test_equal_tokenizers_are_in_memory_once(copying_aligner: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(copying_aligner)
    saved = [tmp_path / "one", tmp_path / "two", tmp_path / "other"]
    for folder in saved:
        tokenizer.save_pretrained(folder)
        make_portable(folder)
    config = saved[2] / "tokenizer_config.json"
    config.write_text(
        json.dumps({**json.loads(config.read_text()), "model_max_length": 7}, indent=2)
    )
    one, two, other = map(load_tokenizer, saved)
    assert one is two
    assert other is not one
    assert (one.model_max_length, other.model_max_length) == (tokenizer.model_max_length, 7)


def test_a_folder_that_is_empty(tmp_path: Path) -> None:
    for load in (load_config, lambda f: load_checkpoint(AutoModelForTokenClassification, f)):
        with pytest.raises(ModelError, match="Give a folder written by save_pretrained"):
            load(tmp_path)
