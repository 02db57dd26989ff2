"""What makes sentences harder: afterwards every span and link still says what it said."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from projection.records import Span
from projection.text.words import span_of_words, word_spans
from training.aligner.augment import (
    JointExample,
    cut,
    emptied,
    example_of,
    hardened,
    is_name_pair,
    joint_examples,
    renamed,
)
from training.aligner.silver import Links, SilverSentence, name_pair
from training.trainer.settings import Hardening

ENGLISH = ("the", "Council", "saw", "Cologne", ",", "today", "U.S.", "well-kept", "Anna", "of")
GERMAN = ("der", "Rat", "sah", "Köln", ",", "heute", "EU-Rat", "e\u0301te\u0301", "Anna", "🎉")
CHINESE = (*"的安娜看见了科隆，今天。", "NATO")
NAMES = {
    "de": (
        name_pair("Rome", "Rom", "de"),
        name_pair("New York City", "Neu-York", "de"),
        name_pair("J. Weber", "J. Weber", "de"),
    ),
    "zh": (name_pair("Rome", "罗马", "zh"), name_pair("John Smith", "约翰·史密斯", "zh")),
}
UNCHANGED = Hardening(renamed=0, emptied=0, mismatched=0, cut=0, lone_names=0)


def made(lang: str, seed: int) -> SilverSentence:
    """A sentence of words at random; its phrases share no word, on either side."""
    rng = random.Random(seed)
    source = " ".join(rng.choices(ENGLISH, k=rng.randint(1, 9)))
    target = (
        "".join(rng.choices(CHINESE, k=rng.randint(1, 12)))
        if lang == "zh"
        else " ".join(rng.choices(GERMAN, k=rng.randint(1, 9)))
    )
    sides = word_spans(source, "en"), word_spans(target, lang)
    ranges = [some_ranges(rng, words) for words in sides]
    rng.shuffle(ranges[1])
    links = [
        frozenset((rng.randrange(len(sides[0])), rng.randrange(len(sides[1]))) for _ in range(n))
        for n in (rng.randrange(6), rng.randrange(3))
    ]
    phrases = tuple(zip(*ranges, strict=False))
    return SilverSentence(source, target, lang, phrases, links[0], links[1] - links[0])


def some_ranges(rng: random.Random, words: Sequence[Span]) -> list[Span]:
    """Stretches of one to three words that share none."""
    found, start = [], rng.randrange(2)
    while start < len(words):
        end = min(len(words), start + rng.randint(1, 3))
        found.append(span_of_words(words, start, end))
        start = end + rng.randrange(3)
    return found


sentences = st.builds(made, st.sampled_from(["de", "zh"]), st.integers(0, 10**6))
seeds = st.integers(0, 10**6)


def sizes(example: JointExample | SilverSentence) -> tuple[int, int]:
    """How many words both sides have."""
    return len(word_spans(example.source, "en")), len(word_spans(example.target, example.lang))


def check(example: JointExample) -> None:
    """Everything lies within the texts, and no word is linked both to words and to nothing."""
    sources, targets = sizes(example)
    assert [e for e, _ in example.entities] == sorted(e for e, _ in example.entities)
    for english, found in example.entities:
        assert 0 <= english[0] < english[1] <= sources
        assert found is None or 0 <= found[0] < found[1] <= targets
    for i, j in example.links:
        assert 0 <= i <= sources
        assert 0 <= j <= targets
    assert (0, 0) not in example.links
    to_nothing = {i for i, j in example.links if j == 0}, {j for i, j in example.links if i == 0}
    to_words = {i for i, j in example.links if j}, {j for i, j in example.links if i}
    assert not to_nothing[0] & to_words[0]
    assert not to_nothing[1] & to_words[1]


def linked_words(sentence: SilverSentence, links: Links) -> Counter[tuple[str, str]]:
    """What the links of a sentence say, in words."""
    sides = word_spans(sentence.source, "en"), word_spans(sentence.target, sentence.lang)
    return Counter(
        (sides[0][i].of(sentence.source), sides[1][j].of(sentence.target)) for i, j in links
    )


def read(sentence: SilverSentence) -> Counter[tuple[str, str]]:
    """The phrases of a sentence as text."""
    return Counter((a.of(sentence.source), b.of(sentence.target)) for a, b in sentence.phrases)


class TestExampleOf:
    def test_words_instead_of_characters_and_nulls_for_the_rest(self) -> None:
        """Words count from 1, so that 0 is free for nothing."""
        source, target = "Anna saw the Rhine", "Den Rhein sah Anna wohl"
        phrases = ((Span(0, 4), Span(14, 18)), (Span(9, 18), Span(0, 9)))
        silver = SilverSentence(
            source, target, "de", phrases, frozenset({(0, 3), (3, 1)}), frozenset({(1, 2)})
        )
        example = example_of(silver)
        assert example.entities == (((0, 1), (3, 4)), ((2, 4), (0, 2)))
        # `saw` and `sah` are possibly linked, `the` and `Den` stand in phrases: neither is null.
        assert example.links == {(1, 4), (4, 2), (0, 5)}

    def test_a_lost_phrase_is_nowhere_and_its_words_are_linked_to_nothing(self) -> None:
        silver = SilverSentence("Anna saw", "sah", "de", (), frozenset({(1, 0)}))
        example = example_of(silver, [Span(0, 4)])
        assert example.entities == (((0, 1), None),)
        assert example.links == {(2, 1), (1, 0)}

    def test_without_links_nothing_is_said_of_words(self) -> None:
        silver = SilverSentence("Anna saw", "Anna sah", "de", ((Span(0, 4), Span(0, 4)),))
        assert not example_of(silver).links

    @given(sentences)
    def test_everything_lies_within(self, sentence: SilverSentence) -> None:
        example = example_of(sentence)
        check(example)
        assert len(example.entities) == len(sentence.phrases)


class TestRenamed:
    def test_by_hand(self) -> None:
        silver = SilverSentence(
            "In Cologne today",
            "Heute in Köln sind",
            "de",
            ((Span(3, 10), Span(9, 13)), (Span(11, 16), Span(0, 5))),
            frozenset({(0, 1), (1, 2), (2, 0)}),
            frozenset({(2, 3)}),
        )
        name = name_pair("New York", "Neu York", "de")
        assert renamed(silver, name, random.Random(0)) == replace(
            silver,
            source="In New York today",
            target="Heute in Neu York sind",
            phrases=((Span(3, 11), Span(9, 17)), (Span(12, 17), Span(0, 5))),
            sure=frozenset({(0, 1), (1, 2), (2, 3), (3, 0)}),
            possible=frozenset({(3, 4)}),
        )

    @given(sentences, seeds)
    def test_the_new_name_stands_on_both_sides_and_the_rest_says_what_it_said(
        self, sentence: SilverSentence, seed: int
    ) -> None:
        name = random.Random(seed).choice(NAMES[sentence.lang])
        changed = renamed(sentence, name, random.Random(seed))
        check(example_of(changed))
        if changed is sentence:
            return
        (old,) = [
            (before, after)
            for before, after in zip(sentence.phrases, changed.phrases, strict=True)
            if after[0].of(changed.source) != before[0].of(sentence.source)
            or after[1].of(changed.target) != before[1].of(sentence.target)
        ] or [None]
        if old is None:  # the name that was there already
            return
        before, after = old
        assert after[0].of(changed.source) == name.source
        assert after[1].of(changed.target) == name.target
        assert changed.source == (
            sentence.source[: before[0].start] + name.source + sentence.source[before[0].end :]
        )
        others = read(sentence) - Counter(
            [(before[0].of(sentence.source), before[1].of(sentence.target))]
        )
        assert read(changed) == others + Counter([(name.source, name.target)])
        kept = {
            kind: frozenset(
                (i, j)
                for i, j in getattr(sentence, kind)
                if not word_spans(sentence.source, "en")[i].overlaps(before[0])
                and not word_spans(sentence.target, sentence.lang)[j].overlaps(before[1])
            )
            for kind in ("sure", "possible")
        }
        assert linked_words(changed, changed.sure) == (
            linked_words(sentence, kept["sure"]) + linked_words(name, name.sure)
        )
        assert linked_words(changed, changed.possible) == linked_words(sentence, kept["possible"])

    def test_most_sentences_with_a_name_are_renamed(self) -> None:
        """So that the property above is one of something."""
        silver = [made("de", seed) for seed in range(300)]
        with_name = [s for s in silver if any(text[0].isupper() for text, _ in read(s))]
        changed = [renamed(s, NAMES["de"][0], random.Random(0)) for s in with_name]
        share = sum(a is not b for a, b in zip(with_name, changed, strict=True)) / len(with_name)
        assert share > 0.9

    def test_only_names_are_exchanged(self) -> None:
        silver = SilverSentence("the house", "das Haus", "de", ((Span(4, 9), Span(4, 8)),))
        assert renamed(silver, NAMES["de"][0], random.Random(0)) is silver

    @pytest.mark.parametrize(
        ("target", "place", "name"),
        [
            pytest.param("安娜X", Span(0, 2), "Max", id="it would grow into what follows"),
            pytest.param("X安娜", Span(1, 3), "Max", id="and into what stands before"),
        ],
    )
    def test_a_name_that_would_grow_into_its_neighbour_is_left(
        self, target: str, place: Span, name: str
    ) -> None:
        silver = SilverSentence("Anna saw", target, "zh", ((Span(0, 4), place),))
        assert renamed(silver, name_pair("Max", name, "zh"), random.Random(0)) is silver


class TestShortened:
    @given(sentences, seeds)
    def test_emptied(self, sentence: SilverSentence, seed: int) -> None:
        changed, lost = emptied(sentence, random.Random(seed))
        self.check_shortened(sentence, changed, lost)
        if lost:
            (gone,) = [b for a, b in sentence.phrases if a == lost[0]]
            assert changed.target == sentence.target[: gone.start] + sentence.target[gone.end :]

    @given(sentences, seeds)
    def test_cut(self, sentence: SilverSentence, seed: int) -> None:
        changed, lost = cut(sentence, random.Random(seed))
        self.check_shortened(sentence, changed, lost)
        assert sentence.target.startswith(changed.target)
        assert sizes(changed)[1] >= sizes(sentence)[1] // 2

    @staticmethod
    def check_shortened(
        sentence: SilverSentence, changed: SilverSentence, lost: Sequence[Span]
    ) -> None:
        """A phrase is kept as it reads, or lost; so is a link."""
        assert changed.source == sentence.source
        assert not (lost and changed is sentence)
        kept = dict(changed.phrases)
        assert sorted([*kept, *lost]) == sorted(english for english, _ in sentence.phrases)
        for english, found in sentence.phrases:
            if english in kept:
                assert kept[english].of(changed.target) == found.of(sentence.target)
        for kind in ("sure", "possible"):
            before, after = (linked_words(s, getattr(s, kind)) for s in (sentence, changed))
            assert after <= before
        example = example_of(changed, lost)
        check(example)
        assert sum(found is None for _, found in example.entities) == len(lost)

    def test_by_hand(self) -> None:
        silver = SilverSentence(
            "Anna saw",
            "es sah Anna wohl",
            "de",
            ((Span(0, 4), Span(7, 11)),),
            frozenset({(0, 2), (1, 1)}),
            frozenset({(1, 3)}),
        )
        changed, lost = emptied(silver, random.Random(0))
        assert changed == replace(
            silver,
            target="es sah  wohl",
            phrases=(),
            sure=frozenset({(1, 1)}),
            possible=frozenset({(1, 2)}),
        )
        assert lost == [Span(0, 4)]

    def test_nothing_would_be_left(self) -> None:
        whole = SilverSentence("Anna", "Anna", "de", ((Span(0, 4), Span(0, 4)),))
        assert emptied(whole, random.Random(0)) == (whole, [])

    @pytest.mark.parametrize("words", [1, 2, 3])
    def test_short_sentences_are_not_cut(self, words: int) -> None:
        silver = SilverSentence("Anna", " ".join(["Anna"] * words), "de", ())
        assert all(cut(silver, random.Random(seed)) == (silver, []) for seed in range(20))


@given(sentences, sentences)
def test_in_the_target_of_another_sentence_nothing_is_found(
    a: SilverSentence, b: SilverSentence
) -> None:
    assume(a.target != b.target)
    always = replace(UNCHANGED, mismatched=1)
    example = hardened(replace(a, lang=b.lang), b, always, random.Random(0))
    check(example)
    assert (example.source, example.target) == (a.source, b.target)
    assert [found for _, found in example.entities] == [None] * len(a.phrases)
    sources, targets = len(word_spans(a.source, "en")), len(word_spans(b.target, b.lang))
    assert len(example.links) == sources + targets
    assert all(i == 0 or j == 0 for i, j in example.links)


class TestHardened:
    SENTENCE = SilverSentence(
        "Anna saw Cologne",
        "Anna sah Köln heute wohl",
        "de",
        ((Span(0, 4), Span(0, 4)), (Span(9, 16), Span(9, 13))),
        frozenset({(0, 0), (1, 1), (2, 2)}),
    )
    OTHER = SilverSentence("no", "nein", "de", ())

    def of(self, hardening: Hardening) -> JointExample:
        example = hardened(self.SENTENCE, self.OTHER, hardening, random.Random(0))
        check(example)
        return example

    def test_left_as_it_is(self) -> None:
        assert self.of(UNCHANGED) == example_of(self.SENTENCE)

    def test_emptied(self) -> None:
        example = self.of(replace(UNCHANGED, emptied=1))
        assert sorted(found is None for _, found in example.entities) == [False, True]

    def test_mismatched(self) -> None:
        example = self.of(replace(UNCHANGED, mismatched=1))
        assert example.target == "nein"
        assert [found for _, found in example.entities] == [None, None]

    def test_cut(self) -> None:
        example = self.of(replace(UNCHANGED, cut=1))
        assert example.target != self.SENTENCE.target
        assert self.SENTENCE.target.startswith(example.target)

    def test_a_sentence_is_no_stranger_to_itself(self) -> None:
        always = replace(UNCHANGED, mismatched=1)
        example = hardened(self.SENTENCE, self.SENTENCE, always, random.Random(0))
        assert example == example_of(self.SENTENCE)


SILVER = [*NAMES["de"], *(made(lang, seed) for seed in range(60) for lang in ("de", "zh"))]


class TestJointExamples:
    def test_a_listed_name_is_nothing_but_a_name(self) -> None:
        assert is_name_pair(NAMES["zh"][1])
        assert not is_name_pair(TestHardened.SENTENCE)

    def test_one_a_sentence_in_order_and_no_lone_names(self) -> None:
        silver = [s for s in SILVER if not is_name_pair(s)]
        found = list(joint_examples(SILVER, UNCHANGED, 0))
        assert found == [example_of(sentence) for sentence in silver]

    def test_all_lone_names(self) -> None:
        found = list(joint_examples(SILVER, replace(UNCHANGED, lone_names=1), 0))
        assert found == [example_of(sentence) for sentence in SILVER]

    def test_renamed(self) -> None:
        always = replace(UNCHANGED, renamed=1)
        (example,) = joint_examples([NAMES["de"][0], TestHardened.SENTENCE], always, 0)
        assert "Rome" in example.source
        assert "Rom" in example.target

    def test_without_a_list_nothing_is_renamed(self) -> None:
        always = replace(UNCHANGED, renamed=1)
        (example,) = joint_examples([TestHardened.SENTENCE], always, 0)
        assert example == example_of(TestHardened.SENTENCE)

    def test_the_seed_decides(self) -> None:
        first, again, other = (
            list(joint_examples(SILVER, Hardening(), seed)) for seed in (0, 0, 1)
        )
        assert first == again
        assert first != other

    @given(seeds)
    def test_every_change_leaves_everything_within(self, seed: int) -> None:
        much = Hardening(renamed=0.7, emptied=0.3, mismatched=0.2, cut=0.3, lone_names=1)
        for example in joint_examples(SILVER, much, seed):
            check(example)
