"""The comparison of aligners: real but tiny trainings, gold by hand, a word aligner by position."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from projection.aligners.baselines import ExactMatch
from projection.aligners.decoding import JOINT, PUBLISHED, Decoding
from projection.aligners.joint import JointAligner
from projection.aligners.pair import PairAligner
from projection.errors import CorpusError, TrainingError
from projection.evaluation.report import evaluate_aligner
from projection.io.gold import GoldSentence
from projection.records import Entity, ParallelSentence, Span
from training.aligner.augment import is_name_pair
from training.aligner.joint import chosen_from
from training.aligner.silver import Links, SilverSentence, name_pair, run_eflomal
from training.experiments.aligner_experiment import (
    JOINT_SYSTEMS,
    PAIR_SYSTEMS,
    Comparison,
    Family,
    Gold,
    Row,
    WordAlignment,
    check_names,
    compare_aligners,
    cpu_model,
    decoded_rows,
    linked_words,
    machine,
    row_of,
    word_aligner_rows,
)
from training.experiments.aligner_table import aligner_plot, markdown
from training.experiments.score_cache import RememberingJoint, RememberingPair
from training.experiments.side_by_side import Lessons, Settings, Training, train_once

PEOPLE, PLACES = ("Anna", "Weber", "Zoë"), ("Berlin", "Bern", "Siemens")
FORWARD: Links = frozenset({(0, 0), (1, 1), (2, 2), (3, 3)})


def span(text: str, phrase: str) -> Span:
    return Span(text.index(phrase), text.index(phrase) + len(phrase))


def texts(person: str, place: str) -> tuple[str, str]:
    return f"{person} saw {place} .", f"{person} sah {place} ."


def silver(langs: Sequence[str] = ("de", "nl"), names: int = 4) -> list[SilverSentence]:
    """Every person sees every place, in every language; and some names by themselves."""
    made = []
    for lang, person, place in product(langs, PEOPLE, PLACES):
        source, target = texts(person, place)
        phrases = tuple((span(source, name), span(target, name)) for name in (person, place))
        made.append(SilverSentence(source, target, lang, phrases, FORWARD))
    lone = [name_pair(name, name, lang) for lang in langs for name in PEOPLE + PLACES]
    return made + lone[:names]


def gold_sentence(number: int, person: str, place: str, lang: str = "de") -> GoldSentence:
    source, target = texts(person, place)
    source_entities, target_entities = (
        tuple(Entity(span(text, name), label) for name, label in ((person, "PER"), (place, "LOC")))
        for text in (source, target)
    )
    name = f"{lang}{number}"
    pair = ParallelSentence(name, source, target, "en", lang, f"made:{number}", source_entities)
    return GoldSentence(pair, target_entities)


def gold(lang: str = "de", sentences: int = 3) -> Gold:
    names = zip(PEOPLE, PLACES, strict=True)
    made = [gold_sentence(i, *pair, lang) for i, pair in enumerate(names)]
    return Gold(f"made.en-{lang}", tuple(made[:sentences]))


def by_position(pairs: Sequence[tuple[list[str], list[str]]]) -> list[tuple[Links, Links]]:
    """A word aligner that links the first word to the first, and so on."""
    links = [frozenset((i, i) for i in range(min(map(len, pair)))) for pair in pairs]
    return [(both, both) for both in links]


def not_installed(_pairs: Sequence[tuple[list[str], list[str]]]) -> list[tuple[Links, Links]]:
    raise TrainingError("aligner data", "eflomal is not installed", "pip install it")


@pytest.fixture(scope="module")
def encoder(
    word_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A tiny untrained encoder."""
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(word_tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=160,
    )
    BertModel(config).save_pretrained(folder)
    word_tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("experiment")


@pytest.fixture(scope="module")
def settings(encoder: str) -> Settings:
    return Settings(encoder, steps=2, eflomal_sentences=5)


