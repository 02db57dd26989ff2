"""A token classifier for given tags, from any checkpoint."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForTokenClassification, PreTrainedModel, PreTrainedTokenizerBase

from projection.errors import ModelError
from projection.models.calibration import CALIBRATION
from projection.models.checkpoints import load_checkpoint


def load_for_training(
    base: str | Path, tags: Sequence[str], seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, dict[str, list[str]]]:
    """Load a token classifier whose outputs are `tags`, in this order.

    Rows of the head are kept where the checkpoint has the tag; `seed` initialises the others. Also
    returns the tags `kept`, `new` and `dropped`. Raises ModelError if the checkpoint cannot be
    loaded or has no head we can replace.
    """
    torch.manual_seed(seed)
    model, tokenizer = load_checkpoint(AutoModelForTokenClassification, base)
    vars(model.config).pop(CALIBRATION, None)  # it was fitted to other weights
    is_trained = "ForTokenClassification" in str(model.config.architectures)
    had = list(dict(model.config.id2label or {}).values()) if is_trained else []
    _replace_head(model, had, tags, str(base))
    return model, tokenizer, {
        "kept": [tag for tag in tags if tag in had],
        "new": [tag for tag in tags if tag not in had],
        "dropped": [tag for tag in had if tag not in tags],
    }  # fmt: skip


def _replace_head(
    model: PreTrainedModel, had: Sequence[str], tags: Sequence[str], where: str
) -> None:
    linear = [(name, part) for name, part in model.named_children() if isinstance(part, nn.Linear)]
    if len(linear) != 1:
        raise ModelError(where, "no single linear layer as its head", "Choose another base")
    name, old = linear[0]
    head = nn.Linear(old.in_features, len(tags), bias=old.bias is not None)
    nn.init.normal_(head.weight, std=getattr(model.config, "initializer_range", 0.02))
    if old.bias is not None:
        nn.init.zeros_(head.bias)
    with torch.no_grad():
        for i, tag in enumerate(tags):
            if tag in had:
                head.weight[i] = old.weight[had.index(tag)]
                if old.bias is not None:
                    head.bias[i] = old.bias[had.index(tag)]
    setattr(model, name, head)
    for carrier in (model, model.config):
        carrier.num_labels = len(tags)
    model.config.id2label = dict(enumerate(tags))
    model.config.label2id = {tag: i for i, tag in enumerate(tags)}
