"""Sentence pairs as tensors: which tokens make up a word, and what is padding."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from projection.aligners.joint_inputs import (
    PairInputs,
    Reader,
    batch_of,
    evidence_of,
    readable,
    units_of,
)
from projection.aligners.joint_network import (
    ENTITY_BEGINS,
    ENTITY_GOES_ON,
    PAD_MARK,
    SOURCE,
    TARGET,
)
from projection.aligners.lexical_evidence import CHANNELS, NO_LEXICON
from projection.models import bundled
from projection.models.checkpoints import load_tokenizer
from projection.records import Span
from projection.text.words import word_spans
from tests.projection.aligners.joint_models import LONGEST, piece_tokenizer
from tests.projection.interchange.test_portable import METASPACE


def inputs(
    tokenizer: PreTrainedTokenizerFast,
    source: str,
    target: str,
    *entities: tuple[int, int],
    lang: str = "de",
    longest: int = LONGEST,
    apart: bool = False,
) -> PairInputs:
    reader = Reader(tokenizer, longest, apart)
    return reader.pair((source, target), ("en", lang), entities)


def place_in_block(pair: PairInputs, token: int) -> int:
    return token - pair.blocks.index(pair.blocks[token])


class TestTogether:
    def test_words_marks_and_entities(self, word_tokenizer: PreTrainedTokenizerFast) -> None:
        """[CLS] Anna left Europa ##parlament [SEP] Anna verließ [SEP]"""
        pair = inputs(word_tokenizer, "Anna left Europaparlament", "Anna verließ", (0, 1), (2, 3))
        tokens = word_tokenizer.convert_ids_to_tokens(pair.input_ids)
        assert tokens[:6] == ["[CLS]", "Anna", "left", "Europa", "##parlament", "[SEP]"]
        assert pair.source.tokens == [[1], [2], [3, 4]]
        assert pair.target.tokens == [[6], [7]]
        assert pair.marks == [
            *(PAD_MARK, ENTITY_BEGINS, SOURCE, ENTITY_BEGINS, ENTITY_GOES_ON, PAD_MARK),
            *(TARGET, TARGET, PAD_MARK),
        ]
        assert pair.blocks == [1] * 9
        assert pair.is_whole
        assert pair.entities == ((0, 1), (2, 3))
        assert pair.source.texts == ("Anna", "left", "Europaparlament")
        assert pair.target.texts == ("Anna", "verließ")

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
        assert traditional.target.texts == tuple("安娜离开伦敦。")
        assert inputs(word_tokenizer, "a", "離", lang="de").target.texts == ("離",)

    @pytest.mark.parametrize("lang", ["ja", "ko", "th", "de"])
    def test_only_chinese_is_read_in_another_script(self, lang: str) -> None:
        assert readable("東京大學", lang) == "東京大學"
        assert readable("東京大學", "zh-Hant") == "东京大学"

    def test_words_past_the_longest_input_have_no_tokens(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        """Both sides give way until they are as long as each other."""
        pair = inputs(word_tokenizer, "saw " * 10 + "Anna", "sah", (10, 11), longest=9)
        assert len(pair.input_ids) == 9
        assert [bool(tokens) for tokens in pair.source.tokens] == [True] * 5 + [False] * 6
        assert pair.target.tokens == [[7]]
        assert ENTITY_BEGINS not in pair.marks
        assert not pair.is_whole

    @pytest.mark.parametrize(("source", "target"), [("", ""), (" \n", "a"), ("a", "\t")])
    def test_nothing_to_read(
        self, word_tokenizer: PreTrainedTokenizerFast, source: str, target: str
    ) -> None:
        pair = inputs(word_tokenizer, source, target)
        assert len(pair.source.tokens) == len(source.split())
        assert len(pair.target.tokens) == len(target.split())
        assert evidence_of(pair, NO_LEXICON).shape[1:] == (len(source.split()), len(target.split()))

    @given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["de", "zh"]))
    def test_every_token_of_a_word_is_of_its_side(
        self, word_tokenizer: PreTrainedTokenizerFast, source: str, target: str, lang: str
    ) -> None:
        pair = inputs(word_tokenizer, source, target, lang=lang)
        for words, mark in ((pair.source.tokens, SOURCE), (pair.target.tokens, TARGET)):
            assert {pair.marks[token] for word in words for token in word} <= {mark}
        assert pair.source.texts == tuple(word.of(source) for word in word_spans(source, "en"))
        assert len(pair.target.texts) == len(pair.target.tokens)
        assert len(pair.target.unit_of) == len(word_spans(target, lang))


