"""Aligners without a model, and the two files by which any other word aligner is scored."""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.aligners.baselines import (
    ExactMatch,
    LinkedWords,
    PharaohAligner,
    occurrences,
    place_of,
    write_pairs,
)
from projection.errors import CorpusError
from projection.io.gold import GoldSentence
from projection.records import Entity, ParallelSentence, Span
from projection.text.words import word_spans

if TYPE_CHECKING:
    from projection.protocols import Aligns


def sentence(source: str, target: str, *mentions: Span, lang: str = "de") -> ParallelSentence:
    entities = tuple(Entity(span, "PER") for span in mentions)
    return ParallelSentence("1", source, target, "en", lang, "a.jsonl:1", entities)


def every(source: str, *names: str) -> list[Span]:
    """The places of these names in `source`, in reading order."""
    return sorted(span for name in names for span in occurrences(name, source))


def copied(found: ParallelSentence) -> list[Span | None]:
    [answer] = ExactMatch().align([found])
    assert [p.source for p in answer] == list(found.entities or ())
    assert [p.score for p in answer] == [0.0 if p.target is None else 1.0 for p in answer]
    return [p.target for p in answer]


class TestExactMatch:
    @pytest.mark.parametrize(
        ("source", "target", "names", "places"),
        [
            pytest.param("Anna left", "Anna ging", ["Anna"], [Span(0, 4)], id="there"),
            pytest.param("Anna left", "sie ging", ["Anna"], [None], id="not there"),
            pytest.param("anna left", "Anna ging", ["anna"], [None], id="letter case counts"),
            pytest.param("the EU", "der EU-Rat", ["EU"], [None], id="part of a word"),
            pytest.param("the EU", "der EU-Rat der EU", ["EU"], [Span(15, 17)], id="the whole one"),
            pytest.param("U.S.A (x)", "U.S.A (x)", ["(x)"], [Span(6, 9)], id="no pattern"),
            pytest.param("😀 Zoë", "👨‍👩‍👧 sah Zoë", ["Zoë"], [Span(10, 13)], id="emoji"),
            pytest.param("Zo\u00eb", "Zoe\u0308", ["Zo\u00eb"], [None], id="letters, not looks"),
            pytest.param("x y", "x  y", ["x y"], [None], id="white space counts"),
            pytest.param("Anna", "", ["Anna"], [None], id="an empty target"),
            pytest.param("Anna", "Anna", [], [], id="no entity"),
            pytest.param(
                "Anna saw Anna",
                "Anna sah Anna",
                ["Anna"],
                [Span(0, 4), Span(9, 13)],
                id="every mention its own",
            ),
            pytest.param(
                "Anna saw Anna", "Anna sah sie", ["Anna"], [Span(0, 4), None], id="one too many"
            ),
            pytest.param(
                "Charles Darwin, then Darwin",
                "Charles Darwin, dann Darwin",
                ["Charles Darwin", "then Darwin"],
                [Span(0, 14), None],
                id="two names",
            ),
            pytest.param(
                "ha ha ha", "ha ha ha", ["ha ha"], [Span(0, 5), None], id="they share no character"
            ),
        ],
    )
    def test_the_words_as_they_are(
        self, source: str, target: str, names: list[str], places: list[Span | None]
    ) -> None:
        assert copied(sentence(source, target, *every(source, *names))) == places

    def test_a_longer_name_chooses_first(self) -> None:
        """Else `Darwin`, the second mention of him, would take the end of `Charles Darwin`."""
        source, target = "Darwin, Charles Darwin", "Charles Darwin, Darwin"
        assert copied(sentence(source, target, Span(0, 6), Span(8, 22))) == [
            Span(16, 22),
            Span(0, 14),
        ]

    def test_labels_of_one_mention_go_to_one_place(self) -> None:
        """And a second mention, listed first, is still the second."""
        found = sentence("Ada, Ada", "Ada, Ada", Span(5, 8), Span(0, 3), Span(0, 3))
        assert copied(found) == [Span(5, 8), Span(0, 3), Span(0, 3)]

    def test_chinese_is_read_by_characters_and_latin_in_it_by_words(self) -> None:
        found = sentence("安娜 BBC", "安娜看BBC新闻", Span(0, 2), Span(3, 6), lang="zh")
        assert copied(found) == [Span(0, 2), Span(3, 6)]
        assert copied(sentence("BBC", "BBCC", Span(0, 3), lang="zh")) == [None]

    def test_every_sentence_in_order(self) -> None:
        found = [sentence("a", "a", Span(0, 1)), sentence("b", "b"), sentence("c", "d", Span(0, 1))]
        assert [len(answer) for answer in ExactMatch().align(found)] == [1, 0, 1]

    def test_it_is_an_aligner(self) -> None:
        aligner: Aligns = ExactMatch()
        assert aligner.fits(sentence("a" * 100_000, "b"))
        assert aligner.version == ExactMatch().version
        assert aligner.align([]) == []


