"""Every way a checkpoint can be damaged or foreign ends in one line with a fix."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForTokenClassification

from projection.aligners.loading import load_aligner, trained_languages
from projection.errors import ModelError
from projection.models.checkpoints import load_checkpoint
from projection.models.tagger import Tagger

Damage = Callable[[Path], object]
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"


def changed(name: str, **entries: object) -> Damage:
    """Entries of a JSON file; ... removes one."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / name).read_text("utf-8")) | entries
        kept = {key: value for key, value in content.items() if value is not ...}
        (folder / name).write_text(json.dumps(kept), "utf-8")

    return damage


def written(name: str, content: str | bytes) -> Damage:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(data)


def removed(*names: str) -> Damage:
    return lambda folder: [(folder / name).unlink() for name in names]


def reweighted(change: Callable[[dict[str, torch.Tensor]], dict[str, Any]]) -> Damage:
    def damage(folder: Path) -> None:
        weights = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
        save_file(change(weights), folder / WEIGHTS, metadata={"format": "pt"})

    return damage


def first_embeddings(folder: Path) -> None:
    name = "bert.embeddings.word_embeddings.weight"
    reweighted(lambda weights: weights | {name: weights[name][:9].clone()})(folder)


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def pickled_under_another_name(folder: Path) -> None:
    pickled(folder)
    (folder / "pytorch_model.bin").rename(folder / WEIGHTS)


def cut_short(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def sharded(content: object) -> Damage:
    def damage(folder: Path) -> None:
        (folder / WEIGHTS).unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps(content))

    return damage


UNLOADABLE = "no checkpoint could be loaded"
ALWAYS: dict[str, tuple[Damage, str]] = {
    "an empty folder": (lambda folder: [p.unlink() for p in folder.iterdir()], UNLOADABLE),
    "config is a list": (written(CONFIG, "[]"), UNLOADABLE),
    "config is null": (written(CONFIG, "null"), UNLOADABLE),
    "config is empty": (written(CONFIG, "{}"), UNLOADABLE),
    "config is not UTF-8": (written(CONFIG, b"\xff\xfe\x00"), UNLOADABLE),
    "config is missing": (removed(CONFIG), UNLOADABLE),
    "config nests too deep": (written(CONFIG, "[" * 100_000), UNLOADABLE),
    "no model type": (changed(CONFIG, model_type=..., architectures=...), UNLOADABLE),
    "an unknown model type": (changed(CONFIG, model_type="nothing"), UNLOADABLE),
    "a model type that is a list": (changed(CONFIG, model_type=[]), UNLOADABLE),
    "a size that is text": (changed(CONFIG, hidden_size="x"), UNLOADABLE),
    "a size of 0": (changed(CONFIG, hidden_size=0), UNLOADABLE),
    "another size": (changed(CONFIG, intermediate_size=16), UNLOADABLE),
    "an unknown activation": (changed(CONFIG, hidden_act="nope"), UNLOADABLE),
    "labels are a list": (changed(CONFIG, id2label=["O", "B-PER"]), UNLOADABLE),
    "more labels than weights": (changed(CONFIG, id2label={"0": "O", "1": "P", "2": "Q"}), "size"),
    "code of its own": (
        changed(CONFIG, model_type="x", auto_map={"AutoConfig": "evil.Config"}),
        "needs code of its own, which is never run",
    ),
    "packed, but not so": (changed(CONFIG, spanferry_storage=5), UNLOADABLE),
    "packed with what it shares": (
        changed(CONFIG, spanferry_storage={"version": 2, "shared": 5}),
        UNLOADABLE,
    ),
    "more layers": (changed(CONFIG, num_hidden_layers=2), "16 of its weights are missing"),
    "another architecture": (changed(CONFIG, model_type="roberta"), "of its weights are missing"),
    "pickled weights": (pickled, "no safetensors weights, and pickled ones are never loaded"),
    "no weights": (removed(WEIGHTS), "has no safetensors weights"),
    "a pickle named safetensors": (pickled_under_another_name, UNLOADABLE),
    "weights cut short": (cut_short, UNLOADABLE),
    "weights empty": (written(WEIGHTS, ""), UNLOADABLE),
    "weights of something else": (
        reweighted(lambda _: {"x": torch.zeros(1)}),
        "of its weights are missing",
    ),
    "a weight missing": (
        reweighted(lambda w: {name: w[name] for name in w if "query.bias" not in name}),
        "1 of its weights are missing or of another shape",
    ),
    "an index of missing files": (sharded({"metadata": {}, "weight_map": {"a": "x"}}), UNLOADABLE),
    "an index that is a list": (sharded([]), UNLOADABLE),
    "tokenizer is empty": (written(TOKENIZER, "{}"), UNLOADABLE),
    "tokenizer is junk": (written(TOKENIZER, "junk"), UNLOADABLE),
    "no tokenizer": (removed(TOKENIZER, TOKENIZER_CONFIG), "its tokenizer is missing"),
    "tokenizer settings are a list": (written(TOKENIZER_CONFIG, "[]"), UNLOADABLE),
    "a tokenizer of another model": (
        lambda folder: (changed(CONFIG, vocab_size=9)(folder), first_embeddings(folder)),
        "subwords, its model only 9",
    ),
    "a length that is text": (changed(TOKENIZER_CONFIG, model_max_length="x"), "model_max_length"),
    "no padding": (changed(TOKENIZER_CONFIG, pad_token=None), "has no padding token"),
}
TRAINED: dict[str, tuple[Damage, str]] = {
    "no labels": (changed(CONFIG, id2label=..., label2id=...), "without an O"),
    "labels with a gap": (changed(CONFIG, id2label={"0": "O", "2": "P"}), "no table of the labels"),
    "a label that is a number": (changed(CONFIG, id2label={"0": "O", "1": 7}), "no table of the"),
    "a label that is empty": (changed(CONFIG, id2label={"0": "O", "1": ""}), "no table of the"),
    "no head": (
        reweighted(lambda w: {name: w[name] for name in w if "classifier" not in name}),
        "2 of its weights are missing",
    ),
    "not a number": (
        reweighted(lambda w: {name: torch.full_like(w[name], float("nan")) for name in w}),
        "its answers are not numbers",
    ),
}


