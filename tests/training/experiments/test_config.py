"""Data of experiments as TOML files name them."""

from pathlib import Path

import pytest

from projection.errors import LanguageTagError, TrainingError
from training.data.rows import LabelMap
from training.experiments.config import DataConfig, files, read_config

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "experiments"


def config_of(folder: Path, text: str) -> DataConfig:
    path = folder / "data.toml"
    path.write_text(text, "utf-8")
    return read_config(path)


class TestConfig:
    def test_all_there_can_be(self, tmp_path: Path) -> None:
        (tmp_path / "teacher").mkdir()
        config = config_of(
            tmp_path,
            """
            english = ["gold/en.iob2", "gold/wikigold.iob2"]
            rename = { OTH = "MISC" }
            ignore = "*part"
            [languages.de]
            test = "gold/de.iob2"
            reviews = "reviews.jsonl"
            reviews_held_out = 0.25
            [languages.de.corpora]
            news = "runs/news"
            talks = { source = "t.en", target = "t.de", limit = 10, teacher = "teacher" }
            books = { from = "runs/books", teacher = "some/teacher" }
            """,
        )
        assert config.english == tuple(
            str(tmp_path / "gold" / name) for name in ("en.iob2", "wikigold.iob2")
        )
        assert config.labels == LabelMap({"OTH": "MISC"}, ("*part",))
        assert config.projected == str(tmp_path / "projected")
        german = config.languages["de"]
        assert german.test == (str(tmp_path / "gold/de.iob2"),)
        assert german.reviews_held_out == 0.25
        news, talks, books = german.corpora.values()
        assert (news.place, news.source) == (str(tmp_path / "runs/news"), None)
        assert (talks.source, talks.target) == (str(tmp_path / "t.en"), str(tmp_path / "t.de"))
        assert (talks.limit, talks.teacher) == (10, str(tmp_path / "teacher"))
        assert (books.place, books.teacher) == (str(tmp_path / "runs/books"), "some/teacher")

    def test_a_folder_from_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GOLD", "../gold")
        config = config_of(tmp_path, "english = '$GOLD/en.iob2'\n[languages.de]")
        assert config.english == (str(tmp_path / "../gold/en.iob2"),)
        monkeypatch.delenv("GOLD")
        with pytest.raises(TrainingError, match="english: there is no variable GOLD"):
            config_of(tmp_path, "english = '$GOLD/en.iob2'\n[languages.de]")

    @pytest.mark.parametrize("name", ["de", "de-large", "nl", "nl-large", "reviews"])
    def test_those_of_the_documentation(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATA", "data")
        config = read_config(EXAMPLES / f"{name}.toml")
        assert config.english == (str(Path("data/ner/conll2003-en/train.iob2").absolute()),)

    def test_aligners_of_the_documentation(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATA", "data")
        config = read_config(EXAMPLES / "aligners.toml")
        assert files(config.gold)[0] == Path("data/projection/europarl-ner.en-de.jsonl").absolute()
        assert config.aligners == {"mini": "mini"}

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            pytest.param("english = ", "is not TOML", id="no TOML"),
            pytest.param("english = 'a'", "names no language", id="no language"),
            pytest.param("[langs.de]", "langs: no such key", id="unknown table"),
            pytest.param(
                "[languages.de]\ntests = 'a'",
                r"languages\.de\.tests: no such key",
                id="unknown key",
            ),
            pytest.param("languages = 3", "languages: 3: Input should be an object", id="no table"),
            pytest.param(
                "english = 3\n[languages.de]", "english: 3: Input should be", id="no text"
            ),
            pytest.param("english = ['']\n[languages.de]", "at least 1 character", id="empty text"),
            pytest.param(
                "[languages.de.corpora]\na = {source = 'x'}",
                r"languages\.de\.corpora\.a: needs source and target, or from",
                id="half a pair",
            ),
            pytest.param(
                "[languages.de.corpora]\na = {source = 'x', target = 'y', from = 'z'}",
                "needs source and target, or from",
                id="a pair and a place",
            ),
            pytest.param(
                "[languages.de.corpora]\na = {from = 'x', limit = 0}",
                "limit: 0 is no number of sentences",
                id="no sentences",
            ),
            pytest.param(
                "[languages.de]\nreviews_held_out = 1.5", "1.5 is not a share", id="no share"
            ),
            pytest.param(
                "[languages.de]\nreviews_held_out = true",
                "reviews_held_out: True: Input should be a valid number",
                id="no number",
            ),
            pytest.param(
                "rename = {A = 3}\n[languages.de]",
                r"rename\.A: 3: Input should be a valid string",
                id="no new name",
            ),
        ],
    )
    def test_what_cannot_be(self, tmp_path: Path, text: str, complaint: str) -> None:
        with pytest.raises(TrainingError, match=complaint):
            config_of(tmp_path, text)

    def test_languages_are_tags(self, tmp_path: Path) -> None:
        config = config_of(tmp_path, "[languages.zh_TW]")
        assert config.languages["zh_TW"].lang == "zh-TW"
        with pytest.raises(LanguageTagError, match=r"languages\.German: 'German' is no .* de\?"):
            config_of(tmp_path, "[languages.German]")

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="no such file"):
            read_config(tmp_path / "data.toml")

    def test_a_language_that_is_not_there(self, tmp_path: Path) -> None:
        config = config_of(tmp_path, "[languages.de]\n[languages.nl]")
        assert config.chosen(config.languages, (), "language") == ("de", "nl")
        with pytest.raises(TrainingError, match=r"no language fr. There are de, nl"):
            config.chosen(config.languages, ["fr"], "language")

    def test_data_of_aligners(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.jsonl").touch()
        (tmp_path / "mine").mkdir()
        config = config_of(
            tmp_path,
            "silver = '*.jsonl'\ngold = ['g.jsonl']\naligners = {mini = 'mini', own = 'mine'}",
        )
        assert files(config.silver) == [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
        assert files(config.gold) == [tmp_path / "g.jsonl"]
        assert config.aligners == {"mini": "mini", "own": str(tmp_path / "mine")}
