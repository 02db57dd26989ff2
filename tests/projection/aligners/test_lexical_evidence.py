"""What speaks for two words before any network reads them, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.aligners.lexical_evidence import (
    CHANNELS,
    Lexicon,
    evidence,
    plain_form,
    spelling,
    stem,
    ties_of,
)
from projection.errors import ModelError

NONE = Lexicon.of({})
ROUNDING = 0.501 / 255  # half a step, and what single precision adds
words = st.lists(st.text(min_size=1, max_size=12), max_size=8)
known_pairs = st.dictionaries(
    st.tuples(st.text("abcdéß柏", min_size=1), st.text("abcdéß柏", min_size=1)),
    st.floats(0, 1),
    max_size=20,
)


def channel(name: str, source: str, target: str, lexicon: Lexicon = NONE) -> list[list[float]]:
    """One grid of the evidence between words parted by spaces."""
    grids = evidence(source.split(), target.split(), lexicon)
    found: list[list[float]] = grids[CHANNELS.index(name)].tolist()
    return found


class TestLexicon:
    def test_known_pairs_are_found_and_no_others(self) -> None:
        lexicon = Lexicon.of({("house", "haus"): 1.0, ("dog", "hund"): 0.4})
        assert len(lexicon) == 2
        found = lexicon.grid(["dog", "house", "haus"], ["haus", "hund", "house"])
        assert found == pytest.approx(np.array([[0, 0.4, 0], [1, 0, 0], [0, 0, 0]]))

    def test_without_pairs_nothing_is_found(self) -> None:
        assert len(NONE) == 0
        assert NONE.grid(["a", "b"], ["a"]).tolist() == [[0], [0]]

    @given(known_pairs)
    def test_every_pair_comes_back_in_steps_of_1_in_255(
        self, ties: dict[tuple[str, str], float]
    ) -> None:
        lexicon = Lexicon.of(ties)
        for (source, target), strength in ties.items():
            assert lexicon.grid([source], [target])[0, 0] == pytest.approx(strength, abs=ROUNDING)

    @given(known_pairs, words, words)
    def test_a_grid_is_its_pairs_one_by_one(
        self, ties: dict[tuple[str, str], float], source: list[str], target: list[str]
    ) -> None:
        source, target = source + [s for s, _ in ties], target + [t for _, t in ties]
        lexicon = Lexicon.of(ties)
        alone = [[lexicon.grid([s], [t])[0, 0] for t in target] for s in source]
        grid = lexicon.grid(source, target)
        assert grid.shape == (len(source), len(target))
        assert grid.tolist() == alone

    def test_hashes_are_the_same_in_every_process_and_version(self) -> None:
        """They stand in checkpoints: a lexicon hashed anew must find what an older one wrote."""
        ties = {("berlin", "柏"): 1.0, ("house", "haus"): 0.5, (stem("minister"), "x"): 0.1}
        lexicon = Lexicon.of(ties)
        assert lexicon.keys.tolist() == [2102038208, -1993690849, -747655171]
        assert lexicon.checks.tolist() == [140, 43, 173]
        assert lexicon.ties.tolist() == [255, 128, 26]
        assert [a.dtype for a in (lexicon.keys, lexicon.checks)] == [np.int32, np.uint8]

    @pytest.mark.parametrize("strengths", [(0.3, 0.9), (0.9, 0.3)])
    def test_of_two_pairs_with_one_key_the_stronger_is_found(
        self, strengths: tuple[float, float]
    ) -> None:
        """`a` with these two words hashes to one key, and to another check."""
        pairs = [("a", "w24387"), ("a", "w185993")]
        lexicon = Lexicon.of(dict(zip(pairs, strengths, strict=True)))
        assert len(lexicon) == 1
        expected = [strength if strength == 0.9 else 0 for strength in strengths]
        found = lexicon.grid(["a"], ["w24387", "w185993"])[0]
        assert found == pytest.approx(expected, abs=ROUNDING)

    def test_the_key_alone_is_not_enough(self) -> None:
        lexicon = Lexicon.of({("a", "b"): 1.0})
        other = Lexicon(lexicon.keys, lexicon.checks ^ np.uint8(1), lexicon.ties)
        assert other.grid(["a"], ["b"]).tolist() == [[0]]

    def test_half_a_lexicon_is_refused(self) -> None:
        whole = Lexicon.of({("a", "b"): 1.0})
        with pytest.raises(ModelError, match="has 1, 1 and 0 rows"):
            Lexicon(whole.keys, whole.checks, whole.ties[:0])


class TestEvidence:
    @given(words, words, known_pairs)
    def test_everything_lies_between_0_and_1(
        self, source: list[str], target: list[str], ties: dict[tuple[str, str], float]
    ) -> None:
        grids = evidence(source, target, Lexicon.of(ties))
        assert grids.shape == (len(CHANNELS), len(source), len(target))
        assert grids.dtype == np.float32
        assert np.isfinite(grids).all()
        assert ((grids >= 0) & (grids <= 1)).all()

    def test_the_lexicon_is_asked_in_lower_case_without_accents(self) -> None:
        lexicon = Lexicon.of({("vienna", "becs"): 1.0})
        assert channel("lexicon", "VIENNA x", "Bécs", lexicon) == [[1], [0]]
        assert channel("stem lexicon", "VIENNA x", "Bécs", lexicon) == [[0], [0]]

    def test_stems_are_tied_whatever_follows(self) -> None:
        lexicon = Lexicon.of({(stem("minister"), stem("ministern")): 1.0})
        assert channel("stem lexicon", "Ministers minx", "Ministern", lexicon) == [[1], [0]]
        assert channel("lexicon", "minis", "minis", lexicon) == [[0]]

    def test_a_word_with_hyphens_is_tied_as_its_best_part(self) -> None:
        ties = {("commission", "kommission"): 0.8, ("commission", "eu"): 0.2}
        lexicon = Lexicon.of({**ties, (stem("commission"), stem("kommission")): 1.0})
        source, target = "commission", "die EU-Kommission tagt -"
        (found,) = channel("lexicon", source, target, lexicon)
        assert found == pytest.approx([0, 0.8, 0, 0])
        assert channel("stem lexicon", source, target, lexicon) == [[0, 1, 0, 0]]

    @pytest.mark.parametrize(
        ("source", "target", "expected"),
        [
            pytest.param("Maria", "María", 1, id="accents do not count"),
            pytest.param("PARIS", "Paris", 1, id="nor does case"),
            pytest.param("abcd", "abxy", 0, id="half alike is chance"),
            pytest.param("abcd", "abcx", 0.5, id="three quarters alike"),
            pytest.param("Wien", "柏", 0, id="another name"),
            pytest.param("London", "Лондон", 1, id="Cyrillic"),
            pytest.param("Лондон", "London", 1, id="from Cyrillic"),
            pytest.param("Toyota", "トヨタ", 1, id="Kana"),
            pytest.param("Dongjing", "東京", 1, id="Han, as they are read in Chinese"),
        ],
    )
    def test_spelling(self, source: str, target: str, expected: float) -> None:
        assert channel("spelling", source, target) == [[pytest.approx(expected)]]

    @pytest.mark.parametrize(
        ("source", "target", "expected"),
        [
            pytest.param("Europa", "Europaparlament", 1, id="inside a compound"),
            pytest.param("Europaparlament", "Europa", 1, id="the other way round"),
            pytest.param("the", "theatre", 0, id="short words are everywhere"),
            pytest.param("London", "лондонский", 1, id="inside a word of another script"),
        ],
    )
    def test_contained(self, source: str, target: str, expected: float) -> None:
        assert channel("contained", source, target) == [[expected]]

    def test_capitals_on_both_sides(self) -> None:
        assert channel("both capitalised", "Anna saw", "Anna sah É 柏") == [[1, 0, 1, 0], [0] * 4]

    def test_the_diagonal_runs_from_corner_to_corner(self) -> None:
        found = channel("diagonal", "a b c", "v w x y z")
        expected = [[1, 0.75, 0.5, 0.25, 0], [0.5, 0.75, 1, 0.75, 0.5], [0, 0.25, 0.5, 0.75, 1]]
        assert found == [pytest.approx(row) for row in expected]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("Élan", "elan"), ("ŽIŽEK", "zizek"), ("\u0301", "\u0301"), ("柏林", "柏林"), ("Ⅷ", "viii")],
)
def test_plain_form(word: str, expected: str) -> None:
    assert plain_form(word) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("лондон", "london"),
        ("東京", "dongjing"),
        ("αθηνα", "athina"),
        ("berlin", "berlin"),
        ("straße", "strasse"),
        ("\u0301", "\u0301"),
    ],
)
def test_words_of_other_scripts_are_spelt_in_latin_letters(word: str, expected: str) -> None:
    assert spelling(word) == expected


@given(st.text(min_size=1, max_size=12))
def test_a_spelling_is_never_empty(word: str) -> None:
    assert spelling(plain_form(word))


LINKS = {("a", "x"): 3.0, ("a", "y"): 1.0, ("b", "x"): 1.0}


class TestTies:
    def test_the_root_of_both_conditional_probabilities(self) -> None:
        """3/4 and 3/4; 1/4 and 1/1; 1/1 and 1/4."""
        expected = {("a", "x"): 0.75, ("a", "y"): 0.5, ("b", "x"): 0.5}
        assert ties_of(LINKS, least=1, weakest=0) == pytest.approx(expected)

    def test_rare_pairs_are_left_out_and_yet_count_for_the_others(self) -> None:
        assert ties_of(LINKS, least=2, weakest=0) == {("a", "x"): pytest.approx(0.75)}

    def test_weak_pairs_are_left_out(self) -> None:
        assert list(ties_of(LINKS, least=1, weakest=0.5)) == list(LINKS)
        assert list(ties_of(LINKS, least=1, weakest=0.51)) == [("a", "x")]

    def test_no_links(self) -> None:
        assert ties_of({}, least=0, weakest=0) == {}

    @given(
        st.dictionaries(
            st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), st.floats(0.01, 1e6)
        )
    )
    def test_ties_are_strengths(self, links: dict[tuple[str, str], float]) -> None:
        found = ties_of(links, least=0, weakest=0)
        assert found.keys() == links.keys()
        assert all(0 < strength <= 1 + 1e-9 for strength in found.values())
