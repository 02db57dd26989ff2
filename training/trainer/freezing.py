"""Lower layers that keep their weights in a training."""

from torch import nn
from transformers import PreTrainedModel

from projection.errors import ModelError


def freeze_lower_layers(model: PreTrainedModel, n: int, *, embeddings: bool = True) -> None:
    """Freeze the lowest `n` encoder layers and the embeddings (Wu & Dredze 2019); 0: nothing.

    Raises ModelError if the model has fewer layers, or no stack of layers we can find.
    """
    if n == 0:
        return
    where = str(model.config.model_type)
    # The transformer layers (`encoder.layer` in BERT) are the longest list of modules.
    stacks = [part for part in model.base_model.modules() if isinstance(part, nn.ModuleList)]
    layers = max(stacks, key=len, default=None)
    if layers is None:
        raise ModelError(where, "no encoder layers found to freeze", "Train with --set freeze=0")
    if n > len(layers):
        raise ModelError(where, f"has {len(layers)} layers, not {n}", f"At most {len(layers)}")
    frozen: list[nn.Module] = list(layers[:n])
    if embeddings:
        # ELECTRA and others project embeddings up to the layers' width in a module of its own.
        parts = model.base_model.named_children()
        frozen += [part for name, part in parts if name.startswith(("embed", "wte", "wpe"))]
    for part in frozen:
        part.requires_grad_(False)
