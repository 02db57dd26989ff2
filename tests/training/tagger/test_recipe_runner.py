"""Whole recipes on tiny models and the small language."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
import torch
from safetensors.torch import load_file

from projection.errors import TrainingError
from training.data.rows import NO_ROWS, Row, Rows
from training.evaluation.tagging_scores import evaluate
from training.tagger.preset_changes import changed
from training.tagger.presets import PRESETS, Part, Preset, Stage, Use
from training.tagger.recipe_runner import Trained, plan_of, train_preset
from training.tagger.training_data import TrainingData
from training.trainer.settings import FineTune, LossName, Tracker, Tracking

Base = Callable[[str], Path]
Data = Callable[[int, int], Rows]


def quick(name: str, base: Path, **more: object) -> Preset:
    """A recipe for a tiny model of two layers: an epoch a stage, and fast."""
    return changed(
        PRESETS[name],
        {
            "base": str(base),
            "learning_rate": 3e-3,
            "batch_size": 8,
            "freeze": 1,
            "max_length": 64,
            **{f"{stage.name}.epochs": 1.0 for stage in PRESETS[name].stages},
            **more,
        },
    )


def weights(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


STAGES = {
    "spanferry": ["target"],
    "plain": ["target"],
    "li2021": ["english", "target"],
    "li2021-sequential-rw": ["english", "target"],
    "li2021-zero-transfer": ["english"],
    "li2021-sequential-ce": ["english", "target"],
    "li2021-skip-english": ["target"],
    "li2021-mixed-ce": ["target"],
    "li2021-mixed-rw": ["target"],
    "wu2020": ["english", "student"],
    "unitrans": ["source", "translated", "adapted", "student"],
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the recipes of this module keep their stages: many begin alike."""
    return tmp_path_factory.mktemp("stages")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs_from_beginning_to_end(  # noqa: PLR0917  fixtures
    name: str, base: Base, data: TrainingData, made_data: Data, tmp_path: Path, shared: Path
) -> None:
    held_out, out, start = made_data(10, 9), tmp_path / "model", base("bert")
    trained = train_preset(quick(name, start), data, out, eval=held_out, stages=shared)
    assert [stage["name"] for stage in trained.record["stages"]] == STAGES[name]
    assert trained.scores == evaluate(out, held_out)
    record = json.loads((out / "training.json").read_text())
    assert (record["preset"], record["seed"]) == (name, 0)
    assert record["settings"]["base"] == str(start)
    assert [stage["name"] for stage in record["stages"]] == STAGES[name]
    assert record["stages"][-1]["model_version"] == record["model_version"]
    card = (out / "README.md").read_text()
    assert f"## Recipe `{name}`" in card
    assert record["model_version"] in card
    assert record["data"]["fingerprint"] in card
    given = {part: each for part, each in data.parts.items() if each is not None}
    assert {*record["parts"]} == {*given, "eval"}
    for part, each in (given | {"eval": held_out}).items():
        assert record["parts"][part]["sentences"] == len(each)
        assert f"`{each.fingerprint}`" in card
    assert record["parts"]["pseudo"]["corpora"] == {"a": 20, "b": 20}
    assert f"in percent, on `{held_out.fingerprint}`" in card
    assert not [*out.glob("*.bin"), *out.glob("*.pt")]
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


@pytest.mark.parametrize("name", ["wu2020", "unitrans"])
def test_a_student_learns_from_its_teachers(
    name: str, base: Base, made_data: Data, tmp_path: Path
) -> None:
    data = TrainingData(
        english=made_data(300, 1),
        unlabelled=made_data(300, 2),
        translations={"haus": "dort", "heute": "lange"},
    )
    teachers = {f"{stage.name}.epochs": 8 for stage in PRESETS[name].stages[:-1]}
    preset = quick(name, base("bert"), **teachers, **{"student.epochs": 12, "freeze": 0})
    trained = train_preset(preset, data, tmp_path / "model", eval=made_data(100, 3))
    assert trained.scores is not None
    assert trained.scores.f1 > 0.6


