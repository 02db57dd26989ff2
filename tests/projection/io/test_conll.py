"""CoNLL files are read as people have them: their columns, comments, document marks and schemes."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.io.conll import FOUND, TagColumns, read_conll, write_iob2
from projection.text.iob2 import TaggedSentence

WORDS = ("Angela", "Merkel", "visited", "Paris", ".")
TAGS = ("B-PER", "I-PER", "O", "B-LOC", "O")


def read(tmp_path: Path, text: str, columns: TagColumns = FOUND) -> list[TaggedSentence]:
    path = tmp_path / "a.conll"
    path.write_bytes(text.encode())
    return [*read_conll(path, columns)]


def rows(form: str, tags: tuple[str, ...] = TAGS, between: str = "\n") -> str:
    """A sentence, each line of a form: {i} is the number of a token, {w} a word and {t} a tag."""
    pairs = enumerate(zip(WORDS, tags, strict=True), start=1)
    lines = (form.format(i=i, w=w, t=t) for i, (w, t) in pairs)
    return between.join(lines) + between


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(rows("{w} NNP I-NP {t}"), (1, 4), id="CoNLL-2003"),
        pytest.param(rows("{w} B-NP {t}"), (1, 3), id="phrases beside entities"),
        pytest.param(rows("{w} NNP {t}"), (1, 3), id="CoNLL-2002"),
        pytest.param(rows("{w} -X- _ {t}"), (1, 4), id="Label Studio"),
        pytest.param(
            "# id 5628df4a-1b2c\tdomain=en\n" + rows("{w} _ _ {t}"), (1, 4), id="MultiCoNER"
        ),
        pytest.param("#\thttp://x.org [2009]\n" + rows("{i}\t{w}\t{t}\tO"), (2, 3), id="GermEval"),
        pytest.param("# newdoc id = 1\n" + rows("{i}\t{w}\t{t}\t-\t-"), (2, 3), id="UNER"),
        pytest.param(rows("{i}\t{w}\t_\tX\t_\t_\t0\tr\t_\tNER={t}"), (2, 10), id="CoNLL-U"),
        pytest.param(
            rows("{i}\t{w}\t_\tX\t_\t_\t0\tr\t_\tSpaceAfter=No|NER={t}").replace("|NER=O", ""),
            (2, 10),
            id="CoNLL-U, where O is not written",
        ),
        pytest.param("1-2\tx\t_\n" + rows("{i}\t{w}\t{t}") + "5.1\tx\t_\n", (2, 3), id="no words"),
        pytest.param(rows("doc\t{i}\t{w}\t{t}"), (3, 4), id="a document and numbers"),
        pytest.param(rows("{i}\t{w}\t_\tX\t_\t_\t0\tr\t_\tname={t}"), (2, 10), id="DaNE"),
        pytest.param(rows("{w}\t{t}\tNNP"), (1, 2), id="the tag in the middle"),
        pytest.param("# id 5628\n" + rows("{w}\t{t}"), None, id="a comment in words"),
        pytest.param("#begin\n" + rows("{w} {t}"), None, id="a comment of one word"),
        pytest.param(rows("{w}\t{t}\t "), None, id="blanks at the ends of lines"),
        pytest.param(rows(" {w}   {t}"), None, id="aligned by blanks"),
        pytest.param(rows("{w}\t{t}", between="\r\r\n"), None, id="two carriage returns"),
    ],
)
def test_formats(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, told: tuple[int, int] | None
) -> None:
    [sentence] = read(tmp_path, text)
    assert (sentence.tokens, sentence.tags) == (WORDS, TAGS)
    said = [record.getMessage().partition(": ")[2] for record in caplog.records]
    expected = [] if told is None else ["tokens of column {}, tags of column {}".format(*told)]
    assert said == expected


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IOB1", ("I-PER", "I-PER", "O", "I-LOC", "O")),
        ("BIOES", ("B-PER", "E-PER", "O", "S-LOC", "O")),
        ("BILOU", ("B-PER", "L-PER", "O", "U-LOC", "O")),
        ("BMEWO", ("B-PER", "E-PER", "O", "W-LOC", "O")),
    ],
)
def test_schemes_are_converted_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, scheme: str, tags: tuple[str, ...]
) -> None:
    [sentence] = read(tmp_path, rows("{w}\t{t}", tags))
    assert sentence.tags == TAGS
    assert f"tags of column 2, which are {scheme} and become IOB2" in caplog.text


@pytest.mark.parametrize(
    "mark", ["-DOCSTART-", "-DOCSTART- O", "-DOCSTART-\tO", "-DOCSTART- -X- O O"]
)
@pytest.mark.parametrize("blank", ["", "\n", "\u00a0\n"])
def test_document_marks_are_no_tokens(tmp_path: Path, mark: str, blank: str) -> None:
    text = f"{mark}\n{blank}Rom B-LOC\n{mark}\n{blank}Ja O\n"
    assert [s.tokens for s in read(tmp_path, text)] == [("Rom",), ("Ja",)]


def test_columns_can_be_named(tmp_path: Path) -> None:
    text = "B-LOC Rom B-X\n"
    assert read(tmp_path, text, TagColumns(2, 1))[0][:2] == (("Rom",), ("B-LOC",))
    assert read(tmp_path, text, TagColumns(token=2, tag=3))[0].tags == ("B-X",)
    with pytest.raises(CorpusError, match=r"a\.conll:1: has 3 columns, no column 4.*--tag-column"):
        read(tmp_path, text, TagColumns(2, 4))


def test_a_hash_may_be_a_token(tmp_path: Path) -> None:
    [sentence] = read(tmp_path, "# B-X NN\n1 I-X CD\n# O NN\n# no token\n#x O NN\n")
    assert sentence.tokens == ("#", "1", "#", "#x")


def test_numbers_may_be_tokens(tmp_path: Path) -> None:
    [first, _] = read(tmp_path, "1 CD O\n\n1 CD O\n2 CD O\n7 CD O\n")
    assert first.tokens == ("1",)


def test_spaces_crlf_a_mark_of_byte_order_and_a_missing_last_line_end_are_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.iob2"
    path.write_bytes("\ufeffIn O\r\nRom B-LOC\r\n\r\n\r\nJa\tO".encode())
    assert list(read_conll(path)) == [
        TaggedSentence(("In", "Rom"), ("O", "B-LOC"), 1),
        TaggedSentence(("Ja",), ("O",), 5),
    ]


def test_comments_are_kept_and_tokens_that_look_like_some_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.iob2"
    path.write_text("# sent_id = 7\n# text = # a\tb = c\n#\tO\n=\tB-LOC\n")
    assert list(read_conll(path)) == [
        TaggedSentence(("#", "="), ("O", "B-LOC"), 3, {"sent_id": "7", "text": "# a\tb = c"})
    ]


@pytest.mark.parametrize("text", ["# O\n", "#\tO\n\n# newdoc id = 4\n", "# global = x\n\n#\tO\n"])
def test_comments_without_a_sentence_are_passed_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.iob2"
    path.write_text(text)
    assert [(s.tokens, s.comments) for s in read_conll(path)] == [(("#",), {})]


def test_a_list_of_no_types_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.iob2").write_text("# types = \nAda\tO\n")
    with pytest.raises(CorpusError, match=r"a\.iob2:1 ?:? ?.*lists no entity type.*tokens _"):
        [*read_conll(tmp_path / "a.iob2")]


def test_an_entity_does_not_go_on_after_a_masked_token(tmp_path: Path) -> None:
    (tmp_path / "a.iob2").write_text("Ada\tB-PER\nof\t_\nHull\tI-PER\n")
    with pytest.raises(CorpusError, match="I-PER after _ continues nothing"):
        [*read_conll(tmp_path / "a.iob2")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("x\tB-PER\na\tO\nb\tI-LOC\n", "3: I-LOC after O .*with B-", id="stray I-"),
        pytest.param("a\tB-LOC\nb\tI-PER\n", "2: I-PER after B-LOC", id="other type"),
        pytest.param("a\tB-LOC\n\nb\tI-LOC\n", "3: I-LOC after O", id="across sentences"),
        pytest.param("a\tB-X\nb\tE-X\nc\tI-X\n", "3: I-X after E-X", id="after an end"),
        pytest.param("a\tE-X\nb\tS-X\n", "1: E-X after O", id="an end of nothing"),
        pytest.param("a\tL-X\nb\tE-X\n", "1: unknown tag 'L-X'", id="two schemes"),
        pytest.param("a\tO\nb\n", "2: a token without a tag. Write the token, a tab", id="no tag"),
        pytest.param("a\tO\n\tO\n", "2: an empty token", id="no token"),
        pytest.param("a\tO\n#b\n", "2: a token without a tag", id="a hashtag without one"),
        pytest.param("a\tPER\n", "1: unknown tag 'PER'.*put I- in front: awk", id="bare type"),
        pytest.param("a\tB-\n", "1: unknown tag 'B-'", id="no type"),
        pytest.param("a\t0\n", "1: unknown tag '0'. Outside is the letter O", id="zero"),
        pytest.param("Word\tTag\na\tO\n", "1: unknown tag 'Tag'.*heading", id="heading"),
        pytest.param("O\ta\nB-X\tb\n", "1: tags in the first.*--token-column 2", id="reversed"),
        pytest.param("a\tO\nb\tX\tO\n", "2: 3 columns, but line 1 has 2", id="columns"),
        pytest.param("a\tO\rb\tO\r", "1: a carriage return inside", id="old line ends"),
        pytest.param("a NN VB\n", "1: 3 columns, and none holds tags", id="no tags"),
        pytest.param("a B-X B-Y\n", "1: columns 2 and 3 hold tags. Choose", id="two tags"),
        pytest.param('{"text": "a"}\n', "1: JSON, not a token", id="JSON"),
        pytest.param("Word,POS,Tag\n", "1: CSV. Write IOB2", id="CSV"),
        pytest.param("a/B-PER b/O c/O\n", "1: a sentence a line, with tags in", id="slashes"),
        pytest.param("T1\tPER 0 5\tAnna\n", "1: brat standoff", id="brat"),
        pytest.param("bc/x 0 0 In IN * - (GPE*) *\n", "1: CoNLL-2012", id="CoNLL-2012"),
    ],
)
def test_what_is_none_of_these_is_named_by_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=rf"a\.conll:{message}"):
        read(tmp_path, text)


PIECES = (
    "Rom", "#", "1", "2-3", "-DOCSTART-", "O", "B-X", "I-X", "E-X", "S-X", "_", "NER=B-X", "\u3000",
    "\t", "\t", " ", "\n", "\n", "\r\n", "\r", "# types = X\n", "# id 1\n", "\ufeff", "{",
)  # fmt: skip


@given(
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
    st.tuples(*[st.none() | st.integers(1, 3)] * 2),
)
def test_any_text_is_read_as_iob2_or_refused_in_a_line(
    tmp_path_factory: pytest.TempPathFactory, text: str, columns: tuple[int | None, int | None]
) -> None:
    logging.getLogger("projection.io.conll").setLevel(logging.ERROR)
    folder = tmp_path_factory.mktemp("conll")
    try:
        found = read(folder, text, TagColumns(*columns))
    except CorpusError as error:
        found, answer = [], str(error)
    else:
        answer = f"{folder}/a.conll:"
    assert answer.startswith(f"{folder}/a.conll:")
    assert "\n" not in answer
    kept = [s for s in found if not any(mark in "".join(s.tokens) for mark in " \r\n")]
    write_iob2(kept, folder / "b.conll")  # which refuses what is not IOB2