class TestApart:
    def test_each_text_is_a_block_of_its_own(self, word_tokenizer: PreTrainedTokenizerFast) -> None:
        source, target = "Anna left Europaparlament", "Anna verließ"
        pair = inputs(word_tokenizer, source, target, (0, 1), (2, 3), apart=True)
        alone = [word_tokenizer(text)["input_ids"] for text in (source, target)]
        assert pair.input_ids == alone[0] + alone[1]
        assert pair.blocks == [1] * 6 + [2] * 4
        assert pair.source.tokens == [[1], [2], [3, 4]]
        assert pair.target.tokens == [[7], [8]]
        assert pair.entities == ((0, 1), (2, 3))
        assert set(pair.marks) == {PAD_MARK}  # no entity is marked, so nothing depends on it

    @pytest.mark.parametrize("longest", [LONGEST, 512])
    def test_what_fits_in_is_read_alike_whatever_would_fit_in(
        self, word_tokenizer: PreTrainedTokenizerFast, longest: int
    ) -> None:
        found = inputs(word_tokenizer, "Anna saw", "sah " * 158, longest=longest, apart=True)
        assert max(found.blocks) == 2
        assert found == inputs(word_tokenizer, "Anna saw", "sah " * 158, longest=999, apart=True)

    def test_a_long_text_is_read_whole_in_windows(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        """1,300 subwords, where a window has 158 beside the special ones."""
        text = "saw Bern " * 650
        pair = inputs(word_tokenizer, text, "sah", (0, 1), apart=True)
        assert pair.is_whole
        assert len(pair.source.tokens) == 1_300
        assert 1_300 / 158 < pair.blocks[-1] - 1 < 20  # they overlap
        for block in range(1, pair.blocks[-1] + 1):
            ids = [i for i, each in zip(pair.input_ids, pair.blocks, strict=True) if each == block]
            assert len(ids) <= LONGEST
            assert word_tokenizer.convert_ids_to_tokens([ids[0], ids[-1]]) == ["[CLS]", "[SEP]"]
        (last,) = pair.target.tokens
        assert pair.blocks[last[0]] == pair.blocks[-1]

    def test_a_word_has_text_on_both_sides_of_it(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        """But at the ends of the text, a window reads a quarter of its subwords around it."""
        pair = inputs(word_tokenizer, "saw " * 1_000, "sah", apart=True)
        places = [place_in_block(pair, tokens[0]) for tokens in pair.source.tokens]
        assert min(places[200:800]) >= 35
        assert max(places[200:800]) <= LONGEST - 35

    @given(
        st.text("aabbc北京 \u00ad", max_size=80), st.integers(4, 12), st.sampled_from(["en", "zh"])
    )
    def test_windows_give_every_unit_its_tokens_once(
        self, text: str, longest: int, lang: str
    ) -> None:
        """Also where white space has tokens, which belong to no unit."""
        whole, pair = (
            Reader(PIECE_TOKENIZER, size, apart=True).pair(("a", text), ("en", lang), ())
            for size in (999, longest)
        )
        assert pair.target.texts == whole.target.texts
        assert max(Counter(pair.blocks).values()) <= longest
        for tokens, expected in zip(pair.target.tokens, whole.target.tokens, strict=True):
            found = [pair.input_ids[token] for token in tokens]
            assert found == [whole.input_ids[token] for token in expected][: longest - 2]
            assert len({pair.blocks[token] for token in tokens}) <= 1

    def test_a_word_longer_than_a_window_is_cut(self) -> None:
        reader = Reader(PIECE_TOKENIZER, 6, apart=True)
        pair = reader.pair(("a " + "b" * 10 + " c", "a"), ("en", "de"), ())
        assert [len(tokens) for tokens in pair.source.tokens] == [2, 4, 1]

    @pytest.mark.parametrize(("source", "target"), [("", ""), (" \n", "a"), ("a", "\t")])
    def test_nothing_to_read(
        self, word_tokenizer: PreTrainedTokenizerFast, source: str, target: str
    ) -> None:
        pair = inputs(word_tokenizer, source, target, apart=True)
        assert len(pair.source.tokens) == len(source.split())
        assert len(pair.target.tokens) == len(target.split())
        assert pair.is_whole


PIECE_TOKENIZER = piece_tokenizer()


@pytest.mark.parametrize("apart", [True, False])
def test_words_have_the_same_tokens_before_and_after_a_model_is_saved(apart: bool) -> None:
    """Saved, a tokenizer counts the blank before a word to the word (`models.portable`)."""
    saved = load_tokenizer(bundled.path("tagger"))
    rules = json.loads(saved.backend_tokenizer.to_str())
    before = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps({**rules, "pre_tokenizer": METASPACE})),
        **saved.special_tokens_map,
    )
    source, target = "Anna lives in 3 towns", " 安娜 住 在 Bern 和 伦敦 。"
    old, new = (
        inputs(each, source, target, (0, 1), lang="zh", apart=apart) for each in (before, saved)
    )
    assert old == new
    blanks = [token for token, i in enumerate(new.input_ids) if i == saved.get_vocab()["▁"]]
    assert len(blanks) > 3
    assert not {*blanks} & {token for unit in new.target.tokens for token in unit}


