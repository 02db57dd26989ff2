"""Taggers as ONNX: word pieces in, logits out."""

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from projection.errors import ModelError

ONNX = "model.onnx"
INPUTS, OUTPUT = ("input_ids", "attention_mask"), "logits"
TOLERANCE = 1e-4  # the largest difference of a logit that is mere rounding


class _Logits(nn.Module):
    """The logits of a token classifier of one sequence a row."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Sentences × subwords in, sentences × subwords × tags out."""
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def require_onnx() -> None:
    """Raise ModelError where PyTorch's exporter lacks a package."""
    for package in ("onnxscript", "onnx"):
        if find_spec(package) is None:
            raise ModelError(
                "--onnx", f"{package} is not installed", "pip install 'spanferry[onnx]'"
            )


def write_onnx(model: PreTrainedModel, file: Path) -> None:
    """Write a token classifier for batches of any size and length; see `require_onnx`.

    Takes `INPUTS` (int64, sentences × subwords) and gives `OUTPUT`, sentences × subwords × tags.
    """
    example = tuple(torch.ones(2, 8, dtype=torch.int64) for _ in INPUTS)
    axes = {name: {0: "batch", 1: "length"} for name in INPUTS}
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision
    try:
        with warnings.catch_warnings(action="ignore"):
            torch.onnx.export(
                _Logits(model.cpu().eval()),  # type: ignore[no-untyped-call]
                example,
                file,
                input_names=INPUTS,
                output_names=[OUTPUT],
                dynamic_shapes=axes,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