names = st.text(st.sampled_from("ab .(安"), min_size=1, max_size=3)


@given(names, st.text(st.sampled_from("ab .(安"), max_size=12))
def test_occurrences_are_all_there_are(name: str, text: str) -> None:
    found = [i for i in range(len(text)) if text.startswith(name, i)]
    assert [span.start for span in occurrences(name, text)] == found
    assert all(span.of(text) == name for span in occurrences(name, text))


def gold(
    source: str = "the European Parliament met",
    target: str = "das Europäische Parlament tagte",
    *mentions: Span,
    number: int = 1,
) -> GoldSentence:
    one = sentence(source, target, *mentions)
    return GoldSentence(replace(one, id=str(number), origin=f"a.jsonl:{number}"), ())


def linked(*links: tuple[int, int], words: int = 8) -> LinkedWords:
    """One-letter words with a space between them, on both sides."""
    spans = tuple(Span(2 * i, 2 * i + 1) for i in range(words))
    return LinkedWords(spans, spans, frozenset(links))


@pytest.mark.parametrize(
    ("links", "bridge", "words"),
    [
        pytest.param([(2, 5)], 0, (5, 5), id="one link"),
        pytest.param([(2, 1), (3, 0)], 0, (0, 1), id="other order"),
        pytest.param([(2, 1), (2, 2), (3, 2)], 0, (1, 2), id="many to many"),
        pytest.param([(1, 1), (4, 3)], 0, None, id="other words' links"),
        pytest.param([], 2, None, id="no links"),
        pytest.param([(2, 1), (2, 3), (3, 4)], 0, (3, 4), id="the longest run"),
        pytest.param([(2, 1), (3, 3)], 0, (1, 1), id="the first of equals"),
        pytest.param([(2, 1), (3, 3)], 1, (1, 3), id="a bridged gap"),
        pytest.param([(2, 1), (3, 4)], 1, (1, 1), id="a gap too wide"),
        pytest.param([(2, 1), (3, 4)], 2, (1, 4), id="a wide bridge"),
        pytest.param([(2, 0), (2, 2), (3, 5), (3, 6), (3, 7)], 1, (5, 7), id="linked words count"),
        pytest.param([(2, 0), (3, 3), (3, 6), (3, 7)], 2, (0, 7), id="one bridge after another"),
    ],
)
def test_the_place_of_words_2_and_3(
    links: list[tuple[int, int]], bridge: int, words: tuple[int, int] | None
) -> None:
    expected = None if words is None else Span(2 * words[0], 2 * words[1] + 1)
    assert place_of(Span(4, 7), linked(*links), bridge) == expected


def test_the_longest_run_is_that_of_most_linked_words() -> None:
    """Not the widest: a bridge adds nothing."""
    assert place_of(Span(4, 5), linked((2, 0), (2, 3), (2, 6), (2, 7)), 2) == Span(0, 15)
    assert place_of(Span(4, 5), linked((2, 0), (2, 2), (2, 5), (2, 6), (2, 7)), 1) == Span(10, 15)


