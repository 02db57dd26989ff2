"""Makes a trained model small enough to ship: half precision, nothing of the training left."""

import json
import shutil
from pathlib import Path

from transformers import AutoModelForTokenClassification

from projection.checkpoints import load_checkpoint, quiet
from training.folders import new_folder


def pack(model: Path, out: Path) -> int:
    """Write a copy of a token classifier in half precision; an older copy is replaced.

    It loads in single precision, with the same fingerprint.

    Returns:
        The size of the copy in bytes.
    """
    weights, tokenizer = load_checkpoint(AutoModelForTokenClassification, model)
    with new_folder(out, replace=True) as folder, quiet():
        weights.half().save_pretrained(folder)  # type: ignore[no-untyped-call]
        tokenizer.save_pretrained(folder)
        _compact(folder / "tokenizer.json")
        if (model / "README.md").is_file():
            shutil.copyfile(model / "README.md", folder / "README.md")
    for path in out.iterdir():
        path.chmod(0o644)  # safetensors writes for its owner only
    return sum(path.stat().st_size for path in out.iterdir())


def _compact(path: Path) -> None:
    """Rewrite a JSON file without its indentation, which is a third of a vocabulary's size."""
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")
