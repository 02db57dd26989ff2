from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from projection.models import bundled
from projection.models.checkpoints import load_tokenizer
from projection.models.windows import pieces, windows

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

    def test_characters_are_read_as_in_running_text(self) -> None:
        """The subwords of joined characters, not those of each alone; each is tagged once."""
        tokenizer = load_tokenizer(bundled.path("tagger"))
        text = "安娜住在北京。"
        (piece,) = pieces([[*text]], tokenizer, 64)
        assert piece.inputs["input_ids"] == tokenizer(text)["input_ids"]
        places = dict(piece.first_subwords)
        assert [*places] == [*range(len(text))]
        assert places[text.index("北")] == places[text.index("京")]

    def test_words_beside_characters_are_joined_to_them_and_to_no_other(self) -> None:
        tokenizer = load_tokenizer(bundled.path("tagger"))
        (piece,) = pieces([["Anna", "Weber", "在", "柏", "林"]], tokenizer, 64)
        assert piece.inputs["input_ids"] == tokenizer("Anna Weber在柏林")["input_ids"]
        assert len(piece.first_subwords) == 5
