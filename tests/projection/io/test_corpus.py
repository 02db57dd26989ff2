"""Parallel corpora are read as they stand, as a stream, and refused with file and line."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.io.corpus import (
    Columns,
    CorpusNotes,
    corpus_id,
    covers,
    read_moses,
    read_tmx,
    read_tsv,
)
from projection.io.files import json_line
from projection.io.jsonl import read_jsonl_corpus
from projection.io.records_json import encode
from projection.records import Entity, ParallelSentence, Span
from tests.projection.io.corpora import pairs, texts, tmx, tuv, write
from tests.projection.peak import peak_below


class TestMoses:
    """Two files, line by line."""

    def test_a_sentence_knows_where_it_stood(self, tmp_path: Path) -> None:
        en = write(tmp_path / "news.en", "One.\nTwo.\n")
        de = write(tmp_path / "news.de", "Eins.\nZwei.\n")
        assert list(read_moses(en, de, "en", "de")) == [
            ParallelSentence("news.en:1-7e79995c", "One.", "Eins.", "en", "de", "news.en:1"),
            ParallelSentence("news.en:2-70f7148f", "Two.", "Zwei.", "en", "de", "news.en:2"),
        ]

    @given(pairs, st.sampled_from(["\n", "\r\n"]), st.sampled_from([bytes, gzip.compress]))
    def test_what_was_written_is_read(
        self, folder: Path, pairs: list[tuple[str, str]], end: str, pack: Callable[[bytes], bytes]
    ) -> None:
        source, target = (
            write(folder / name, pack("".join(f"{pair[i]}{end}" for pair in pairs).encode()))
            for i, name in enumerate(("a.en", "a.de"))
        )
        assert texts(read_moses(source, target, "en", "de")) == pairs

    @pytest.mark.parametrize(
        ("source", "target", "expected"),
        [
            pytest.param("", "", [], id="empty files"),
            pytest.param("\ufeffA\n", "\ufeffB\n", [("A", "B")], id="BOM"),
            pytest.param("A\r\n", "B\n", [("A", "B")], id="CRLF on one side"),
            pytest.param("A\u2028B\n", "C\n", [("A\u2028B", "C")], id="U+2028 ends no line"),
            pytest.param("A\n", "\n", [("A", "")], id="an empty side is still a pair"),
            pytest.param("A", "B\n", [("A", "B")], id="last line without an end"),
        ],
    )
    def test_ugly_files(
        self, tmp_path: Path, source: str, target: str, expected: list[tuple[str, str]]
    ) -> None:
        en, de = write(tmp_path / "a.en", source), write(tmp_path / "a.de", target)
        assert texts(read_moses(en, de, "en", "de")) == expected

    @pytest.mark.parametrize(
        ("source", "target", "message"),
        [
            pytest.param(
                "A\nB\n", "C\n", r"a\.de:2: the file has ended, but .*a\.en goes on", id="target"
            ),
            pytest.param(
                "A\n", "C\nD\n", r"a\.en:2: the file has ended, but .*a\.de goes on", id="source"
            ),
            pytest.param("A\n", "", r"a\.de:1: the file has ended", id="one is empty"),
            pytest.param("A\n", b"\xff\n", r"a\.de:1: not UTF-8", id="not UTF-8"),
        ],
    )
    def test_files_that_do_not_belong_together(
        self, tmp_path: Path, source: str, target: str | bytes, message: str
    ) -> None:
        en, de = write(tmp_path / "a.en", source), write(tmp_path / "a.de", target)
        with pytest.raises(CorpusError, match=message):
            list(read_moses(en, de, "en", "de"))


def phrases(text: str, entities: tuple[Entity, ...] | None) -> list[tuple[str, str]] | None:
    return None if entities is None else [(e.span.of(text), e.label) for e in entities]


IOB2 = "Anna B-PER\nleft O\nNew B-LOC\nYork I-LOC\n. O\n\nRain O\n"


class TestConll:
    """Either side of a pair may be a CoNLL file, by its name."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            pytest.param("en.iob2", IOB2, id="IOB2"),
            pytest.param("en.conll.gz", gzip.compress(IOB2.encode()), id="packed"),
            pytest.param(
                "en.conll",
                "-DOCSTART- -X- O O\n\nAnna NNP B-NP I-PER\nleft VB B-VP O\nNew NNP B-NP I-LOC\n"
                "York NNP I-NP I-LOC\n. . O O\n\nRain NN B-NP O\n",
                id="CoNLL-2003, IOB1",
            ),
            pytest.param(
                "en.BIOES",
                "Anna S-PER\nleft O\nNew B-LOC\nYork E-LOC\n. O\n\nRain O\n",
                id="BIOES",
            ),
        ],
    )
    def test_source_labels_come_with_exact_offsets(
        self, tmp_path: Path, name: str, content: str | bytes
    ) -> None:
        en, de = write(tmp_path / name, content), write(tmp_path / "a.de", "Anna ging.\nRegen\n")
        notes = CorpusNotes()
        first, second = read_moses(en, de, "en", "de", notes=notes)
        assert (first.source, first.target) == ("Anna left New York .", "Anna ging.")
        assert phrases(first.source, first.entities) == [("Anna", "PER"), ("New York", "LOC")]
        assert (second.source, second.entities, second.target_entities) == ("Rain", (), None)
        assert first.origin.startswith(f"{name}:")
        assert len(notes.columns) == int(name in ("en.conll", "en.BIOES"))

    def test_target_labels_in_a_language_without_blanks(self, tmp_path: Path) -> None:
        en = write(tmp_path / "a.en", "Anna left Beijing.\n")
        zh = write(tmp_path / "a.iob2", "安\tB-PER\n娜\tI-PER\n离开\tO\n北京\tB-LOC\n。\tO\n")
        [found] = read_moses(en, zh, "en", "zh")
        assert (found.target, found.entities) == ("安娜离开北京。", None)
        assert phrases(found.target, found.target_entities) == [("安娜", "PER"), ("北京", "LOC")]

    def test_the_text_of_a_comment_counts_where_the_tokens_spell_it(self, tmp_path: Path) -> None:
        row = "1\tRom\t_\tB-LOC\n2\t.\t_\tO\n\n"
        de = write(tmp_path / "a.conllu", f"# text = Rom.\n{row}# text = Nach Rom.\n{row}")
        en, notes = write(tmp_path / "a.en", "Rome.\nTo Rome.\n"), CorpusNotes()
        found = [*read_moses(en, de, "en", "de", notes=notes)]
        assert [each.target for each in found] == ["Rom.", "Rom ."]
        assert [each.target_entities for each in found] == [(Entity(Span(0, 3), "LOC"),)] * 2
        assert notes.respelled == 1

    @pytest.mark.parametrize(
        ("source", "target", "message"),
        [
            pytest.param(
                IOB2,
                "Anna ging.\nRegen\nmehr\n",
                r"a\.iob2 sentence 3: the file has ended, but .*a\.de goes on. A line of",
                id="more lines",
            ),
            pytest.param(
                IOB2,
                "Anna ging.\n",
                r"a\.de:2: the file has ended, but .*a\.iob2 goes on.*-DOCSTART- is none",
                id="more sentences",
            ),
            pytest.param("Anna PER\n", "Anna\n", r"a\.iob2:1: unknown tag 'PER'", id="odd tag"),
            pytest.param("Anna\n", "Anna\n", r"a\.iob2:1: a token without a tag", id="no tag"),
            pytest.param(
                "A O\n\nAnna B-\u200b\n", "A\nA\n", r"a\.iob2:3: .* not printable", id="odd label"
            ),
            pytest.param(
                "Rom O\n", IOB2, r"a\.de: tokens and tags, under the name of a text", id="name"
            ),
        ],
    )
    def test_files_that_do_not_belong_together(
        self, tmp_path: Path, source: str, target: str, message: str
    ) -> None:
        en, de = write(tmp_path / "a.iob2", source), write(tmp_path / "a.de", target)
        with pytest.raises(CorpusError, match=message):
            list(read_moses(en, de, "en", "de"))

    @pytest.mark.parametrize("text", ["a b\nc d\ne f\n", "B-X\nI-X\nO\nO\n", "A O\nB O\n"])
    def test_text_may_look_a_little_like_tags(self, tmp_path: Path, text: str) -> None:
        path = write(tmp_path / "a.txt", text)
        assert len(list(read_moses(path, path, "en", "de"))) == text.count("\n")


