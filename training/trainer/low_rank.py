"""Low-rank adaptation (LoRA, Hu et al. 2021): large encoders trained in little memory."""

from importlib.util import find_spec
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from projection.errors import ModelError, TrainingError

FASTER = 10.0  # the learning rate of adapters over that of all weights, by rule of thumb
_DROPOUT, _SCALE = 0.1, 2  # the updates are scaled by 2, whatever the rank


def require_peft(rank: int | None) -> None:
    """Raise TrainingError if adapters are asked for and peft is not installed."""
    if rank is not None and find_spec("peft") is None:
        fix = "pip install 'spanferry[lora]'"
        raise TrainingError(f"--set lora={rank}", "peft is not installed", fix)


class LowRank:
    """Adapters of a model for the time of a training; rank None: none, all weights are trained."""

    def __init__(self, model: PreTrainedModel, rank: int | None) -> None:
        """Add adapters to the encoder's linear layers that are not frozen, and freeze all else.

        The head is trained as a whole. Raises ModelError if no such layer is left.
        """
        self._tuner: Any = None
        if rank is None:
            return
        from peft import LoraConfig  # noqa: PLC0415  an extra
        from peft.tuners.lora import LoraModel  # noqa: PLC0415

        encoder = f"{model.base_model_prefix}."
        linear = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Linear)]
        inside = [(name, m) for name, m in linear if name.startswith(encoder)]
        targets = [name for name, m in inside if m.weight.requires_grad]
        if not targets:
            where = str(model.config.model_type)
            raise ModelError(where, "has no linear layer to adapt", "Freeze fewer layers")
        head = [p for n, p in model.named_parameters() if not n.startswith(encoder)]
        config = LoraConfig(
            r=rank, lora_alpha=_SCALE * rank, lora_dropout=_DROPOUT, target_modules=targets
        )
        self._tuner = LoraModel(model, config, "default")
        for parameter in head:
            parameter.requires_grad_(True)

    def merge(self) -> None:
        """Add what was learned to the weights; the model is then one like any other."""
        if self._tuner is not None:
            self._tuner.merge_and_unload()
