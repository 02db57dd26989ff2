"""Packed checkpoints: matrices in eight or four bits, embeddings in a folder that models share.

`training.bundled.packing` writes them, and only this module reads them:

    config.json               "spanferry_storage": {"version": 2, "matrices": ["NAME", …],
                              "nibbles": ["NAME", …], "shared": {…}}
    model.packed.safetensors  of each of the "matrices", in eight bits:
                                  NAME        int8, rows × columns
                                  NAME.scale  float32, rows × blocks: what 1 is worth in the block
                              of each of the "nibbles", in four bits:
                                  NAME        uint8, rows × columns / 2
                                  NAME.scale  float16, rows × columns / 32
                              and every other tensor as it is

The blocks of a row are of equal length; in eight bits, their number is in the shape of the scales.
Four bits are those of Q4_0: 32 columns to a block of 16 bytes, whose lower halves are the first 16
columns, counted from -8. Version 1 has "matrices" alone, in `model.int8.safetensors`.

Models on one encoder share its embedding table and its tokenizer, which lie in a folder beside
theirs, packed like a model. `identity` is that of the folder's own entry:

    "shared": {"folder": "../NAME", "identity": "…", "tensors": {"NAME HERE": "NAME THERE"}}
"""

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from projection.errors import ModelError
from projection.io.files import read_object

STORAGE = "spanferry_storage"
STORAGE_VERSION = 2
PACKED_WEIGHTS = "model.packed.safetensors"
SCALE = ".scale"
_ROWS_AT_ONCE = 4096  # a table of embeddings at once would need twice its size beside it
_FILES = {1: "model.int8.safetensors", STORAGE_VERSION: PACKED_WEIGHTS}
_WHOLE = "Copy or download the whole folder again"

Storage = Mapping[str, Any]
"""The entry `spanferry_storage` of a configuration."""

# Tables in use, by file, its time of modification, and name. A tensor made of an array keeps it
# alive, so that it is freed with the last model.
_TABLES: WeakValueDictionary[tuple[Path, int, str], NDArray[np.float32]] = WeakValueDictionary()
_READING = threading.Lock()


def weights_name(storage: Storage, folder: str | Path) -> str:
    """The name of the file with the weights; ModelError if a later version wrote it."""
    version = storage.get("version")
    if version not in _FILES:
        what = f"version {version}, this spanferry reads up to {STORAGE_VERSION}"
        raise ModelError(f"{folder}/config.json {STORAGE}", what, "Install a newer spanferry")
    return _FILES[version]


def read_packed(folder: Path, storage: Storage) -> dict[str, Tensor]:
    """All weights of a packed checkpoint, those it shares included, in single precision.

    Shared ones are in memory once, however many models are loaded: never change them in place, and
    call `own_shared` before a training. ModelError if a file is damaged, missing or of another
    model.
    """
    return _unpacked(folder, storage) | dict(_shared(folder, storage))


def _unpacked(folder: Path, storage: Storage) -> dict[str, Tensor]:
    file = folder / weights_name(storage, folder)
    weights = _load(file)
    for kind, unpack in (("matrices", _from_eight_bits), ("nibbles", from_four_bits)):
        for name in storage.get(kind, ()):
            try:
                weights[name] = unpack(weights[name], weights.pop(name + SCALE))
            except KeyError as error:
                raise ModelError(str(file), f"has no tensor {error}", _WHOLE) from error
    return weights


