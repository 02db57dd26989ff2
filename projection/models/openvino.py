"""Encoders in eight bits, computed by OpenVINO on CPUs.

Each row of a matrix of weights becomes integers with a scale, and so does each token before it is
multiplied by them. Integers are multiplied about twice as fast as numbers in bfloat16.
"""

import logging
import os
import threading
import warnings
from copy import deepcopy
from importlib.util import find_spec
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutput

from projection.models.computing import has_bfloat16

log = logging.getLogger(__name__)

SWITCH, OFF = "SPANFERRY_OPENVINO", "off"  # an environment variable: compute in PyTorch instead
MOST_DIFFERENT = 0.1  # of the norm of an encoder's answers

_INPUTS = ("attention_mask", "position_ids", "token_type_ids")  # beside embedded subwords
_LARGEST = 127  # of a signed integer of eight bits
_CHECKED = (
    "Anna Weber left Berlin on 3 May 2019 to work for the European Parliament.",
    "Yesterday the company said it would open a second plant in São Paulo!",
    "Nobody knows.",
)


def in_eight_bits(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, first_position: int, where: str
) -> bool:
    """Have OpenVINO compute the encoder of `model` from now on, and return whether it does.

    It does not on a GPU, where it is not installed or `SWITCH` is `OFF`, and for an encoder it
    cannot read or whose answers would change too much. Positions are counted from `first_position`.
    Otherwise the encoder's own matrices are freed: it must not be trained or saved any more.
    `where` is its name in logs.
    """
    base: Any = model.base_model
    here = model.device.type == "cpu" and os.environ.get(SWITCH) != OFF
    if not here or find_spec("openvino") is None:
        return False
    try:
        read = tokenizer([*_CHECKED], padding=True, return_tensors="pt")
        ids, mask = read["input_ids"], read["attention_mask"]
        encoder = _Encoder(base, first_position)
        with torch.inference_mode():
            own: Tensor = base(ids, attention_mask=mask).last_hidden_state
            found: Any = encoder(ids, attention_mask=mask).last_hidden_state
    except Exception as error:
        log.warning("%s stays in PyTorch: OpenVINO: %s", where, error)
        return False
    difference = float((found - own)[mask > 0].norm() / own[mask > 0].norm())
    if not difference <= MOST_DIFFERENT:  # which NaN is not either
        what = "in eight bits its answers differ by %.3f"
        log.warning(f"%s stays in PyTorch: {what}", where, difference)
        return False
    base.forward = encoder
    table = base.get_input_embeddings()
    for module in base.modules():
        if module is not table:
            module.to_empty(device="meta", recurse=False)
    log.info("%s computes in eight bits, by OpenVINO", where)
    return True


def is_in_eight_bits(encoder: PreTrainedModel) -> bool:
    """Return whether OpenVINO computes this encoder."""
    return isinstance(encoder.forward, _Encoder)


class _Encoder:
    """What stands in for an encoder's `forward`. Threads may call it at the same time."""

    def __init__(self, base: Any, first_position: int) -> None:
        known = signature(base.forward).parameters
        self.table: Any = base.get_input_embeddings()
        self.first_position = first_position
        self.inputs = [name for name in _INPUTS if name in known]
        self._compiled = _compiled(_graph(base, self.inputs), base.config.hidden_size)
        self._own = threading.local()  # of each thread

    def __call__(self, input_ids: Tensor, **named: Any) -> BaseModelOutput:
        """Texts × subwords in; their states, texts × subwords × hidden, out."""
        places = torch.arange(input_ids.shape[1])[None] + self.first_position
        usual = torch.ones_like(input_ids), places, torch.zeros_like(input_ids)
        by_name = dict(zip(_INPUTS, usual, strict=True))
        by_name |= {name: tensor for name, tensor in named.items() if tensor is not None}
        given = [self.table(input_ids)]
        given += [by_name[name].expand(input_ids.shape) for name in self.inputs]
        if (request := getattr(self._own, "request", None)) is None:
            request = self._own.request = self._compiled.create_infer_request()
        found = request.infer([*map(np.ascontiguousarray, given)], share_inputs=True)
        # A copy: the next call of this thread writes where this one did.
        return BaseModelOutput(last_hidden_state=torch.from_numpy(found[0].copy()))


