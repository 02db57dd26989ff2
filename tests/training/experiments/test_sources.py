"""Data that a config names: the hub, corpora of pairs, and what is projected first."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from datasets import Sequence as ListOf

from projection.errors import TrainingError
from tests.training.experiments.test_config import config_of
from training.data.rows import AS_IS
from training.experiments.config import Corpus
from training.experiments.sources import read_hub, read_labelled, read_opus, read_pseudo, run_of

TYPES = ["O", "B-PER", "I-PER"]


def nothing(_what: str, _done: int, _total: int) -> None:
    """Hears of progress."""


def hub_folder(folder: Path, rows: dict[str, Any], features: Features) -> Path:
    """A data set as the hub has them, in a folder."""
    folder.mkdir()
    Dataset.from_dict(rows, features=features).to_parquet(folder / "train.parquet")
    return folder


NUMBERED = Features(
    {"tokens": ListOf(Value("string")), "ner_tags": ListOf(ClassLabel(names=TYPES))}
)


class TestHub:
    def test_numbered_tags(self, tmp_path: Path) -> None:
        rows = {"tokens": [["Zoë", "Weber", "😀"], []], "ner_tags": [[1, 2, 0], []]}
        folder = hub_folder(tmp_path / "set", rows, NUMBERED)
        (row,) = read_hub(f"hub:{folder}", "nl", "train")
        assert (row.tokens, row.tags) == (("Zoë", "Weber", "😀"), ("B-PER", "I-PER", "O"))
        assert (row.lang, row.origin) == ("nl", f"{folder}:1")

    def test_written_tags(self, tmp_path: Path) -> None:
        text = ListOf(Value("string"))
        rows = {"tokens": [["Bern"]], "tags": [["B-LOC"]]}
        folder = hub_folder(tmp_path / "set", rows, Features({"tokens": text, "tags": text}))
        assert [row.tokens for row in read_hub(f"hub:{folder}::train", "de", "test")] == [("Bern",)]

    def test_a_config_names_it_beside_itself(self, tmp_path: Path) -> None:
        rows = {"tokens": [["Zoë"]], "ner_tags": [[1]]}
        hub_folder(tmp_path / "set", rows, NUMBERED)
        config = config_of(tmp_path, "english = 'hub:set'\n[languages.de]")
        found = read_labelled(config.english, "en", AS_IS)
        assert [row.tokens for row in found] == [("Zoë",)]

    @pytest.mark.parametrize(
        ("tags", "complaint"),
        [([2], "I-PER after O continues nothing"), ([1, 0], "1 tokens and 2 tags")],
    )
    def test_tags_that_are_none(self, tmp_path: Path, tags: list[int], complaint: str) -> None:
        rows = {"tokens": [["Zoë"]], "ner_tags": [tags]}
        folder = hub_folder(tmp_path / "set", rows, NUMBERED)
        with pytest.raises(TrainingError, match=complaint):
            read_hub(f"hub:{folder}", "de", "train")

    def test_columns_that_are_not_there(self, tmp_path: Path) -> None:
        folder = hub_folder(tmp_path / "set", {"text": ["a"]}, Features({"text": Value("string")}))
        with pytest.raises(TrainingError, match="needs tokens and ner_tags, has text"):
            read_hub(f"hub:{folder}", "de", "train")

    def test_a_split_that_is_not_there(self, tmp_path: Path) -> None:
        rows = {"tokens": [["Zoë"]], "ner_tags": [[1]]}
        folder = hub_folder(tmp_path / "set", rows, NUMBERED)
        with pytest.raises(TrainingError, match="cannot be loaded"):
            read_hub(f"hub:{folder}::dev", "de", "train")


class TestOpus:
    @pytest.fixture
    def corpus(self, tmp_path: Path) -> Path:
        pairs = [{"de": f"Haus {n}", "en": f"house {n}"} for n in range(3)]
        features = Features({"translation": {"de": Value("string"), "en": Value("string")}})
        return hub_folder(tmp_path / "books", {"translation": [*pairs]}, features)

    def test_pairs_are_streamed_english_first(self, corpus: Path) -> None:
        first, second = read_opus(f"opus:{corpus}/de-en", "de", limit=2)
        assert (first.source, first.target) == ("house 0", "Haus 0")
        assert (second.id, second.source_lang, second.target_lang) == ("books:2", "en", "de")

    @pytest.mark.parametrize("langs", ["de-fr", "en", "en-nl", "de-en-nl"])
    def test_other_languages(self, corpus: Path, langs: str) -> None:
        with pytest.raises(TrainingError, match="is no corpus of en and de"):
            next(read_opus(f"opus:{corpus}/{langs}", "de"))

    def test_no_pairs_in_it(self, tmp_path: Path) -> None:
        folder = hub_folder(tmp_path / "set", {"text": ["a"]}, Features({"text": Value("string")}))
        with pytest.raises(TrainingError, match="needs a column translation, has text"):
            next(read_opus(f"opus:{folder}/de-en", "de"))

    def test_it_has_no_labels_to_read(self) -> None:
        with pytest.raises(TrainingError, match="has no labels"):
            read_labelled(["opus:opus_books/de-en"], "de", AS_IS)

    def test_it_is_projected_once(self, corpus: Path, tmp_path: Path) -> None:
        text = f"[languages.de.corpora]\nbooks = {{ from = 'opus:{corpus}/de-en', limit = 2 }}"
        config = config_of(tmp_path, text)
        books = config.languages["de"].corpora["books"]
        found = read_pseudo(books, "de", AS_IS, Path(config.projected), nothing)
        assert [row.tokens for row in found] == [("Haus", "0"), ("Haus", "1")]
        assert [row.status for row in found] == ["projected"] * 2
        (run,) = Path(config.projected).iterdir()
        before = (run / "projected.jsonl").stat().st_mtime_ns
        read_pseudo(books, "de", AS_IS, Path(config.projected), nothing)
        assert (run / "projected.jsonl").stat().st_mtime_ns == before

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
