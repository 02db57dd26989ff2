"""Trains the context-joint aligner on silver sentences."""

import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from projection.aligners.confidence import UNCALIBRATED
from projection.aligners.joint import JointAligner
from projection.aligners.joint_inputs import (
    PairInputs,
    batch_of,
    evidence_of,
    pair_inputs,
    readable,
)
from projection.aligners.joint_network import MODEL_TYPE
from projection.aligners.lexical_evidence import Grid, Lexicon, plain_form, stem, ties_of
from projection.io.folders import refuse_existing
from projection.models.bundled import resolve
from projection.models.checkpoints import load_config, longest_input
from projection.text.words import word_spans
from training.aligner.augment import JointExample, is_name_pair, joint_examples
from training.aligner.runner import train_and_save
from training.aligner.silver import SilverSentence, drawn
from training.trainer.losses import IGNORED
from training.trainer.settings import JointRecipe
from training.trainer.trainer import OnProgress

log = logging.getLogger(__name__)

LINK_SHARE = 0.3  # what a link of one direction counts in the lexicon beside one of both

_Feature = tuple[PairInputs, JointExample]  # model inputs, and the example they are of


def lexicon_of(silver: Iterable[SilverSentence], least: float, weakest: float) -> Lexicon:
    """Count the links of `silver` into a lexicon of words and of stems."""
    words: defaultdict[tuple[str, str], float] = defaultdict(float)
    stems: defaultdict[tuple[str, str], float] = defaultdict(float)
    for sentence in silver:
        english = _plain_words(sentence.source, "en")
        foreign = _plain_words(readable(sentence.target, sentence.lang), sentence.lang)
        for links, weight in ((sentence.sure, 1.0), (sentence.possible, LINK_SHARE)):
            for i, j in links:
                words[english[i], foreign[j]] += weight
                stems[stem(english[i]), stem(foreign[j])] += weight
    return Lexicon.of({**ties_of(words, least, weakest), **ties_of(stems, least, weakest)})


def _plain_words(text: str, lang: str) -> list[str]:
    return [plain_form(span.of(text)) for span in word_spans(text, lang)]


def features_of(
    examples: Iterable[JointExample], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Iterator[_Feature]:
    """Tokenise examples; those longer than `max_length` subwords are left out and counted."""
    left_out = 0
    for example in examples:
        texts, entities = (example.source, example.target, example.lang), example.entities
        asked = [english for english, _ in entities]
        pair = pair_inputs(*texts, asked, tokenizer=tokenizer, max_length=max_length)
        if all(pair.source_words) and all(pair.target_words):
            yield pair, example
        else:
            left_out += 1
    if left_out:
        log.info("%d examples are left out: longer than %d subwords", left_out, max_length)


@dataclass(frozen=True, slots=True)
class Collator:
    """Batches features, with parts of the lexicon withheld.

    It was counted on the sentences trained on. To learn to do without it, shares of sentences
    (`blind`) and of source words (`gaps`) have no entries.
    """

    lexicon: Lexicon
    pad_token_id: int
    blind: float
    gaps: float

    def __call__(self, features: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Batch the `feature` of each row; labels are (entities, longest target)."""
        rows: list[_Feature] = [row["feature"] for row in features]
        grids = [self.withheld(evidence_of(pair, self.lexicon)) for pair, _ in rows]
        batch = batch_of([pair for pair, _ in rows], grids, self.pad_token_id)
        sources, targets = batch["evidence"].shape[2:]
        weights = torch.tensor([example.weight for _, example in rows])
        links = _links(rows, sources, targets)
        return {**batch, "labels": _labels(rows, targets), "links": links, "weights": weights}

    def withheld(self, grid: Grid) -> Grid:
        """Remove a part of the lexicon's evidence (the first two channels)."""
        chance = torch.rand(1 + grid.shape[1]).numpy()
        seen = (chance[1:] >= self.gaps) & (chance[0] >= self.blind)
        grid[:2] *= seen[None, :, None]
        return grid


def _labels(rows: Sequence[_Feature], targets: int) -> Tensor:
    labels = []
    for pair, example in rows:
        for _, span in example.entities:
            label = np.full(targets, IGNORED)
            label[: len(pair.target_words)] = 0
            if span is not None:
                label[slice(*span)] = 1
            labels.append(label)
    return torch.from_numpy(np.array(labels, dtype=np.int64).reshape(-1, targets))


def _links(rows: Sequence[_Feature], sources: int, targets: int) -> Tensor:
    links = torch.zeros(len(rows), sources + 1, targets + 1)
    for number, (_, example) in enumerate(rows):
        for i, j in example.links:
            links[number, i, j] = 1
    return links


def train_joint(
    silver: Sequence[SilverSentence],
    recipe: JointRecipe,
    out: Path,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> JointAligner:
    """Train an encoder, or a joint aligner further, and write it to `out`, which appears whole.

    A new lexicon is made of all of `silver`. An interrupted training resumes when called again
    alike. Raises a TrainingError if `out` exists or there are no phrase pairs.
    """
    refuse_existing(out)
    seed = recipe.schedule.seed
    torch.manual_seed(seed)
    aligner = _start(silver, recipe)
    limit = longest_input(aligner.model.encoder, aligner.tokenizer)
    chosen = chosen_from(silver, recipe)
    examples = joint_examples(chosen, recipe.hardening, seed)
    features = [
        {"input_ids": feature[0].input_ids, "feature": feature}
        for feature in features_of(examples, aligner.tokenizer, limit)
    ]
    padding = int(aligner.tokenizer.pad_token_id or 0)
    collate = Collator(aligner.lexicon, padding, recipe.blind, recipe.gaps)
    train_and_save(
        aligner, recipe, features, out, on_progress, silver=silver, used=chosen, collate=collate
    )
    return aligner


def _start(silver: Sequence[SilverSentence], recipe: JointRecipe) -> JointAligner:
    """Load a joint aligner with its lexicon, or make one of an encoder with a new lexicon."""
    base = resolve(recipe.base, "aligner")
    if load_config(base).model_type == MODEL_TYPE:
        aligner = JointAligner.from_pretrained(base)
        aligner.calibration = UNCALIBRATED  # it was fitted to other weights
        return aligner
    lexicon = lexicon_of(silver, recipe.least_links, recipe.weakest_tie)
    return JointAligner.from_encoder(base, lexicon)


def chosen_from(silver: Iterable[SilverSentence], recipe: JointRecipe) -> list[SilverSentence]:
    """Draw what to make examples of: every listed name, and `per_language` sentences.

    Of sentences without a name only the share `nameless` is in the draw; reviewed ones always are.
    """
    rng = random.Random(recipe.schedule.seed)  # noqa: S311  a sample is no secret
    names, sentences = [], []
    for sentence in silver:
        if is_name_pair(sentence):
            names.append(sentence)
        elif sentence.weight > 1 or has_name(sentence) or rng.random() < recipe.nameless:
            sentences.append(sentence)
    return names + drawn(sentences, recipe.per_language, recipe.schedule.seed)


def has_name(sentence: SilverSentence) -> bool:
    """Return whether a phrase looks like a name: a capital after the sentence's first word, or
    several words.
    """
    texts = [(source.start, source.of(sentence.source)) for source, _ in sentence.phrases]
    return any(text[0].isupper() and (start > 0 or " " in text) for start, text in texts)