class TestTsv:
    """Two columns of a tab-separated file."""

    @given(pairs.filter(bool))
    def test_what_was_written_is_read(self, folder: Path, pairs: list[tuple[str, str]]) -> None:
        path = write(folder / "a.tsv", "".join(f"{a}\t{b}\n" for a, b in pairs))
        assert texts(read_tsv(path, "en", "de")) == pairs

    @pytest.mark.parametrize(
        ("content", "columns", "expected"),
        [
            pytest.param("", (1, 2), [], id="empty file"),
            pytest.param("A\tB\r\nC\tD\r\n", (1, 2), [("A", "B"), ("C", "D")], id="CRLF"),
            pytest.param("7\tB\tA\n", (3, 2), [("A", "B")], id="numbers count from 1"),
            pytest.param(
                "\ufeffen\tde\nA\tB\n", ("en", "de"), [("A", "B")], id="header after a BOM"
            ),
            pytest.param("de\tid\ten\nB\t1\tA\n", ("en", "de"), [("A", "B")], id="header by name"),
            pytest.param(
                '"A" he said\t"B\n', (1, 2), [('"A" he said', '"B')], id="quotes are text"
            ),
            pytest.param("A\t\n", (1, 2), [("A", "")], id="an empty cell is still a pair"),
        ],
    )
    def test_columns(
        self,
        tmp_path: Path,
        content: str,
        columns: Columns,
        expected: list[tuple[str, str]],
    ) -> None:
        path = write(tmp_path / "a.tsv", content)
        assert texts(read_tsv(path, "en", "de", columns=columns)) == expected

    def test_blank_lines_are_skipped_and_counted(self, tmp_path: Path) -> None:
        path, notes = write(tmp_path / "a.tsv", "\nA\tB\n \r\nC\tD\n\n"), CorpusNotes()
        found = list(read_tsv(path, "en", "de", notes=notes))
        assert [(each.source, each.origin) for each in found] == [
            ("A", "a.tsv:2"),
            ("C", "a.tsv:4"),
        ]
        assert notes.blank == 3

    def test_an_empty_margin_is_none(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", "1.2\tA\tB\n\tC\tD\n")
        found = read_tsv(path, "en", "de", columns=(2, 3, 1))
        assert [each.margin for each in found] == [1.2, None]

    def test_a_third_column_says_how_parallel_the_two_are(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.tsv", "1.21\tA\tB\n1.04\tC\tD\n")
        found = [*read_tsv(path, "en", "de", columns=(2, 3, 1))]
        assert texts(found) == [("A", "B"), ("C", "D")]
        assert [each.margin for each in found] == [1.21, 1.04]

    @pytest.mark.parametrize(
        ("content", "columns", "message"),
        [
            pytest.param(
                "A\tB\nC\n", (1, 2), r"a\.tsv:2: 1 column, but the first line has 2", id="few"
            ),
            pytest.param("A\tB\nC\tD\tE\n", (1, 2), "a.tsv:2: 3 columns, but the first", id="many"),
            pytest.param(
                "A B\n", (1, 2), r"a\.tsv:1: no column 2 in 1 column", id="no tabs at all"
            ),
            pytest.param(
                "A\tB\n", (0, 1), r"no column 0 in 2 columns. Columns count from 1", id="zero"
            ),
            pytest.param(
                "en\tnl\n", ("en", "de"), "no column 'de' among en, nl", id="unknown name"
            ),
            pytest.param(
                "1.1\tA\tB\nC\tD\tE\n",
                (2, 3, 1),
                r"a\.tsv:2: the margin 'C' is no number",
                id="no margin",
            ),
            *(
                pytest.param(
                    f"1.1\tA\tB\n{cell}\tD\tE\n",
                    (2, 3, 1),
                    f"a.tsv:2: .*'{cell}' is not finite",
                    id=cell,
                )
                for cell in ("nan", "inf", "-Infinity", "1e999")
            ),
        ],
    )
    def test_other_shapes_are_refused(
        self,
        tmp_path: Path,
        content: str,
        columns: Columns,
        message: str,
    ) -> None:
        path = write(tmp_path / "a.tsv", content)
        with pytest.raises(CorpusError, match=message):
            list(read_tsv(path, "en", "de", columns=columns))


@pytest.mark.parametrize(
    ("wanted", "found", "fits"),
    [
        ("en", "en", True),
        ("en", "EN-us", True),
        ("en", "en_US", True),
        ("zh-Hans", "zh-hans-CN", True),
        ("zh-Hans", "zh", False),
        ("en", "enm", False),
        ("zho-hans", "zh_Hans", True),
        ("de", "ger-AT", True),
        ("de", "Deutsch", False),
        ("Deutsch", "Deutsch", False),
    ],
)
def test_a_language_covers_its_varieties(wanted: str, found: str, fits: bool) -> None:
    assert covers(wanted, found) is fits


FIRST_LINES = {
    "moses": ("A\n", lambda path: read_moses(path, path, "en", "de")),
    "tsv": ("A\tA\n", lambda path: read_tsv(path, "en", "de")),
    "jsonl": ('{"source": "A", "target": "A"}\n', lambda path: read_jsonl_corpus(path, "en", "de")),
    "tmx": (tmx(tuv("en", "A") + tuv("de", "A"))[:-15], lambda path: read_tmx(path, "en", "de")),
}


@pytest.mark.parametrize("kind", FIRST_LINES)
def test_the_first_pair_comes_without_reading_the_file(tmp_path: Path, kind: str) -> None:
    """What follows is a quarter of a gigabyte of nothing, which takes no room on the disk."""
    content, read = FIRST_LINES[kind]
    path = write(tmp_path / kind, content)
    with path.open("r+b") as stream:
        stream.truncate(1 << 28)
    with peak_below(1 << 20):
        assert texts(islice(read(path), 1)) == [("A", "A")]


TABLE = "A\tB\nC\tD\n"
LINES = '{"source": "A", "target": "B"}\n{"source": "C", "target": "D"}\n'
MEMORY = tmx(*(tuv("en", a) + tuv("de", b) for a, b in (("A", "B"), ("C", "D"))))
FORMATS: dict[str, tuple[str, Callable[[Path], Iterator[ParallelSentence]]]] = {
    "moses": ("A\nC\n", lambda path: read_moses(path, path.with_suffix(".de"), "en", "de")),
    "tsv": (TABLE, lambda path: read_tsv(path, "en", "de")),
    "jsonl": (LINES, lambda path: read_jsonl_corpus(path, "en", "de")),
    "tmx": (MEMORY, lambda path: read_tmx(path, "en", "de")),
}


@pytest.mark.parametrize("kind", FORMATS)
class TestIds:
    """Ids of pairs that bring none: distinct for distinct pairs, whatever the files are called."""

    def ids(self, folder: Path, kind: str, first: str = "A") -> list[str]:
        """Of two pairs in `train.en`, the first source text being `first`."""
        folder.mkdir()
        content, read = FORMATS[kind]
        changed = (
            content.replace("A", first, 1)
            if kind != "tmx"
            else content.replace(">A<", f">{first}<")
        )
        path = write(folder / "train.en", changed)
        write(folder / "train.de", "B\nD\n")
        return [sentence.id for sentence in read(path)]

    def test_other_texts_in_a_file_of_one_name_are_other_sentences(
        self, tmp_path: Path, kind: str
    ) -> None:
        news, talks = self.ids(tmp_path / "news", kind), self.ids(tmp_path / "talks", kind, "E")
        assert news[0] != talks[0]
        assert news[1] == talks[1]  # the same words in the same place: the same sentence
        assert len({*news}) == 2

    def test_they_depend_on_no_folder(
        self, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = self.ids(tmp_path / "here", kind)
        monkeypatch.chdir(tmp_path / "here")
        _, read = FORMATS[kind]
        assert [sentence.id for sentence in read(Path("train.en"))] == before
        assert all(name.startswith("train.en:") and len(name) < 24 for name in before)


def test_the_same_texts_in_two_places_are_two_sentences() -> None:
    assert corpus_id("a.en:1", "A", "B") != corpus_id("a.en:2", "A", "B")


@pytest.mark.shared
def test_real_corpora_are_read_to_the_end(shared_data: Path) -> None:
    parallel = shared_data / "parallel"
    source, target = parallel / "tatoeba-2021.en-zh.en", parallel / "tatoeba-2021.en-zh.zh"
    sentences = list(read_moses(source, target, "en", "zh"))
    assert len(sentences) > 20_000
    assert len({sentence.id for sentence in sentences}) == len(sentences)


MADE = ParallelSentence("made", "Hi", "你好", "en", "zh-TW", "a.en:1")
SPELLED = ("zh_TW", "ZH-tw", "zho-TW", "cmn_TW")


@pytest.mark.parametrize("tag", SPELLED)
def test_every_reader_gives_the_normalised_tag(tmp_path: Path, tag: str) -> None:
    english, chinese = write(tmp_path / "a.en", "Hi\n"), write(tmp_path / "a.zh", "你好\n")
    table = write(tmp_path / "a.tsv", "Hi\t你好\n")
    memory = write(tmp_path / "a.tmx", tmx(tuv("en", "Hi") + tuv("cmn-tw", "你好")))
    plain = json_line({"source": "Hi", "target": "你好", "source_lang": "eng", "lang": tag})
    record = json_line({**encode(MADE), "target_lang": tag})
    lines = write(tmp_path / "a.jsonl", plain + record)
    read = [
        *read_moses(english, chinese, "EN", tag),
        *read_tsv(table, "EN", tag),
        *read_tmx(memory, "EN", tag),
        *read_jsonl_corpus(lines, "en", tag),
    ]
    assert {(each.source_lang, each.target_lang) for each in read} == {("en", "zh-TW")}
    assert {each.target for each in read} == {"你好"}
    assert len(read) == 5


@pytest.mark.parametrize("kind", FIRST_LINES)
@settings(max_examples=60)
@given(st.one_of(st.binary(max_size=60), st.text("<>&;\t\n{}[]\"'a\ufeff", max_size=60)))
def test_any_bytes_are_read_or_a_mistake(folder: Path, kind: str, content: bytes | str) -> None:
    first, read = FIRST_LINES[kind]
    for whole in (
        content,
        first.encode() + (content.encode() if isinstance(content, str) else content),
    ):
        with suppress(CorpusError):
            list(read(write(folder / "any", whole)))
