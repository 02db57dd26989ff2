"""In which order a training sees its sentences, and what it says of its course."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler

from projection.errors import TrainingError
from tests.training.trainer.conftest import material_of
from training.data.rows import Rows
from training.tagger.finetune import learn
from training.trainer.settings import FineTune
from training.trainer.trainer import ByLength

LENGTHS = [7, 3, 9, 12, 5, 5, 8, 2, 11, 4, 6, 10]


class TestOrder:
    @given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2**32))
    def test_an_epoch_has_every_sentence_once_in_an_order_of_its_own(
        self, seed: int, epoch: int, drawn_meanwhile: int
    ) -> None:
        sampler = ByLength(LENGTHS, 4, seed)
        sampler.set_epoch(epoch)
        first = [*sampler]
        torch.manual_seed(drawn_meanwhile)  # dropout draws, too
        assert [*sampler] == first
        assert sorted(first) == [*range(len(LENGTHS))]

    def test_epochs_and_seeds_differ(self) -> None:
        orders = []
        for seed, epoch in ((0, 0), (0, 1), (7, 0)):
            sampler = ByLength(LENGTHS, 2, seed)
            sampler.set_epoch(epoch)
            orders.append(tuple(sampler))
        assert len({*orders}) == 3

    @pytest.mark.parametrize("epoch", [0, 1, 2])
    def test_processes_share_an_epoch_out(self, epoch: int) -> None:
        """Each process has a sampler of its own, and other numbers drawn by its dropout."""
        seen: list[int] = []
        for process in range(3):
            torch.manual_seed(process)
            sampler = ByLength(LENGTHS, 4, seed=1)
            sampler.set_epoch(epoch)
            shard = BatchSamplerShard(BatchSampler(sampler, 4, False), 3, process)
            seen += [place for batch in shard for place in batch]
        assert sorted(seen) == [*range(len(LENGTHS))]


def test_a_training_that_diverges_is_no_model(
    settings: FineTune, made_data: Callable[[int, int], Rows], tmp_path: Path
) -> None:
    wild = replace(settings, learning_rate=1e38, warmup=0.0)
    with pytest.raises(TrainingError, match=r"not numbers \(NaN\)\. Lower learning_rate"):
        learn(material_of(made_data(16, 1)), wild, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_course_is_told(
    settings: FineTune,
    made_data: Callable[[int, int], Rows],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every epoch; with dev data twice, the loss together with the score of that step."""
    caplog.set_level("INFO", "training.trainer.trainer")
    material = material_of(made_data(32, 1))
    learn(material, replace(settings, epochs=2), tmp_path / "plain")
    assert [line.partition(":")[0] for line in caplog.messages] == [
        "epoch 1.0, step 4 of 8",
        "epoch 2.0, step 8 of 8",
    ]
    caplog.clear()
    record = learn(replace(material, dev=made_data(8, 2)), settings, tmp_path / "dev")
    assert [line.rpartition(", dev F1 ")[2] for line in caplog.messages] == [
        f"{100 * each['f1']:.2f}" for each in record["dev"]
    ]
    assert caplog.messages[-1].startswith(f"epoch 1.0, step 4 of 4: loss {record['loss']:.4f}")
