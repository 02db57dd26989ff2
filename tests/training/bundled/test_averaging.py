"""Weights between those of two checkpoints."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from projection.aligners.joint import JointAligner
from projection.aligners.lexical_evidence import Lexicon
from projection.errors import ModelError, TrainingError
from tests.projection.aligners.joint_models import encoder_folder, piece_tokenizer
from training.bundled.averaging import average


def checkpoint(folder: Path, **tensors: torch.Tensor) -> Path:
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(f'{{"of": "{folder.name}"}}', "utf-8")
    return folder


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return checkpoint(tmp_path / "first", a=torch.tensor([0.0, 4.0]), keys=torch.tensor([7]))


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return checkpoint(tmp_path / "second", a=torch.tensor([2.0, 0.0]), keys=torch.tensor([7]))


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param(0.0, [0.0, 4.0], id="the first"),
        pytest.param(0.25, [0.5, 3.0], id="between"),
        pytest.param(1.0, [2.0, 0.0], id="the second"),
    ],
)
def test_a_share_of_each(
    first: Path, second: Path, tmp_path: Path, share: float, expected: list[float]
) -> None:
    average(first, second, share, tmp_path / "out")
    made = load_file(tmp_path / "out" / "model.safetensors")
    assert made["a"].tolist() == expected
    assert made["keys"].tolist() == [7]
    assert "second" in (tmp_path / "out" / "config.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("other", "name"),
    [
        pytest.param({"a": torch.zeros(3), "keys": torch.tensor([7])}, "a", id="another shape"),
        pytest.param({"a": torch.zeros(2), "keys": torch.tensor([8])}, "keys", id="other integers"),
        pytest.param({"a": torch.zeros(2)}, "keys", id="a tensor less"),
    ],
)
def test_models_that_are_not_alike_are_refused(
    first: Path, tmp_path: Path, other: dict[str, torch.Tensor], name: str
) -> None:
    unlike = checkpoint(tmp_path / "unlike", **other)
    with pytest.raises(ModelError, match=f"unlike: {name} is not that of"):
        average(first, unlike, 0.5, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_card_tells_of_it(first: Path, second: Path, tmp_path: Path) -> None:
    (second / "README.md").write_text("# second\n", "utf-8")
    average(first, second, 0.7, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert card.startswith("# second\n")
    assert f"70% of each weight is of this training, the rest of `{first}`." in card


def test_nothing_is_overwritten(first: Path, second: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="exists already"):
        average(first, second, 0.5, tmp_path)


def test_a_folder_without_weights(first: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing.config\.json: cannot be read"):
        average(first, tmp_path / "nothing", 0.5, tmp_path / "out")


def test_an_encoder_stands_for_an_untrained_aligner_on_it(tmp_path: Path) -> None:
    """All but what was counted is of the encoder, and its learned layers have no effect."""
    lexicon = Lexicon.of({("a", "b"): 1.0})
    encoder = encoder_folder(tmp_path / "encoder", piece_tokenizer())
    aligner = JointAligner.from_encoder(encoder, lexicon, apart=True)
    with torch.no_grad():
        for parameter in aligner.model.parameters():
            parameter.add_(1)
        aligner.model.centre += 2
    aligner.save_pretrained(tmp_path / "trained")
    average(encoder, tmp_path / "trained", 0.25, tmp_path / "out")
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("trained", "out")]
    words = "encoder.embeddings.word_embeddings.weight"
    assert torch.allclose(weights[0][words] - 0.75, weights[1][words], atol=1e-5)
    assert torch.allclose(weights[1]["borders.join.weight"], torch.tensor(0.25), atol=1e-5)
    for counted in ("lexicon_keys", "lexicon_ties", "centre"):
        assert torch.equal(weights[0][counted], weights[1][counted])
