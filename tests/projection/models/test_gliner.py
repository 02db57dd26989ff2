"""A real GLiNER checkpoint as the teacher: tiny, made here, and read by the real package."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from ml_backend.cli.doctor import labels_of_models
from ml_backend.serving.loading import projector_loader
from ml_backend.settings import Settings
from projection.aligners.baselines import ExactMatch
from projection.errors import ModelError
from projection.models.gliner import CHOSEN, NEAR, GlinerTagger
from projection.pipeline.projector import Projector
from projection.pipeline.run import load_run
from projection.records import Entity
from tests.conftest import HIDDEN, LONGEST
from tests.ml_backend.cli.conftest import Spanferry, spanferry

gliner = pytest.importorskip("gliner", reason="gliner is not installed: make gliner")
__all__ = ["spanferry"]  # a fixture

TYPES = ("drug", "place")
TEXT = "Anna Weber left Berlin and saw the Siemens of Bern ."
MOST_WORDS = 50


@pytest.fixture(scope="module")
def checkpoint(
    word_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Random weights, but a word and a type mean the same everywhere: no context is read."""
    folder = tmp_path_factory.mktemp("gliner")
    word_tokenizer.save_pretrained(folder)
    encoder = {
        "model_type": "bert",
        "vocab_size": len(word_tokenizer),
        "hidden_size": HIDDEN,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
        "max_position_embeddings": LONGEST,
    }
    config = gliner.GLiNERConfig(
        model_name=str(folder),
        encoder_config=encoder,
        hidden_size=HIDDEN,
        max_len=MOST_WORDS,
        max_width=1,
        num_rnn_layers=0,
        embed_ent_token=False,
        words_splitter_type="whitespace",
    )
    torch.manual_seed(1)
    model = gliner.GLiNER.from_config(config, backbone_from_pretrained=False)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "position_embeddings" in name or "output.dense" in name:
                weights.zero_()
            elif weights.dim() > 1:
                torch.nn.init.normal_(weights, std=0.09)
    model.save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture(scope="module")
def teacher(checkpoint: Path) -> GlinerTagger:
    return GlinerTagger.from_pretrained(checkpoint, TYPES)


def seen(text: str, entities: tuple[Entity, ...], offset: int = 0) -> list[tuple[object, ...]]:
    """Where each entity is, its words, its type and its score."""
    return [
        (e.span.start + offset, e.span.of(text), e.label, pytest.approx(e.score, abs=1e-5))
        for e in entities
    ]


def test_its_entities_and_scores_are_those_of_the_package(teacher: GlinerTagger) -> None:
    [tagging] = teacher.tag_with_alternatives([TEXT], "en")
    [theirs] = teacher.model.inference([TEXT], [*TYPES], threshold=CHOSEN)
    assert seen(TEXT, tagging.entities) == [
        (each["start"], each["text"], each["label"], each["score"]) for each in theirs
    ]
    [more] = teacher.model.inference([TEXT], [*TYPES], threshold=NEAR)
    found = [*tagging.entities, *tagging.alternatives]
    assert len(tagging.entities) < len(found) == len(more) < len(TEXT.split())


def test_a_long_text_is_read_in_windows_and_no_entity_is_lost(teacher: GlinerTagger) -> None:
    """A truncation would warn, which is an error here."""
    times = 40
    assert teacher.room <= MOST_WORDS < times * len(TEXT.split())
    found, short = teacher.tag([TEXT * times, TEXT], "en")
    assert seen(TEXT * times, found) == [
        each for turn in range(times) for each in seen(TEXT, short, turn * len(TEXT))
    ]


def test_more_types_than_it_can_read_are_refused(checkpoint: Path) -> None:
    types = [f"type {number}" for number in range(30)]
    with pytest.raises(ModelError, match=r"30 of them take \d+ of the 159 subwords it reads"):
        GlinerTagger.from_pretrained(checkpoint, types)


