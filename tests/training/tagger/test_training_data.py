"""The parts of the data, read from paths; and a training in several processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import DatasetDict

from projection.errors import TrainingError
from projection.io.conll import write_iob2
from projection.pipeline.conflicts import Policy
from projection.pipeline.run import project_corpus
from projection.records import (
    Entity,
    ParallelSentence,
    ProjectedSentence,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from tests.training.data.test_pseudo_labels import SamePlaces, projected
from training.data.dataset import read_rows, to_dataset
from training.data.rows import Row, Rows
from training.export.export import write_export
from training.tagger.training_data import hold_out, read_training_data

Data = Callable[[int, int], Rows]


@pytest.fixture
def export(made_data: Data, tmp_path: Path) -> Path:
    """A saved dataset as `spanferry export` writes one, some sentences of it never looked at."""
    rows = [
        Row(r.id, r.tokens, r.tags, "de", status="unseen" if i % 4 == 0 else "corrected")
        for i, r in enumerate(made_data(40, 1))
    ]
    to_dataset(Rows.of(rows)).save_to_disk(tmp_path / "export" / "dataset")
    return tmp_path / "export"


@pytest.fixture
def english(made_data: Data, tmp_path: Path) -> Path:
    path = tmp_path / "english.iob2"
    write_iob2((row.tagged for row in made_data(24, 2)), path)
    return path


def numbered(number: int) -> ProjectedSentence:
    """A sentence of its own text."""
    pair = ParallelSentence(
        f"{number}", "Anna won", f"Anna won {number}", "en", "nl", f"a.en:{number}"
    )
    entity = Entity(Span(0, 4), "PER", 0.9)
    return ProjectedSentence(pair, (entity,), (), (), 0.9, "v1")


def tagged(projected: ProjectedSentence) -> Row:
    """The same as gold has it, from another file."""
    words = tuple(projected.sentence.target.split())
    return Row(f"gold-{projected.sentence.id}", words, ("B-PER", "O", "O"), origin="gold.iob2:1")


class Echo:
    """Projects the sentences it knows."""

    model_version = "v1"
    labels = ("PER",)
    languages: tuple[str, ...] = ()

    def __init__(self, known: list[ProjectedSentence]) -> None:
        self.known = {each.sentence.id: each for each in known}

    def fits(self, sentence: ParallelSentence) -> bool:
        return True

    def needs_windows(self, *texts: str) -> bool:
        return False

    def project(self, sentences: list[ParallelSentence]) -> list[ProjectedSentence]:
        return [self.known[each.id] for each in sentences]


def size(rows: Rows | None) -> int:
    assert rows is not None
    return len(rows)


class TestReadTrainingData:
    def test_status_tells_what_was_reviewed(self, export: Path, english: Path) -> None:
        data = read_training_data([export, english], english=[english])
        assert (size(data.reviewed), size(data.pseudo), size(data.english)) == (30 + 24, 10, 24)
        assert data.dev is None
        assert not data.unlabelled

    def test_run_folders_are_pseudo_labels_beside_unseen_ones(
        self, export: Path, tmp_path: Path
    ) -> None:
        run = tmp_path / "run"
        sentences = [projected(number).sentence for number in (1, 2, 3)]
        project_corpus(
            sentences,
            SamePlaces(),
            run,
            policy=Policy.FLAG,
            settings={},
            on_progress=lambda _: None,
        )
        data = read_training_data([export, run])
        assert size(data.pseudo) == 13

    def test_what_is_decided_or_scored_is_not_learned_from_as_it_was_projected(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Of six sentences one is corrected and one unusable; two more are in what is scored."""
        run, export = tmp_path / "run", tmp_path / "export"
        sentences = [numbered(number) for number in range(6)]
        project_corpus(
            [each.sentence for each in sentences],
            Echo(sentences),
            run,
            policy=Policy.FLAG,
            settings={},
            on_progress=lambda _: None,
        )
        statuses = (ReviewStatus.CORRECTED, ReviewStatus.UNUSABLE)
        write_export(
            [
                ReviewedSentence(each.sentence, (), status, "1", None, None, (), None)
                for each, status in zip(sentences, statuses, strict=False)
            ],
            export,
            title="first",
        )
        scored = Rows.of([tagged(each) for each in sentences[2:4]])
        data = read_training_data([export, run], held_out=scored)
        assert size(data.reviewed) == 1
        assert [row.id for row in data.pseudo] == ["4", "5"]
        assert "2 of 6 projected sentences left out: reviewed" in caplog.text
        assert "2 of 4 pseudo-labelled sentences left out: in dev or --eval" in caplog.text

    def test_what_is_scored_is_not_learned_from_as_gold_either(
        self, english: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        whole = read_training_data([english], dev_share=0.3)
        assert whole.dev is not None
        assert not {row.tokens for row in whole.dev} & {row.tokens for row in whole.reviewed}
        held_out = Rows(whole.reviewed.rows[:5], whole.reviewed.labels)
        less = read_training_data([english], dev_share=0.3, held_out=held_out)
        assert size(less.reviewed) == size(whole.reviewed) - 5
        assert "5 of" in caplog.text

    def test_what_is_scored_is_in_no_part_however_it_is_tokenised(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A sentence of the dev part and one of --eval stand in every file, in other tokens."""
        scored = Rows.of([Row("1", ("Yahoo!", "won", "."), ("B-ORG", "O", "O"))])
        (tmp_path / "dev.iob2").write_text("Zoe\u0301\tB-PER\nslept.\tO\n", "utf-8")
        text = tmp_path / "text.txt"
        text.write_text("Yahoo! won.\nZo\u00e9 slept.\nBern won.\n", "utf-8")
        gold = tmp_path / "gold.iob2"
        write_iob2(
            [
                (("Yahoo", "!", "won", "."), ("B-ORG", "I-ORG", "O", "O")),
                (("Zo\u00e9", "slept", "."), ("B-PER", "O", "O")),
                (("YAHOO!", "won", "."), ("B-ORG", "O", "O")),
            ],
            gold,
        )
        data = read_training_data(
            [gold],
            english=[gold],
            unlabelled=[text, gold],
            dev=[tmp_path / "dev.iob2"],
            held_out=scored,
        )
        for part in (data.reviewed, data.english):
            assert [row.tokens[0] for row in part] == ["YAHOO!"]
        assert [row.tokens[0] for row in data.unlabelled] == ["YAHOO!", "Bern"]
        assert size(data.dev) == 1
        for name, counts in (
            ("reviewed", "2 of 3"),
            ("English", "2 of 3"),
            ("unlabelled", "4 of 6"),
        ):
            assert f"{counts} {name} sentences left out: in dev or --eval" in caplog.text

    def test_nothing_left_to_learn_from_is_an_error(self, english: Path) -> None:
        scored = read_rows(english)
        with pytest.raises(TrainingError, match="nothing is left to learn from"):
            read_training_data([english], held_out=scored)

    def test_an_export_with_nothing_to_learn_from_is_for_the_recipe_to_refuse(
        self, tmp_path: Path
    ) -> None:
        sentence, status = numbered(0).sentence, ReviewStatus.UNUSABLE
        review = ReviewedSentence(sentence, (), status, "1", None, None, (), None)
        write_export([review], tmp_path / "export", title="first")
        data = read_training_data([tmp_path / "export"])
        assert not data.pseudo
        assert not data.reviewed

    def test_a_share_of_nothing_reviewed_is_an_error(self, tmp_path: Path) -> None:
        sentences = [numbered(number) for number in range(2)]
        project_corpus(
            [each.sentence for each in sentences],
            Echo(sentences),
            tmp_path / "run",
            policy=Policy.FLAG,
            settings={},
            on_progress=lambda _: None,
        )
        with pytest.raises(TrainingError, match="of 0 reviewed sentences 0 are held out"):
            read_training_data([tmp_path / "run"], dev_share=0.2)

    def test_english_files_are_english(self, english: Path, tmp_path: Path) -> None:
        plain = tmp_path / "plain.iob2"
        plain.write_text("Anna\tB-PER\nwon\tO\n", "utf-8")
        data = read_training_data([english], english=[plain, english])
        assert data.english.languages == ["de", "en"]  # the other one says so

    def test_text_is_unlabelled(self, export: Path, english: Path, tmp_path: Path) -> None:
        text = tmp_path / "text.txt"
        text.write_text("heute kam Babado\nund\n")
        data = read_training_data([export], unlabelled=[text, english])
        assert [row.lang for row in data.unlabelled][-2:] == ["de", "de"]
        assert len(data.unlabelled) == 26

    def test_a_split_export_brings_its_dev_part(self, made_data: Data, tmp_path: Path) -> None:
        sizes = {"train": 20, "validation": 7, "test": 3}
        parts = {name: to_dataset(made_data(size, size)) for name, size in sizes.items()}
        DatasetDict(parts).save_to_disk(tmp_path / "export" / "dataset")
        data = read_training_data([tmp_path / "export"])
        assert (size(data.reviewed), size(data.dev)) == (20, 7)
        data = read_training_data([tmp_path / "export"], dev_share=0.5)
        assert size(data.reviewed) + size(data.dev) == 20

    def test_an_export_without_a_dev_part_trains_all_the_same(
        self, made_data: Data, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        sizes = {"train": 20, "validation": 0, "test": 3}
        parts = {name: to_dataset(made_data(size, 1)) for name, size in sizes.items()}
        counts = dict.fromkeys(parts, 1)
        DatasetDict(parts).save_to_disk(tmp_path / "export" / "dataset", num_shards=counts)
        data = read_training_data([tmp_path / "export"])
        assert (size(data.reviewed), data.dev) == (20, None)
        assert "part 'validation' is empty; --set dev_share=0.1 holds sentences out" in caplog.text
        assert size(read_training_data([tmp_path / "export"], dev_share=0.5).dev) > 0


class TestHoldOut:
    def test_a_sentence_stays_on_its_side(self, made_data: Data) -> None:
        few, many = made_data(60, 1), made_data(200, 1)
        sides = [
            {row.tokens for row in part} for part in (*hold_out(few, 0.3), *hold_out(many, 0.3))
        ]
        assert sides[0] <= sides[2]
        assert sides[1] <= sides[3]
        assert not sides[2] & sides[3]
        assert 0.15 < len(hold_out(many, 0.3)[1]) / 200 < 0.45

    def test_one_side_may_not_be_empty(self, made_data: Data) -> None:
        with pytest.raises(TrainingError, match=r"dev_share 0.5: of 1 reviewed sentences . are"):
            hold_out(made_data(1, 1), 0.5)

    @pytest.mark.parametrize("share", [1.0, -0.1])
    def test_what_is_no_share_is_an_error(self, share: float, made_data: Data) -> None:
        with pytest.raises(TrainingError, match=f"{share} is not a share"):
            hold_out(made_data(9, 1), share)


def test_two_processes_train_one_model(
    export: Path, english: Path, base: Callable[[str], Path], made_data: Data, tmp_path: Path
) -> None:
    """Two CPU processes (gloo) under accelerate: every stage, scoring and a dev part."""
    scored = tmp_path / "scored.iob2"
    write_iob2((row.tagged for row in made_data(24, 7)), scored)
    settings = (
        "freeze=1", "learning_rate=3e-3", "batch_size=4", "max_length=64", "english.epochs=1",
        "student.epochs=1", "dev_share=0.3", "log=none",
    )  # fmt: skip
    train = [
        "train", export, "--english", english, "--preset", "wu2020", "--base", base("bert"),
        "--eval", scored, "--out", tmp_path / "model", *(f"--set={each}" for each in settings),
    ]  # fmt: skip
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    done = subprocess.run(
        [*launch, "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no",
         "--dynamo_backend", "no", "--main_process_port", "0",
         "-m", "ml_backend", *map(str, train)],
        env=environment | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "model" / "training.json").read_text())
    # 24 English sentences in two processes by 4: three steps, where one process makes six.
    assert record["stages"][0]["steps"] == 3
    assert record["stages"][1]["dev"]
    assert record["scores"]["sentences"] == 24
    assert done.stdout.count("precision") == 1
    assert not [*tmp_path.glob(".model*")]