def _load(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except SafetensorError as error:
        raise ModelError(str(file), f"damaged ({error})", _WHOLE) from error


def _from_eight_bits(integers: Tensor, scale: Tensor) -> Tensor:
    return (in_blocks(integers, scale.shape[1]) * scale[..., None]).flatten(1)


def from_four_bits(halves: Tensor, scale: Tensor) -> Tensor:
    """The values of a matrix stored in four bits, in single precision; some rows at a time."""
    blocks = in_blocks(halves, scale.shape[1])
    values = torch.empty(*blocks.shape[:2], 2 * blocks.shape[2])
    width = blocks.shape[2]
    for first in range(0, len(blocks), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        values[part, :, :width] = (blocks[part] & 15).float() - 8
        values[part, :, width:] = (blocks[part] >> 4).float() - 8
        values[part] *= scale[part].float()[..., None]
    return values.flatten(1)


def in_blocks(matrix: Tensor, count: int) -> Tensor:
    """A matrix with each row cut into `count` blocks: rows × blocks × columns of a block."""
    return matrix.reshape(len(matrix), count, -1)


def shared_folder(folder: Path, storage: Storage) -> Path | None:
    """The folder with the tokenizer and the tensors that `folder` shares; None if it has its own.

    ModelError if it is missing, not beside `folder`, or another one than when `folder` was packed.
    """
    if (shared := storage.get("shared")) is None:
        return None
    up, _, name = str(shared["folder"]).partition("/")
    if up != ".." or name in {"", ".", ".."} or set(name) & set("/\\:"):
        what = f"{shared['folder']} is no folder beside it"
        raise ModelError(f"{folder}/config.json {STORAGE}", what, "Do not use this checkpoint")
    there = folder.resolve().parent / name
    if (found := embeddings_storage(there)) is None:
        fix = f"Copy {name} beside it as well, or load the model and save it with save_pretrained"
        raise ModelError(str(folder), f"needs the folder {there}, which is missing", fix)
    if found["identity"] != shared["identity"]:
        what = f"was packed with other embeddings than those in {there}"
        raise ModelError(str(folder), what, "Copy or download both folders again")
    return there


def embeddings_storage(folder: Path) -> dict[str, Any] | None:
    """The storage entry of a folder of shared embeddings; None if `folder` is no such folder."""
    try:
        storage = json.loads((folder / "config.json").read_text("utf-8"))[STORAGE]
    except (OSError, ValueError, KeyError):
        return None
    return storage if isinstance(storage, dict) and "identity" in storage else None


def _shared(folder: Path, storage: Storage) -> Iterator[tuple[str, Tensor]]:
    if (there := shared_folder(folder, storage)) is None:
        return
    changed = (there / PACKED_WEIGHTS).stat().st_mtime_ns
    for here, name in storage["shared"]["tensors"].items():
        key = (there, changed, name)
        with _READING:
            table = _TABLES.get(key)
            if table is None:
                table = _TABLES[key] = _table(there, name).numpy()
        yield here, torch.from_numpy(table)


def _table(folder: Path, name: str) -> Tensor:
    try:
        return _unpacked(folder, embeddings_storage(folder) or {})[name]
    except KeyError as error:
        raise ModelError(str(folder / PACKED_WEIGHTS), f"has no tensor {error}", _WHOLE) from error


def own_shared(model: nn.Module) -> None:
    """Give a model copies of the tensors it shares, so that it can be trained."""
    with _READING:
        addresses = {table.ctypes.data for table in _TABLES.values()}
    for parameter in model.parameters():
        if parameter.data_ptr() in addresses:
            parameter.data = parameter.data.clone()


def include_shared(copy: Path, source: Path) -> None:
    """Complete a copy of the checkpoint `source` with what it shares: it needs no other folder.

    A checkpoint that shares nothing stays as it is.
    """
    path = copy / "config.json"
    config = read_object(path)
    storage = config.get(STORAGE, {})
    if (there := shared_folder(source, storage)) is None:
        return
    weights, table = _load(copy / PACKED_WEIGHTS), _load(there / PACKED_WEIGHTS)
    for here, name in storage.pop("shared")["tensors"].items():
        weights |= {here: table[name].clone(), here + SCALE: table[name + SCALE].clone()}
        storage["nibbles"] = [*storage.get("nibbles", ()), here]
    save_file(weights, copy / PACKED_WEIGHTS, metadata={"format": "pt"})
    (copy / PACKED_WEIGHTS).chmod(0o644)  # safetensors writes for its owner only
    (copy / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    for path in there.glob("*token*"):
        shutil.copyfile(path, copy / path.name)
