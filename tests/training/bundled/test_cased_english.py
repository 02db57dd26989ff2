"""An uncased English encoder that is given letter case, in miniature."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
)

from projection.errors import TrainingError
from projection.models.windows import WORD_CASE, WordCase, pieces
from training.bundled.cased_english import (
    frequent_pieces,
    make_cased_english,
    pruned,
    with_case,
)

SPECIAL = ("[PAD]", "[unused]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("anna", "saw", "bern", "zebra", "##na", "##ra", "ze")
LETTERS = "abcdefghijklmnopqrstuvwxyz."
VOCABULARY = dict.fromkeys([*SPECIAL, *WORDS, *LETTERS, *(f"##{c}" for c in LETTERS)])
NUMBER = {piece: number for number, piece in enumerate(VOCABULARY)}
TEXTS = ("Anna saw Bern.", "Anna saw Anna", "saw")
FEWEST = 5 + 2 * len(LETTERS)  # special tokens in use, and single characters


@pytest.fixture(scope="module")
def uncased() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordPiece(NUMBER, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, NUMBER[token]) for token in ("[CLS]", "[SEP]")],
    )
    backend.enable_truncation(4)  # as sentence encoders are shipped
    backend.enable_padding(length=4)
    names = ("pad", "unk", "cls", "sep", "mask")
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, **{f"{name}_token": f"[{name.upper()}]" for name in names}
    )


@pytest.fixture(scope="module")
def english() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(NUMBER),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
    )
    return BertModel(config, add_pooling_layer=False).eval()


@pytest.fixture(scope="module")
def folder(
    english: BertModel, uncased: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("english")
    english.save_pretrained(path)
    uncased.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "cased"
    assert make_cased_english(TEXTS, folder, out) == FEWEST + 3
    return out


def names(tokenizer: PreTrainedTokenizerFast, numbers: list[int]) -> list[str]:
    shown = tokenizer.convert_ids_to_tokens(numbers)
    assert isinstance(shown, list)
    return shown


class TestFrequentPieces:
    def test_what_the_texts_use_beside_characters_and_special_tokens(
        self, uncased: PreTrainedTokenizerFast
    ) -> None:
        kept = frequent_pieces(TEXTS, uncased, most=1_000)
        assert kept == sorted(kept)
        left_out = set(VOCABULARY) - set(names(uncased, kept))
        assert left_out == {"[unused]", "zebra", "##na", "##ra", "ze"}

    @pytest.mark.parametrize(
        ("most", "words"),
        [
            pytest.param(FEWEST + 2, {"anna", "saw"}, id="the most frequent"),
            pytest.param(FEWEST, set(), id="none"),
            pytest.param(1, set(), id="characters and special tokens stay, whatever is asked"),
        ],
    )
    def test_no_more_than_asked_for(
        self, uncased: PreTrainedTokenizerFast, most: int, words: set[str]
    ) -> None:
        kept = names(uncased, frequent_pieces(TEXTS, uncased, most))
        assert len(kept) == FEWEST + len(words)
        assert set(WORDS) & set(kept) == words

    def test_long_texts_count_to_their_end(self, uncased: PreTrainedTokenizerFast) -> None:
        """The shipped tokenizer would cut them."""
        kept = frequent_pieces(["saw " * 50 + "zebra"], uncased, most=1_000)
        assert NUMBER["zebra"] in kept


class TestPruned:
    def test_a_left_out_word_falls_into_pieces_and_is_never_unknown(
        self, uncased: PreTrainedTokenizerFast
    ) -> None:
        tokenizer = pruned(uncased, frequent_pieces(["Anna"], uncased, most=1_000))
        numbers = tokenizer("Anna saw zebra")["input_ids"]
        assert names(tokenizer, numbers) == [
            *("[CLS]", "anna", "s", "##a", "##w", "z", "##e", "##b", "##r", "##a", "[SEP]"),
        ]

    def test_numbers_are_those_of_the_rows_kept(self, uncased: PreTrainedTokenizerFast) -> None:
        kept = frequent_pieces(TEXTS, uncased, most=1_000)
        tokenizer = pruned(uncased, kept)
        assert sorted(tokenizer.get_vocab().values()) == list(range(len(kept)))
        assert names(tokenizer, list(range(len(kept)))) == names(uncased, kept)
        assert tokenizer.special_tokens_map == uncased.special_tokens_map

    def test_nothing_is_cut_or_filled_up(self, uncased: PreTrainedTokenizerFast) -> None:
        tokenizer = pruned(uncased, frequent_pieces(TEXTS, uncased, most=1_000))
        assert len(tokenizer("saw")["input_ids"]) == 3
        assert len(tokenizer("saw " * 30)["input_ids"]) == 32


class TestWithCase:
    def test_at_first_no_case_changes_anything(
        self, english: BertModel, uncased: PreTrainedTokenizerFast
    ) -> None:
        kept = frequent_pieces(TEXTS, uncased, most=1_000)
        tokenizer, encoder = pruned(uncased, kept), with_case(english, kept).eval()
        old = uncased("Anna saw", padding=False, truncation=False, return_tensors="pt")
        new = tokenizer("Anna saw", return_tensors="pt")
        with torch.no_grad():
            before = english(**old).last_hidden_state
            for case in WordCase:
                new["token_type_ids"] = torch.full_like(new["input_ids"], case)
                torch.testing.assert_close(encoder(**new).last_hidden_state, before)

    def test_the_old_encoder_stays_as_it_was(
        self, english: BertModel, uncased: PreTrainedTokenizerFast
    ) -> None:
        with_case(english, frequent_pieces(TEXTS, uncased, most=1_000))
        assert english.config.vocab_size == len(NUMBER)
        assert english.config.type_vocab_size == 2


class TestFolder:
    def test_anyone_can_load_it(self, made: Path) -> None:
        encoder, tokenizer = AutoModel.from_pretrained(made), AutoTokenizer.from_pretrained(made)
        assert isinstance(encoder, BertModel)
        assert encoder.config.vocab_size == len(tokenizer) == FEWEST + 3
        assert encoder.config.type_vocab_size == len(WordCase)
        assert tokenizer.model_max_length == 256

    def test_the_mark_travels_with_the_tokenizer(self, made: Path, tmp_path: Path) -> None:
        tokenizer = AutoTokenizer.from_pretrained(made)
        tokenizer.save_pretrained(tmp_path)
        again = AutoTokenizer.from_pretrained(tmp_path)
        assert again.init_kwargs[WORD_CASE] is True
        (piece,) = pieces([["Anna", "saw", "BERN"]], again, 16)
        assert piece.inputs["token_type_ids"] == [0, 1, 0, 2, 0]

    def test_an_older_folder_is_not_overwritten(self, folder: Path) -> None:
        with pytest.raises(TrainingError, match="exists already"):
            make_cased_english(TEXTS, folder, folder)

    def test_only_word_piece_can_be_pruned(self, folder: Path, tmp_path: Path) -> None:
        other = tmp_path / "unigram"
        BertModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(other)
        backend = Tokenizer(models.Unigram([("[UNK]", 0.0)], unk_id=0))
        PreTrainedTokenizerFast(tokenizer_object=backend).save_pretrained(other)
        with pytest.raises(TrainingError, match="not WordPiece"):
            make_cased_english(TEXTS, other, tmp_path / "out")
        assert not (tmp_path / "out").exists()
