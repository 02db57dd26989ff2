"""Parts of the data share neither documents nor near-duplicates, and stay what they were."""

import random
import time
from collections import defaultdict

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from projection.errors import TrainingError
from projection.records import ParallelSentence
from projection.text.documents import BLOCK, document_of
from training.data import splits
from training.data.contamination import words_of
from training.data.splits import (
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    Shares,
    Splits,
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
        found = split(sentences, EIGHTY, lasting=True)
        assert (found.documents, found.groups) == (20, 1)
        assert len(found.sizes) == 1
        free = [s for s in sentences if not s.id.endswith(f":{BLOCK - 1}")]
        assert split(free, EIGHTY, lasting=True).groups == 20

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
        assert split(sentences, EIGHTY, lasting=True).groups == 1

    def test_more_data_moves_nothing(self) -> None:
        sentences = corpus(3000)
        before = parts(split(sentences[:1000], EIGHTY, lasting=True), sentences[:1000])
        after = parts(split(sentences, EIGHTY, lasting=True), sentences)
        assert after | before == after

    def test_neither_does_their_order_but_the_seed(self) -> None:
        sentences = corpus(3000)
        shuffled = random.Random(0).sample(sentences, len(sentences))
        one = parts(split(sentences, EIGHTY, lasting=True), sentences)
        assert parts(split(shuffled, EIGHTY, lasting=True), shuffled) == one
        assert parts(split(sentences, EIGHTY, seed=1, lasting=True), sentences) != one

    def test_two_groups_that_are_joined_move_at_most_one(self) -> None:
        sentences = corpus(50 * BLOCK)
        link = [sentence(0, sentences[0].target, file="link.en"), sentence(1, file="link.en")]
        link.append(sentence(2, sentences[-1].target, file="link.en"))
        before, joined = (
            split(sentences, EIGHTY, lasting=True),
            split([*sentences, *link], EIGHTY, lasting=True),
        )
        moved = {
            document_of(s)
            for s, a, b in zip(sentences, before.of, joined.of, strict=False)
            if a != b
        }
        assert len(moved) <= 2
        assert joined.groups == before.groups - 1

    def test_a_larger_test_part_keeps_what_it_had(self) -> None:
        sentences = corpus(3000)
        small, large = (
            split(sentences, Shares.parse(s), lasting=True) for s in ("80/10/10", "70/10/20")
        )
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


def document(number: int, size: int) -> list[ParallelSentence]:
    """A document that is no file of lines, so that it cannot be cut."""
    names = [f"{number}-{n}" for n in range(size)]
    return [ParallelSentence(s, "…", text(s), "en", "de", f"speech {number}") for s in names]


class TestSmall:
    """An export of few documents: the parts are those asked for, or it is said why not."""

    @given(st.lists(st.integers(1, 60), min_size=1, max_size=30).filter(lambda s: sum(s) >= 30))
    @settings(max_examples=40)
    @example([426])
    @example([5] * 6 + [400])
    @example([1] * 30)
    @example([2] * 15)
    def test_documents_stay_whole_and_shares_are_kept_where_they_can_be(
        self, sizes: list[int]
    ) -> None:
        sentences = [each for n, size in enumerate(sizes) for each in document(n, size)]
        found = split(sentences, EIGHTY)
        places = {(s.origin, part) for s, part in zip(sentences, found.of, strict=True)}
        assert len(places) == len(sizes) == found.groups, "a document is in one part"
        assert TRAIN in found.sizes
        off = [found.sizes.get(p, 0) / len(sentences) - getattr(EIGHTY, p) for p in SPLITS]
        kept = max(map(abs, off)) <= 0.03 and len(found.sizes) == 3
        assert (found.shortfall(EIGHTY) is None) is kept
        if max(sizes) <= 0.03 * len(sentences):
            assert kept

    @pytest.mark.parametrize("lines", [30, 45, 100])
    def test_blocks_of_a_file_are_as_large_as_the_parts_allow(self, lines: int) -> None:
        found = split(corpus(lines), EIGHTY)
        assert found.shortfall(EIGHTY) is None
        assert found.block < BLOCK
        blocks = {(n // found.block, part) for n, part in enumerate(found.of)}
        assert len(blocks) == found.documents

    def test_a_giant_document_is_for_training_and_named_as_the_reason(self) -> None:
        found = split([*document(1, 400), *document(2, 5), *document(3, 5)], EIGHTY)
        assert found.sizes == {TRAIN: 400, VALIDATION: 5, TEST: 5}
        said = found.shortfall(EIGHTY) or ""
        assert said.startswith("--split 80/10/10 gave 400/5/5 of 410 sentences: ")
        assert "the largest of 3 groups has 400" in said
        assert "--set dev_share=0.1" in said

    def test_equal_sentences_cannot_be_parted(self) -> None:
        found = split([sentence(n, text("one")) for n in range(30)], EIGHTY)
        assert found.sizes == {TRAIN: 30}
        assert "gave 30/0/0 of 30 sentences" in (found.shortfall(EIGHTY) or "")

    def test_a_small_share_of_training_gets_something(self) -> None:
        assert TRAIN in split([*document(1, 50), *document(2, 2)], Shares.parse("1/98/1")).sizes


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
