"""Experiments: what they compare, which data they read, and what they leave behind."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from datasets import Sequence as ListOf

from projection.errors import TrainingError
from projection.io.files import json_line
from projection.records import Entity, ParallelSentence, ProjectedSentence, Projection, Span
from training.data.iob2 import write_iob2
from training.data.rows import AS_IS, LabelMap, Row
from training.experiments.config import Corpus, DataConfig, read_config
from training.experiments.definition import EXPERIMENTS, Order, Reviewed
from training.experiments.definition import Row as Line
from training.experiments.plot import experiment_plot
from training.experiments.published import published_for
from training.experiments.results import Cell, Results, Settings
from training.experiments.reviewing import Pool, read_pool
from training.experiments.running import recipes, run_experiment
from training.experiments.sources import read_hub, read_labelled, read_opus, read_pseudo, run_of
from training.experiments.table import markdown
from training.tagger.presets import PRESETS, Part

Data = Callable[[int, int], Dataset]
Base = Callable[[str], Path]
TYPES = ["O", "B-PER", "I-PER"]
EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "experiments"


def nothing(_what: str, _done: int, _total: int) -> None:
    """Hears of progress."""


class TestDefinitions:
    def test_there_is_one_for_each_table_and_figure(self) -> None:
        assert [*EXPERIMENTS] == [
            "transfer",
            "domains",
            "ablation",
            "recipe",
            "size",
            "frozen-layers",
            "gamma",
            "teachers",
            "review-effort",
        ]

    @pytest.mark.parametrize("name", EXPERIMENTS)
    def test_rows_have_names_of_their_own_and_recipes_that_exist(self, name: str) -> None:
        rows = EXPERIMENTS[name].rows(("a", "b"))
        assert len({row.name for row in rows}) == len(rows)
        assert recipes(rows, Settings()).keys() == {row.name for row in rows}

    def test_the_ablation_has_the_paper_s_six_and_ours(self) -> None:
        rows = EXPERIMENTS["ablation"].rows(())
        assert [row.name for row in rows if row.preset != "spanferry"] == [
            "sequential RW",
            "zero-transfer",
            "sequential CE",
            "skip English",
            "mixed CE",
            "mixed RW",
        ]

    def test_corpora_one_by_one_and_together(self) -> None:
        rows = EXPERIMENTS["domains"].rows(("news", "talks"))
        assert [(row.name, row.pseudo) for row in rows] == [
            ("news", "news"),
            ("talks", "talks"),
            ("together", None),
        ]

    def test_a_number_is_swept_in_the_last_stage(self) -> None:
        rows = EXPERIMENTS["gamma"].rows((), at=(1, 2.5))
        gammas = [recipes(rows, Settings())[row.name].stages[-1].settings.gamma for row in rows]
        assert gammas == [1.0, 2.5]
        assert [row.x for row in rows] == [1, 2.5]

    def test_layers_are_frozen_in_all_stages(self) -> None:
        rows = EXPERIMENTS["frozen-layers"].rows(())
        presets = recipes(rows, Settings())
        frozen = [{s.settings.freeze for s in presets[row.name].stages} for row in rows]
        assert frozen == [{0}, {3}, {6}]

    def test_rows_that_are_recipes_take_no_other(self) -> None:
        with pytest.raises(TrainingError, match="recipes themselves"):
            EXPERIMENTS["transfer"].rows((), preset="plain")

    @pytest.mark.parametrize("name", ["transfer", "domains", "teachers"])
    def test_places_without_an_axis(self, name: str) -> None:
        with pytest.raises(TrainingError, match=f"{name} has no axis"):
            EXPERIMENTS[name].rows((), at=(1,))


class TestRecipes:
    LINES = (Line("zero", "li2021-zero-transfer"), Line("li", "li2021"))

    def test_all_draw_equally_many_in_their_own_way(self) -> None:
        preset = recipes(self.LINES, Settings(sentences=50))["li"]
        english, pseudo = preset.stages[0].uses[0], preset.stages[1].uses[0]
        assert (english.draw.sentences, pseudo.draw.sentences) == (50, 50)
        assert pseudo.draw.equal_corpora
        assert pseudo.draw.nameless == 0.21

    def test_another_base_gets_the_rate_that_suits_it(self) -> None:
        preset = recipes(self.LINES, Settings(base="models/small"))["li"]
        assert preset.base == "models/small"
        assert {stage.settings.learning_rate for stage in preset.stages} == {None}

    def test_unless_one_is_asked_for(self) -> None:
        asked = Settings(base="models/small", changes={"learning_rate": "1e-4"})
        preset = recipes(self.LINES, asked)["li"]
        assert {stage.settings.learning_rate for stage in preset.stages} == {1e-4}

    def test_without_a_base_recipes_keep_theirs(self) -> None:
        assert recipes(self.LINES, Settings())["li"] == PRESETS["li2021"]

    def test_a_stage_that_only_some_rows_have(self) -> None:
        made = recipes(self.LINES, Settings(changes={"target.epochs": "3"}))
        assert made["zero"] == PRESETS["li2021-zero-transfer"]
        assert made["li"].stages[-1].settings.epochs == 3

    def test_a_number_of_the_last_stage_must_mean_the_same_in_all_rows(self) -> None:
        with pytest.raises(TrainingError, match=r"end in different stages\. .* target\.epochs"):
            recipes(self.LINES, Settings(changes={"epochs": "3"}))
        alike = EXPERIMENTS["size"].rows((), at=(8, 16))
        made = recipes(alike, Settings(changes={"epochs": "3"}))
        assert {preset.stages[-1].settings.epochs for preset in made.values()} == {3.0}

    def test_a_part_of_the_data_may_be_used_otherwise(self) -> None:
        rows = EXPERIMENTS["recipe"].rows(())
        made = recipes(rows, Settings(sentences=50, changes={"pseudo.weight": "2"}))
        uses = {name: preset.stages[-1].uses for name, preset in made.items()}
        drawn = {use.part: use.draw.sentences for use in uses["without translated English"]}
        assert drawn == {Part.PSEUDO: 50, Part.TRANSLATED: 0, Part.REVIEWED: None}
        assert {use.weight for row in uses.values() for use in row if use.part is Part.PSEUDO} == {
            2
        }

    def test_a_stage_that_no_row_has(self) -> None:
        with pytest.raises(TrainingError, match="no row has a stage or part traget"):
            recipes(self.LINES, Settings(changes={"traget.epochs": "3"}))

    def test_what_is_translated_is_english_and_so_are_its_numbers(self) -> None:
        rows = EXPERIMENTS["size"].rows((), preset="unitrans", at=(30,))
        stages = recipes(rows, Settings(sentences=50))[rows[0].name].stages
        limits = {use.part: use.draw.sentences for stage in stages for use in stage.uses}
        assert limits == {Part.ENGLISH: 50, Part.TRANSLATED: 50, Part.UNLABELLED: 30}

    def test_how_many_were_reviewed_is_not_cut(self) -> None:
        rows = EXPERIMENTS["review-effort"].rows((), preset="plain")
        (stage,) = recipes(rows, Settings(sentences=50))[rows[0].name].stages
        limits = {use.part: use.draw.sentences for use in stage.uses}
        assert limits == {Part.ENGLISH: 50, Part.PSEUDO: None, Part.REVIEWED: None}


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
            english = ["gold/en.iob2", "hub:some/ner:en:train"]
            rename = { OTH = "MISC" }
            ignore = "*part"
            [languages.de]
            test = "gold/de.iob2"
            reviews = "reviews.jsonl"
            reviews_held_out = 0.25
            [languages.de.corpora]
            news = "runs/news"
            talks = { source = "t.en", target = "t.de", limit = 10, teacher = "teacher" }
            books = { from = "opus:opus_books/de-en", teacher = "some/teacher" }
            """,
        )
        assert config.english == (str(tmp_path / "gold/en.iob2"), "hub:some/ner:en:train")
        assert config.labels == LabelMap({"OTH": "MISC"}, ("*part",))
        assert config.projected == tmp_path / "projected"
        german = config.languages["de"]
        assert german.test == (str(tmp_path / "gold/de.iob2"),)
        assert german.reviews_held_out == 0.25
        news, talks, books = german.corpora.values()
        assert (news.place, news.is_projected_first) == (str(tmp_path / "runs/news"), False)
        assert talks.pair == (tmp_path / "t.en", tmp_path / "t.de")
        assert (talks.limit, talks.teacher) == (10, str(tmp_path / "teacher"))
        assert (books.place, books.teacher) == ("opus:opus_books/de-en", "some/teacher")
        assert talks.is_projected_first
        assert books.is_projected_first

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

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            pytest.param("english = ", "is not TOML", id="no TOML"),
            pytest.param("english = 'a'", "names no language", id="no language"),
            pytest.param("[langs.de]", "langs: no such key", id="unknown table"),
            pytest.param(
                "[languages.de]\ntests = 'a'", "languages.de tests: no such key", id="unknown key"
            ),
            pytest.param("languages = 3", "3 is not a table", id="no table"),
            pytest.param("english = 3\n[languages.de]", "neither a text nor", id="no text"),
            pytest.param("english = ['']\n[languages.de]", "neither a text nor", id="empty text"),
            pytest.param(
                "[languages.de.corpora]\na = {source = 'x'}",
                "languages.de.corpora.a: needs source and target, or from",
                id="half a pair",
            ),
            pytest.param(
                "[languages.de.corpora]\na = {source = 'x', target = 'y', from = 'z'}",
                "needs source and target, or from",
                id="a pair and a place",
            ),
            pytest.param(
                "[languages.de.corpora]\na = {from = 'x', limit = 0}",
                "0 is no number of sentences",
                id="no sentences",
            ),
            pytest.param(
                "[languages.de]\nreviews_held_out = 1.5", "1.5 is not a share", id="no share"
            ),
            pytest.param(
                "[languages.de]\nreviews_held_out = true", "True is not a number", id="no number"
            ),
            pytest.param("rename = {A = 3}\n[languages.de]", "3 is not a text", id="no new name"),
        ],
    )
    def test_what_cannot_be(self, tmp_path: Path, text: str, complaint: str) -> None:
        with pytest.raises(TrainingError, match=complaint):
            config_of(tmp_path, text)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="no such file"):
            read_config(tmp_path / "data.toml")

    def test_a_language_that_is_not_there(self, tmp_path: Path) -> None:
        config = config_of(tmp_path, "[languages.de]\n[languages.nl]")
        assert [each.lang for each in config.of()] == ["de", "nl"]
        with pytest.raises(TrainingError, match=r"no language fr. There are de, nl"):
            config.of(["fr"])


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
        assert found is not None
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
        found = read_pseudo(books, "de", AS_IS, config.projected, nothing)
        assert [row.tokens for row in found] == [("Haus", "0"), ("Haus", "1")]
        assert [row.status for row in found] == ["projected"] * 2
        (run,) = config.projected.iterdir()
        before = (run / "projected.jsonl").stat().st_mtime_ns
        read_pseudo(books, "de", AS_IS, config.projected, nothing)
        assert (run / "projected.jsonl").stat().st_mtime_ns == before

    def test_another_text_by_the_same_name_is_projected_anew(self, tmp_path: Path) -> None:
        """So is a text in another language, and by other models."""
        text = tmp_path / "a.en"
        corpus = Corpus("a", pair=(text, tmp_path / "a.de"))
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


