"""Packs a trained model for shipping: matrices in eight bits, nothing of the training.

`projection.models.checkpoints` documents the format and loads it.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer

from projection.errors import ModelError
from projection.io.folders import new_folder
from projection.models.checkpoints import (
    PACKED_WEIGHTS,
    SCALE,
    STORAGE,
    STORAGE_VERSION,
    in_blocks,
    quiet,
    read_packed,
)

_BLOCK = range(16, 65)  # columns that share a scale; an outlier costs the others precision
SMALLEST = 2**14  # values; smaller matrices, such as a classifier's, are not worth packing
_FIX = "Give a folder written by save_pretrained, with safetensors weights and a fast tokenizer"


def pack(model: Path, out: Path) -> int:
    """Write a copy of any model with its matrices in eight bits, and return its size in bytes.

    An older copy is replaced. Every block of a row is rounded to 255 steps between plus and minus
    its largest value. Other floats are kept in single precision, integers unchanged. Raises a
    ModelError if `model` is no complete checkpoint (plain or packed) of finite weights.
    """
    config, weights = _read_json(model / "config.json"), read_weights(model)
    matrices = [
        name
        for name, tensor in weights.items()
        if tensor.ndim == 2 and tensor.is_floating_point() and tensor.numel() >= SMALLEST
    ]
    config[STORAGE] = {"version": STORAGE_VERSION, "matrices": matrices}
    with new_folder(out, replace=True) as folder:
        packed = dict(_packed(weights, matrices, model))
        save_file(packed, folder / PACKED_WEIGHTS, metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
        _copy_tokenizer(model, folder)
        if (model / "README.md").is_file():
            shutil.copyfile(model / "README.md", folder / "README.md")
    for path in out.iterdir():
        path.chmod(0o644)  # safetensors writes for its owner only
    return sum(path.stat().st_size for path in out.iterdir())


def _packed(
    weights: Mapping[str, Tensor], matrices: list[str], where: Path
) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in weights.items():
        values = tensor.float() if tensor.is_floating_point() else tensor
        if not values.isfinite().all():
            raise ModelError(f"{where} {name}", "holds values that are no numbers", "Train it anew")
        if name in matrices:
            integers, scale = _in_eight_bits(values)
            yield name, integers
            yield name + SCALE, scale
        else:
            yield name, values


def _in_eight_bits(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Integers in [-127, 127], and the scale of each block (rows × blocks)."""
    columns = matrix.shape[1]
    length = max((n for n in _BLOCK if columns % n == 0), default=columns)
    blocks = in_blocks(matrix, columns // length)
    least = torch.finfo(torch.float32).tiny  # a block of zeros has no largest value
    scale = (blocks.abs().amax(-1) / 127).clamp(min=least)
    return (blocks / scale[..., None]).round().to(torch.int8).flatten(1), scale


def read_weights(model: Path) -> dict[str, Tensor]:
    """Read all tensors of a checkpoint by name, from one file, several, or a packed one."""
    if (storage := _read_json(model / "config.json").get(STORAGE)) is not None:
        return read_packed(model / PACKED_WEIGHTS, storage)
    files, index = [model / "model.safetensors"], model / "model.safetensors.index.json"
    if not files[0].is_file() and index.is_file():
        files = [model / name for name in sorted(set(_read_json(index)["weight_map"].values()))]
    weights: dict[str, Tensor] = {}
    for file in files:
        try:
            weights.update(load_file(file))
        except (OSError, SafetensorError) as error:
            raise ModelError(str(file), f"cannot be read ({error})", _FIX) from error
    return weights


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(str(path), f"cannot be read ({error})", _FIX) from error


def _copy_tokenizer(model: Path, folder: Path) -> None:
    try:
        with quiet():
            AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    except (OSError, ValueError) as error:
        what = f"has no tokenizer that could be loaded ({str(error).splitlines()[0]})"
        raise ModelError(str(model), what, _FIX) from error
    # Indentation is a third of a vocabulary's size.
    vocabulary = _read_json(folder / "tokenizer.json")
    compact = json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(compact, "utf-8")
