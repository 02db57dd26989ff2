"""Parts of the data share neither documents nor near-duplicates, and stay what they were."""

import random
import time
from collections import defaultdict
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import DisjointSet

from projection.errors import TrainingError
from projection.records import ParallelSentence
from training.data import splits
from training.data.contamination import words_of
from training.data.splits import (
    ALIKE,
    BLOCK,
    TEST,
    TRAIN,
    VALIDATION,
    Shares,
    Splits,
    document_of,
    near_duplicates,
    split,
)

WORDS = ["".join(random.Random(n).choices("abcdefghijklmnopqrstuvwxyz", k=7)) for n in range(2000)]
EIGHTY = Shares.parse("80/10/10")


def text(seed: object, words: int = 12) -> str:
    """A sentence like no other."""
    return " ".join(random.Random(str(seed)).choices(WORDS, k=words)) + "."


def sentence(number: int, target: str | None = None, *, file: str = "news.en") -> ParallelSentence:
    place = f"{file}:{number}"
    shown = text(place) if target is None else target
    return ParallelSentence(place, "…", shown, "en", "de", place)


def corpus(lines: int, file: str = "news.en") -> list[ParallelSentence]:
    return [sentence(number, file=file) for number in range(lines)]


def parts(found: Splits, sentences: list[ParallelSentence]) -> dict[str, str]:
    return {s.id: part for s, part in zip(sentences, found.of, strict=True)}


class TestShares:
    def test_they_are_normed(self) -> None:
        assert Shares.parse("8/1/1") == EIGHTY == Shares(0.8, 0.1, 0.1)
        assert Shares.parse("100/0/0").wanted == (TRAIN,)
        assert Shares.parse("9/0/1").wanted == (TRAIN, TEST)

    @pytest.mark.parametrize(
        "given_text", ["80", "80/20", "a/b/c", "0/50/50", "90/-5/15", "nan/1/1", "inf/1/1", "1//1"]
    )
    def test_what_is_none_is_refused_with_an_example(self, given_text: str) -> None:
        with pytest.raises(TrainingError, match="such as 80/10/10"):
            Shares.parse(given_text)


class TestDocuments:
    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            pytest.param(("a", "news.en:0"), ("b", f"news.en:{BLOCK - 1}"), True, id="one block"),
            pytest.param(("a", "news.en:0"), ("b", f"news.en:{BLOCK}"), False, id="the next"),
            pytest.param(("a", "news.en:1"), ("a", "talks.en:1"), False, id="ids that clash"),
            pytest.param(("m.tmx:tu1", "m.tmx:1"), ("m.tmx:tu99", "m.tmx:1"), False, id="one line"),
            pytest.param(("m.tmx:tu1", "m.tmx:9"), ("m.tmx:tu2", "m.tmx:99"), True, id="TMX units"),
            pytest.param(
                ("m.tmx:tu1-9f86d081", "m.tmx:1"), ("m.tmx:tu2", "m.tmx:1"), True, id="TMX, hashed"
            ),
            pytest.param(("a", "speech of May"), ("b", "speech of May"), True, id="no line"),
            pytest.param(("a", ""), ("b", ""), False, id="no origin"),
            pytest.param(("a", "شعر:3"), ("b", "شعر:4"), True, id="right to left"),
        ],
    )
    def test_blocks_of_lines(
        self,
        one: tuple[str, str],
        other: tuple[str, str],
        same: bool,
    ) -> None:
        first, second = (
            ParallelSentence(name, "", "", "en", "de", origin) for name, origin in (one, other)
        )
        assert (document_of(first) == document_of(second)) is same


