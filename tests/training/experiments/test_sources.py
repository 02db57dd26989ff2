"""Data that a config names: labelled and plain files, and corpora that are projected first."""

from dataclasses import replace
from pathlib import Path

import pytest

from projection.errors import TrainingError
from tests.training.experiments.test_config import config_of
from training.data.rows import AS_IS, LabelMap
from training.experiments.config import Corpus
from training.experiments.sources import read_labelled, read_pseudo, read_unlabelled, run_of


def nothing(_what: str, _done: int, _total: int) -> None:
    """Hears of progress."""


def test_labelled_files_are_joined_in_their_language(tmp_path: Path) -> None:
    for name, word in (("a", "Bern"), ("b", "Gent")):
        (tmp_path / f"{name}.iob2").write_text(f"{word}\tB-LOC\n")
    places = [str(tmp_path / f"{name}.iob2") for name in "ab"]
    found = read_labelled(places, "nl", LabelMap({"LOC": "PLACE"}))
    assert [(row.tokens, row.tags, row.lang) for row in found] == [
        (("Bern",), ("B-PLACE",), "nl"),
        (("Gent",), ("B-PLACE",), "nl"),
    ]


def test_text_is_a_sentence_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ada lacht.\n\nBo.\n")
    (tmp_path / "b.iob2").write_text("Gent\tB-LOC\n")
    found = read_unlabelled([str(tmp_path / "a.txt"), str(tmp_path / "b.iob2")], "de")
    assert [row.tokens for row in found] == [("Ada", "lacht", "."), ("Bo", "."), ("Gent",)]


class TestCorpora:
    def test_it_is_projected_once(self, tmp_path: Path) -> None:
        (tmp_path / "b.en").write_text("".join(f"house {n}\n" for n in range(3)))
        (tmp_path / "b.de").write_text("".join(f"Haus {n}\n" for n in range(3)))
        text = "[languages.de.corpora]\nbooks = { source = 'b.en', target = 'b.de', limit = 2 }"
        config = config_of(tmp_path, text)
        books = config.languages["de"].corpora["books"]
        found = read_pseudo(books, "de", AS_IS, Path(config.projected), nothing)
        assert [row.tokens for row in found] == [("Haus", "0"), ("Haus", "1")]
        assert [row.status for row in found] == ["projected"] * 2
        (run,) = Path(config.projected).iterdir()
        before = (run / "projected.jsonl").stat().st_mtime_ns
        read_pseudo(books, "de", AS_IS, Path(config.projected), nothing)
        assert (run / "projected.jsonl").stat().st_mtime_ns == before

    def test_labelled_data_are_read_up_to_the_limit(self, tmp_path: Path) -> None:
        (tmp_path / "a.iob2").write_text("Bern\tB-LOC\n\nGent\tB-LOC\n")
        corpus = Corpus("a", place=str(tmp_path / "a.iob2"), limit=1)
        found = read_pseudo(corpus, "de", AS_IS, tmp_path, nothing)
        assert [row.tokens for row in found] == [("Bern",)]

    def test_an_empty_one_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.iob2").write_text("")
        corpus = Corpus("a", place=str(tmp_path / "a.iob2"))
        with pytest.raises(TrainingError, match="corpus a: has no sentence"):
            read_pseudo(corpus, "de", AS_IS, tmp_path, nothing)

    def test_another_text_by_the_same_name_is_projected_anew(self, tmp_path: Path) -> None:
        """So is a text in another language, and by other models."""
        text = tmp_path / "a.en"
        corpus = Corpus("a", source=str(text), target=str(tmp_path / "a.de"))
        text.write_text("one\n")
        first = run_of(corpus, "de", tmp_path)
        assert run_of(corpus, "de", tmp_path) == first
        others = {
            run_of(corpus, "nl", tmp_path),
            run_of(replace(corpus, teacher="models/other"), "de", tmp_path),
            run_of(replace(corpus, limit=3), "de", tmp_path),
        }
        text.write_text("two\n")
        others.add(run_of(corpus, "de", tmp_path))
        assert len(others - {first}) == 4
