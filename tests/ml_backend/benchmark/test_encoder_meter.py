"""What is counted of an encoder, by hand."""

import time
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel

from ml_backend.benchmark import encoder_meter
from ml_backend.benchmark.encoder_meter import (
    EncoderMeter,
    matrix_peak,
    median_seconds,
    number_format,
)
from projection.models.computing import each_batch

CPU = torch.device("cpu")
HIDDEN, INNER, LAYERS = 8, 16, 2


def encoder() -> PreTrainedModel:
    shape = {"hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS}
    config = AutoConfig.for_model("bert", vocab_size=9, num_attention_heads=2, **shape)
    auto: Any = AutoModel  # whose methods have no types
    model: PreTrainedModel = auto.from_config(config, add_pooling_layer=False).eval()
    return model


class TestEncoderMeter:
    def test_padding_is_told_from_text(self) -> None:
        meter = EncoderMeter(encoder())
        ids = torch.ones(2, 5, dtype=torch.long)
        mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
        with meter.counting():
            meter.encoder(input_ids=ids, attention_mask=mask)
            meter.encoder(input_ids=ids[:1, :4])
        meter.encoder(input_ids=ids)
        assert (meter.texts, meter.tokens, meter.padded) == (3, 12, 14)
        assert meter.seconds > 0

    def test_operations_are_those_of_matrices_and_attention(self) -> None:
        """A text of three subwords: each meets every weight, and every other one twice a layer."""
        meter = EncoderMeter(encoder())
        with meter.counting():
            meter.encoder(input_ids=torch.ones(1, 3, dtype=torch.long))
        weights = LAYERS * (4 * HIDDEN**2 + 2 * HIDDEN * INNER)
        assert meter.operations == 2 * 3 * weights + LAYERS * 4 * HIDDEN * 3**2

    def test_calls_beside_each_other_take_no_longer_than_all_of_it(self) -> None:
        meter, before = EncoderMeter(encoder()), torch.get_num_threads()
        ids = torch.ones(1, 3, dtype=torch.long)
        torch.set_num_threads(2)
        try:
            with meter.counting():
                meter.encoder.register_forward_pre_hook(lambda *_: time.sleep(0.05))
                began = time.perf_counter()
                work = each_batch([[1], [2], [3], [4]], lambda _: meter.encoder(ids), CPU)
                assert len([*work]) == 4
                took = time.perf_counter() - began
        finally:
            torch.set_num_threads(before)
        assert meter.texts == 4
        assert 4 * 0.05 / 2 <= meter.seconds <= took

    def test_the_peak_is_above_what_an_encoder_reaches(self) -> None:
        meter = EncoderMeter(encoder())
        with meter.counting():
            meter.encoder(input_ids=torch.ones(64, 64, dtype=torch.long))
        assert 0 < meter.operations / meter.seconds < matrix_peak(meter.encoder)

    def test_one_that_openvino_computes_is_held_against_integers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = encoder()
        assert number_format(model) == torch.float32
        monkeypatch.setattr(encoder_meter, "is_in_eight_bits", lambda _: True)
        assert number_format(model) == torch.int8
        assert matrix_peak(model) > 0


def test_the_median_leaves_out_the_first_call() -> None:
    calls = list[int]()
    assert median_seconds(lambda: calls.append(1), tries=3) >= 0
    assert len(calls) == 4
