"""The published path asks for each entity in a pass of its own."""

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from ml_backend.benchmark.published_path import PublishedPath
from projection.aligners.lexical_evidence import NO_LEXICON
from projection.records import Entity, ParallelSentence, Span
from tests.projection.aligners.joint_models import tiny_model


@pytest.mark.parametrize(("batch", "passes"), [(1, [1, 1, 1]), (2, [2, 1])])
def test_a_row_an_entity(
    word_tokenizer: PreTrainedTokenizerFast, batch: int, passes: list[int]
) -> None:
    config = tiny_model("bert", len(word_tokenizer), NO_LEXICON).encoder.config
    path, rows = PublishedPath(config, word_tokenizer, torch.device("cpu")), list[int]()
    path.model.register_forward_pre_hook(
        lambda _model, _given, named: rows.append(len(named["input_ids"])), with_kwargs=True
    )
    entities = (Entity(Span(0, 4), "PER"), Entity(Span(9, 13), "LOC"))
    two = ParallelSentence("1", "Anna saw Bern", "Anna sah Bern", "en", "de", "", entities)
    one = ParallelSentence("2", "Anna left", "Anna ging", "en", "de", "", entities[:1])
    none = ParallelSentence("3", "It left", "Es ging", "en", "de", "", ())
    path.align([two, none, one], batch)
    assert rows == passes
