"""Low-rank adapters are trained instead of the encoder, survive a stop, and leave a plain model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification

from projection.errors import ModelError, TrainingError
from training.data.rows import Rows
from training.tagger.finetune import fine_tune
from training.trainer.freezing import freeze_lower_layers
from training.trainer.low_rank import LowRank
from training.trainer.settings import FineTune, LossName

peft = pytest.importorskip("peft", reason="needs spanferry[lora]")

Base = Callable[[str], Path]
Data = Callable[[int, int], Rows]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


class Stopped(Exception):  # noqa: N818
    """Stands for an interruption."""


def test_a_training_with_adapters(base: Base, made_data: Data, tmp_path: Path) -> None:
    """Interrupted in its second epoch: the result is bit by bit that without an interruption."""
    start = base("bert")
    settings = FineTune(
        str(start), LossName.CE, epochs=2, batch_size=8, learning_rate=3e-2, freeze=1,
        max_length=64, lora=4,
    )  # fmt: skip
    data = made_data(40, 1)
    whole = fine_tune(data, settings, tmp_path / "whole")

    def stop(_what: str, done: int, _total: int) -> None:
        if done == 7:
            raise Stopped

    with pytest.raises(Stopped):
        fine_tune(data, settings, tmp_path / "again", on_progress=stop)
    assert fine_tune(data, settings, tmp_path / "again") == whole
    after, again = weights(tmp_path / "whole"), weights(tmp_path / "again")
    before = {f"bert.{name}": w for name, w in weights(start).items() if "pooler" not in name}
    assert after.keys() == {*before, "classifier.weight", "classifier.bias"}, "no adapter is left"
    assert all(torch.equal(after[name], again[name]) for name in after)
    changed = {n for n, w in after.items() if n not in before or not torch.equal(w, before[n])}
    assert {n for n in changed if "layer.1." not in n} == {"classifier.weight", "classifier.bias"}
    assert any("layer.1.attention" in name for name in changed)
    assert not any("LayerNorm" in name or name.endswith("query.bias") for name in changed)
    assert whole["settings"]["lora"] == 4


def test_merging_changes_no_answer(base: Base) -> None:
    torch.manual_seed(0)
    model = AutoModelForTokenClassification.from_pretrained(base("bert")).eval()
    adapters = LowRank(model, 4)
    model.eval()  # no dropout
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero in the beginning
            torch.nn.init.normal_(parameter)
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.inference_mode():
        adapted = model(input_ids=ids).logits
        adapters.merge()
        torch.testing.assert_close(model(input_ids=ids).logits, adapted, rtol=1e-4, atol=1e-5)
    assert not [name for name, _ in model.named_modules() if "lora" in name]


def test_there_must_be_something_to_adapt(base: Base) -> None:
    model = AutoModelForTokenClassification.from_pretrained(base("bert"))
    freeze_lower_layers(model, 2)
    with pytest.raises(ModelError, match=r"no linear layer to adapt\. Freeze fewer"):
        LowRank(model, 4)


def test_a_rank_is_a_positive_number() -> None:
    with pytest.raises(TrainingError, match=r"settings lora: 0 is no rank\. Such as 16"):
        replace(FineTune(), lora=0)
