"""Training a real, tiny aligner: it learns, survives an interruption, and loads again."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import ElectraConfig, ElectraModel

from projection.aligners.pair import PairAligner
from projection.errors import TrainingError
from tests.training.aligner.whole_words import place, right, save_tokenizer
from training.aligner.pair import train_aligner
from training.aligner.silver import SilverSentence
from training.bundled.packing import pack
from training.trainer.settings import PUBLISHED_ALIGNER, PairRecipe

NAMES = {"Cologne": "Köln", "Munich": "München", "Vienna": "Wien", "Prague": "Prag"}
FILLERS = ("heute", "liegt", "nahe", "und", "bleibt")


def made(number: int) -> SilverSentence:
    """A sentence with two names, and where their translations stand."""
    rng = random.Random(number)
    names = rng.sample(sorted(NAMES), 2)
    order = rng.sample(names, 2)
    words = [rng.choice(FILLERS), NAMES[order[0]], rng.choice(FILLERS), NAMES[order[1]]]
    source, target = " and ".join(names), " ".join(words)
    phrases = tuple((place(source, name), place(target, NAMES[name])) for name in names)
    return SilverSentence(source, target, "de", phrases)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained encoder that reads whole words."""
    folder = tmp_path_factory.mktemp("base")
    size = save_tokenizer([*NAMES, *NAMES.values(), *FILLERS], folder)
    torch.manual_seed(0)
    config = ElectraConfig(
        vocab_size=size,
        embedding_size=32,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=96,
    )
    ElectraModel(config).save_pretrained(folder)
    return folder


def recipe(base: Path, steps: int = 600) -> PairRecipe:
    schedule = replace(
        PUBLISHED_ALIGNER, max_steps=steps, batch_size=16, learning_rate=3e-3, warmup=20, bf16=False
    )
    return PairRecipe(str(base), schedule)


def test_it_learns_what_chance_does_not_know_and_loads_again(base: Path, tmp_path: Path) -> None:
    unseen = [made(number) for number in range(10_000, 10_100)]
    assert right(PairAligner.from_encoder(base), unseen) < 0.3
    trained = train_aligner(map(made, range(500)), recipe(base), tmp_path / "aligner")
    assert right(trained, unseen) > 0.9
    loaded = PairAligner.from_pretrained(tmp_path / "aligner")
    assert loaded.version == trained.version
    assert loaded.languages == trained.languages == ("de",)
    pack(tmp_path / "aligner", tmp_path / "packed")
    packed = PairAligner.from_pretrained(tmp_path / "packed")
    assert packed.languages == ("de",)
    assert right(packed, unseen) > 0.9


def test_an_interrupted_training_goes_on(base: Path, tmp_path: Path) -> None:
    def stop(_what: str, done: int, _total: int) -> None:
        if done == 40:
            raise KeyboardInterrupt

    silver = [made(number) for number in range(200)]
    whole = train_aligner(silver, recipe(base, 60), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_aligner(silver, recipe(base, 60), tmp_path / "part", stop)
    assert not (tmp_path / "part").exists()
    steps: list[int] = []
    resumed = train_aligner(
        silver, recipe(base, 60), tmp_path / "part", lambda _what, done, _total: steps.append(done)
    )
    assert 1 < steps[0] <= 40
    assert resumed.version == whole.version


@pytest.mark.parametrize("changed", [True, False])
def test_one_changed_example_in_the_middle_starts_anew(
    base: Path, tmp_path: Path, *, changed: bool
) -> None:
    """A checkpoint of other data is not resumed."""

    def stop(_what: str, done: int, _total: int) -> None:
        if done == 25:
            raise KeyboardInterrupt

    silver = [made(number) for number in range(100)]
    with pytest.raises(KeyboardInterrupt):
        train_aligner(silver, recipe(base, 30), tmp_path / "model", stop)
    if changed:
        silver[50] = made(5000)
    steps: list[int] = []
    train_aligner(
        silver, recipe(base, 30), tmp_path / "model", lambda _what, done, _total: steps.append(done)
    )
    assert (steps[0] == 1) is changed


def test_a_model_that_is_there_is_not_overwritten(base: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(TrainingError, match="exists already"):
        train_aligner([made(1)], recipe(base), tmp_path / "model")


def test_nothing_to_train_on_is_an_error(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no phrase pairs"):
        train_aligner([], recipe(base), tmp_path / "model")
