"""Sentence pairs as tensors: which tokens make up a word, and what is padding."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from projection.aligners.joint_inputs import (
    PairInputs,
    batch_of,
    evidence_of,
    pair_inputs,
    readable,
)
from projection.aligners.joint_network import (
    ENTITY_BEGINS,
    ENTITY_GOES_ON,
    PAD_MARK,
    SOURCE,
    TARGET,
)
from projection.aligners.lexical_evidence import CHANNELS, Lexicon
from projection.text.words import word_spans
from tests.projection.aligners.joint_models import LONGEST

NONE = Lexicon.of({})


def inputs(
    tokenizer: PreTrainedTokenizerFast,
    source: str,
    target: str,
    *entities: tuple[int, int],
    lang: str = "de",
    max_length: int = LONGEST,
) -> PairInputs:
    return pair_inputs(source, target, lang, entities, tokenizer=tokenizer, max_length=max_length)


class TestPairInputs:
    def test_words_marks_and_entities(self, word_tokenizer: PreTrainedTokenizerFast) -> None:
        """[CLS] Anna left Europa ##parlament [SEP] Anna verließ [SEP]"""
        pair = inputs(word_tokenizer, "Anna left Europaparlament", "Anna verließ", (0, 1), (2, 3))
        tokens = word_tokenizer.convert_ids_to_tokens(pair.input_ids)
        assert tokens[:6] == ["[CLS]", "Anna", "left", "Europa", "##parlament", "[SEP]"]
        assert pair.source_words == [[1], [2], [3, 4]]
        assert pair.target_words == [[6], [7]]
        assert pair.marks == [
            *(PAD_MARK, ENTITY_BEGINS, SOURCE, ENTITY_BEGINS, ENTITY_GOES_ON, PAD_MARK),
            *(TARGET, TARGET, PAD_MARK),
        ]
        assert pair.entities == ((0, 1), (2, 3))
        assert pair.source_texts == ("Anna", "left", "Europaparlament")
        assert pair.target_texts == ("Anna", "verließ")

    def test_an_entity_of_several_words_begins_once(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        pair = inputs(word_tokenizer, "Ibn Sina left", "a", (0, 2))
        assert pair.marks[1:4] == [ENTITY_BEGINS, ENTITY_GOES_ON, SOURCE]

    def test_an_entity_without_words_marks_nothing(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        pair = inputs(word_tokenizer, "Anna left", "a", (0, 0))
        assert pair.marks[1:3] == [SOURCE, SOURCE]

    def test_chinese_is_read_simplified_character_by_character(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        traditional = inputs(word_tokenizer, "Anna left", "安娜離開倫敦。", lang="zh")
        assert traditional == inputs(word_tokenizer, "Anna left", "安娜离开伦敦。", lang="zh")
        assert traditional.target_texts == tuple("安娜离开伦敦。")
        assert inputs(word_tokenizer, "a", "離", lang="de").target_texts == ("離",)

    @pytest.mark.parametrize("lang", ["ja", "ko", "th", "de"])
    def test_only_chinese_is_read_in_another_script(self, lang: str) -> None:
        assert readable("東京大學", lang) == "東京大學"
        assert readable("東京大學", "zh-Hant") == "东京大学"

    def test_words_past_the_longest_input_have_no_tokens(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        """Both sides give way until they are as long as each other."""
        pair = inputs(word_tokenizer, "saw " * 10 + "Anna", "sah", (10, 11), max_length=9)
        assert len(pair.input_ids) == 9
        assert [bool(tokens) for tokens in pair.source_words] == [True] * 5 + [False] * 6
        assert pair.target_words == [[7]]
        assert ENTITY_BEGINS not in pair.marks

    @pytest.mark.parametrize(("source", "target"), [("", ""), (" \n", "a"), ("a", "\t")])
    def test_nothing_to_read(
        self, word_tokenizer: PreTrainedTokenizerFast, source: str, target: str
    ) -> None:
        pair = inputs(word_tokenizer, source, target)
        assert len(pair.source_words) == len(source.split())
        assert len(pair.target_words) == len(target.split())
        assert evidence_of(pair, NONE).shape[1:] == (len(source.split()), len(target.split()))

    @given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["de", "zh"]))
    def test_every_token_of_a_word_is_of_its_side(
        self, word_tokenizer: PreTrainedTokenizerFast, source: str, target: str, lang: str
    ) -> None:
        pair = inputs(word_tokenizer, source, target, lang=lang)
        for words, mark in ((pair.source_words, SOURCE), (pair.target_words, TARGET)):
            assert {pair.marks[token] for word in words for token in word} <= {mark}
        assert pair.source_texts == tuple(word.of(source) for word in word_spans(source, "en"))
        assert len(pair.target_texts) == len(pair.target_words) == len(word_spans(target, lang))


class TestBatchOf:
    def test_pairs_are_padded_and_entities_know_their_pair(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        pairs = [
            inputs(word_tokenizer, "Anna saw Bern", "Anna sah Bern", (0, 1), (2, 3)),
            inputs(word_tokenizer, "left", "a"),
            inputs(word_tokenizer, "Europaparlament", "das Europaparlament", (0, 1)),
        ]
        grids = [np.full((len(CHANNELS), *shape), 0.5) for shape in ((3, 3), (1, 1), (1, 2))]
        batch = batch_of(pairs, grids, 42)
        assert batch["input_ids"].shape == batch["marks"].shape == (3, 9)
        assert batch["attention_mask"].sum(1).tolist() == [9, 5, 8]
        assert batch["input_ids"][1, 5:].tolist() == [42] * 4
        assert batch["marks"][1, 5:].tolist() == [PAD_MARK] * 4
        assert batch["entity_rows"].tolist() == [0, 0, 2]
        assert batch["entity_words"].tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 0]]
        assert batch["evidence"].shape == (3, len(CHANNELS), 3, 3)
        assert batch["evidence"].sum((1, 2, 3)).tolist() == [27, 3, 6]
        pools = batch["source_pool"], batch["target_pool"]
        assert pools[0][2, 0].tolist() == [0, 0.5, 0.5, *[0] * 6]
        assert [pool.sum(-1).sum(-1).tolist() for pool in pools] == [[3, 1, 1], [3, 1, 2]]

    @pytest.mark.parametrize("entities", [(), ((0, 0),)])
    def test_no_pair_has_words(
        self, word_tokenizer: PreTrainedTokenizerFast, entities: tuple[tuple[int, int], ...]
    ) -> None:
        """A place is kept for one, which is padding."""
        pair = inputs(word_tokenizer, " ", "", *entities)
        batch = batch_of([pair, pair], [evidence_of(pair, NONE)] * 2, 0)
        assert batch["source_pool"].shape[:2] == batch["target_pool"].shape[:2] == (2, 1)
        assert not batch["source_pool"].any()
        assert batch["entity_words"].shape == (2 * len(entities), 1)
        assert batch["entity_rows"].dtype == torch.long
