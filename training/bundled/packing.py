"""Packs trained models for shipping: matrices in eight bits, embeddings once, in four.

`projection.models.packed_weights` documents the format and reads it.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModel, PreTrainedTokenizerBase

from projection.errors import ModelError
from projection.interchange.portable import without_blanks
from projection.io.folders import new_folder
from projection.models.checkpoints import load_checkpoint, load_tokenizer, quiet
from projection.models.packed_weights import (
    PACKED_WEIGHTS,
    SCALE,
    STORAGE,
    STORAGE_VERSION,
    embeddings_storage,
    from_four_bits,
    in_blocks,
    read_packed,
)

_BLOCK = range(16, 65)  # columns that share a scale; an outlier costs the others precision
_COLUMNS = 32  # to a block of four-bit values
SMALLEST = 2**14  # values; smaller matrices, such as a classifier's, are not worth packing
EMBEDDINGS = "word_embeddings.weight"
_FIX = "Give a folder written by save_pretrained, with safetensors weights and a fast tokenizer"


def pack(model: Path, out: Path, share: Path | None = None) -> int:
    """Write a copy of any model with its matrices in eight bits, and return its size in bytes.

    Every block of a row is rounded to 255 steps between plus and minus its largest value. Other
    floats are kept in single precision, integers unchanged. `share` is a folder of
    `pack_embeddings` beside `out`: the copy refers to its embedding table and tokenizer.

    An older copy is replaced. Raises a ModelError if `model` is no complete checkpoint (plain or
    packed) of finite weights, or has other embeddings or another tokenizer than `share`.
    """
    config, weights = _read_json(model / "config.json"), read_weights(model)
    tokenizer = load_tokenizer(model)
    shared = None if share is None else _shared(model, weights, tokenizer, out, share)
    own = {k: v for k, v in weights.items() if shared is None or k not in shared["tensors"]}
    matrices = [
        name
        for name, tensor in own.items()
        if tensor.ndim == 2 and tensor.is_floating_point() and tensor.numel() >= SMALLEST
    ]
    config[STORAGE] = {"version": STORAGE_VERSION, "matrices": matrices}
    if shared is not None:
        config[STORAGE]["shared"] = shared
    with _folder_of(model, out) as folder:
        _write(folder, config, dict(_packed(own, matrices, model)))
        if shared is None:
            _save_tokenizer(tokenizer, folder)
    return _size(out)


def pack_embeddings(model: Path, out: Path) -> int:
    """Write the embedding table, in four bits, and the tokenizer of an encoder for models to share.

    A table that has been in four bits (Q4_0) before keeps its values. Returns the size in bytes; an
    older folder is replaced. Raises a ModelError if the table has no blocks of 32 columns, or
    values that four bits cannot hold.
    """
    encoder, tokenizer = load_checkpoint(AutoModel, model)
    table: Any = encoder.get_input_embeddings().weight
    if table.shape[1] % _COLUMNS:
        what = f"embeddings of {table.shape[1]} columns do not divide into blocks of {_COLUMNS}"
        raise ModelError(str(model), what, "Ship its models without shared embeddings")
    halves, scale = _in_four_bits(table.detach())
    if not scale.isfinite().all():
        raise ModelError(str(model), "embeddings hold values out of range", "Train it anew")
    identity = hashlib.sha256(halves.numpy().tobytes() + scale.numpy().tobytes()).hexdigest()[:12]
    storage = {"version": STORAGE_VERSION, "nibbles": [EMBEDDINGS], "identity": identity}
    with _folder_of(model, out) as folder:
        _write(folder, {STORAGE: storage}, {EMBEDDINGS: halves, EMBEDDINGS + SCALE: scale})
        _save_tokenizer(tokenizer, folder)
    return _size(out)


def _shared(
    model: Path,
    weights: Mapping[str, Tensor],
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    share: Path,
) -> dict[str, Any]:
    """What the configuration says of the tensors of `weights` that lie in the folder `share`."""
    if (storage := embeddings_storage(share)) is None:
        fix = f"Write them: spanferry aligner pack ENCODER {share} --only-embeddings"
        raise ModelError(str(share), "holds no embeddings to share", fix)
    if share.resolve().parent != out.resolve().parent:
        raise ModelError(str(share), f"is not beside {out}", "Write both into one folder")
    apart = "or pack it without --share"
    if _reads(tokenizer) != _reads(load_tokenizer(share)):
        what = f"its tokenizer is not the one in {share}"
        raise ModelError(str(model), what, f"Pack the embeddings of its encoder, {apart}")
    table = read_packed(share, storage)[EMBEDDINGS]
    # All of its names: a tied head may be stored as well.
    names = [name for name, tensor in weights.items() if _rounds_to(tensor, table)]
    if not names:
        what = f"its embeddings were trained, and cannot be shared: they differ from {share}"
        raise ModelError(str(model), what, f"Train it with frozen embeddings, {apart}")
    return {
        "folder": f"../{share.resolve().name}",
        "identity": storage["identity"],
        "tensors": dict.fromkeys(names, EMBEDDINGS),
    }


def _rounds_to(tensor: Tensor, table: Tensor) -> bool:
    same_kind = tensor.shape == table.shape and tensor.is_floating_point()
    return same_kind and torch.equal(from_four_bits(*_in_four_bits(tensor.float())), table)


def _reads(tokenizer: PreTrainedTokenizerBase) -> tuple[object, ...]:
    """All that shapes what a model reads; a training may leave its own truncation and padding."""
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    rules = {k: v for k, v in backend.items() if k not in {"truncation", "padding"}}
    return without_blanks(rules), tokenizer.model_max_length, tokenizer.special_tokens_map


@contextmanager
def _folder_of(model: Path, out: Path) -> Iterator[Path]:
    """A folder for a copy of `model`, with its card, which everybody may read."""
    with new_folder(out, replace=True) as folder:
        yield folder
        if (model / "README.md").is_file():
            shutil.copyfile(model / "README.md", folder / "README.md")
    for path in out.iterdir():
        path.chmod(0o644)  # safetensors writes for its owner only


def _write(folder: Path, config: Mapping[str, Any], weights: dict[str, Tensor]) -> None:
    save_file(weights, folder / PACKED_WEIGHTS, metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


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


def _in_four_bits(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Two values to a byte (rows × columns / 2), and the scale of each block (rows × blocks).

    As in Q4_0, the value of largest magnitude becomes -8 times the scale, whatever its sign: a
    matrix that was rounded so before keeps its values.
    """
    blocks = in_blocks(matrix, matrix.shape[1] // _COLUMNS)
    largest = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True))
    scale = (largest / -8).half()
    divisor = torch.where(scale == 0, 1, scale.float())
    integers = ((blocks / divisor).round() + 8).clamp(0, 15).to(torch.uint8)
    lower, upper = integers.chunk(2, dim=-1)
    return (lower | upper << 4).flatten(1), scale[..., 0]


def read_weights(model: Path) -> dict[str, Tensor]:
    """Read all tensors of a checkpoint by name, from one file, several, or a packed one."""
    if (storage := _read_json(model / "config.json").get(STORAGE)) is not None:
        return read_packed(model, storage)
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


def _save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    with quiet():
        tokenizer.save_pretrained(folder)
    # Indentation is a third of a vocabulary's size.
    vocabulary = _read_json(folder / "tokenizer.json")
    compact = json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(compact, "utf-8")