@pytest.fixture(scope="module")
def comparison(settings: Settings, out: Path) -> Comparison:
    return compare_aligners(
        silver(), [gold("de"), gold("nl", 2)], settings, out, word_aligner=by_position
    )


def without_times(result: Any) -> Any:
    if isinstance(result, dict):
        kept = {k: v for k, v in result.items() if "second" not in k}
        return {k: without_times(v) for k, v in kept.items()}
    return [without_times(v) for v in result] if isinstance(result, list) else result


class TestCompareAligners:
    def test_one_row_for_each_system_in_order(self, comparison: Comparison) -> None:
        assert [row.name for row in comparison.rows] == [
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
        ]
        assert all(len(row.reports) == 2 for row in comparison.rows)

    def test_what_needs_no_model_is_right_by_hand(self, comparison: Comparison) -> None:
        """Names are copied, and words translated in order."""
        f1 = [[r.scores.f1 for r in row.reports] for row in comparison.rows[:3]]
        assert f1 == [[1, 1], [1, 1], [1, 1]]
        assert comparison.ceilings == [1, 1]

    @pytest.mark.parametrize("system", range(len(PAIR_SYSTEMS)))
    def test_pair_rows_are_what_the_saved_model_says(
        self, comparison: Comparison, out: Path, system: int
    ) -> None:
        aligner = PairAligner.from_pretrained(out / "paper-pair", PAIR_SYSTEMS[system].decoding)
        expected = evaluate_aligner(aligner, comparison.gold[0].sentences)
        found = comparison.rows[3 + system].reports[0]
        assert (found.scores, found.aligner) == (expected.scores, expected.aligner)

    @pytest.mark.parametrize("system", range(1, len(JOINT_SYSTEMS)))
    def test_joint_rows_are_what_the_saved_model_says(
        self, comparison: Comparison, out: Path, system: int
    ) -> None:
        aligner = JointAligner.from_pretrained(
            out / "context-joint", JOINT_SYSTEMS[system].decoding
        )
        expected = evaluate_aligner(aligner, comparison.gold[0].sentences)
        found = comparison.rows[6 + system].reports[0]
        assert (found.scores, found.aligner) == (expected.scores, expected.aligner)

    def test_both_trainings_went_through_as_many_sentences(self, comparison: Comparison) -> None:
        pair, joint = comparison.trainings
        assert (pair.preset, joint.preset) == ("paper-pair", "context-joint")
        assert pair.sentences == joint.sentences == 2 * 32
        assert (joint.steps, joint.batch_size, pair.batch_size) == (2, 32, 64)
        assert pair.steps >= 1
        assert pair.seconds > 0 < joint.seconds
        assert (pair.cpu_seconds or 0) > 0 < (joint.cpu_seconds or 0)

    def test_every_model_row_has_the_seconds_of_the_pass(self, comparison: Comparison) -> None:
        for row in comparison.rows:
            assert 0 < row.sentences_per_second < 1e6
            assert all(report.seconds > 0 for report in row.reports)

    def test_the_word_aligner_ran_once_a_language(self, comparison: Comparison) -> None:
        ran = [(each.lang, each.gold, each.silver) for each in comparison.word_alignments]
        assert ran == [("de", 3, 5), ("nl", 2, 5)]

    def test_the_json_has_everything_but_texts(self, comparison: Comparison) -> None:
        result = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
        assert result["settings"]["steps"] == 2
        assert result["gold"] == {
            "made.en-de": {"sentences": 3, "ceiling": 1.0},
            "made.en-nl": {"sentences": 2, "ceiling": 1.0},
        }
        assert result["machine"]["libraries"]["torch"] == torch.__version__
        row = result["rows"][8]
        assert row["family"] == "context-joint"
        assert row["decoding"]["exclusive"] is True
        assert {"precision", "recall", "f1", "relaxed", "f1_interval", "ceiling"} <= set(
            row["gold"]["made.en-de"]
        )
        assert result["trainings"][0]["recipe"]["schedule"]["learning_rate"] == 5e-4
        assert "Anna" not in json.dumps(result)

    def test_again_nothing_is_trained_and_the_scores_are_the_same(
        self, comparison: Comparison, settings: Settings, out: Path
    ) -> None:
        trained = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
        heard: list[str] = []
        again = compare_aligners(
            silver(),
            comparison.gold,
            settings,
            out,
            word_aligner=by_position,
            on_progress=lambda what, _done, _total: heard.append(what),
        )
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == trained
        assert not any("training" in what for what in heard)
        assert again.trainings == comparison.trainings
        assert without_times(again.to_json()) == without_times(comparison.to_json())

    def test_another_aligner_is_the_last_row(
        self, comparison: Comparison, settings: Settings, out: Path, copying_aligner: Path
    ) -> None:
        """And without a word aligner its rows are missing, with the reason."""
        result = compare_aligners(
            silver(),
            comparison.gold,
            replace(settings, aligner=str(copying_aligner)),
            out,
            word_aligner=not_installed,
        )
        last = result.rows[-1]
        assert last.name == f"{copying_aligner.name} (trained longer)"
        assert last.family is Family.TRAINED_LONGER
        assert [report.scores.f1 for report in last.reports] == [1, 1]
        assert not any("eflomal" in row.name for row in result.rows)
        assert result.skipped == {
            "eflomal": "aligner data: eflomal is not installed. pip install it"
        }
        assert "eflomal was skipped: aligner data: eflomal is not installed" in markdown(result)

    def test_models_of_another_experiment_are_not_taken_for_these(
        self, comparison: Comparison, settings: Settings, out: Path
    ) -> None:
        other = replace(settings, steps=3)
        with pytest.raises(TrainingError, match=r"paper-pair: was not trained .* another --out"):
            compare_aligners(silver(), comparison.gold, other, out, word_aligner=by_position)

    def test_gold_of_one_name(self) -> None:
        with pytest.raises(CorpusError, match=r"made\.en-de: 2 files have this name"):
            check_names([gold("de"), gold("nl"), gold("de")])


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
        read = Gold.read(self.write(tmp_path / "news.en-de.jsonl", "a", "b", "c"), limit=2)
        assert read.name == "news.en-de"
        assert [pair.id for pair in read.pairs] == ["a", "b"]

    def test_an_empty_file(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="no sentence to score"):
            Gold.read(self.write(tmp_path / "empty.jsonl"))

    def test_an_id_used_twice(self, tmp_path: Path) -> None:
        """Word links are kept by id: one of both would get the other's."""
        with pytest.raises(CorpusError, match="'b' is used 2 times"):
            Gold.read(self.write(tmp_path / "double.jsonl", "a", "b", "b"))