@pytest.mark.parametrize(
    ("mention", "found"),
    [
        pytest.param(Span(5, 6), None, id="white space alone"),
        pytest.param(Span(3, 5), Span(4, 5), id="half on white space"),
    ],
)
def test_a_mention_is_the_words_it_touches(mention: Span, found: Span | None) -> None:
    assert place_of(mention, linked((2, 2)), 0) == found


class TestPharaohAligner:
    def read(self, path: Path, lines: str, *golds: GoldSentence, bridge: int = 0) -> PharaohAligner:
        path.write_bytes(lines.encode())
        return PharaohAligner.read(path, golds, bridge)

    def test_entities_follow_the_links(self, tmp_path: Path) -> None:
        first = gold("Anna saw Bern", "Bern sah Anna", Span(0, 4), Span(9, 13), number=1)
        second = gold("Anna left", "sie ging", Span(0, 4), number=2)
        aligner = self.read(tmp_path / "links", "0-2 1-1 2-0\n\n", first, second)
        assert aligner.fits(first.sentence)
        answers = aligner.align([second.sentence, first.sentence])
        assert [[(p.target, p.score) for p in answer] for answer in answers] == [
            [(None, 0.0)],
            [(Span(9, 13), 1.0), (Span(0, 4), 1.0)],
        ]
        assert [p.source for p in answers[1]] == list(first.sentence.entities or ())

    def test_words_are_the_golds_tokens(self, tmp_path: Path) -> None:
        """`don't` is one word to us, and two to this gold."""
        tokens = (Span(0, 2), Span(2, 5), Span(6, 10))
        split = replace(gold("don't stop", "nicht, halt", Span(6, 10)), source_tokens=tokens)
        [[found]] = self.read(tmp_path / "links", "2-2\n", split).align([split.sentence])
        assert found.target == Span(7, 11)

    @pytest.mark.parametrize("bridge", [0, 1])
    def test_bridged(self, tmp_path: Path, bridge: int) -> None:
        one = gold("EU", "Rat der Union", Span(0, 2))
        [[found]] = self.read(tmp_path / "links", "0-0 0-2", one, bridge=bridge).align(
            [one.sentence]
        )
        assert found.target == (Span(0, 13) if bridge else Span(0, 3))

    def test_the_file_may_be_gzipped_and_come_from_windows(self, tmp_path: Path) -> None:
        path = tmp_path / "links.gz"
        path.write_bytes(gzip.compress(b"0-0\r\n1-1\r\n"))
        aligner = PharaohAligner.read(path, [gold(number=1), gold(number=2)])
        assert [aligner.linked[key].links for key in "12"] == [{(0, 0)}, {(1, 1)}]

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            pytest.param("0-0\n", r"links:2: the file has ended, .* with a\.jsonl:2", id="short"),
            pytest.param("", r"links:1: the file has ended, .* with a\.jsonl:1", id="empty"),
            pytest.param(
                "0-0\n0-0\n0-0\n",
                r"links:3: the gold has ended after 2 sentences, but the file goes on\. Align what",
                id="long",
            ),
            pytest.param("0-0\n\n\n", "links:3: the gold has ended", id="a blank line too many"),
            pytest.param(
                "0-0\n1-1 3-4\n",
                r"links:2: 3-4, but a\.jsonl:2 has 4 source and 4 target words\. Words count",
                id="no such target word",
            ),
            pytest.param("4-3\n0-0\n", "links:1: 4-3, but", id="no such source word"),
            pytest.param("0-0\nnone\n", "links:2: 'none' is not a link", id="not Pharaoh"),
        ],
    )
    def test_a_file_that_does_not_fit(self, tmp_path: Path, lines: str, message: str) -> None:
        with pytest.raises(CorpusError, match=message):
            self.read(tmp_path / "links", lines, gold(number=1), gold(number=2))

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="no such file"):
            PharaohAligner.read(tmp_path / "links", [gold()])

    def test_an_id_used_twice(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match=r"a\.jsonl:1 id: '1' is used before"):
            self.read(tmp_path / "links", "0-0\n0-0\n", gold(), gold())

    def test_a_sentence_nobody_aligned(self, tmp_path: Path) -> None:
        aligner = self.read(tmp_path / "links", "0-0\n", gold(number=1))
        stranger = gold(number=2).sentence
        assert not aligner.fits(stranger)
        with pytest.raises(CorpusError, match=r"a\.jsonl:2: sentence '2' was not aligned"):
            aligner.align([stranger])

    def test_its_version_changes_with_every_answer(self, tmp_path: Path) -> None:
        def version(lines: str, one: GoldSentence, bridge: int = 0) -> str:
            aligner: Aligns = self.read(tmp_path / "links", lines, one, bridge=bridge)
            return aligner.version

        same = version("0-0 1-1", gold())
        assert same == version("1-1 0-0", gold())
        shifted = replace(gold(), target_tokens=(Span(0, 3), Span(4, 8)))
        others = [
            version("0-0 1-1", gold(), bridge=1),
            version("0-0", gold()),
            version("0-0 1-1", gold(number=2)),
            version("0-0 1-1", shifted),
        ]
        assert len({same, *others}) == 5