def projected(number: int, label: str, score: float) -> ProjectedSentence:
    """“Anna sah Bern”, with Anna as `label`."""
    pair = ParallelSentence(
        f"{number}", "Anna saw Bern", "Anna sah Bern", "en", "de", f"a.en:{number}"
    )
    span = Span(0, 4)
    found = Projection(Entity(span, label, 0.9), span, score)
    return ProjectedSentence(pair, (Entity(span, label, score),), (found,), (), score, "v1")


class TestReviewing:
    @pytest.fixture
    def pool(self) -> Pool:
        """Four sentences; in the second and third the label is wrong, and Bern always missing."""
        labels = ["PER", "ORG", "LOC", "PER"]
        scores = [0.9, 0.2, 0.5, 0.1]
        found = [projected(i, *each) for i, each in enumerate(zip(labels, scores, strict=True))]
        tags = [("B-PER", "O", "B-LOC")] * 3 + [("B-PER", "O", "O")]
        gold = [Row(str(i), ("Anna", "sah", "Bern"), tags[i], "de") for i in range(4)]
        return Pool(tuple(found), tuple(gold), AS_IS)

    def test_nobody_has_seen_anything(self, pool: Pool) -> None:
        made = pool.review(Reviewed(0.0), seed=0)
        assert not made.reviewed
        assert (len(made.pseudo), made.seen, made.corrected, made.labels) == (4, 0, 0, 0)

    def test_all_of_it(self, pool: Pool) -> None:
        made = pool.review(Reviewed(1.0), seed=0)
        assert not made.pseudo
        rows = [*made.reviewed]
        assert [row.status for row in rows] == ["corrected"] * 3 + ["accepted"]
        assert [row.tags for row in rows] == [row.tags for row in pool.gold]
        # Bern in three, and Anna's label in two of them.
        assert (made.seen, made.corrected, made.labels) == (4, 3, 5)

    def test_the_most_doubtful_first(self, pool: Pool) -> None:
        made = pool.review(Reviewed(0.5, Order.DOUBTFUL_FIRST), seed=7)
        assert [row.id for row in made.reviewed] == ["1", "3"]
        assert [row.id for row in made.pseudo] == ["0", "2"]

    def test_random_order_is_the_seed_s(self, pool: Pool) -> None:
        def ids(seed: int) -> tuple[str, ...]:
            made = pool.review(Reviewed(0.5), seed)
            return tuple(row.id for row in made.reviewed)

        assert ids(1) == ids(1)
        assert len({ids(seed) for seed in range(8)}) > 1

    def test_more_reviews_keep_the_earlier_ones(self, pool: Pool) -> None:
        few, more = (pool.review(Reviewed(share), 3).reviewed for share in (0.25, 0.75))
        assert {*few} < {*more}

    def test_types_that_are_ignored_are_no_correction(self, pool: Pool) -> None:
        blind = LabelMap({"ORG": "PER"}, ("LOC",))
        gold = [replace(row, tags=blind.tags(row.tags)) for row in pool.gold]
        made = replace(pool, labels=blind, gold=tuple(gold)).review(Reviewed(1.0), 0)
        assert made.labels == 1  # what was LOC and is PER

    def test_the_english_side_s_gold_is_not_used(self, tmp_path: Path) -> None:
        """The teacher finds nothing in words that are no names, whatever the gold says."""
        source = {"text": "they went home", "entities": [{"start": 0, "end": 4, "label": "XYZ"}]}
        target = {"text": "sie gingen heim", "entities": []}
        line = {"id": "1", "source_lang": "en", "lang": "de", "source": source, "target": target}
        (tmp_path / "gold.jsonl").write_text(json_line(line), "utf-8")
        config = config_of(tmp_path, "[languages.de]\nreviews = 'gold.jsonl'")
        pool, held_out = read_pool(config.languages["de"], AS_IS, config.projected, nothing)
        assert held_out is None
        assert [each.entities for each in pool.sentences] == [()]

    def test_no_gold(self, tmp_path: Path) -> None:
        config = config_of(tmp_path, "[languages.de]")
        with pytest.raises(TrainingError, match="no sentence to review"):
            read_pool(config.languages["de"], AS_IS, config.projected, nothing)


