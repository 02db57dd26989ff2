"""Aligner rows: real but tiny trainings, gold by hand, a word aligner by position."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from projection.aligners.decoding import JOINT, PUBLISHED, Decoding
from projection.aligners.joint import JointAligner
from projection.aligners.pair import PairAligner
from projection.errors import CorpusError, TrainingError
from projection.evaluation.report import evaluate_aligner
from projection.io.files import json_line
from projection.io.gold import read_gold
from projection.records import Entity, ParallelSentence, Span
from training.aligner.augment import is_name_pair
from training.aligner.joint import chosen_from
from training.aligner.silver import Links, SilverSentence, Tokenised, name_pair, run_eflomal
from training.experiments.aligners import (
    decoding_of,
    link_words,
    numbers_of,
    read_gold_files,
    recipes_on,
)
from training.experiments.config import DataConfig, read_config
from training.experiments.definition import ExperimentOptions, ExperimentRow, read_experiment
from training.experiments.results import Results
from training.experiments.runner import run_experiment
from training.experiments.table import markdown
from training.trainer.settings import Hardening

PEOPLE, PLACES = ("Anna", "Weber", "Zoë"), ("Berlin", "Bern", "Siemens")
FORWARD: Links = frozenset({(0, 0), (1, 1), (2, 2), (3, 3)})
ALIGNERS = read_experiment("aligners")
WordPairs = Sequence[tuple[list[str], list[str]]]


def span(text: str, phrase: str) -> Span:
    return Span(text.index(phrase), text.index(phrase) + len(phrase))


def silver(langs: Sequence[str] = ("de", "nl"), names: int = 4) -> list[SilverSentence]:
    """Every person sees every place, in every language; and some names by themselves."""
    made = []
    for lang, person, place in product(langs, PEOPLE, PLACES):
        source, target = f"{person} saw {place} .", f"{person} sah {place} ."
        phrases = tuple((span(source, name), span(target, name)) for name in (person, place))
        made.append(SilverSentence(source, target, lang, phrases, FORWARD))
    lone = [name_pair(name, name, lang) for lang in langs for name in PEOPLE + PLACES]
    return made + lone[:names]


def gold_line(number: int, lang: str) -> dict[str, Any]:
    names = PEOPLE[number], PLACES[number]
    sides = {
        side: {
            "text": text,
            "entities": [
                {"start": found.start, "end": found.end, "label": label}
                for found, label in zip((span(text, n) for n in names), ("PER", "LOC"), strict=True)
            ],
        }
        for side, text in (
            ("source", f"{names[0]} saw {names[1]} ."),
            ("target", f"{names[0]} sah {names[1]} ."),
        )
    }
    return {"id": f"{lang}{number}", "source_lang": "en", "lang": lang, **sides}


def by_position(pairs: WordPairs) -> list[tuple[Links, Links]]:
    """A word aligner that links the first word to the first, and so on."""
    links = [frozenset((i, i) for i in range(min(map(len, pair)))) for pair in pairs]
    return [(both, both) for both in links]


@pytest.fixture(scope="module")
def data(word_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with silver data, gold in two files, a config, and a tiny untrained encoder."""
    folder = tmp_path_factory.mktemp("data")
    text = "".join(json_line(sentence.to_json()) for sentence in silver())
    (folder / "silver.jsonl").write_text(text, "utf-8")
    for lang, sentences in (("de", 3), ("nl", 2)):
        lines = (json_line(gold_line(number, lang)) for number in range(sentences))
        (folder / f"made.en-{lang}.jsonl").write_text("".join(lines), "utf-8")
    (folder / "data.toml").write_text(
        "silver = 'silver.jsonl'\ngold = ['made.en-de.jsonl', 'made.en-nl.jsonl']\n", "utf-8"
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(word_tokenizer),
        hidden_size=16,
        num_hidden_layers=4,  # three of which are frozen
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=160,
    )
    BertModel(config).save_pretrained(folder / "encoder")
    word_tokenizer.save_pretrained(folder / "encoder")
    return folder


