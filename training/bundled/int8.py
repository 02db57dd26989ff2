"""Makes a trained model small enough to ship: matrices in eight bits, nothing of the training left.

`projection.models.checkpoints` says how they are stored, and loads them.
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

BLOCK = range(16, 65)  # columns that share a scale: one too large costs the others precision
SMALLEST = 2**14  # values: below this, as in the head of a classifier, nothing would be won
FIX = "Give a folder written by save_pretrained, with safetensors weights and a fast tokenizer"


def pack(model: Path, out: Path) -> int:
    """Write a copy of any model with its matrices in eight bits; an older copy is replaced.

    Every block of a row is rounded to 255 steps between plus and minus its largest value. Other
    weights are kept in single precision, and integers as they are.

    Args:
        model: a folder written by `save_pretrained`, or a packed one.
        out: the folder to write. `projection.models.checkpoints.load_checkpoint` loads it.

    Returns:
        The size of the copy in bytes.

    Raises:
        ModelError: if `model` holds no whole checkpoint, or weights that are no numbers.
    """
    config = _read_json(model / "config.json")
    weights = _read_weights(model, config)
    matrices = [name for name, tensor in weights.items() if _is_large_matrix(tensor)]
    config[STORAGE] = {"version": STORAGE_VERSION, "matrices": matrices}
    with new_folder(out, replace=True) as folder:
        save_file(
            dict(_packed(weights, matrices, model)),
            folder / PACKED_WEIGHTS,
            metadata={"format": "pt"},
        )
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
        _copy_tokenizer(model, folder)
        if (model / "README.md").is_file():
            shutil.copyfile(model / "README.md", folder / "README.md")
    for path in out.iterdir():
        path.chmod(0o644)  # safetensors writes for its owner only
    return sum(path.stat().st_size for path in out.iterdir())


def _is_large_matrix(tensor: Tensor) -> bool:
    return tensor.ndim == 2 and tensor.is_floating_point() and tensor.numel() >= SMALLEST


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
    """Integers in [-127, 127], and what 1 is worth in each block (rows × blocks)."""
    columns = matrix.shape[1]
    length = max((n for n in BLOCK if columns % n == 0), default=columns)
    blocks = in_blocks(matrix, columns // length)
    least = torch.finfo(torch.float32).tiny  # a block of zeros has no largest value
    scale = (blocks.abs().amax(-1) / 127).clamp(min=least)
    return (blocks / scale[..., None]).round().to(torch.int8).flatten(1), scale


def _read_weights(model: Path, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """All tensors of a checkpoint by name, from one file or several."""
    if (storage := config.get(STORAGE)) is not None:
        return read_packed(model / PACKED_WEIGHTS, storage)
    weights: dict[str, Tensor] = {}
    for file in _weight_files(model):
        try:
            weights.update(load_file(file))
        except (OSError, SafetensorError) as error:
            raise ModelError(str(file), f"cannot be read ({error})", FIX) from error
    return weights


def _weight_files(model: Path) -> list[Path]:
    whole, index = model / "model.safetensors", model / "model.safetensors.index.json"
    if whole.is_file() or not index.is_file():
        return [whole]
    return [model / name for name in sorted(set(_read_json(index)["weight_map"].values()))]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(str(path), f"cannot be read ({error})", FIX) from error
    return content


def _copy_tokenizer(model: Path, folder: Path) -> None:
    try:
        with quiet():
            AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    except (OSError, ValueError) as error:
        what = f"has no tokenizer that could be loaded ({str(error).splitlines()[0]})"
        raise ModelError(str(model), what, FIX) from error
    # Without its indentation, which is a third of a vocabulary's size.
    vocabulary = _read_json(folder / "tokenizer.json")
    compact = json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(compact, "utf-8")
