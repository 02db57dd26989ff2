"""Which aligner a checkpoint holds."""

from pathlib import Path

from projection import joint_model
from projection.aligner import PairAligner
from projection.checkpoints import load_config
from projection.decode import Decoding
from projection.joint import JointAligner

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