QUICK = {
    "learning_rate": "3e-3",
    "batch_size": "8",
    "target.epochs": "1",
    "max_length": "64",
    "english.epochs": "1",
    "freeze": "0",
}


@pytest.fixture(scope="module")
def bench(
    base: Base, made_data: Data, tmp_path_factory: pytest.TempPathFactory
) -> tuple[DataConfig, Settings]:
    """Data in the small language, English included, and settings that take seconds."""
    folder = tmp_path_factory.mktemp("data")
    sizes = {"english": 24, "news": 24, "talks": 16, "test": 12}
    for seed, (name, size) in enumerate(sizes.items()):
        write_iob2([row.tagged for row in made_data(size, seed)], folder / f"{name}.iob2")
    gold = [
        {
            "id": str(n),
            "source_lang": "en",
            "lang": "de",
            "source": {"text": f"{name} went to Berlin .", "entities": []},
            "target": {
                "text": f"{name} ging nach Berlin .",
                "entities": [{"start": 0, "end": len(name), "label": "PER"}],
            },
        }
        for n, name in enumerate(("Anna", "Otto", "Zoë", "Max", "Eva", "Jan", "Ida", "Tom"))
    ]
    (folder / "gold.jsonl").write_text("".join(map(json_line, gold)), "utf-8")
    config = config_of(
        folder,
        """
        english = "english.iob2"
        [languages.de]
        test = "test.iob2"
        reviews = "gold.jsonl"
        reviews_held_out = 0.3
        [languages.de.corpora]
        news = "news.iob2"
        talks = "talks.iob2"
        [languages.de.teachers]
        monolingual = "news.iob2"
        multilingual = "talks.iob2"
        [languages.nl]
        test = "test.iob2"
        corpora = { news = "news.iob2" }
        """,
    )
    settings = Settings(
        seeds=(0, 1), base=str(base("electra")), sentences=16, changes=QUICK, langs=("de",)
    )
    return config, settings


