"""The aligner of Li, He and Xu (2021) as one writes it with transformers: one pass an entity.

Its encoder has the shape of another one, in single precision. The weights are random, which takes
as long as trained ones; what it answers is not looked at.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
)

from projection.records import ParallelSentence

BATCH = 32


class PublishedPath:
    """Asks for each entity in a pass of its own, in the order of the corpus."""

    def __init__(
        self, encoder: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase, device: torch.device
    ) -> None:
        config = AutoConfig.for_model(**{**encoder.to_dict(), "num_labels": 2})
        auto: Any = AutoModelForTokenClassification  # whose methods have no types
        self.model = auto.from_config(config).eval().to(device)
        self.tokenizer = tokenizer

    @torch.inference_mode()
    def align(self, sentences: Sequence[ParallelSentence], batch: int = BATCH) -> None:
        """Compute the probabilities for each entity of each sentence."""
        asked = [
            (entity.span.of(sentence.source), sentence.target)
            for sentence in sentences
            for entity in sentence.entities or ()
        ]
        for start in range(0, len(asked), batch):
            names, targets = zip(*asked[start : start + batch], strict=True)
            encoded = self.tokenizer(
                [*names], [*targets], truncation=True, padding=True, return_tensors="pt"
            )
            self.model(**encoded.to(self.model.device)).logits.softmax(-1).tolist()
