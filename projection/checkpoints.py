"""Loading checkpoints from a folder or the hub, and naming what was loaded."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from projection.errors import ModelError


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from reporting what our own reports say better."""
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def load_checkpoint(
    auto_class: Any,  # one of transformers' AutoModel classes, which share no typed base
    name_or_path: str | Path,
    **settings: Any,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model in single precision and its fast tokenizer.

    Args:
        auto_class: such as `AutoModelForTokenClassification`.
        name_or_path: a folder, or a model's name on the hub.
        settings: passed on to `from_pretrained`.

    Raises:
        ModelError: if it cannot be had or its tokenizer keeps no offsets.
    """
    try:
        with quiet():
            tokenizer = _load_tokenizer(name_or_path)
            model = auto_class.from_pretrained(name_or_path, dtype=torch.float32, **settings)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            str(name_or_path),
            f"no checkpoint could be loaded ({str(error).splitlines()[0]})",
            "Give a folder written by save_pretrained, or a model's name on the hub",
        ) from error
    if not tokenizer.is_fast:
        raise ModelError(
            str(name_or_path), "its tokenizer keeps no offsets", "Use one with a fast tokenizer"
        )
    return model, tokenizer


def _load_tokenizer(name_or_path: str | Path) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name_or_path)
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if isinstance(getattr(backend, "pre_tokenizer", None), ByteLevel):
        # Byte-level BPE must see every word as it stands in running text: after a space.
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, add_prefix_space=True)
    return tokenizer


def fingerprint_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: object
) -> str:
    """Twelve hex digits of weights, vocabulary and everything else that shapes an answer."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    digest.update(json.dumps(tokenizer.get_vocab(), sort_keys=True).encode())
    digest.update(json.dumps(model.config.id2label, sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        # Half precision, so that weights name themselves alike before and after shipping.
        digest.update(tensor.detach().to("cpu", torch.float16).contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def longest_input(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, wanted: int | None = None
) -> int:
    """The subwords a model can read at once, special ones included, and at most `wanted`."""
    limits = [tokenizer.model_max_length]
    if wanted is not None:
        limits.append(wanted)
    if (positions := getattr(model.config, "max_position_embeddings", None)) is not None:
        table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
        # RoBERTa counts positions from after its padding index.
        padding = getattr(table, "padding_idx", None)
        limits.append(positions if padding is None else positions - padding - 1)
    return int(min(limits))