def names(results: Results) -> list[str]:
    return [*results.rows]


class TestRunning:
    @pytest.mark.parametrize(
        ("name", "at", "rows"),
        [
            ("transfer", (), 3),
            ("domains", (), 3),
            ("recipe", (), 8),
            ("size", (8, 16), 2),
            ("frozen-layers", (0, 1), 2),
            ("gamma", (1, 4), 2),
            ("teachers", (), 2),
            ("review-effort", (0.5,), 4),
        ],
    )
    def test_each_of_them(
        self,
        bench: tuple[DataConfig, Settings],
        tmp_path: Path,
        name: str,
        at: tuple[float, ...],
        rows: int,
    ) -> None:
        config, settings = bench
        changes = {k: v for k, v in QUICK.items() if k != "freeze" or name != "frozen-layers"}
        settings = replace(settings, seeds=(0,), at=at, changes=changes)
        results = run_experiment(EXPERIMENTS[name], config, settings, tmp_path)
        assert len(results.rows) == rows
        assert not results.skipped
        assert all(0 <= cell.spread().mean <= 1 for cell in results.cells)
        assert all(name in markdown(results) for name in names(results))
        if EXPERIMENTS[name].axis:
            assert all(cell.x is not None for cell in results.cells)

    def test_the_ablation_shares_its_english_stage(
        self, bench: tuple[DataConfig, Settings], tmp_path: Path
    ) -> None:
        config, settings = bench
        heard: list[str] = []
        results = run_experiment(
            EXPERIMENTS["ablation"],
            config,
            settings,
            tmp_path,
            on_progress=lambda what, _done, _total: heard.append(what),
        )
        assert len(results.rows) == 7
        # Three of the paper's rows begin with its English model, and the first trains it.
        english = {what for what in heard if "english: training" in what}
        assert {what for what in english if not what.startswith("spanferry")} == {
            f"sequential RW, de, seed {seed}: english: training steps" for seed in (0, 1)
        }
        kept = [path.name for path in (tmp_path / "stages").iterdir() if path.is_dir()]
        assert {name.partition("-")[0] for name in kept} == {"english"}
        assert {path.suffix for path in (tmp_path / "cells").iterdir()} == {".json"}
        drawn = [
            sum(parts.values())
            for cell in results.cells
            for parts in cell.runs[0]["learned_from"].values()
        ]
        assert {*drawn} <= {16, 32}  # of one part, or of two

    def test_what_is_done_is_kept(self, bench: tuple[DataConfig, Settings], tmp_path: Path) -> None:
        config, settings = bench
        one = replace(settings, seeds=(0,))
        before = run_experiment(EXPERIMENTS["transfer"], config, one, tmp_path)
        heard: list[str] = []

        def listen(what: str, _done: int, _total: int) -> None:
            heard.append(what)

        again = run_experiment(EXPERIMENTS["transfer"], config, one, tmp_path, on_progress=listen)
        assert again.to_json() == before.to_json()
        assert heard == []
        more = run_experiment(
            EXPERIMENTS["transfer"], config, settings, tmp_path, on_progress=listen
        )
        assert {what.partition(":")[0].rpartition(" ")[2] for what in heard} == {"1"}
        for old, new in zip(before.cells, more.cells, strict=True):
            assert new.runs[0] == old.runs[0]
            assert new.spread().deviation is not None

    def test_some_rows_only(self, bench: tuple[DataConfig, Settings], tmp_path: Path) -> None:
        config, settings = bench
        settings = replace(settings, seeds=(0,), rows=("li2021",))
        results = run_experiment(EXPERIMENTS["transfer"], config, settings, tmp_path)
        assert names(results) == ["li2021"]
        assert results.verdicts == []
        wrong = replace(settings, rows=("zero-transfer", "lee2021"))
        with pytest.raises(TrainingError, match=r"no such row. There are zero-transfer, li2021"):
            run_experiment(EXPERIMENTS["transfer"], config, wrong, tmp_path)

    def test_an_interrupted_run_is_done_again(
        self, bench: tuple[DataConfig, Settings], tmp_path: Path
    ) -> None:
        config, settings = bench

        def stop(what: str, done: int, _total: int) -> None:
            if "li2021" in what and "target: training" in what and done == 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_experiment(EXPERIMENTS["transfer"], config, settings, tmp_path, on_progress=stop)
        kept = {*(tmp_path / "cells").glob("*.json")}
        assert len(kept) == 2  # zero-transfer's
        results = run_experiment(EXPERIMENTS["transfer"], config, settings, tmp_path)
        assert len(results.cells) == 3
        assert kept < {*(tmp_path / "cells").glob("*.json")}

    def test_sizes_larger_than_the_data_are_skipped_and_said(
        self, bench: tuple[DataConfig, Settings], tmp_path: Path
    ) -> None:
        config, settings = bench
        settings = replace(settings, seeds=(0,), at=(8, 5000))
        results = run_experiment(EXPERIMENTS["size"], config, settings, tmp_path)
        assert names(results) == ["8 sentences"]
        assert [*results.skipped] == ["5,000 sentences, de"]
        assert "the data give only" in results.skipped["5,000 sentences, de"]
        assert "5,000 sentences, de was skipped" in markdown(results)

    def test_nothing_that_could_be_run(
        self, bench: tuple[DataConfig, Settings], tmp_path: Path
    ) -> None:
        config, settings = bench
        with pytest.raises(TrainingError, match="the data give only"):
            run_experiment(EXPERIMENTS["size"], config, settings, tmp_path)

    def test_a_corpus_that_one_language_lacks(
        self, bench: tuple[DataConfig, Settings], tmp_path: Path
    ) -> None:
        config, settings = bench
        settings = replace(settings, seeds=(0,), langs=("de", "nl"))
        results = run_experiment(EXPERIMENTS["domains"], config, settings, tmp_path)
        assert results.skipped == {"talks, nl": "nl has no talks"}
        (line,) = [line for line in markdown(results).splitlines() if line.startswith("| talks")]
        assert line.endswith("| – |")

    def test_corrections_are_counted(
        self, bench: tuple[DataConfig, Settings], tmp_path: Path
    ) -> None:
        config, settings = bench
        settings = replace(settings, seeds=(0,), at=(0.5,))
        results = run_experiment(EXPERIMENTS["review-effort"], config, settings, tmp_path)
        seen = {cell.row.name: cell.x for cell in results.cells}
        pool = seen["all corrected"]
        assert pool is not None
        assert 0 < pool < 8  # some are held out
        assert seen["pseudo-labels only"] == 0
        assert (
            seen["random order, 50 %"] == seen["lowest confidence first, 50 %"] == round(pool / 2)
        )
        assert f"{pool:.0f} reviewed" in markdown(results)

    @pytest.mark.parametrize(
        ("text", "name", "complaint"),
        [
            ("[languages.de]\ncorpora = {a = 'news.iob2'}", "transfer", "no test data"),
            ("[languages.de]\ntest = 'test.iob2'", "transfer", "corpora: none is named"),
            ("[languages.de]\ntest = 'test.iob2'", "teachers", "the data name no teachers"),
            (
                "[languages.de]\ntest = 'gone.iob2'\ncorpora = {a = 'news.iob2'}",
                "transfer",
                "does not exist",
            ),
            (
                "[languages.de]\ntest = 'test.iob2'\ncorpora = {a = 'news.iob2'}\n"
                "[languages.nl]\ntest = 'test.iob2'\ncorpora = {a = 'gone.iob2'}",
                "transfer",
                "gone.iob2: does not exist",
            ),
        ],
    )
    def test_data_that_are_not_there(
        self,
        bench: tuple[DataConfig, Settings],
        tmp_path: Path,
        text: str,
        name: str,
        complaint: str,
    ) -> None:
        config, settings = bench
        folder = config.file.parent
        broken = folder / f"{tmp_path.name}.toml"
        broken.write_text(f"english = 'english.iob2'\n{text}", "utf-8")
        settings = replace(settings, langs=())
        with pytest.raises(TrainingError, match=complaint):
            run_experiment(EXPERIMENTS[name], read_config(broken), settings, tmp_path)
        assert not (tmp_path / "cells").exists()


