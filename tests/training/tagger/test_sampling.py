"""Which sentences are drawn from a part of the data."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.rows import Row
from training.tagger.presets import Part, Use
from training.tagger.sampling import drawn, shares


def sentence(corpus: str, line: int, *, name: bool, margin: float | None = None) -> Row:
    tags = ("B-PER", "O") if name else ("O", "O")
    return Row(f"{line}", ("Babado", "kam"), tags, origin=f"{corpus}:{line}", margin=margin)


def corpus(name: str, named: int, bare: int) -> list[Row]:
    sizes = (True,) * named + (False,) * bare
    return [sentence(name, i, name=has_name) for i, has_name in enumerate(sizes)]


def test_everything_in_its_order_by_default() -> None:
    found = [*corpus("a", 3, 2), *corpus("b", 1, 1)]
    assert drawn(found, Use(Part.PSEUDO), 0) == found
    assert drawn([], Use(Part.PSEUDO), 0) == []


def test_as_many_of_each_corpus() -> None:
    found = [*corpus("a", 100, 0), *corpus("b", 30, 0), *corpus("c", 5, 0)]
    chosen = drawn(found, Use(Part.PSEUDO, sentences=45, equal_corpora=True), 1)
    assert Counter(each.corpus for each in chosen) == {"a": 20, "b": 20, "c": 5}


def test_the_same_share_without_entities_in_each_corpus() -> None:
    found = [*corpus("a", 8, 100), *corpus("b", 80, 20), *corpus("c", 4, 0), *corpus("d", 0, 9)]
    chosen = drawn(found, Use(Part.PSEUDO, nameless=0.2), 1)
    counts = Counter((each.corpus, each.has_entity) for each in chosen)
    chosen = drawn(found, Use(Part.PSEUDO, nameless=0.2, equal_corpora=True), 1)
    by_corpus = Counter((each.corpus, each.has_entity) for each in chosen)
    assert by_corpus == {
        ("a", True): 8,
        ("a", False): 2,
        ("b", True): 80,
        ("b", False): 20,
        ("c", True): 4,
    }
    assert counts.total() == 92 + 23


def test_the_share_holds_in_what_is_cut_off() -> None:
    chosen = drawn(corpus("a", 800, 800), Use(Part.PSEUDO, sentences=100, nameless=0.2), 3)
    assert Counter(each.has_entity for each in chosen) == {True: 80, False: 20}


def test_what_is_less_parallel_is_left_out_where_a_margin_is_known() -> None:
    found = [sentence("a", i, name=True, margin=m) for i, m in enumerate((1.04, 1.05, 1.2, None))]
    assert [each.margin for each in drawn(found, Use(Part.PSEUDO, least_margin=1.05), 0)] == [
        1.05,
        1.2,
        None,
    ]


def test_chance_is_that_of_the_seed() -> None:
    found = corpus("a", 50, 0)
    draw = Use(Part.PSEUDO, sentences=10)
    assert drawn(found, draw, 1) == drawn(found, draw, 1) != drawn(found, draw, 2)


@given(st.lists(st.integers(0, 50), max_size=6), st.none() | st.integers(0, 200))
def test_shares_are_as_equal_as_sizes_allow(sizes: list[int], wanted: int | None) -> None:
    taken = shares(sizes, wanted)
    assert all(n <= size for n, size in zip(taken, sizes, strict=True))
    assert sum(taken) == (sum(sizes) if wanted is None else min(wanted, sum(sizes)))
    cut = [n for n, size in zip(taken, sizes, strict=True) if n < size]
    assert max(cut, default=0) - min(cut, default=0) <= 1
    assert all(n <= min(cut) + 1 for n in taken) if cut else True


@pytest.mark.parametrize(("origin", "name"), [("a:b.de:7", "a:b.de"), ("gold", "gold"), ("", "")])
def test_a_corpus_is_an_origin_without_its_line(origin: str, name: str) -> None:
    assert Row("1", ("x",), ("O",), origin=origin).corpus == name
