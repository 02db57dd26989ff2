"""Weights between those of two checkpoints of one training.

A model trained further on one kind of data gains there and forgets a little elsewhere; in between
lies much of both (WiSE-FT, Wortsman et al. 2022).
"""

import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from projection.errors import ModelError
from projection.io.folders import new_folder

WEIGHTS = "model.safetensors"


def average(first: Path, second: Path, share: float, out: Path) -> None:
    """Write a copy of `second` with `share` of its weights and the rest of those of `first`.

    Tensors of integers, such as a lexicon, must be the same in both.

    Args:
        first: folder of a model.
        second: folder of the same model, trained further; its card goes with the copy.
        share: from 0, the first's weights, to 1, the second's.
        out: a new folder.

    Raises:
        ModelError: if `out` exists, or the two are not of one kind.
    """
    if out.exists():
        raise ModelError(str(out), "exists already", "Choose another folder, or delete this one")
    before, after = _weights(first), _weights(second)
    if differing := sorted(before.keys() ^ after.keys()):
        raise _unlike(first, second, differing[0])
    mixed = {}
    for name, new in after.items():
        old = before[name]
        whole = not new.is_floating_point()
        if old.shape != new.shape or (whole and not torch.equal(old, new)):
            raise _unlike(first, second, name)
        mixed[name] = new if whole else torch.lerp(old, new, share)
    with new_folder(out) as folder:
        shutil.copytree(second, folder, dirs_exist_ok=True)
        _note(folder / "README.md", first, share)
        save_file(mixed, folder / WEIGHTS, metadata={"format": "pt"})


def _note(card: Path, first: Path, share: float) -> None:
    if card.is_file():
        text = card.read_text("utf-8")
        said = f"{share:.0%} of each weight is of this training, the rest of `{first}`."
        card.write_text(f"{text}\n## Averaged\n\n{said}\n", "utf-8")


def _weights(folder: Path) -> dict[str, Tensor]:
    file = folder / WEIGHTS
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            str(file), f"cannot be read ({error})", "Give a folder written by a training"
        ) from error


def _unlike(first: Path, second: Path, name: str) -> ModelError:
    return ModelError(
        str(second), f"{name} is not that of {first}", "Average models of one training"
    )
