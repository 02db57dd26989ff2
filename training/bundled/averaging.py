"""Averages the weights of a model and of the same model trained further (WiSE-FT).

Further training on one kind of data gains there and loses a little elsewhere; the average keeps
most of both (Wortsman et al. 2022).
"""

import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from projection.aligners.joint import JointAligner
from projection.aligners.joint_network import MODEL_TYPE
from projection.errors import ModelError
from projection.io.files import read_object
from projection.io.folders import new_folder, refuse_existing
from training.bundled.packing import read_weights


def average(first: Path, second: Path, share: float, out: Path) -> None:
    """Write a copy of `second` with `share` of its weights and the rest of those of `first`.

    `second` is `first` trained further, or an aligner trained on the encoder `first`: a ModelError
    if tensors differ in shape, or those of integers, such as a lexicon, in value.
    """
    refuse_existing(out)
    after = read_weights(second)
    on_encoder = _is_aligner(second) and not _is_aligner(first)
    before = _untrained(first, second) if on_encoder else read_weights(first)
    mixed = {}
    for name in sorted(before.keys() | after.keys()):
        pair = [weights[name] for weights in (before, after) if name in weights]
        real = pair[-1].is_floating_point()
        if not (len(pair) == 2 and pair[0].shape == pair[1].shape and (real or torch.equal(*pair))):
            what = f"{name} is not that of {first}"
            raise ModelError(str(second), what, "Average models of one training")
        mixed[name] = torch.lerp(pair[0], pair[1], share) if real else pair[1]
    with new_folder(out) as folder:
        shutil.copytree(second, folder, dirs_exist_ok=True)
        if (card := folder / "README.md").is_file():
            note = f"{share:.0%} of each weight is of this training, the rest of `{first}`."
            card.write_text(f"{card.read_text('utf-8')}\n## Averaged\n\n{note}\n", "utf-8")
        save_file(mixed, folder / "model.safetensors", metadata={"format": "pt"})


def _is_aligner(model: Path) -> bool:
    config = model / "config.json"
    return read_object(config).get("model_type") == MODEL_TYPE


def _untrained(encoder: Path, aligner: Path) -> dict[str, Tensor]:
    """The weights of an untrained aligner on the encoder, with the lexicon of the trained one."""
    torch.manual_seed(0)
    trained = JointAligner.from_pretrained(aligner)
    apart = trained.model.config.apart
    untrained = JointAligner.from_encoder(encoder, trained.lexicon, apart=apart)
    if apart:
        untrained.model.centre = trained.model.centre.cpu()
    return dict(untrained.model.state_dict())