@pytest.fixture(scope="module")
def config(data: Path) -> DataConfig:
    return read_config(data / "data.toml")


@pytest.fixture(scope="module")
def options(data: Path) -> ExperimentOptions:
    return ExperimentOptions(
        base=str(data / "encoder"), set={"steps": "2", "eflomal_sentences": "5"}
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("experiment")


@pytest.fixture(scope="module")
def results(config: DataConfig, options: ExperimentOptions, out: Path) -> Results:
    return run_experiment(ALIGNERS, config, options, out, word_aligner=by_position)


def scores_of(results: Results, row: str, column: str = "made.en-de") -> dict[str, Any]:
    cell = results.cell(row, column)
    assert cell is not None
    return dict(cell.runs[0]["scores"])


def model(out: Path, preset: str) -> Path:
    (found,) = (out / "stages").glob(f"{preset}-*")
    return found


class TestAligners:
    def test_a_row_for_each_system_in_order(self, results: Results) -> None:
        assert [*results.rows] == [
            "exact match",
            "eflomal",
            "eflomal, gaps up to 2 bridged",
            "paper-pair, as published",
            "paper-pair + span decoding",
            "paper-pair + joint assignment",
            "context-joint, word by word",
            "context-joint + span decoding",
            "context-joint + joint assignment",
            "context-joint + both directions",
            "context-joint, both sentences encoded at once",
        ]
        assert results.columns == ("made.en-de", "made.en-nl")
        assert len(results.cells) == 22

    def test_what_needs_no_model_is_right_by_hand(self, results: Results) -> None:
        """Names are copied, and words translated in order."""
        for row in results.rows[:3]:
            assert scores_of(results, row)["f1"] == 1
        assert results.ceilings == {"made.en-de": 1, "made.en-nl": 1}

    @pytest.mark.parametrize("row", ALIGNERS.expand(())[3:], ids=lambda row: row.name)
    def test_rows_are_what_the_saved_models_say(
        self, results: Results, data: Path, out: Path, row: ExperimentRow
    ) -> None:
        kind = PairAligner if row.preset == "paper-pair" else JointAligner
        aligner = kind.from_pretrained(model(out, row.preset))
        aligner.decoding = decoding_of(row)
        expected = evaluate_aligner(aligner, read_gold(data / "made.en-de.jsonl"))
        found = scores_of(results, row.name)
        assert (found["f1"], found["aligner"]) == (expected.scores.f1, expected.aligner)

    def test_decodings_are_those_of_the_aligners(self) -> None:
        rows = {row.name: decoding_of(row) for row in ALIGNERS.expand(())[3:]}
        assert rows["paper-pair, as published"] == PUBLISHED
        assert rows["paper-pair + span decoding"] == Decoding(whole_spans=True)
        assert rows["context-joint + joint assignment"] == JOINT
        with pytest.raises(TrainingError, match=r"row a set: .*whole_span.* Fields are threshold"):
            decoding_of(ExperimentRow("a", "paper-pair", {"whole_span": True}))

    def test_records_and_page(self, results: Results) -> None:
        written = json.loads(json.dumps(results.to_json(), allow_nan=False))
        assert "Anna" not in json.dumps(written)
        run = written["measured"][8]["runs"]["0"]
        assert run["steps"] == {"context-joint": 2}
        assert run["scores"]["sentences"] == 3
        text = markdown(results)
        assert "| exact match | **100.00** (100.00 / 100.00) | **100.00** (100.00" in text
        assert "| ceiling: a perfect aligner | 100.00 | 100.00 |" in text
        assert "steps=2" in text

    def test_again_nothing_is_trained_or_scored(
        self, results: Results, config: DataConfig, options: ExperimentOptions, out: Path
    ) -> None:
        before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
        again = run_experiment(ALIGNERS, config, options, out, word_aligner=by_position)
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
        assert again.to_json() == results.to_json()

    def test_another_decoding_asks_the_kept_models(
        self, results: Results, config: DataConfig, options: ExperimentOptions, out: Path
    ) -> None:
        models = {path: path.stat().st_mtime_ns for path in (out / "stages").rglob("*")}
        (row,) = (row for row in ALIGNERS.rows if "both directions" in str(row))
        lower = {**row, "name": "lower", "set": {"threshold": 0.1}}
        mine = replace(ALIGNERS, rows=(lower,))
        assert run_experiment(mine, config, options, out).rows == ("lower",)
        assert {p: p.stat().st_mtime_ns for p in (out / "stages").rglob("*")} == models
        assert len(results.cells) == 22

    def test_finished_aligners_of_the_data_come_last(
        self, data: Path, tmp_path: Path, copying_aligner: Path
    ) -> None:
        """And without a word aligner its rows are missing, with the reason."""
        path = data / "more.toml"
        path.write_text(
            f"gold = 'made.en-de.jsonl'\naligners = {{copying = '{copying_aligner}'}}", "utf-8"
        )
        rows = ("exact match", "eflomal", "copying (trained longer)")
        found = run_experiment(
            ALIGNERS, read_config(path), ExperimentOptions(rows=rows), tmp_path, word_aligner=None
        )
        assert found.rows == ("exact match", "copying (trained longer)")
        assert scores_of(found, "copying (trained longer)")["f1"] == 1
        assert found.skipped == {
            "eflomal, made.en-de": "eflomal is not installed. pip install 'spanferry[models]'"
        }

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            pytest.param({}, "--base: is missing", id="no base"),
            pytest.param({"set": {"step": 2}}, "no setting step. One of steps", id="no number"),
            pytest.param(
                {"set": {"steps": "many"}}, "--set steps: 'many' is no number", id="no value"
            ),
            pytest.param({"set": {"steps": 0}}, "--set steps: 0 is not above 0", id="no steps"),
            pytest.param({"columns": ("made",)}, "has no gold file made", id="no column"),
        ],
    )
    def test_what_cannot_be(
        self, config: DataConfig, tmp_path: Path, options: dict[str, Any], complaint: str
    ) -> None:
        with pytest.raises(TrainingError, match=complaint):
            run_experiment(ALIGNERS, config, ExperimentOptions(**options), tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_no_silver_data_to_train_on(self, config: DataConfig, tmp_path: Path) -> None:
        bare, options = replace(config, silver=()), ExperimentOptions(base="encoder")
        with pytest.raises(TrainingError, match=r"data\.toml silver: names no file"):
            run_experiment(ALIGNERS, bare, options, tmp_path)

    def test_an_aligner_that_nobody_names(self, config: DataConfig, tmp_path: Path) -> None:
        row = {"name": "a", "preset": "word-by-word"}
        mine = replace(ALIGNERS, rows=(row,))
        with pytest.raises(TrainingError, match=r"no aligner word-by-word. There are exact-match"):
            run_experiment(mine, config, ExperimentOptions(), tmp_path)


class TestGold:
    def write(self, path: Path, *keys: str) -> Path:
        side = {"text": "Anna", "entities": [{"start": 0, "end": 4, "label": "PER"}]}
        rows = [
            {"id": key, "source": side, "target": side, "source_lang": "en", "lang": "de"}
            for key in keys
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path

    def test_the_first_of_a_file_by_its_name(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "news.en-de.jsonl", "a", "b", "c")
        ((name, gold),) = read_gold_files([path], 2).items()
        assert name == "news.en-de"
        assert [each.sentence.id for each in gold] == ["a", "b"]

    def test_an_empty_file(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="no sentence to score"):
            read_gold_files([self.write(tmp_path / "empty.jsonl")], None)

    def test_an_id_used_twice(self, tmp_path: Path) -> None:
        """Word links are kept by id: one of both would get the other's."""
        with pytest.raises(CorpusError, match="'b' is used 2 times"):
            read_gold_files([self.write(tmp_path / "double.jsonl", "a", "b", "b")], None)

    def test_two_files_of_one_name(self, tmp_path: Path) -> None:
        path = self.write(tmp_path / "a.jsonl", "a")
        with pytest.raises(CorpusError, match="gold a: 2 files have this name"):
            read_gold_files([path, path], None)


def made(
    sentences: Sequence[SilverSentence], steps: int = 600, per_language: int | None = None
) -> Any:
    return recipes_on(sentences, "encoder", numbers_of({"steps": steps}), per_language, 0)


class TestRecipes:
    def test_both_get_the_same_sentences(self) -> None:
        sentences = silver()
        pair_silver, _, joint = made(sentences, 1, 3)
        drawn = [s for s in chosen_from(sentences, joint) if not is_name_pair(s)]
        assert [s for s in pair_silver if not is_name_pair(s)] == drawn
        assert sorted(s.lang for s in drawn) == ["de"] * 3 + ["nl"] * 3

    def test_as_many_sentences_whatever_is_drawn(self) -> None:
        for per_language in (None, 1, 5):
            pair_silver, pair, joint = made(silver(), 10, per_language)
            gone_through = pair.schedule.epochs * len(pair_silver)
            assert gone_through == pytest.approx(10 * joint.schedule.batch_size)
            assert joint.schedule.max_steps == 10

    def test_a_part_of_the_sentences_brings_a_part_of_the_names(self) -> None:
        """A short training would otherwise be one on names alone."""
        sentences = silver(names=12)
        whole, part = (made(sentences, 1, n)[2].hardening.lone_names for n in (9, 3))
        assert whole == pytest.approx(Hardening().lone_names)
        assert part == pytest.approx(Hardening().lone_names / 3)

    def test_the_learning_rate_of_the_pair_alone(self) -> None:
        numbers = numbers_of({"pair_learning_rate": "5e-5"})
        _, pair, joint = recipes_on(silver(), "encoder", numbers, None, 0)
        assert (pair.schedule.learning_rate, joint.schedule.learning_rate) == (5e-5, 2e-4)

    @pytest.mark.parametrize("names", [0, 4])
    def test_nothing_but_names_is_nothing_to_train_on(self, names: int) -> None:
        with pytest.raises(TrainingError, match="no sentences"):
            made([s for s in silver(names=names) if is_name_pair(s)])


def pair(target: str = "Anna sah Bern .", lang: str = "de", **more: Any) -> ParallelSentence:
    entities = (Entity(Span(0, 4), "PER"),)
    return ParallelSentence("1", "Anna saw Bern .", target, "en", lang, "made:1", entities, **more)


class TestWordLinks:
    def test_only_links_of_both_directions_and_of_the_pair_asked_for(self) -> None:
        asked: list[list[str]] = []

        def fake(pairs: WordPairs) -> list[tuple[Links, Links]]:
            asked.extend(pair[1] for pair in pairs)
            return [(frozenset({(0, 0), (1, 1)}), frozenset({(0, 0), (2, 2)}))] * len(pairs)

        ((key, words),) = link_words([pair()], silver(["de"], names=0)[:2], fake).items()
        assert key == "1"
        assert words.links == {(0, 0)}
        assert words.target == (Span(0, 4), Span(5, 8), Span(9, 13), Span(14, 15))
        assert asked[0] == ["Anna", "sah", "Bern", "."]
        assert len(asked) == 3

    def test_chinese_is_aligned_by_subword_and_comes_back_as_characters(self) -> None:
        chinese = ParallelSentence("1", "Berlin", "柏林", "en", "zh", "made:1", ())
        first, *_ = Tokenised.of(chinese).target
        linked = link_words([chinese], [], by_position)["1"].links
        assert linked == {(0, character) for character in range(len(first.of("柏林")))}

    def test_the_real_one_when_it_is_there(self) -> None:
        pytest.importorskip("eflomal", reason="an external tool; comes with spanferry[models]")
        empty = ParallelSentence("e", "Anna", " ", "en", "de", "made:0", ())
        others = [s for s in silver() if s.lang == "de"] * 30
        words = link_words([empty, pair()], others, run_eflomal)
        assert words["e"].links == frozenset()
        assert all(i < 4 > j for i, j in words["1"].links)