class TestWritePairs:
    def test_tokens_or_else_our_words(self, tmp_path: Path) -> None:
        tokens = (Span(0, 2), Span(2, 5))
        path = tmp_path / "new" / "pairs"
        golds = [
            replace(gold("don't", "Laß das!"), source_tokens=tokens),
            gold("Anna left", "安娜走了"),
        ]
        golds[1] = replace(golds[1], sentence=replace(golds[1].sentence, target_lang="zh"))
        assert write_pairs(path, golds) == 2
        assert path.read_text("utf-8").splitlines() == [
            "do n't ||| Laß das !",
            "Anna left ||| 安 娜 走 了",
        ]

    def test_a_word_stays_one_word(self, tmp_path: Path) -> None:
        """Neither white space nor the separator inside a token may shift those behind it."""
        tokens = (Span(0, 5), Span(6, 9), Span(10, 11))
        path = tmp_path / "pairs"
        write_pairs(path, [replace(gold("1\u00a0000 ||| a", "x"), source_tokens=tokens)])
        source, target = path.read_text("utf-8").rstrip("\n").split(" ||| ")
        assert (source.split(), target) == (["1_000", "|", "a"], "x")

    def test_a_place_where_nothing_can_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="cannot be written"):
            write_pairs(tmp_path, [gold()])
        (tmp_path / "file").touch()
        with pytest.raises(CorpusError, match="cannot be written"):
            write_pairs(tmp_path / "file" / "pairs", [gold()])


@given(st.lists(st.text(st.sampled_from("ab. -|安é\u0301\u3000\n\u2028"), max_size=12), max_size=3))
def test_words_written_are_words_read(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    """An aligner that links every word it reads to itself finds every word where it stands."""
    folder = tmp_path_factory.mktemp("pairs")
    golds = [
        gold(text, text, *word_spans(text, "en"), number=i) for i, text in enumerate(texts, start=1)
    ]
    write_pairs(folder / "pairs", golds)
    pairs = (folder / "pairs").read_text("utf-8").split("\n")[:-1]
    links = [
        " ".join(f"{i}-{i}" for i, _ in enumerate(pair.partition(" ||| ")[0].split()))
        for pair in pairs
    ]
    (folder / "links").write_text("".join(f"{line}\n" for line in links))
    aligner = PharaohAligner.read(folder / "links", golds)
    for one, answer in zip(golds, aligner.align([g.sentence for g in golds]), strict=True):
        assert [p.target for p in answer] == list(one.target_words)
