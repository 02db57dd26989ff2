from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from projection.models.windows import WORD_CASE, WordCase, letter_cases, pieces, windows

SIZES = st.lists(st.integers(0, 12), max_size=60)


@given(SIZES, st.integers(1, 20), st.integers(0, 10))
def test_every_word_is_tagged_once_in_a_window_that_holds_it(
    sizes: list[int], room: int, context: int
) -> None:
    found = windows(sizes, room, context)
    tagged = [word for w in found for word in range(w.tag_start, w.tag_end)]
    assert tagged == list(range(len(sizes)))
    assert all(w.start <= w.tag_start < w.tag_end <= w.end for w in found)


@given(SIZES, st.integers(1, 20), st.integers(0, 10))
def test_no_window_is_larger_than_the_room_unless_one_word_is(
    sizes: list[int], room: int, context: int
) -> None:
    for window in windows(sizes, room, context):
        inside = [min(size, room) for size in sizes[window.start : window.end]]
        assert sum(inside) <= room


def test_neighbours_lend_each_other_context() -> None:
    """Ten words of one subword, six at a time, two of them context."""
    assert windows([1] * 10, room=6, context=2) == [(0, 6, 0, 4), (2, 8, 4, 6), (4, 10, 6, 10)]


def test_what_fits_is_one_window() -> None:
    assert windows([1, 2, 3], room=6, context=2) == [(0, 3, 0, 3)]


def test_a_word_larger_than_the_room_gets_a_window_of_its_own() -> None:
    assert windows([2, 9, 2], room=4, context=1) == [(0, 1, 0, 1), (1, 2, 1, 2), (2, 3, 2, 3)]


class TestPieces:
    SENTENCES = (
        ["Anna", "saw", "Bern"],
        [],
        ["Europaparlament", "saw"] * 20,  # three subwords in two words
        ["\u200d"],  # nothing of it is left
    )

    def test_whole_if_it_fits_and_in_windows_if_not(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        made = pieces(self.SENTENCES, word_tokenizer, 20)
        assert all(piece.length <= 20 for piece in made)
        assert [piece.windowed for piece in made if piece.sentence == 0] == [False]
        assert [piece for piece in made if piece.sentence == 1] == []
        assert {piece.windowed for piece in made if piece.sentence == 2} == {True}

    def test_every_word_is_tagged_once_at_its_first_subword(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        made = pieces(self.SENTENCES, word_tokenizer, 20)
        tagged = {
            (piece.sentence, word): word_tokenizer.convert_ids_to_tokens(
                piece.inputs["input_ids"][position]
            )
            for piece in made
            for word, position in piece.first_subwords
        }
        assert len(tagged) == sum(len(piece.first_subwords) for piece in made) == 43
        assert {tagged[0, i] for i in range(3)} == {"Anna", "saw", "Bern"}
        assert {tagged[2, i] for i in range(40)} == {"Europa", "saw"}


@pytest.mark.parametrize(
    ("run", "case"),
    [
        pytest.param("house", WordCase.OTHER, id="small"),
        pytest.param("1999", WordCase.OTHER, id="digits"),
        pytest.param("安娜", WordCase.OTHER, id="a script without case"),
        pytest.param("", WordCase.OTHER, id="nothing"),
        pytest.param("Bern", WordCase.CAPITALISED, id="capitalised"),
        pytest.param("A", WordCase.CAPITALISED, id="one letter is no capitals"),
        pytest.param("Zoe\u0308", WordCase.CAPITALISED, id="combining mark"),
        pytest.param("ǅur", WordCase.CAPITALISED, id="title letter"),
        pytest.param("1A", WordCase.CAPITALISED, id="digits do not count"),
        pytest.param("EU", WordCase.CAPITALS, id="capitals"),
        pytest.param("B2B", WordCase.CAPITALS, id="capitals around a digit"),
        pytest.param("ΑΘΗΝΑ", WordCase.CAPITALS, id="Greek"),
        pytest.param("iPhone", WordCase.MIXED, id="capital inside"),
        pytest.param("McDonald", WordCase.MIXED, id="two capitals"),
        pytest.param("EUs", WordCase.MIXED, id="capitals with an ending"),
        pytest.param("hE", WordCase.MIXED, id="capital at the end"),
    ],
)
def test_word_case(run: str, case: WordCase) -> None:
    assert WordCase.of(run) is case


@given(st.text())
def test_every_character_has_the_case_of_its_run(word: str) -> None:
    cases = letter_cases(word)
    assert len(cases) == len(word)
    assert all(
        case is WordCase.OTHER for case, letter in zip(cases, word, strict=True) if letter in ".- "
    )


def test_punctuation_parts_runs() -> None:
    """So that `Anglo-American` is not taken for an `iPhone`."""
    assert "".join(str(case.value) for case in letter_cases("Anglo-EU’s")) == "11111022" + "00"


class TestLetterCase:
    @pytest.fixture
    def cased(self, word_tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
        tokenizer = deepcopy(word_tokenizer)
        tokenizer.init_kwargs[WORD_CASE] = True
        return tokenizer

    def test_subwords_carry_the_case_of_their_run(self, cased: PreTrainedTokenizerFast) -> None:
        (piece,) = pieces([["Europaparlament", "saw", "Bern-EU", "aB"]], cased, 20)
        shown = cased.convert_ids_to_tokens(piece.inputs["input_ids"])
        assert list(zip(shown, piece.inputs["token_type_ids"], strict=True)) == [
            *(("[CLS]", 0), ("Europa", 1), ("##parlament", 1), ("saw", 0), ("Bern", 1), ("-", 0)),
            *(("[UNK]", 2), ("[UNK]", 3), ("[SEP]", 0)),
        ]

    def test_words_parted_at_punctuation_or_not_are_the_same_input(
        self, cased: PreTrainedTokenizerFast
    ) -> None:
        whole, parted = pieces([["Bern-Anna"], ["Bern", "-", "Anna"]], cased, 20)
        assert whole.inputs == parted.inputs

    def test_windows_keep_it(self, cased: PreTrainedTokenizerFast) -> None:
        made = pieces([["Bern", "saw"] * 20], cased, 10)
        assert len(made) > 1
        for piece in made:
            shown = cased.convert_ids_to_tokens(piece.inputs["input_ids"])
            assert piece.inputs["token_type_ids"] == [int(name == "Bern") for name in shown]

    def test_a_tokenizer_without_the_mark_is_left_alone(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        (piece,) = pieces([["Bern", "saw"]], word_tokenizer, 20)
        assert set(piece.inputs) == {"input_ids", "token_type_ids", "attention_mask"}
        assert set(piece.inputs["token_type_ids"]) == {0}

    def test_it_is_saved_and_padded_with_the_rest(
        self, cased: PreTrainedTokenizerFast, tmp_path: Path
    ) -> None:
        cased.save_pretrained(tmp_path)
        loaded = AutoTokenizer.from_pretrained(tmp_path)
        made = pieces([["Bern"], ["Anna", "saw", "Bern"]], loaded, 20)
        padded = loaded.pad([piece.inputs for piece in made])
        assert padded["token_type_ids"] == [[0, 1, 0, 0, 0], [0, 1, 0, 1, 0]]