class TestStages:
    def test_frozen_layers_are_the_same_bit_by_bit_after_all_stages(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        start = base("bert")
        train_preset(quick("li2021", start), data, tmp_path / "model")
        before, after = weights(start), weights(tmp_path / "model")
        frozen = {n for n in before if "embeddings" in n or "layer.0." in n}
        assert frozen
        for name in before.keys() - {n for n in before if "pooler" in n}:
            assert torch.equal(before[name], after[f"bert.{name}"]) == (name in frozen), name

    def test_the_second_starts_from_the_first(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        preset = quick("li2021", base("bert"), **{"target.learning_rate": 1e-12})
        train_preset(preset, data, tmp_path / "both", stages=tmp_path / "stages")
        (english,) = (tmp_path / "stages").glob("english-*")
        first, second = weights(english), weights(tmp_path / "both")
        for name, tensor in first.items():
            torch.testing.assert_close(second[name], tensor)

    def test_a_student_starts_from_the_base(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        start = base("bert")
        preset = quick("wu2020", start, **{"student.learning_rate": 1e-12})
        train_preset(preset, data, tmp_path / "model")
        before, after = weights(start), weights(tmp_path / "model")
        name = "encoder.layer.1.output.dense.weight"
        torch.testing.assert_close(after[f"bert.{name}"], before[name])

    def test_recipes_that_begin_alike_share_their_beginning(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        start, stages, steps = base("bert"), tmp_path / "stages", list[str]()
        for name in ("li2021-zero-transfer", "li2021", "li2021-sequential-ce"):
            train_preset(
                quick(name, start),
                data,
                tmp_path / name,
                stages=stages,
                on_progress=lambda what, _done, _total: steps.append(what),
            )
        assert len([*stages.glob("english-*")]) == 1
        assert steps.count("english: training steps") == 4
        alone = train_preset(quick("li2021", start), data, tmp_path / "alone")
        assert same(weights(alone.model), weights(tmp_path / "li2021"))
        assert len({s.name for s in stages.iterdir() if s.name.startswith("target")}) == 2

    def test_at_the_same_time_one_waits_for_the_other(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        preset, stages = quick("li2021-zero-transfer", base("bert")), tmp_path / "stages"
        met, steps = Barrier(2), list[str]()

        def train(name: str) -> Trained:
            met.wait(60)
            return train_preset(
                preset, data, tmp_path / name, stages=stages,
                on_progress=lambda what, _done, _total: steps.append(what),
            )  # fmt: skip

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(train, ("first", "second"))
        assert len(steps) == first.record["steps"]
        assert same(weights(first.model), weights(second.model))

    def test_so_is_what_only_the_probabilities_of_teachers_decide(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        """A student's stage is found again without asking its teachers anew."""
        preset, stages = quick("unitrans", base("bert")), tmp_path / "stages"
        first = train_preset(preset, data, tmp_path / "first", stages=stages)
        seen: list[str] = []
        again = train_preset(
            preset, data, tmp_path / "again", stages=stages,
            on_progress=lambda what, _done, _total: seen.append(what),
        )  # fmt: skip
        assert same(weights(first.model), weights(again.model))
        assert not seen
        assert not [*stages.glob("*.answers")]

    def test_other_numbers_of_processes_train_other_models(
        self, base: Base, data: TrainingData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        preset = quick("li2021", base("bert"))
        alone = plan_of(preset, data)
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert plan_of(preset, data) != alone

    def test_another_base_is_another_beginning(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        for kind in ("bert", "electra"):
            preset = quick("li2021-zero-transfer", base(kind))
            train_preset(preset, data, tmp_path / kind, stages=tmp_path / "stages")
        assert len([*(tmp_path / "stages").glob("english-*")]) == 2

    def test_optional_parts_without_data_are_left_out(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        only = TrainingData(reviewed=data.reviewed)
        trained = train_preset(quick("spanferry", base("bert")), only, tmp_path / "model")
        (stage,) = trained.record["stages"]
        assert stage["learned_from"] == {"reviewed": 20}

    @pytest.mark.parametrize(
        ("name", "given", "message"),
        [
            ("li2021", ["pseudo"], "stage english: needs english sentences.*--english FILE"),
            ("li2021", ["english"], "stage target: needs pseudo sentences.*spanferry project"),
            ("li2021-mixed-rw", ["pseudo"], "needs english sentences"),
            ("wu2020", ["english"], "needs unlabelled sentences"),
            ("unitrans", ["english"], "needs translated sentences"),
            ("spanferry", [], "needs english or pseudo or translated or reviewed sentences"),
        ],
    )
    def test_what_is_missing_is_named_before_anything_is_trained(  # noqa: PLR0917
        self, name: str, given: list[str], message: str, base: Base, data: TrainingData,
        tmp_path: Path,
    ) -> None:  # fmt: skip
        some = TrainingData(**{part: getattr(data, part) for part in given})
        steps: list[int] = []
        with pytest.raises(TrainingError, match=message):
            train_preset(
                quick(name, base("bert")), some, tmp_path / "model",
                on_progress=lambda _what, done, _total: steps.append(done),
            )  # fmt: skip
        assert not (tmp_path / "model").exists()
        assert not steps


class TestWhatIsLearned:
    def one_stage(self, base: Path, *uses: Use, loss: LossName = LossName.GCE) -> Preset:
        settings = FineTune(loss=loss, epochs=1, batch_size=8, learning_rate=3e-3)
        return Preset("test", str(base), (Stage("target", uses, settings),))

    def train(self, preset: Preset, data: TrainingData, out: Path) -> dict[str, torch.Tensor]:
        train_preset(preset, data, out)
        return weights(out)

    def test_weights_doubts_and_confidence_all_matter(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        start = base("bert")
        uses = {
            "plain": Use(Part.PSEUDO),
            "again": Use(Part.PSEUDO, weight=1.0, doubt=1.0),
            "weight": Use(Part.PSEUDO, weight=0.3),
            "doubt": Use(Part.PSEUDO, doubt=0.0),
            "confidence": Use(Part.PSEUDO, confidence=True),
        }
        made = {
            name: self.train(self.one_stage(start, use), data, tmp_path / name)
            for name, use in uses.items()
        }
        assert same(made.pop("plain"), made["again"])
        names = [*made]
        assert not [(a, b) for a in names for b in names if a < b and same(made[a], made[b])]

    def test_without_doubt_every_loss_is_cross_entropy(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        start = base("bert")
        certain = Use(Part.REVIEWED, doubt=0.0)
        made = [
            self.train(self.one_stage(start, certain, loss=loss), data, tmp_path / loss)
            for loss in (LossName.CE, LossName.GCE, LossName.RW)
        ]
        for other in made[1:]:
            for name, tensor in made[0].items():
                torch.testing.assert_close(other[name], tensor, rtol=1e-4, atol=1e-5)

    def test_what_is_drawn_is_recorded(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        use = Use(Part.PSEUDO, sentences=11, equal_corpora=True)
        preset = self.one_stage(base("bert"), use, Use(Part.REVIEWED))
        trained = train_preset(preset, data, tmp_path / "model")
        assert trained.record["stages"][0]["learned_from"] == {"pseudo": 11, "reviewed": 20}

    def test_names_in_lower_case_are_none_unless_reviewers_say_so(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        def in_lower_case(rows: Rows) -> Rows:
            return Rows.of(
                replace(
                    row,
                    tokens=("Und", *(token.lower() for token in row.tokens)),
                    tags=("O", *row.tags),
                    confidence=(),
                )
                for row in rows.rows
            )

        def learned(name: str, reviewed: Rows) -> dict[str, int]:
            given = replace(data, pseudo=in_lower_case(data.pseudo), reviewed=reviewed)
            recipe = quick("spanferry", base("bert"), **{"translated.sentences": 0})
            (stage,) = train_preset(recipe, given, tmp_path / name).record["stages"]
            return dict(stage["learned_from"])

        assert "pseudo" not in learned("none", data.reviewed)  # no sentence has a name
        assert learned("meant", in_lower_case(data.reviewed))["pseudo"] > 0

    def test_unlabelled_text_is_that_of_the_target_parts_where_none_is_given(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        some = replace(data, unlabelled=NO_ROWS)
        trained = train_preset(quick("wu2020", base("bert")), some, tmp_path / "model")
        assert trained.record["stages"][-1]["learned_from"] == {"unlabelled": 60}

    def test_a_language_the_bundled_aligner_does_not_know_is_not_translated_into(
        self, base: Base, data: TrainingData, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        some = replace(data, translations=None)
        trained = train_preset(quick("spanferry", base("bert")), some, tmp_path / "model")
        assert "translated" not in trained.record["stages"][-1]["learned_from"]
        assert "nothing is translated" in caplog.text
        with_words = train_preset(quick("spanferry", base("bert")), data, tmp_path / "other")
        assert with_words.record["stages"][-1]["learned_from"]["translated"] == 30

    def test_tags_of_unlabelled_text_are_not_read(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        assert data.unlabelled is not None
        bare = [replace(r, tags=("O",) * len(r.tags)) for r in data.unlabelled]
        start = base("bert")
        for name, text in (("tagged", data.unlabelled), ("bare", Rows.of(bare))):
            some = replace(data, unlabelled=text)
            train_preset(quick("wu2020", start), some, tmp_path / name)
        assert same(weights(tmp_path / "tagged"), weights(tmp_path / "bare"))

    def test_types_of_all_parts_are_the_model_s(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        event = Rows.of([Row("1", ("Babado", "kam"), ("B-EVT", "O"))])
        some = replace(data, reviewed=event)
        trained = train_preset(quick("li2021-zero-transfer", base("bert")), some, tmp_path / "m")
        assert "EVT" in trained.record["labels"]


class Stopped(Exception):  # noqa: N818  not an error: the power went off
    """Raised in the middle of a training."""


def stop_in(stage: str, step: int) -> Callable[[str, int, int], None]:
    def on_progress(what: str, done: int, _total: int) -> None:
        if what.endswith(f"{stage}: training steps") and done == step:
            raise Stopped

    return on_progress


class TestInterrupted:
    def test_finished_stages_are_kept_and_an_unfinished_one_goes_on(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        preset = quick("li2021", base("bert"), **{"target.epochs": 2})
        whole = train_preset(preset, data, tmp_path / "whole")
        out, steps = tmp_path / "model", list[tuple[str, int]]()
        with pytest.raises(Stopped):
            train_preset(preset, data, out, on_progress=stop_in("target", 7))
        assert not out.exists()
        resumed = train_preset(
            preset, data, out, on_progress=lambda what, done, _: steps.append((what, done))
        )
        assert steps == [("target: training steps", i) for i in range(6, 11)]
        assert same(weights(whole.model), weights(resumed.model))
        assert {path.name for path in tmp_path.iterdir()} == {"whole", "model"}

    def test_one_seed_gives_one_model(self, base: Base, data: TrainingData, tmp_path: Path) -> None:
        preset = quick("unitrans", base("electra"))
        for name, seed in (("one", 1), ("again", 1), ("other", 2)):
            train_preset(preset, data, tmp_path / name, seed=seed)
        one, again, other = (weights(tmp_path / name) for name in ("one", "again", "other"))
        assert same(one, again)
        assert not same(one, other)


class TestDev:
    def test_the_best_checkpoint_is_kept_and_training_stops(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        """Pseudo-labels without any entity: it only gets worse."""
        start, dev = base("bert"), made_data(40, 5)
        rows = [replace(r, tags=("O",) * len(r.tags)) for r in made_data(64, 6)]
        preset = quick("li2021", start)
        english_stage, target = preset.stages
        target = replace(target, uses=(Use(Part.PSEUDO),))
        english = changed(
            replace(preset, stages=(english_stage, target)),
            {"english.epochs": 15, "english.freeze": 0, "english.learning_rate": 5e-3,
             "epochs": 8, "patience": 2},
        )  # fmt: skip
        data = TrainingData(english=made_data(300, 1), pseudo=Rows.of(rows), dev=dev)
        trained = train_preset(english, data, tmp_path / "model", eval=dev)
        record = trained.record
        scores = [entry["f1"] for entry in record["dev"]]
        best = scores.index(max(scores))
        assert len(scores) == best + 3
        assert record["steps"] == record["dev"][-1]["step"] < 8 * 8
        assert record["kept"] == record["dev"][best]["step"]
        assert trained.scores is not None
        assert trained.scores.f1 == pytest.approx(max(scores))

    @pytest.mark.parametrize("step", [3, 5, 7])
    def test_an_interruption_changes_nothing(
        self, step: int, base: Base, data: TrainingData, made_data: Data, tmp_path: Path
    ) -> None:
        """An epoch has three steps, with checkpoints after the second and the third."""
        preset = quick("plain", base("bert"), **{"target.epochs": 3.0, "patience": 9})
        some = TrainingData(reviewed=data.reviewed, dev=made_data(10, 5))
        whole = train_preset(preset, some, tmp_path / "whole")
        assert whole.record["steps"] == 9
        with pytest.raises(Stopped):
            train_preset(preset, some, tmp_path / "cut", on_progress=stop_in("target", step))
        cut = train_preset(preset, some, tmp_path / "cut")
        assert cut.record == whole.record
        assert same(weights(cut.model), weights(whole.model))


class TestTracking:
    def test_tensorboard_gets_a_curve_a_stage_beside_the_model(
        self, base: Base, data: TrainingData, tmp_path: Path
    ) -> None:
        pytest.importorskip("tensorboard")
        tracking = Tracking(Tracker.TENSORBOARD, tmp_path / "runs" / "model", "model")
        train_preset(quick("li2021", base("bert")), data, tmp_path / "model", tracking=tracking)
        for stage in ("english", "target"):
            assert [*(tmp_path / "runs" / "model" / stage).glob("events.*")]
        assert not [*(tmp_path / "model").rglob("events.*")]