class TestLessons:
    def test_both_get_the_same_sentences(self) -> None:
        made = silver()
        lessons = Lessons.of(made, Settings("encoder", steps=1, per_language=3))
        joint = [s for s in chosen_from(made, lessons.joint) if not is_name_pair(s)]
        assert [s for s in lessons.pair_silver if not is_name_pair(s)] == joint
        assert sorted(s.lang for s in joint) == ["de"] * 3 + ["nl"] * 3

    def test_as_many_sentences_whatever_is_drawn(self) -> None:
        for per_language in (None, 1, 5):
            lessons = Lessons.of(silver(), Settings("encoder", 10, per_language))
            gone_through = lessons.pair.schedule.epochs * len(lessons.pair_silver)
            assert gone_through == pytest.approx(10 * lessons.joint.schedule.batch_size)
            assert lessons.joint.schedule.max_steps == 10

    def test_a_part_of_the_sentences_brings_a_part_of_the_names(self) -> None:
        """A short training would otherwise be one on names alone."""
        made = silver(names=12)
        whole, part = (
            Lessons.of(made, Settings("encoder", 1, n)).joint.hardening.lone_names for n in (9, 3)
        )
        assert whole == pytest.approx(0.1)
        assert part == pytest.approx(0.1 / 3)

    def test_the_learning_rate_of_the_pair_alone(self) -> None:
        lessons = Lessons.of(silver(), Settings("encoder", pair_learning_rate=5e-5))
        rates = lessons.pair.schedule.learning_rate, lessons.joint.schedule.learning_rate
        assert rates == (5e-5, 5e-4)

    @pytest.mark.parametrize("names", [0, 4])
    def test_nothing_but_names_is_nothing_to_train_on(self, names: int) -> None:
        made = [s for s in silver(names=names) if is_name_pair(s)]
        with pytest.raises(TrainingError, match="no sentences"):
            Lessons.of(made, Settings("encoder"))

    @pytest.mark.parametrize(
        ("settings", "dropped"),
        [
            pytest.param(Settings("other"), 0, id="another encoder"),
            pytest.param(Settings("encoder", seed=1), 0, id="another seed"),
            pytest.param(Settings("encoder"), 1, id="other silver data"),
        ],
    )
    def test_the_stamp_tells_trainings_apart(self, settings: Settings, dropped: int) -> None:
        made = silver()
        stamps = []
        for data, numbers in ((made, Settings("encoder")), (made[dropped:], settings)):
            lessons = Lessons.of(data, numbers)
            stamps.append(lessons.stamp(data, lessons.joint))
        assert stamps[0] != stamps[1]
        again = Lessons.of(made, Settings("encoder"))
        assert again.stamp(made, again.joint) == stamps[0]
        assert again.stamp(made, again.pair) != stamps[0]


