"""`spanferry aligner calibrate`: what it reads, prints and writes."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ml_backend.cli.calibrate import (
    ask,
    calibrate,
    calibrate_on,
    calibrate_teacher,
    drawn,
    load,
    save,
    tables,
)
from projection.aligners.confidence import UNCALIBRATED, Calibration, Signals
from projection.errors import CorpusError, ModelError, TrainingError
from projection.io.files import json_line
from projection.io.records_json import encode
from projection.models.tagger import Tagger
from projection.records import (
    Entity,
    ParallelSentence,
    Projection,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from training.aligner.calibration import Question
from training.evaluation.calibration import assess, fit

ANNA = Entity(Span(0, 4), "PER")
CALIBRATION = Calibration((1.0, 2.0, 3.0, 4.0, 5.0), 6.0)


def sentence(number: int, entities: tuple[Entity, ...] | None = (ANNA,)) -> ParallelSentence:
    name = f"s{number}"
    return ParallelSentence(name, "Anna left", "Anna ging", "en", "de", name, entities)


class SureAligner:
    """Finds every entity at the same place and is always nearly sure: the real interface."""

    languages: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.calibration = UNCALIBRATED

    def fits(self, sentence: ParallelSentence) -> bool:
        return sentence.id != "s0"

    def signals(
        self, sentences: Sequence[ParallelSentence]
    ) -> list[list[tuple[Projection, Signals | None]]]:
        return [[self.answer(s)] for s in sentences]

    def answer(self, sentence: ParallelSentence) -> tuple[Projection, Signals]:
        rng = random.Random(sentence.id)
        inside = rng.uniform(0.9, 1)
        signals = Signals(inside, inside - 0.1, rng.random(), 1.0, rng.random())
        return Projection(ANNA, ANNA.span, self.calibration.probability(signals)), signals

    def save_pretrained(self, folder: str | Path) -> None:
        config = {"calibration": self.calibration.to_json()}
        (Path(folder) / "config.json").write_text(json.dumps(config))


@pytest.fixture
def questions() -> list[Question]:
    """Two of three projections are right, and nothing shows which; the first is too long."""
    return [
        Question(sentence(n), {ANNA: frozenset([ANNA.span] if n % 3 else [])}) for n in range(151)
    ]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """What a folder with a model may hold."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"calibration": null, "model_type": "é", "size": 3}')
    (folder / "model.safetensors").write_bytes(b"\0weights")
    (folder / "README.md").write_text("# The card")
    return folder


def calibration_in(folder: Path) -> Calibration:
    config = json.loads((folder / "config.json").read_text())
    return Calibration.from_json(config["calibration"], str(folder))


