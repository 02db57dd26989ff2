"""Versions: what counts in the hash of a model, and what does not."""

from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast

from projection.models.checkpoints import load_checkpoint
from projection.models.versions import version_of


def test_integers_count_in_full(
    copying_aligner: Path, word_tokenizer: PreTrainedTokenizerFast
) -> None:
    """Half precision would take these two for one."""
    model, _ = load_checkpoint(AutoModelForTokenClassification, copying_aligner)
    model.register_buffer("counts", torch.tensor([2**40]))
    before = version_of(model, word_tokenizer, None)
    model.counts += 1
    assert version_of(model, word_tokenizer, None) != before


def test_a_new_piece_counts(copying_aligner: Path) -> None:
    model, tokenizer = load_checkpoint(AutoModelForTokenClassification, copying_aligner)
    before = version_of(model, tokenizer, None)
    assert version_of(model, tokenizer, None) == before
    tokenizer.add_tokens(["a piece of their own"])
    assert version_of(model, tokenizer, None) != before


def test_the_precision_of_computing_does_not(
    copying_aligner: Path, word_tokenizer: PreTrainedTokenizerFast
) -> None:
    model, _ = load_checkpoint(AutoModelForTokenClassification, copying_aligner)
    before = version_of(model, word_tokenizer, None)
    assert version_of(model.half(), word_tokenizer, None) == before