def test_types_are_renamed_and_suppressed_and_change_the_version(
    checkpoint: Path, teacher: GlinerTagger
) -> None:
    renamed = GlinerTagger.from_pretrained(checkpoint, TYPES, {"drug": "DRUG"}, ["place"])
    [ours], [theirs] = renamed.tag([TEXT], "en"), teacher.tag([TEXT], "en")
    kept = [e for e in theirs if e.label == "drug"]
    assert kept
    assert [(e.span, e.label) for e in ours] == [(e.span, "DRUG") for e in kept]
    assert (renamed.labels, teacher.labels) == (("DRUG",), TYPES)
    again = GlinerTagger.from_pretrained(checkpoint, TYPES)
    swapped = GlinerTagger.from_pretrained(checkpoint, TYPES[::-1])
    assert again.version == teacher.version
    assert len({teacher.version, renamed.version, swapped.version}) == 3


def test_project_records_it_and_carries_its_types(
    checkpoint: Path,
    teacher: GlinerTagger,
    copying_aligner: Path,
    spanferry: Spanferry,
    tmp_path: Path,
) -> None:
    corpus, out = tmp_path / "pairs.tsv", tmp_path / "run"
    corpus.write_text(f"{TEXT}\t{TEXT}\n", "utf-8")
    name = f"gliner:{checkpoint}"
    options = ["--types", "drug, place", "--teacher", name, "--aligner", copying_aligner]
    spanferry("project", "--tsv", corpus, "--target-lang", "de", "--out", out, *options, "--json")
    [projected] = load_run(out)
    [entities] = teacher.tag([TEXT], "en")
    assert [p.source for p in projected.projections] == [*entities]
    manifest = json.loads((out / "run.json").read_text("utf-8"))["settings"]
    assert manifest["labels"] == [*TYPES]
    assert manifest["teacher"] == {
        "name": name,
        "types": [*TYPES],
        "version": teacher.version,
    }


def test_scored_as_a_teacher_it_looks_for_the_types_of_the_gold(
    spanferry: Spanferry, checkpoint: Path, tmp_path: Path
) -> None:
    side = {"text": "Anna Bern", "entities": [{"start": 0, "end": 4, "label": "drug"}]}
    row = {"id": "1", "source_lang": "en", "lang": "de", "source": side, "target": side}
    (tmp_path / "gold.jsonl").write_text(json.dumps(row), "utf-8")
    options = (tmp_path / "gold.jsonl", "--preset", "exact-match", "--teacher")
    scored = spanferry("score-projection", *options, f"gliner:{checkpoint}", "--json").json
    of_gold = Projector(GlinerTagger.from_pretrained(checkpoint, ("drug",)), ExactMatch())
    assert scored["aligner"] == of_gold.model_version


def test_the_backend_and_its_doctor_read_it_from_the_settings(
    checkpoint: Path, copying_aligner: Path, tmp_path: Path
) -> None:
    env = {"TEACHER": f"gliner:{checkpoint}", "TYPES": "drug,place", "LABELS": "drug=D,place=P"}
    env |= {"ALIGNER": str(copying_aligner)}
    settings = Settings.from_env(
        {f"SPANFERRY_BACKEND_{name}": value for name, value in env.items()},
        {"data_dir": str(tmp_path)},
    )
    assert projector_loader(settings)(None).labels == ("D", "P") == labels_of_models(settings)


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without_encoder(folder: Path) -> None:
    change(folder, lambda config: config.update(encoder_config=None))


def with_code(folder: Path) -> None:
    change(folder, lambda config: config["encoder_config"].update(auto_map={"AutoModel": "a--b.C"}))


def without_a_layer(folder: Path) -> None:
    change(folder, lambda config: config.update(num_rnn_layers=1))


def change(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    file = folder / "gliner_config.json"
    config = json.loads(file.read_text("utf-8"))
    edit(config)
    file.write_text(json.dumps(config), "utf-8")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(without_weights, "no safetensors weights, and pickled", id="pickled"),
        pytest.param(without_encoder, "needs parts of another checkpoint", id="not all here"),
        pytest.param(with_code, "needs code of its own, which is never run", id="code"),
        pytest.param(without_a_layer, r"\d of its weights are missing \(rnn", id="incomplete"),
    ],
)
def test_what_cannot_be_loaded_safely_is_refused(
    checkpoint: Path, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint, folder)
    damage(folder)
    with pytest.raises(ModelError, match=said) as refused:
        GlinerTagger.from_pretrained(folder, TYPES)
    assert "\n" not in str(refused.value)