class TestUnits:
    @pytest.mark.parametrize(
        ("text", "lang", "units", "unit_of"),
        [
            pytest.param(
                "北京在大学。", "zh", ["北京", "在", "大学", "。"], [0, 0, 1, 2, 2, 3], id="Chinese"
            ),
            pytest.param("東京 Abc", "ja", ["東京", "Abc"], [0, 0, 1], id="Latin in Japanese"),
            pytest.param("서울을", "ko", ["서울", "을"], [0, 0, 1], id="Korean particle"),
            pytest.param(
                "กรุงเทพมหา", "th", ["กรุงเทพ", "มหา"], [0] * 5 + [1] * 3, id="Thai with marks"
            ),
            pytest.param("北京大学", "de", ["北", "京", "大", "学"], [0, 1, 2, 3], id="words else"),
            pytest.param("Abc ab", "en", ["Abc", "ab"], [0, 1], id="several tokens to a word"),
            pytest.param("", "zh", [], [], id="nothing"),
        ],
    )
    def test_subwords_stand_for_words_in_languages_without_spaces(
        self, text: str, lang: str, units: list[str], unit_of: list[int]
    ) -> None:
        places = Reader(PIECE_TOKENIZER, LONGEST, apart=True).places(text)
        found, of = units_of(text, lang, places)
        assert [unit.of(text) for unit in found] == units
        assert of == unit_of
        for apart in (True, False):
            pair = inputs(PIECE_TOKENIZER, "a", text, lang=lang, apart=apart)
            assert pair.target.texts == tuple(units)
            assert pair.target.unit_of == unit_of

    def test_characters_without_tokens_are_units_of_their_own(self) -> None:
        found, of = units_of("北京大学", "zh", [(0, 2)])
        assert found == [Span(0, 2), Span(2, 3), Span(3, 4)]
        assert of == [0, 0, 1, 2]

    @given(
        st.text("北京大学在。서울을กรุงเทพ Aa\u200b", max_size=20),
        st.sampled_from(["zh", "ko", "th"]),
    )
    def test_every_word_is_in_one_unit_in_order(self, text: str, lang: str) -> None:
        words = word_spans(text, lang)
        units, of = units_of(text, lang, Reader(PIECE_TOKENIZER, 99, apart=True).places(text))
        assert [*dict.fromkeys(of)] == list(range(len(units)))
        assert of == sorted(of)
        for word, unit in zip(words, of, strict=True):
            assert units[unit].start <= word.start < word.end <= units[unit].end
        assert all(a.end <= b.start for a, b in pairwise(units))

    def test_entities_and_labels_of_words_become_those_of_units(self) -> None:
        pair = inputs(PIECE_TOKENIZER, "a", "北京在大学", lang="zh", apart=True)
        assert pair.target.units((0, 2)) == (0, 1)
        assert pair.target.units((1, 4)) == (0, 3)  # half a unit is a whole one
        assert pair.target.units((3, 3)) == (0, 0)
        reader = Reader(PIECE_TOKENIZER, LONGEST, apart=True)
        turned = reader.pair(("北京在大学", "a"), ("zh", "en"), [(3, 5), (0, 0)])
        assert turned.entities == ((2, 3), (0, 0))


class TestBatchOf:
    def test_blocks_apart(self, word_tokenizer: PreTrainedTokenizerFast) -> None:
        """Padding is in no block."""
        pairs = [
            inputs(word_tokenizer, *texts, apart=True)
            for texts in (("Anna saw Bern", "Anna sah Bern"), ("left", "a"))
        ]
        batch = batch_of(pairs, [evidence_of(pair, NO_LEXICON) for pair in pairs], 0)
        assert batch["blocks"].tolist() == [[1] * 5 + [2] * 5, [1] * 3 + [2] * 3 + [0] * 4]

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
        assert batch["blocks"].sum(1).tolist() == [9, 5, 8]
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
        batch = batch_of([pair, pair], [evidence_of(pair, NO_LEXICON)] * 2, 0)
        assert batch["source_pool"].shape[:2] == batch["target_pool"].shape[:2] == (2, 1)
        assert not batch["source_pool"].any()
        assert batch["entity_words"].shape == (2 * len(entities), 1)
        assert batch["entity_rows"].dtype == torch.long
