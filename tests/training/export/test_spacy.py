"""The export as spaCy reads it."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from projection.errors import TrainingError
from projection.records import Entity, LabelOrigin, Provenance, Span
from projection.text.words import word_spans
from tests.training.export.test_export import review
from training.data.dataset import read_rows
from training.data.rows import row_of
from training.export.export import ExportSettings, write_export


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        pytest.param("Anna\r\nwohnt  in Bonn\u2028", "de", id="white space"),
        pytest.param("An\x1cna\x1f ۝ wohnt ۝١٢", "ar", id="separators, a sign before a number"),
        pytest.param("Anna 😀👩‍👩‍👧🇩🇪 Sa\u0303o", "pt", id="emoji, combining marks"),
        pytest.param("安娜住在北京Bonn。", "zh", id="Chinese"),
        pytest.param("אנה גרה בבון.", "he", id="right to left"),
        pytest.param("นกบินไปน่าน", "th", id="Thai"),
        pytest.param("문이 부산에서 왔다.", "ko", id="Korean"),
        pytest.param("An\u00adna\u200b \u2066wohnt\u2069\u200b hier\ufeff", "de", id="unseen"),
    ],
)
def test_spacy_reads_it(tmp_path: Path, text: str, lang: str) -> None:
    pytest.importorskip("spacy", reason="pip install 'spanferry[spacy]'")
    from spacy.tokens import DocBin  # noqa: PLC0415
    from spacy.vocab import Vocab  # noqa: PLC0415

    first = replace(
        review(1, [Entity(Span(0, 2), "PER")], text=text, lang=lang),
        provenance=(Provenance(LabelOrigin.PERSON),),
    )
    settings = ExportSettings(spacy=True)
    write_export([first], tmp_path / "out", title="Test", settings=settings)
    [doc] = DocBin().from_disk(tmp_path / "out/spacy/train.spacy").get_docs(Vocab())
    [row] = read_rows(tmp_path / "out")
    assert doc.text == text
    words = [token.text for token in doc if word_spans(token.text, lang)]
    assert tuple(words) == row.tokens
    [entity] = doc.ents
    assert entity.label_ == "PER"
    assert entity.text == "".join(row.tokens[: len(entity)])
    assert doc.user_data["label_origin"] == ("person",)
    assert doc.user_data["id"] == "s1"


def test_spacy_gets_every_entity_or_it_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("spacy", reason="pip install 'spanferry[spacy]'")
    from training.export.spacy import write_docbin  # noqa: PLC0415

    row, _ = row_of(review(1))
    other_words = replace(row, tokens=("Anna", "wohnt", "in", "Bonn."))
    with pytest.raises(TrainingError, match=r"a\.jsonl:1 s1: LOC \[14, 18\) does not end"):
        write_docbin([(review(1).sentence, other_words)], tmp_path / "x.spacy")


def test_without_spacy_it_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_spacy(name: str) -> object:
        return None if name == "spacy" else find_spec(name)

    monkeypatch.setattr("training.export.spacy.find_spec", without_spacy)
    with pytest.raises(TrainingError, match=r"pip install 'spanferry\[spacy\]'"):
        write_export([], tmp_path / "out", title="Test", settings=ExportSettings(spacy=True))
    assert not (tmp_path / "out").exists()