class TestCalibrateOn:
    def test_in_place(
        self,
        questions: list[Question],
        model: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        plot = tmp_path / "plot.svg"
        pytest.importorskip("matplotlib")
        calibrate_on(questions, SureAligner(), str(model), out=None, plot=plot, as_json=False)
        printed = capsys.readouterr().out
        assert "150 answers" in printed
        assert "too long to be read whole: 1" in printed
        rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.strip()}
        assert rows["0.80"][:2] == ["100.0", "66.7"]
        assert float(rows["0.80"][2]) < 10
        assert plot.stat().st_size > 1000
        config = json.loads((model / "config.json").read_text())
        assert (config["model_type"], config["size"]) == ("é", 3)
        signals = SureAligner().answer(sentence(4))[1]
        assert calibration_in(model).probability(signals) == pytest.approx(2 / 3, abs=0.15)
        assert (model / "model.safetensors").read_bytes() == b"\0weights"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "plot.svg"]

    def test_as_json(
        self, questions: list[Question], model: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        calibrate_on(questions, SureAligner(), str(model), out=None, plot=None, as_json=True)
        (line,) = capsys.readouterr().out.splitlines()
        told: dict[str, Any] = json.loads(line)
        assert told["model"] == str(model)
        assert told["too_long"] == 1
        assert Calibration.from_json(told["calibration"], "told") == calibration_in(model)
        assert told["before"]["ece"] > 0.2
        assert told["after"]["ece"] < 0.1
        assert [kept["threshold"] for kept in told["before"]["kept"]] == [0.5, 0.8, 0.9, 0.95, 0.99]

    def test_too_few_examples_change_nothing(self, questions: list[Question], model: Path) -> None:
        before = (model / "config.json").read_bytes()
        with pytest.raises(TrainingError, match="6 right and 3 wrong answers are too few"):
            calibrate_on(
                questions[:10],
                SureAligner(),
                str(model),
                out=None,
                plot=model / "plot.png",
                as_json=True,
            )
        assert (model / "config.json").read_bytes() == before
        assert len([*model.iterdir()]) == 3


class TestCalibrateTeacher:
    """A teacher that is always sure of two names, one of which is an entity half the time."""

    @pytest.fixture
    def teacher(self, word_tagger: Callable[[Mapping[str, str]], Path]) -> Path:
        return word_tagger({"Anna": "B-PER", "Bern": "B-LOC"})

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        lines = ["Anna\tB-PER\nleft\tO\n\n"] * 60
        lines += ["Bern\tB-LOC\nleft\tO\n\n", "Bern\tO\nand\tO\n\n"] * 30
        path = tmp_path / "dev.iob2"
        path.write_text("".join(lines))
        return path

    def test_in_place(self, teacher: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        before = Tagger.from_pretrained(teacher)
        calibrate_teacher(str(teacher), [str(data)])
        out = capsys.readouterr().out
        assert "120 answers" in out
        assert out.endswith(f"{teacher} is calibrated\n")
        after = Tagger.from_pretrained(teacher)
        ((entity,),) = after.tag(["Bern left"], "en")
        assert entity.score == pytest.approx(1 / 2, abs=0.05)
        assert before.tag(["Bern left"], "en")[0][0].score > 0.9
        assert after.version != before.version

    def test_a_copy(self, teacher: Path, data: Path, tmp_path: Path) -> None:
        out = tmp_path / "copy"
        calibrate_teacher(str(teacher), [str(data)], out=out)
        assert json.loads((out / "config.json").read_text())["calibration"]["weights"]
        assert "calibration" not in json.loads((teacher / "config.json").read_text())

    def test_renamed_types(self, teacher: Path, data: Path) -> None:
        """Types are those of the data after renaming, types it has none of are not judged."""
        data.write_text(data.read_text().replace("B-PER", "B-person").replace("B-LOC", "B-place"))
        with pytest.raises(TrainingError, match="has no entity of the model's types, LOC, PER"):
            calibrate_teacher(str(teacher), [str(data)])
        calibrate_teacher(str(teacher), [str(data)], rename=["place=LOC"])

    def test_nothing_to_change_in_place(self, data: Path) -> None:
        with pytest.raises(TrainingError, match="Give --out FOLDER"):
            calibrate_teacher("mini", [str(data)])


class TestSave:
    def test_a_copy_keeps_everything_and_leaves_the_model_alone(
        self, model: Path, tmp_path: Path
    ) -> None:
        before = (model / "config.json").read_bytes()
        out = tmp_path / "new" / "copy"
        assert save(SureAligner(), CALIBRATION, model, out) == out
        assert calibration_in(out) == CALIBRATION
        assert (out / "README.md").read_text() == "# The card"
        assert (out / "model.safetensors").read_bytes() == b"\0weights"
        assert (model / "config.json").read_bytes() == before
        assert [path.name for path in out.parent.iterdir()] == ["copy"]

    def test_a_model_of_the_hub_is_written_by_the_aligner(self, tmp_path: Path) -> None:
        out = tmp_path / "copy"
        save(SureAligner(), CALIBRATION, Path("someone/aligner"), out)
        assert calibration_in(out) == CALIBRATION

    def test_a_failure_leaves_no_half_of_it(self, model: Path, tmp_path: Path) -> None:
        (model / "config.json").write_text("{")
        with pytest.raises(CorpusError, match=r"config\.json: not JSON"):
            save(SureAligner(), CALIBRATION, model, tmp_path / "copy")
        assert [path.name for path in tmp_path.iterdir()] == ["model"]

    def test_it_can_be_calibrated_again(self, model: Path) -> None:
        for calibration in (CALIBRATION, UNCALIBRATED):
            save(SureAligner(), calibration, model, None)
            assert calibration_in(model) == calibration


class TestRefusals:
    """Before any data is read or any model is loaded."""

    def test_nothing_to_change_in_place(self, tmp_path: Path) -> None:
        for model in ("someone/aligner", "mini", str(tmp_path)):
            with pytest.raises(TrainingError, match="Give --out FOLDER"):
                calibrate(model)

    def test_a_folder_that_is_taken(self, model: Path, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="exists already"):
            calibrate(str(model), out=tmp_path)

    def test_a_plot_nobody_can_draw(self, model: Path) -> None:
        with pytest.raises(TrainingError, match=r"\.png or \.svg"):
            calibrate(str(model), plot=Path("plot.gif"))

    def test_a_pair_aligner(self, copying_aligner: Path) -> None:
        with pytest.raises(ModelError, match="is a pair aligner"):
            load(str(copying_aligner))


def test_reviews_without_source_entities_are_counted(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reviewed = [
        ReviewedSentence(sentence(n, entities), (ANNA,), status, "7")
        for n, (entities, status) in enumerate(
            [
                ((ANNA,), ReviewStatus.ACCEPTED),
                (None, ReviewStatus.ACCEPTED),
                (None, ReviewStatus.SKIPPED),
            ]
        )
    ]
    path = tmp_path / "reviewed.jsonl"
    path.write_text("".join(json_line(encode(review)) for review in reviewed), "utf-8")
    with pytest.raises(ModelError):  # the folder holds no real model
        calibrate(str(model), reviews=[tmp_path])
    assert "1 reviews left out" in capsys.readouterr().err


def test_sentences_too_long_to_read_are_counted(questions: list[Question]) -> None:
    examples, too_long = ask(SureAligner(), questions[:4])
    assert [is_right for _, is_right in examples] == [True, True, False]
    assert too_long == 1


def test_a_draw_keeps_the_order_and_depends_on_the_seed(questions: list[Question]) -> None:
    names = [q.sentence.id for q in drawn(iter(questions), 20, seed=1)]
    assert names == sorted(names, key=lambda name: int(name[1:]))
    assert len(set(names)) == 20
    assert names == [q.sentence.id for q in drawn(questions, 20, seed=1)]
    assert names != [q.sentence.id for q in drawn(questions, 20, seed=2)]
    assert drawn(questions, 10_000, seed=1) == questions


def test_tables_leave_empty_cells_where_nothing_fell(questions: list[Question]) -> None:
    examples, _ = ask(SureAligner(), questions)
    for table in tables(assess(examples, UNCALIBRATED)):
        assert len({len([*column.cells]) for column in table.columns}) == 1
    assert fit(examples, Calibration) != UNCALIBRATED
