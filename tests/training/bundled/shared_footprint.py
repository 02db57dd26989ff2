"""Time and memory of two models that share embeddings.

`python -m tests.training.bundled.shared_footprint` makes untrained taggers of one layer, on a table
as large as that of multilingual-e5-small cut down to 130,000 pieces.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from tests.projection.pipeline.footprint import peak_memory

PIECES, COLUMNS = 130_000, 384


def make(folder: Path) -> None:
    """Write `embeddings` and two packed models beside it, and the first one unpacked."""
    from training.bundled.packing import pack, pack_embeddings  # noqa: PLC0415  not measured

    pieces = [("<pad>", 0.0), ("<unk>", 0.0), *((f"▁w{n:x}", -9.0) for n in range(PIECES - 2))]
    backend = Tokenizer(models.Unigram(pieces, 1))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>", model_max_length=512
    )
    config = BertConfig(
        vocab_size=PIECES,
        hidden_size=COLUMNS,
        num_hidden_layers=1,
        num_attention_heads=12,
        intermediate_size=1536,
        id2label={0: "O", 1: "B-PER"},
    )
    torch.manual_seed(0)
    BertForTokenClassification(config).save_pretrained(folder / "plain")
    tokenizer.save_pretrained(folder / "plain")
    sizes = [pack_embeddings(folder / "plain", folder / "embeddings")]
    sizes += [pack(folder / "plain", folder / n, folder / "embeddings") for n in ("one", "two")]
    sys.stdout.write(f"sizes: {', '.join(f'{size / 1e6:.1f} MB' for size in sizes)}\n")


def resident() -> int:
    """The bytes this process holds in memory now (Linux)."""
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    return int(next(x for x in status if x.startswith("VmRSS:")).split()[1]) * 1024


def measure(folder: Path) -> None:
    """Print seconds (of this process), and memory now and at most, a line a step."""
    from projection.models.tagger import Tagger  # noqa: PLC0415  its cost is measured

    kept = []
    for step in ("libraries imported", "one", "two", "its version"):
        began = time.process_time()
        if step == "its version":
            kept[-1].version  # noqa: B018  computed here
        elif (folder / step).is_dir():
            kept.append(Tagger.from_pretrained(folder / step))
        took = time.process_time() - began
        memory = f"{resident() / 1e6:7.0f} MB{peak_memory() / 1e6:7.0f} MB at most"
        sys.stdout.write(f"{step:20}{took:6.2f} s{memory}\n")


def main() -> None:
    """Make the models, then load them in a process of its own."""
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        subprocess.run([sys.executable, "-m", __spec__.name, folder], check=True)


if __name__ == "__main__":
    main()