PLAN = Training("paper-pair", 64, 0, 32, 0.0, {"base": "encoder"})


def nothing(_what: str, _done: int, _total: int) -> None:
    pass


class TestTrainOnce:
    def test_an_interrupted_training_keeps_its_time(self, tmp_path: Path) -> None:
        def interrupted(_folder: Path, on_progress: Any) -> None:
            on_progress("training steps", 3, 7)
            raise KeyboardInterrupt

        def finished(folder: Path, on_progress: Any) -> None:
            on_progress("training steps", 7, 7)
            folder.mkdir()

        folder = tmp_path / "paper-pair"
        with pytest.raises(KeyboardInterrupt):
            train_once(folder, "stamp", PLAN, interrupted, nothing)
        note = tmp_path / "paper-pair.json"
        before = json.loads(note.read_text())["training"]
        assert before["steps"] == 3
        longer = {**before, "seconds": 100.0, "cpu_seconds": 200.0}
        note.write_text(json.dumps({"stamp": "stamp", "training": longer}), "utf-8")
        taken = train_once(folder, "stamp", PLAN, finished, nothing)
        assert taken.steps == 7
        assert 100 < taken.seconds < 110
        assert taken.cpu_seconds is not None
        assert 200 < taken.cpu_seconds < 210
        assert train_once(folder, "stamp", PLAN, interrupted, nothing) == taken

    def test_time_of_another_training_does_not_count(self, tmp_path: Path) -> None:
        note = tmp_path / "paper-pair.json"
        before = asdict(replace(PLAN, seconds=100.0))
        note.write_text(json.dumps({"stamp": "other", "training": before}), "utf-8")
        taken = train_once(
            tmp_path / "paper-pair", "stamp", PLAN, lambda folder, _: folder.mkdir(), nothing
        )
        assert taken.seconds < 10

    def test_a_folder_of_unknown_making(self, tmp_path: Path) -> None:
        (tmp_path / "paper-pair").mkdir()
        with pytest.raises(TrainingError, match="was not trained on this silver data"):
            train_once(tmp_path / "paper-pair", "stamp", PLAN, lambda *_: None, nothing)

    def test_progress_names_the_training(self, tmp_path: Path) -> None:
        heard = []
        train_once(
            tmp_path / "paper-pair",
            "stamp",
            PLAN,
            lambda _folder, on_progress: on_progress("training steps", 1, 2),
            lambda *told: heard.append(told),
        )
        assert heard == [("paper-pair: training steps", 1, 2)]


