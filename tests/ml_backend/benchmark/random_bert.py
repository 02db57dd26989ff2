"""A BERT with random weights in the shape of the bundled encoder, for aligners that take no other.

    python -m tests.ml_backend.benchmark.random_bert FILE... --out FOLDER

Its word pieces are learned from the files: a text has about as many as in the bundled model.
docs/speed.md has the commands that align with it.
"""

import argparse
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel, BertTokenizerFast

from projection.aligners.joint import JointAligner
from projection.models import bundled

PIECES = 30_000


def main() -> None:
    """Write the checkpoint, with weights as older programs read them, too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    learned = BertWordPieceTokenizer(lowercase=False, strip_accents=False)
    learned.train(given.files, vocab_size=PIECES, show_progress=False)
    learned.save_model(str(given.out))
    vocabulary = str(given.out / "vocab.txt")
    BertTokenizerFast(vocabulary, do_lower_case=False).save_pretrained(given.out)
    shape = JointAligner.from_pretrained(bundled.path("aligner")).model.encoder.config.to_dict()
    model = BertModel(BertConfig(**{**shape, "vocab_size": PIECES, "pad_token_id": 0}))
    model.save_pretrained(given.out)
    weights = {f"bert.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save(weights, given.out / "pytorch_model.bin")


if __name__ == "__main__":
    main()