def _graph(base: Any, inputs: list[str]) -> Any:
    """The encoder, from embedded subwords on, as OpenVINO's model of texts of any size."""
    import openvino  # noqa: PLC0415  an extra, as what follows
    from openvino.frontend import FrontEndManager  # noqa: PLC0415
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: PLC0415

    embedded = torch.zeros(2, 8, base.get_input_embeddings().embedding_dim)
    numbers = torch.ones(2, 8, dtype=torch.int64), *torch.zeros(2, 2, 8, dtype=torch.int64)
    by_name = dict(zip(_INPUTS, numbers, strict=True))
    example = embedded, *map(by_name.__getitem__, inputs)
    # `openvino.convert_model` would do the same, and report it to its makers.
    frontend = FrontEndManager().load_by_framework("pytorch")
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        trace: Any = torch.jit.trace  # which has no types
        traced = trace(_States(base, inputs).eval(), example, check_trace=False)
        decoder = TorchScriptPythonDecoder(traced)  # which has to outlive the next line
        model = frontend.convert(frontend.load(decoder))
    for place, tensor in zip(model.inputs, example, strict=True):
        kind = openvino.Type.f32 if tensor.is_floating_point() else openvino.Type.i64
        place.get_node().set_element_type(kind)
        shape = [-1, -1, *tensor.shape[2:]]
        place.get_node().set_partial_shape(openvino.PartialShape(shape))
    model.validate_nodes_and_infer_types()
    return model


def _compiled(model: Any, hidden: int) -> Any:
    import openvino  # noqa: PLC0415

    threads = torch.get_num_threads()
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if has_bfloat16() else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(hidden),
        # As many batches at once as there are threads, see `each_batch`.
        "NUM_STREAMS": str(threads),
        "INFERENCE_NUM_THREADS": threads,
        "CPU_RUNTIME_CACHE_CAPACITY": "64",  # code for so many shapes of batches
        "ENABLE_CPU_PINNING": False,  # else all processes take the same cores
    }
    return openvino.Core().compile_model(model, "CPU", settings)


class _States(nn.Module):
    """An encoder that takes embedded subwords and `inputs`, its matrices in eight bits."""

    def __init__(self, base: PreTrainedModel, inputs: list[str]) -> None:
        super().__init__()
        table: Any = base.get_input_embeddings()
        memo = {id(table.weight): nn.Parameter(torch.zeros(1, table.embedding_dim))}
        self.base = deepcopy(base, memo)  # without the table, which may be large
        self.inputs = inputs
        _round(self.base)

    def forward(self, embedded: Tensor, *given: Tensor) -> Tensor:
        named = dict(zip(self.inputs, given, strict=True))
        states: Tensor = self.base(inputs_embeds=embedded, **named).last_hidden_state
        return states


def _round(module: nn.Module) -> None:
    for name, part in module.named_children():
        if isinstance(part, nn.Linear):
            setattr(module, name, _Rounded(part))
        else:
            _round(part)


class _Rounded(nn.Module):
    """A linear layer as OpenVINO knows it in eight bits: integers, with a scale for each row."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weights = layer.weight.detach()
        scales = weights.abs().amax(1, keepdim=True).clamp(min=1e-12) / _LARGEST
        self.register_buffer("integers", (weights / scales).round().to(torch.int8))
        self.register_buffer("scales", scales)
        self.bias = layer.bias

    def forward(self, given: Tensor) -> Tensor:
        weights = self.integers.to(torch.float32) * self.scales  # type: ignore[operator]
        return functional.linear(given, weights, self.bias)
