"""Which aligner a checkpoint holds."""

from pathlib import Path

from projection.aligners import joint_network as joint_model
from projection.aligners.decoding import Decoding
from projection.aligners.joint import JointAligner
from projection.aligners.pair import PairAligner
from projection.models.checkpoints import load_config

Aligner = PairAligner | JointAligner


def load_aligner(name_or_path: str | Path, decoding: Decoding | None = None) -> Aligner:
    """Load an aligner from a folder or by its name on the hub.

    Args:
        name_or_path: a joint aligner or a pair aligner.
        decoding: None takes what it was saved with.

    Raises:
        ModelError: if there is none.
    """
    if load_config(name_or_path).model_type == joint_model.MODEL_TYPE:
        return JointAligner.from_pretrained(name_or_path, decoding)
    return PairAligner.from_pretrained(name_or_path, decoding)