class TestRemembering:
    def test_the_pair_model_is_asked_once_for_all_decodings(self, copying_aligner: Path) -> None:
        aligner = RememberingPair.from_pretrained(copying_aligner)
        passes = []
        aligner.model.register_forward_hook(lambda *_: passes.append(1))
        rows = list(decoded_rows(aligner, PAIR_SYSTEMS, Family.PAPER_PAIR, [gold()], nothing))
        assert len(passes) == 1
        assert [row.decoding for row in rows] == [PUBLISHED, Decoding(whole_spans=True), JOINT]
        assert [row.reports[0].scores.f1 for row in rows] == [1, 1, 1]

    def test_the_joint_model_is_asked_once_for_all_decodings(
        self, comparison: Comparison, out: Path
    ) -> None:
        aligner = RememberingJoint.from_pretrained(out / "context-joint")
        passes = []
        aligner.model.register_forward_hook(lambda *_: passes.append(1))
        list(decoded_rows(aligner, JOINT_SYSTEMS, Family.CONTEXT_JOINT, comparison.gold, nothing))
        assert len(passes) == len(comparison.gold)

    def test_what_was_not_remembered_is_asked_for(self, copying_aligner: Path) -> None:
        pairs = gold().pairs
        aligner = RememberingPair.from_pretrained(copying_aligner)
        aligner.remember(pairs[:1])
        plain = PairAligner.from_pretrained(copying_aligner)
        assert aligner.align([*pairs, *pairs]) == plain.align([*pairs, *pairs])


class TestWordLinks:
    def test_only_links_of_both_directions_and_of_the_pair_asked_for(self) -> None:
        asked: list[list[str]] = []

        def fake(pairs: Sequence[tuple[list[str], list[str]]]) -> list[tuple[Links, Links]]:
            asked.extend(pair[1] for pair in pairs)
            return [(frozenset({(0, 0), (1, 1)}), frozenset({(0, 0), (2, 2)}))] * len(pairs)

        pair = gold_sentence(0, "Anna", "Bern").sentence
        (words,) = linked_words([pair], silver(["de"], names=0)[:2], fake)
        assert words.links == {(0, 0)}
        assert words.target == (Span(0, 4), Span(5, 8), Span(9, 13), Span(14, 15))
        assert asked[0] == ["Anna", "sah", "Bern", "."]
        assert len(asked) == 3

    def test_chinese_is_segmented_and_comes_back_as_characters(self) -> None:
        pytest.importorskip("jieba", reason="segments Chinese; comes with spanferry[models]")
        pair = ParallelSentence("1", "Berlin", "柏林", "en", "zh", "made:1", ())
        (words,) = linked_words([pair], [], by_position)
        assert words.links == {(0, 0), (0, 1)}

    def test_the_time_is_shared_by_all_that_was_aligned(self) -> None:
        files = [gold("de"), gold("nl", 2)]
        linked = [
            {pair.id: linked_words([pair], [], by_position)[0] for pair in each.pairs}
            for each in files
        ]
        taken = [WordAlignment("de", 3, 7, 5.0), WordAlignment("nl", 2, 0, 4.0)]
        for row in word_aligner_rows(files, linked, taken):
            seconds = [report.seconds for report in row.reports]
            assert seconds == [pytest.approx(1.5, abs=0.1), pytest.approx(4.0, abs=0.1)]

    def test_the_real_one_when_it_is_there(self) -> None:
        pytest.importorskip("eflomal", reason="an external tool; comes with spanferry[models]")
        empty = ParallelSentence("e", "Anna", " ", "en", "de", "made:0", ())
        others = [s for s in silver() if s.lang == "de"] * 30
        words = linked_words([empty, *gold().pairs], others, run_eflomal)
        assert words[0].links == frozenset()
        linked = [link for each in words[1:] for link in each.links]
        assert all(i < 4 > j for i, j in linked)
        assert sum(i == j for i, j in linked) >= 4, "of 12; it draws at random, without a seed"


