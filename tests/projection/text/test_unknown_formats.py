"""Formats that are not read are named, and tokens with tags are not taken for them."""

import pytest

from projection.text.unknown_formats import fix_tag, name_file, name_format, name_json


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('[{"id": 1}]', "JSON"),
        ("<TEI>", "XML"),
        ("#FORMAT=WebAnno TSV 3.2", "WebAnno TSV"),
        ("#begin document (bc/cctv/00); part 000", "CoNLL-2012"),
        ("1-1\t0-3\tAda\tPER", "WebAnno TSV"),
        ("1\tAda\t_\tP\t_\t_\t0\t_\t_\t_", "CoNLL-U without"),
        ("token,tag", "CSV"),
        ("Ada;B-PER", "CSV"),
        ("Sentence: 1,Thousands,NNS,O", "CSV"),
        ("Angela|B-PER Merkel|I-PER", "a sentence a line"),
        ("Angela Merkel visited Paris.", None),
        ("Angela\tB-PER", None),
        (",\tO", None),
        ("1,000 O", None),
    ],
)
def test_first_lines(line: str, what: str | None) -> None:
    named = name_format(line)
    assert (named is None) == (what is None)
    assert named is None or named[0].startswith(str(what))


def test_files_and_keys() -> None:
    assert name_file("train.Parquet") is not None
    assert name_file("train.iob2") is None
    assert "tokens and tags" in name_json({"tokens", "ner_tags"})[0]
    assert "doccano" in name_json({"text", "label"})[0]
    assert "another kind" in name_json({"a"})[0]


def test_fixes_of_tags() -> None:
    assert "awk" in fix_tag("PER")
    assert "heading" in fix_tag("ner_tags")
    assert fix_tag("x-y").startswith("Tags are O, B-TYPE")
