"""The same pair again, and pairs that are nearly the same."""

import random
import sys
import tracemalloc

import pytest

from projection.corpus.duplicates import Duplicates, NearDuplicates
from projection.corpus.recipe import Compared
from projection.errors import CorpusError
from projection.records import ParallelSentence

WORDS = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in ("rt", "ns", "ll", "ck")]
NEEDED = "pip install 'spanferry[clean]'"


def pair(source: str, target: str) -> ParallelSentence:
    return ParallelSentence("1", source, target, "en", "de", "a.en:1")


def sentences(count: int, words: int = 12) -> list[str]:
    """Different sentences, always the same ones."""
    drawn = random.Random(1)
    return [" ".join(drawn.choices(WORDS, k=words)) for _ in range(count)]


def in_common(one: str, other: str) -> float:
    """The exact Jaccard of the sequences of five letters."""
    first, second = (
        {text[i : i + 5] for i in range(len(text) - 4)}
        for text in ("<" + each.replace(" ", "") for each in (one, other))
    )
    return len(first & second) / len(first | second)


@pytest.mark.parametrize(
    ("compared", "second", "reason"),
    [
        (Compared.PAIR, ("It  rained. ", "Es hat geregnet."), "the same pair before"),
        (Compared.PAIR, ("It rained.", "Es regnete."), None),
        (Compared.SOURCE, ("It rained.", "Es regnete."), "the same source before"),
        (Compared.TARGET, ("Rain fell.", "Es hat geregnet."), "the same target before"),
        (Compared.TARGET, ("It rained.", "Es regnete."), None),
        (Compared.PAIR, ("It rained!", "Es hat geregnet."), None),
    ],
)
def test_the_same_again(compared: Compared, second: tuple[str, str], reason: str | None) -> None:
    duplicates = Duplicates(compared)
    assert duplicates(pair("It rained.", "Es hat geregnet.")) is None
    assert duplicates(pair(*second)) == reason


def test_without_the_package_the_fix_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)  # how Python marks what is not there
    with pytest.raises(CorpusError, match=r"datasketch is not .* pip .* near_duplicates = 0"):
        NearDuplicates(0.9, Compared.PAIR)


class TestNearDuplicates:
    @pytest.fixture(autouse=True)
    def _package(self) -> None:
        pytest.importorskip("datasketch", reason=NEEDED)

    @pytest.mark.parametrize(
        ("second", "like"),
        [
            pytest.param(("“Rain fell in Bonn”", "In Bonn fiel Regen!"), True, id="punctuation"),
            pytest.param(("RAIN FELL IN BONN.", "in bonn fiel regen."), True, id="case"),
            pytest.param(("Rain fell in Bern.", "In Bern fiel Regen."), False, id="another name"),
            pytest.param(
                ("Rain fell in Bonn.", "Regen fiel in Bonn."), False, id="translated anew"
            ),
            pytest.param(("Rain fell in Bonn 2.", "In Bonn 2 fiel Regen."), False, id="a number"),
        ],
    )
    def test_short_pairs(self, second: tuple[str, str], *, like: bool) -> None:
        near = NearDuplicates(0.9, Compared.PAIR)
        assert near(pair("Rain fell in Bonn.", "In Bonn fiel Regen.")) is None
        assert near(pair(*second)) == ("100% like an earlier pair" if like else None)

    def test_it_finds_what_an_exact_count_finds(self) -> None:
        """But for the error of an estimate near the threshold."""
        found: dict[bool, list[bool]] = {True: [], False: []}
        for number, text in enumerate(sentences(240, 40)):
            words = text.split()
            for place in random.Random(number).sample(range(40), number % 6):
                words[place] = f"x{place}y{number}z"
            other = " ".join(words)
            near = NearDuplicates(0.9, Compared.SOURCE)
            assert near(pair(text, "")) is None
            share = in_common(text, other)
            if not 0.85 < share < 0.95:
                found[share > 0.9].append(near(pair(other, "")) is not None)
        assert min(map(len, found.values())) > 30
        assert sum(found[True]) >= len(found[True]) - 2
        assert sum(found[False]) <= 2

    def test_chinese(self) -> None:
        near = NearDuplicates(0.9, Compared.TARGET)
        assert near(pair("a", "我们必须在十月底之前作出决定，否则政府将自行决定。")) is None
        assert near(pair("b", "我们必须在十月底之前作出决定；否则政府将自行决定！")) is not None
        assert near(pair("c", "我们必须在三月底之前作出决定，否则议会将自行表决。")) is None

    def test_symbols_alone_are_compared_as_they_are(self) -> None:
        near = NearDuplicates(0.9, Compared.PAIR)
        assert [near(pair(text, text)) for text in ("♥♥", "☎☎", "♥♥")][:2] == [None, None]
        assert near(pair("♥♥", "♥♥")) is not None

    def test_the_index_takes_what_the_module_says(self) -> None:
        pairs = [pair(text, text[::-1]) for text in sentences(500)]
        exact, near = Duplicates(Compared.PAIR), NearDuplicates(0.9, Compared.PAIR)
        tracemalloc.start()
        for each in pairs:
            assert exact(each) is None
        small = tracemalloc.get_traced_memory()[0]
        for each in pairs:
            assert near(each) is None
        large = tracemalloc.get_traced_memory()[0] - small
        tracemalloc.stop()
        assert 50 < small / 500 < 150
        assert 600 < large / 500 < 1200