def hand_made(skipped: dict[str, str] | None = None) -> Comparison:
    """A comparison whose figures can be told by looking: two right of two, and one of two."""
    files = (gold("de", 1), gold("nl", 1))
    exact = row_of("exact | match", Family.BASELINE, ExactMatch(), files)
    pair = files[1].sentences[0]
    half = replace(pair, target_entities=(pair.target_entities[0],))
    other = row_of(
        "half", Family.CONTEXT_JOINT, ExactMatch(), [replace(files[1], sentences=(half,))]
    )
    reports = [replace(r, seconds=0.001) for r in (*exact.reports, *other.reports)]
    trainings = (Training("paper-pair", 19_200, 810, 64, 211.6, {}, 400.4),)
    alignments = (WordAlignment("de", 1, 50_000, 40.2),)
    made = {"cpu": "An 8-bit CPU", "threads": 2, "libraries": {"torch": "2.0"}}
    rows = (
        replace(exact, reports=tuple(reports[:2])),
        Row("half", Family.CONTEXT_JOINT, (reports[0], reports[2])),
        Row("mini (trained longer)", Family.TRAINED_LONGER, tuple(reports[:2])),
    )
    return Comparison(files, rows, skipped or {}, trainings, alignments, Settings("encoder"), made)


class TestTable:
    def test_markdown(self) -> None:
        lines = markdown(hand_made()).splitlines()
        assert lines[:6] == [
            "|  | made.en-de | made.en-nl | sentences/s |",
            "| :-- | --: | --: | --: |",
            "| exact \\| match | **100.0** (100.0 / 100.0) | **100.0** (100.0 / 100.0) | 1,000 |",
            "| half | **100.0** (100.0 / 100.0) | 66.7 (50.0 / 100.0) | 1,000 |",
            "| mini (trained longer) | **100.0** (100.0 / 100.0) | **100.0** (100.0 / 100.0) "
            "| 1,000 |",
            "| ceiling: what a perfect aligner could reach | 100.0 | 100.0 |  |",
        ]
        assert "- paper-pair: 19,200 sentences, 810 steps of 64, 212 s" in lines
        assert "- eflomal, de: 1 gold and 50,000 silver pairs, 40 s" in lines
        assert "- gold sentences: 1 of made.en-de, 1 of made.en-nl" in lines
        assert "- machine: An 8-bit CPU, 2 threads, torch 2.0" in lines

    def test_what_was_trained_longer_is_not_the_best(self) -> None:
        made = hand_made()
        weak, strong = made.rows[1], made.rows[2]
        shown = markdown(replace(made, rows=(weak, strong))).splitlines()
        assert "**66.7** (50.0 / 100.0)" in shown[2]
        assert "| 100.0 (100.0 / 100.0) | 1,000" in shown[3]

    @pytest.mark.parametrize("panels", [1, 2, 4])
    def test_plots(self, tmp_path: Path, panels: int) -> None:
        pytest.importorskip("matplotlib")
        made = hand_made()
        rows = tuple(replace(r, reports=(r.reports * 2)[:panels]) for r in made.rows)
        made = replace(made, gold=(made.gold * 2)[:panels], rows=rows)
        for name in ("new/plot.png", "a.svg", "b.svg"):
            aligner_plot(made, tmp_path / name)
        assert (tmp_path / "new" / "plot.png").read_bytes().startswith(b"\x89PNG\r\n")
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()

    def test_a_format_we_do_not_draw(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match=r"Name it \.png or \.svg"):
            aligner_plot(hand_made(), tmp_path / "plot.gif")


def test_the_machine_is_named() -> None:
    made = machine()
    assert made["cpu"] == cpu_model() != ""
    assert made["threads"] == torch.get_num_threads()
    assert set(made["libraries"]) >= {"torch", "transformers", "numpy"}
