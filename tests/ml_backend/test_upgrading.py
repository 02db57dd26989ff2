"""What docs/upgrading.md promises, of files and projects as earlier versions left them."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from transformers import PreTrainedTokenizerFast

from label_config.tasks import record_of
from ml_backend.audit.sample import plan
from ml_backend.audit.threshold_check import refuse_another_model
from ml_backend.jobs.queue import JobQueue, State
from ml_backend.report.source import read_export
from ml_backend.review.pull import fetch_reviewed
from ml_backend.review.repredict import repredict
from ml_backend.serving.model_store import BUNDLED, ModelStore
from projection.aligners.joint import JointAligner
from projection.aligners.joint_inputs import Reader
from projection.aligners.lexical_evidence import Lexicon, spelling
from projection.aligners.loading import load_aligner
from projection.errors import CorpusError, ModelError, ReviewError, RunError, TrainingError
from projection.io.records_json import encode
from projection.models import bundled
from projection.models.tagger import Tagger
from projection.pipeline.conflicts import Policy
from projection.pipeline.run import load_run, project_corpus
from projection.pipeline.run_summary import load_summary
from projection.records import ReviewStatus
from tests.label_studio.examples import EXAMPLES, FixedProjector, projected
from tests.ml_backend.audit.tasks import task
from tests.ml_backend.conftest import model_folder
from tests.ml_backend.jobs.test_retrain import ReviewedProject
from tests.ml_backend.review.test_push import FixedServer, push_all
from tests.ml_backend.reviews import ALL, RIGHT, review
from tests.projection.aligners.joint_models import LONGEST, piece_tokenizer, telling_aligner
from training.bundled.packing import pack, pack_embeddings
from training.data.dataset import read_rows, to_dataset
from training.data.reviewed import read_reviews
from training.data.rows import Row, Rows, row_of
from training.export.export import write_export
from training.tagger.preset_changes import changed
from training.tagger.presets import PRESETS
from training.tagger.recipe_runner import plan_of, train_preset
from training.tagger.seeds import train_seeds
from training.tagger.training_data import TrainingData

OLD, NEW = "spanferry-0123456789ab", "spanferry-ba9876543210"


# Label Studio projects


def test_repredict_moves_untouched_tasks_and_keeps_old_predictions() -> None:
    server = FixedServer()
    push_all(server, projected(FixedProjector(OLD)))
    touched, *untouched = server.held
    touched["annotations"].append({"id": 1})

    report = repredict(server, server.there, FixedProjector(NEW), pauses=())  # type: ignore[arg-type]

    assert (report.predicted, report.touched) == (len(untouched), 1)
    versions = [[each["model_version"] for each in task["predictions"]] for task in server.held]
    assert versions == [[OLD], *[[OLD, NEW]] * len(untouched)]
    assert server.there.model_version == NEW


def test_reviews_keep_the_version_whose_prediction_the_annotator_saw() -> None:
    server = ReviewedProject(2)
    project = server.project(1)
    assert project.model_version == "poor", "the project shows another one"
    reviewed = fetch_reviewed(server, project)
    assert [(each.model_version, each.status) for each in reviewed] == [
        ("fixed", ReviewStatus.CORRECTED)
    ] * 2


def test_a_task_of_an_older_version_is_refused_with_the_way_out() -> None:
    data = {"source": "Ada left.", "target": "Ada ging.", "source_entities": [], "pair_id": "old"}
    with pytest.raises(ReviewError, match=r"an older spanferry pushed this task.*spanferry push"):
        record_of({"id": 1, "data": data}, "task 1")


def test_an_audit_of_the_old_version_is_neither_continued_nor_accepted() -> None:
    drawn = task(1, version=OLD)
    drawn["data"].update(audit="May", audit_model_version=OLD, audit_threshold=0.8)
    with pytest.raises(ReviewError, match=f"model version {OLD}, not {NEW}.*another --name"):
        plan([drawn], NEW, "May", size=10, threshold=0.8)
    report = {"name": "May", "model_version": OLD, "current": True}
    with pytest.raises(ReviewError, match=f"{OLD}, and the project shows those of {NEW}"):
        refuse_another_model(report, NEW, "audit.json")


# Run folders

SENTENCE = EXAMPLES[0].sentence


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run, as an earlier version wrote it."""
    folder = tmp_path / "run"
    folder.mkdir()
    sides = {"id": "old", "source": "Ada left.", "target": "Ada ging.", "source_lang": "en"}
    sentence = {**sides, "target_lang": "de", "origin": "news.en:1"}
    place = {"start": 0, "end": 3}
    ada = {**place, "label": "PER", "text": "Ada", "score": 0.9}
    projection = {"source": ada, "target": {**place, "text": "Ada"}, "score": 0.9}
    row = {
        "schema": 1,
        "sentence": {**sentence, "entities": [ada]},
        "entities": [ada],
        "projections": [{**projection, "alternatives": []}],
        "conflicts": [],
        "score": 0.9,
        "model_version": OLD,
    }
    manifest = {"schema": 1, "model_version": OLD, "policy": "flag", "settings": {}}
    summary = {"read": 1, "kept": 1, "flagged": {}, "dropped": {}, "flagged_sentences": 0}
    summary |= {"dropped_sentences": 0, "entities": 1, "seconds": 1.0}
    (folder / "run.json").write_text(json.dumps(manifest))
    (folder / "projected.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "dropped.jsonl").touch()
    (folder / "summary.json").write_text(json.dumps({"schema": 1, **summary}))
    return folder


def test_a_finished_run_is_read_and_pushed_with_its_version(run: Path) -> None:
    assert load_summary(run).kept == 1
    server = FixedServer()
    assert push_all(server, load_run(run)).added == 1
    assert server.held[0]["predictions"][0]["model_version"] == OLD


def test_an_unfinished_run_is_not_continued_by_another_version(run: Path) -> None:
    (run / "summary.json").unlink()
    with pytest.raises(RunError, match="not done"):
        load_summary(run)
    what = f"made with .*model_version '{OLD}', now '{NEW}'. Use another --out folder, or remove"
    with pytest.raises(RunError, match=what):
        project_corpus(
            [SENTENCE],
            FixedProjector(NEW),
            run,
            policy=Policy.FLAG,
            settings={},
            on_progress=lambda _: None,
        )
    assert OLD in (run / "projected.jsonl").read_text(), "nothing is lost"


def test_nor_by_a_version_that_writes_other_records(run: Path) -> None:
    (run / "summary.json").unlink()
    with pytest.raises(RunError, match=r"made with schema 1, now 2\. Use another --out folder"):
        project_corpus(
            [SENTENCE],
            FixedProjector(OLD),
            run,
            policy=Policy.FLAG,
            settings={},
            on_progress=lambda _: None,
        )


# Exports


def test_an_export_without_parts_is_read_whole_and_replaced(tmp_path: Path) -> None:
    """As schema 1 wrote it: `dataset/` is one dataset, reviews know neither part nor teacher."""
    made, out = review(ALL, RIGHT), tmp_path / "export"
    new = {"part", "teacher_entities"}
    row = {key: value for key, value in encode(made).items() if key not in new}
    rows = Rows.of([row_of(made)[0]])
    to_dataset(rows).save_to_disk(out / "dataset")
    (out / "reviewed.jsonl").write_text(json.dumps({**row, "schema": 1}) + "\n", "utf-8")
    (out / "summary.json").write_text('{"schema": 1, "title": "News"}')

    assert [*read_rows(out, "train")] == [*read_rows(out)] == [*rows]
    assert read_reviews(out) == [made]
    assert read_export(out).title == "News"
    write_export([made], out, title="News")
    assert json.loads((out / "summary.json").read_text())["schema"] == 2


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{", b"[]", b'{"schema": NaN}'], ids=repr)
def test_a_damaged_record_is_one_line(run: Path, content: bytes) -> None:
    (run / "summary.json").write_bytes(content)
    with pytest.raises(CorpusError, match=r"summary\.json: ") as caught:
        load_summary(run)
    assert "\n" not in str(caught.value)


# Models


def test_one_bundled_tagger_labels_english_and_is_the_base() -> None:
    assert get_args(bundled.Bundled) == ("aligner", "tagger")
    assert bundled.resolve(None, "tagger") == bundled.resolve("mini", "tagger")
    assert not (bundled.path("tagger").parent / "teacher").exists()


def test_a_tagger_needs_nothing_of_the_base_it_was_made_from(
    word_tagger: Callable[[Mapping[str, str]], Path], tmp_path: Path
) -> None:
    base = word_tagger({"Anna": "B-PER"})
    pack_embeddings(base, tmp_path / "embeddings")
    pack(base, tmp_path / "packed", tmp_path / "embeddings")
    tagger = Tagger.from_pretrained(tmp_path / "packed")
    tagger.save_pretrained(tmp_path / "mine")
    shutil.rmtree(tmp_path / "packed")
    shutil.rmtree(tmp_path / "embeddings")
    mine = Tagger.from_pretrained(tmp_path / "mine")
    assert mine.version == tagger.version
    assert [len(found) for found in mine.tag(["Anna saw Bern"], "de")] == [1]


def test_models_of_several_seeds_from_another_base_are_not_mixed(tmp_path: Path) -> None:
    data = TrainingData(reviewed=Rows.of([Row("a", ("Anna",), ("B-PER",), "de")]))
    plan = plan_of(PRESETS["plain"], data)
    plan["preset"]["base"] = "0123456789ab"
    (tmp_path / "plan.json").write_text(json.dumps(plan), "utf-8")
    with pytest.raises(TrainingError, match=r"another recipe or other data. Choose another folder"):
        train_seeds(PRESETS["plain"], data, tmp_path, [0])


def test_a_stage_that_another_version_trained_is_not_built_on(
    word_tagger: Callable[[Mapping[str, str]], Path], tmp_path: Path
) -> None:
    changes = {"base": str(word_tagger({"Anna": "B-PER"})), "freeze": 0, "epochs": 1.0}
    data = TrainingData(reviewed=Rows.of([Row("a", ("Anna",), ("B-PER",), "de")]))
    preset, stages = changed(PRESETS["plain"], changes), tmp_path / "stages"
    train_preset(preset, data, tmp_path / "one", stages=stages)
    (record,) = stages.glob("*/training.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "schema": 0}))
    with pytest.raises(TrainingError, match=r"another version \(schema 0, not 1\)\. Remove this"):
        train_preset(preset, data, tmp_path / "two", stages=stages)


def test_an_aligner_of_before_reads_both_sentences_at_once(
    word_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    telling_aligner(word_tokenizer, Lexicon.of({})).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    del config["apart"]
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    aligner = load_aligner(tmp_path)
    assert isinstance(aligner, JointAligner)
    assert not aligner.reader.apart


@pytest.mark.parametrize(
    ("text", "lang", "units"),
    [
        pytest.param("北京 在", "zh", ("北京", "在"), id="subwords"),
        pytest.param("ab cab", "de", ("ab", "cab"), id="words, as before"),
    ],
)
def test_what_it_reads_as_a_word(text: str, lang: str, units: tuple[str, ...]) -> None:
    reader = Reader(piece_tokenizer(), LONGEST, apart=False)
    assert reader.pair(("a", text), ("en", lang), ()).target.texts == units


def test_letters_of_other_scripts_are_compared_as_spelled_with_a_to_z() -> None:
    assert [spelling(word) for word in ("лондон", "łodz", "köln", "berlin")] == [
        *("london", "lodz", "koln", "berlin")
    ]


def test_a_teacher_with_letter_case_as_token_types_is_refused(
    word_tagger: Callable[[Mapping[str, str]], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(word_tagger({"Anna": "B-PER"}), tmp_path / "teacher")
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    config["word_case"] = True
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match=r"reads letter case as token types.* spanferry train"):
        Tagger.from_pretrained(folder)


# The backend's data folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with models named by hashes of their files, the second one active."""
    root = tmp_path / "models"
    model_folder(root / "aaaaaaaaaaaa", version="first")
    model_folder(root / "bbbbbbbbbbbb", version="second")
    pointer = {"schema": 1, "active": "bbbbbbbbbbbb", "before": [BUNDLED, "aaaaaaaaaaaa"]}
    (root / "active.json").write_text(json.dumps(pointer))
    return ModelStore(root)


def test_a_store_goes_on_serving_what_it_served(store: ModelStore) -> None:
    assert {*store.versions()} == {"aaaaaaaaaaaa", "bbbbbbbbbbbb"}
    assert store.active() == store.root / "bbbbbbbbbbbb"
    assert store.rollback() == "aaaaaaaaaaaa"
    store.activate("bbbbbbbbbbbb")
    assert store.active_version() == "bbbbbbbbbbbb"


def test_a_model_of_an_old_store_can_be_added_under_its_model_version(store: ModelStore) -> None:
    version = store.add(store.root / "bbbbbbbbbbbb")
    assert version == Tagger.from_pretrained(store.root / "bbbbbbbbbbbb").version
    store.activate(version)
    shutil.rmtree(store.root / "bbbbbbbbbbbb")
    assert store.active() == store.root / version


def test_trainings_are_listed_and_an_interrupted_one_goes_on(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs")
    record = {"schema": 1, "project": 5, "why": "asked for", "created": "2026-01-05T10:00:00+00:00"}
    times = {"started": "2026-01-05T10:00:02+00:00", "ended": None, "said": "", "attempts": 1}
    for number, state in ((1, "served"), (2, "running")):
        folder = queue.root / str(number)
        folder.mkdir(parents=True)
        job = {**record, **times, "id": number, "state": state, "result": {"version": "a" * 12}}
        (folder / "job.json").write_text(json.dumps(job))
    (queue.root / ".runner").touch()
    assert [job.state for job in queue.shown()] == [State.INTERRUPTED, State.SERVED]
    assert queue.run(lambda job, _: replace(job, state=State.KEPT)) == 1
    assert queue.job(2).attempts == 2
