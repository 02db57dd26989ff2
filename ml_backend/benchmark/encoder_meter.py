"""What an encoder is given and how long it takes, counted where it is called."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from projection.models.openvino import is_in_eight_bits

_ROWS = 2048
_TRIES = 9


@dataclass
class EncoderMeter:
    """Sums over the calls of one encoder, which threads may make at the same time.

    A call with one thread of two counts half of its `seconds`.
    """

    encoder: PreTrainedModel
    texts: int = 0
    tokens: int = 0  # without padding
    padded: int = 0
    seconds: float = 0.0
    operations: float = 0.0  # multiplications and additions on the tokens without padding

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count every call of the encoder meanwhile."""
        call, sums, threads = threading.local(), threading.Lock(), torch.get_num_threads()
        linear = sum(weights.numel() for weights in layers(self.encoder))
        depth, hidden = self.encoder.config.num_hidden_layers, self.encoder.config.hidden_size

        def before(_encoder: nn.Module, _given: object, _named: object) -> None:
            call.began = now(self.encoder)

        def after(_encoder: nn.Module, given: Any, named: Any, _found: object) -> None:
            seconds = (now(self.encoder) - call.began) * torch.get_num_threads() / threads
            ids = named["input_ids"] if "input_ids" in named else given[0]
            mask = named.get("attention_mask")
            sizes = (torch.ones_like(ids) if mask is None else mask).sum(1).double()
            tokens = float(sizes.sum())
            attention = 4 * depth * hidden * float((sizes**2).sum())
            with sums:
                self.seconds += seconds
                self.texts += len(ids)
                self.tokens += int(tokens)
                self.padded += ids.numel()
                self.operations += 2 * linear * tokens + attention

        hooks = (
            self.encoder.register_forward_pre_hook(before, with_kwargs=True),
            self.encoder.register_forward_hook(after, with_kwargs=True),
        )
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def layers(encoder: PreTrainedModel) -> Iterator[torch.Tensor]:
    """The matrices of the linear layers."""
    return (m.weight for m in encoder.modules() if isinstance(m, nn.Linear))


def now(model: PreTrainedModel) -> float:
    """Seconds, once the model's device has done all it was given."""
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def number_format(encoder: PreTrainedModel) -> torch.dtype:
    """The numbers that the encoder's matrices are multiplied in."""
    return torch.int8 if is_in_eight_bits(encoder) else next(layers(encoder)).dtype


def matrix_peak(encoder: PreTrainedModel) -> float:
    """Operations a second of the fastest of some matrix products in the encoder's number format.

    They are those of its layers, and one of two square matrices.
    """
    numbers, device = number_format(encoder), encoder.device
    shapes = {(len(weights), len(weights[0])) for weights in layers(encoder)} | {(_ROWS, _ROWS)}
    return max(_rate(*shape, numbers, device) for shape in shapes)


def _rate(out: int, into: int, numbers: torch.dtype, device: torch.device) -> float:
    given, weights = (
        torch.randn(rows, into, device=device).mul(9).to(numbers) for rows in (_ROWS, out)
    )
    product = torch._int_mm if numbers == torch.int8 else torch.mm  # the same for integers
    return 2 * _ROWS * into * out / median_seconds(lambda: product(given, weights.T))


def median_seconds(what: Callable[[], object], tries: int = _TRIES) -> float:
    """The median of the seconds of some calls, after one that is not counted."""
    found = []
    for _ in range(tries + 1):
        began = time.perf_counter()
        what()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])