def cell(name: str, lang: str, *f1: float) -> Cell:
    """A cell with given scores."""
    runs = {
        seed: {
            "base": "mini",
            "scores": {"f1": value, "precision": value, "recall": value, "sentences": 10},
            "learned_from": {"target": {"pseudo": 1000}},
            "steps": {"target": 30},
            "device": "CPU",
            "cpu_seconds": 60.0,
            "reviews": None,
        }
        for seed, value in enumerate(f1)
    }
    return Cell(Line(name, name), lang, None, runs)


def results_of(*cells: Cell, langs: tuple[str, ...] = ("nl",)) -> Results:
    return Results(EXPERIMENTS["transfer"], Settings(), langs, cells, {}, "data.toml")


class TestResults:
    def test_ahead_beyond_the_deviation_of_the_difference(self) -> None:
        results = results_of(
            cell("spanferry", "nl", 0.50, 0.52, 0.54), cell("li2021", "nl", 0.44, 0.46, 0.48)
        )
        (verdict,) = results.verdicts
        assert verdict.difference == pytest.approx(0.06)
        assert verdict.deviation == pytest.approx(0.02 * 2**0.5)
        assert verdict.beyond
        text = markdown(results)
        assert "nl: +6.00 over li2021, more than one deviation of the difference (2.83)" in text

    def test_ahead_but_not_beyond(self) -> None:
        results = results_of(cell("spanferry", "nl", 0.50, 0.60), cell("li2021", "nl", 0.50, 0.58))
        assert results.verdicts[0].beyond is False
        assert "not more than one deviation" in markdown(results)

    def test_one_seed_says_nothing_of_chance(self) -> None:
        results = results_of(cell("spanferry", "nl", 0.5), cell("li2021", "nl", 0.4))
        assert results.verdicts[0].beyond is None
        assert "one seed: no deviation" in markdown(results)

    def test_published_figures_stand_apart(self) -> None:
        results = results_of(cell("spanferry", "nl", 0.5))
        measured, published = markdown(results).split("## Published elsewhere")
        assert "79.7" not in measured
        assert "| 79.7 | Li, He & Xu (2021)" in published
        written = results.to_json()
        assert "79.7" not in json.dumps(written["measured"])
        assert {each["lang"] for each in written["published"]} == {"nl"}

    def test_no_published_figure_no_section(self) -> None:
        assert published_for("transfer", ["xx"]) == ()
        results = replace(results_of(cell("spanferry", "xx", 0.5), langs=("xx",)))
        assert "Published" not in markdown(results)

    @pytest.mark.parametrize("kind", ["png", "svg"])
    def test_pictures(self, tmp_path: Path, kind: str) -> None:
        pytest.importorskip("matplotlib", reason="comes with spanferry[plots]")
        rows = results_of(cell("spanferry", "nl", 0.5, 0.6), cell("li2021", "nl", 0.4, 0.45))
        experiment_plot(rows, tmp_path / f"rows.{kind}")
        lines = [replace(each, x=float(n), row=replace(each.row, series="li2021"))
                 for n, each in enumerate(rows.cells)]  # fmt: skip
        curves = replace(rows, experiment=EXPERIMENTS["gamma"], cells=tuple(lines))
        experiment_plot(curves, tmp_path / f"curves.{kind}")
        assert all((tmp_path / f"{n}.{kind}").stat().st_size > 5000 for n in ("rows", "curves"))

    def test_equal_figures_give_equal_pictures(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib", reason="comes with spanferry[plots]")
        rows = results_of(cell("spanferry", "nl", 0.5, 0.6))
        for name in "ab":
            experiment_plot(rows, tmp_path / f"{name}.svg")
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