@pytest.fixture
def damaged(
    word_tagger: Callable[[Mapping[str, str]], Path], tmp_path: Path
) -> Callable[..., Path]:
    def make(damage: Damage) -> Path:
        folder = shutil.copytree(word_tagger({"Anna": "B-PER"}), tmp_path / "model")
        damage(folder)
        return folder

    return make


def refusal(load: Callable[[Path], object], folder: Path) -> str:
    """The one line that says what is wrong with the folder, and how to mend it."""
    with pytest.raises(ModelError) as caught:
        load(folder)
    line = str(caught.value)
    assert str(folder) in line
    assert caught.value.fix
    assert "\n" not in line
    assert len(line) < 600
    return line


@pytest.mark.parametrize("name", ALWAYS)
def test_a_base_is_refused(name: str, damaged: Callable[[Damage], Path]) -> None:
    damage, what = ALWAYS[name]
    load = lambda folder: load_checkpoint(AutoModelForTokenClassification, folder)  # noqa: E731
    assert what in refusal(load, damaged(damage))


@pytest.mark.parametrize("name", TRAINED)
def test_a_tagger_is_refused(name: str, damaged: Callable[[Damage], Path]) -> None:
    damage, what = TRAINED[name]
    load = lambda folder: Tagger.from_pretrained(folder).tag(["Anna"], "de")  # noqa: E731
    assert what in refusal(load, damaged(damage))


def test_languages_of_an_aligner_that_are_none(copying_aligner: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(copying_aligner, tmp_path / "model")
    changed(CONFIG, aligner_languages=5)(folder)
    for load in (load_aligner, trained_languages):
        assert "aligner_languages: is no list of languages" in refusal(load, folder)