class TestSplit:
    def test_the_shares_are_about_what_was_asked(self) -> None:
        found = split(corpus(10_000), EIGHTY)
        assert found.sizes[TRAIN] == pytest.approx(8000, abs=500)
        assert found.sizes[VALIDATION] == pytest.approx(1000, abs=350)
        assert found.sizes[TEST] == pytest.approx(1000, abs=350)
        assert (found.documents, found.groups, found.cut_apart) == (500, 500, 0)

    def test_documents_stay_whole(self) -> None:
        sentences = corpus(2000)
        of: defaultdict[str, set[str]] = defaultdict(set)
        for each, part in zip(sentences, split(sentences, EIGHTY).of, strict=True):
            of[document_of(each)].add(part)
        assert {len(found) for found in of.values()} == {1}

    @pytest.mark.parametrize(
        "again",
        [
            pytest.param(lambda t: t, id="the same"),
            pytest.param(lambda t: t.upper().replace(" ", "  "), id="case and spaces"),
            pytest.param(lambda t: f"„{t[:-1]}“ –", id="punctuation"),
            pytest.param(lambda t: t.replace(t.split()[5], "xyz", 1), id="a word exchanged"),
        ],
    )
    def test_documents_that_share_a_sentence_are_in_one_part(self, again: object) -> None:
        """Twenty files, of which each has a sentence of the one before."""
        assert callable(again)
        sentences = []
        for n in range(20):
            sentences += corpus(BLOCK, f"{n}.en")
            sentences[-1] = sentence(BLOCK - 1, again(text(f"{n + 1}.en:0")), file=f"{n}.en")
        found = split(sentences, EIGHTY)
        assert (found.documents, found.groups) == (20, 1)
        assert len(found.sizes) == 1
        free = split([s for s in sentences if not s.id.endswith(f":{BLOCK - 1}")], EIGHTY)
        assert free.groups == 20

    def test_a_formula_joins_no_documents_but_is_in_one_part(self) -> None:
        sentences = [
            sentence(n, "Vielen Dank!" if n % BLOCK == 3 else None) for n in range(100 * BLOCK)
        ]
        found = split(sentences, EIGHTY)
        assert len({p for s, p in zip(sentences, found.of, strict=True) if "Dank" in s.target}) == 1
        assert found.groups == 101

    def test_short_sentences_that_are_nearly_the_same_are_in_one_part(self) -> None:
        sentences = [
            sentence(n, f"Wecker klingelt täglich {n // BLOCK:02}" if n % BLOCK == 3 else None)
            for n in range(100 * BLOCK)
        ]
        found = split(sentences, EIGHTY)
        assert (
            len({p for s, p in zip(sentences, found.of, strict=True) if "Wecker" in s.target}) == 1
        )
        assert found.groups == 101

    def test_a_formula_of_one_document_stays_there(self) -> None:
        sentences = [*corpus(BLOCK), sentence(3, "Ja!"), sentence(4, "Ja!")]
        assert split(sentences, EIGHTY).groups == 1

    def test_more_data_moves_nothing(self) -> None:
        sentences = corpus(3000)
        before = parts(split(sentences[:1000], EIGHTY), sentences[:1000])
        after = parts(split(sentences, EIGHTY), sentences)
        assert after | before == after

    def test_neither_does_their_order_but_the_seed(self) -> None:
        sentences = corpus(3000)
        shuffled = random.Random(0).sample(sentences, len(sentences))
        one = parts(split(sentences, EIGHTY), sentences)
        assert parts(split(shuffled, EIGHTY), shuffled) == one
        assert parts(split(sentences, EIGHTY, seed=1), sentences) != one

    def test_two_groups_that_are_joined_move_at_most_one(self) -> None:
        sentences = corpus(50 * BLOCK)
        link = [sentence(0, sentences[0].target, file="link.en"), sentence(1, file="link.en")]
        link.append(sentence(2, sentences[-1].target, file="link.en"))
        before, joined = split(sentences, EIGHTY), split([*sentences, *link], EIGHTY)
        moved = {
            document_of(s)
            for s, a, b in zip(sentences, before.of, joined.of, strict=False)
            if a != b
        }
        assert len(moved) <= 2
        assert joined.groups == before.groups - 1

    def test_a_larger_test_part_keeps_what_it_had(self) -> None:
        sentences = corpus(3000)
        small, large = (split(sentences, Shares.parse(s)) for s in ("80/10/10", "70/10/20"))
        kept = [b for a, b in zip(small.of, large.of, strict=True) if a == TEST]
        assert set(kept) == {TEST}

    def test_what_templates_tie_together_is_cut_apart_but_not_the_near_duplicates(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(splits, "GIANT", 100)
        # Every document has a sentence of the next.
        sentences = [sentence(n, text(n // BLOCK) if n % BLOCK < 2 else None) for n in range(400)]
        sentences += [sentence(400 + n * BLOCK, text(n)) for n in range(1, 20)]
        sentences += [sentence(400 + n * BLOCK + 1, text(n - 1)) for n in range(1, 20)]
        found = split(sentences, EIGHTY)
        assert found.cut_apart > 400
        assert found.sizes.keys() == {TRAIN, VALIDATION, TEST}
        of: defaultdict[str, set[str]] = defaultdict(set)
        for each, part in zip(sentences, found.of, strict=True):
            of[each.target].add(part)
        assert {len(where) for where in of.values()} == {1}

    @pytest.mark.parametrize(
        "targets",
        [
            pytest.param([], id="nothing"),
            pytest.param([""], id="no text"),
            pytest.param(["", " ", "…", "?!"], id="no letters"),
            pytest.param(
                ["我们今天在北京开会讨论经济问题。", "我們今天在北京開會討論經濟問題"], id="Chinese"
            ),
            pytest.param(["😀👩‍👩‍👧 🇩🇪"] * 3, id="emoji"),
            pytest.param(["שלום עולם, איך קוראים לך היום?\r\n"] * 2, id="right to left, CRLF"),
        ],
    )
    def test_any_text_is_somewhere(self, targets: list[str]) -> None:
        sentences = [sentence(n * BLOCK, target) for n, target in enumerate(targets)]
        found = split(sentences, EIGHTY)
        assert len(found.of) == len(targets)
        if len({"".join(words_of(target)) for target in targets}) == 1:
            assert found.groups == 1

    def test_both_scripts_of_chinese_are_one(self) -> None:
        targets = ["我们今天在北京开会讨论经济问题。", "我們今天在北京開會討論經濟問題"]
        assert split([sentence(n * BLOCK, t) for n, t in enumerate(targets)], EIGHTY).groups == 1


@given(
    st.lists(st.text("abcd", max_size=14), max_size=25),
    st.sampled_from([0.07, 0.25, 0.5, ALIKE, 0.9, 1.0]),
)
def test_near_duplicates_join_all_that_are_alike_and_nothing_else(
    texts: list[str], alike: float
) -> None:
    """As comparing all with all, and as few pairs as that takes."""

    def sequences(plain: str) -> set[str]:
        return {plain[i : i + 4] for i in range(max(1, len(plain) - 3))}

    def are_alike(one: str, other: str) -> bool:
        a, b = sequences(one), sequences(other)
        return len(a & b) / len(a | b) >= alike

    expected = DisjointSet(texts)
    pairs = 0
    for one, other in combinations(sorted({*texts}), 2):
        if are_alike(one, other) and not expected.connected(one, other):
            expected.merge(one, other)
            pairs += 1
    found = [*near_duplicates(texts, alike)]
    assert all(are_alike(*pair) for pair in found)
    joined = DisjointSet(texts)
    for pair in found:
        joined.merge(*pair)
    for text in texts:
        assert joined.subset(text) == expected.subset(text)
    assert len(found) == pairs


def seconds(sentences: list[ParallelSentence]) -> float:
    started = time.process_time()
    split(sentences, EIGHTY)
    return time.process_time() - started


def test_sentences_made_from_templates_take_little_longer_than_others() -> None:
    """All of one template are alike, directly or not: comparing each with each is quadratic."""
    frames = [text(f"frame {n}", words=14) for n in range(3)]
    names = [text(f"name {n}", words=2) for n in range(40)]
    made = [
        sentence(n, f"{frames[n % 3]} {names[n % 5]} {names[n % 7]} {names[n % 8]} ({n})")
        for n in range(5000)
    ]
    assert seconds(made) < 8 * seconds(corpus(5000))
