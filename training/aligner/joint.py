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

from projection.aligners.confidence import UNCALIBRATED
from projection.aligners.joint import JointAligner
from projection.aligners.joint_inputs import (
    PairInputs,
    Reader,
    batch_of,
    evidence_of,
    readable,
    units_of,
)
from projection.aligners.joint_network import MODEL_TYPE
from projection.aligners.lexical_evidence import (
    NO_LEXICON,
    Grid,
    Lexicon,
    plain_form,
    stem,
    ties_of,
)
from projection.io.folders import refuse_existing
from projection.models.bundled import resolve
from projection.models.checkpoints import load_config
from projection.text.words import is_character_language
from training.aligner.augment import JointExample, is_name_pair, joint_examples
from training.aligner.runner import train_and_save
from training.aligner.silver import SilverSentence, drawn
from training.trainer.freezing import freeze_lower_layers
from training.trainer.losses import IGNORED
from training.trainer.settings import JointRecipe
from training.trainer.trainer import OnProgress

log = logging.getLogger(__name__)

LINK_SHARE = 0.3  # what a link of one direction counts in the lexicon beside one of both

_CENTRED_ON = 256  # pairs that say what the mean of words is

_Feature = tuple[PairInputs, JointExample]  # model inputs, and the example they are of


def lexicon_of(
    silver: Iterable[SilverSentence], reader: Reader, least: float, weakest: float
) -> Lexicon:
    """Count the links of `silver` into a lexicon of words and of stems.

    Each language is counted by itself; a pair that several have gets its strongest tie.
    """
    counts: defaultdict[str, tuple[_Counts, _Counts]] = defaultdict(_two_counts)
    for sentence in silver:
        words, stems = counts[sentence.lang]
        english, of_english = _plain_units(sentence.source, "en", reader)
        foreign, of_foreign = _plain_units(sentence.target, sentence.lang, reader)
        for links, weight in ((sentence.sure, 1.0), (sentence.possible, LINK_SHARE)):
            for i, j in {(of_english[i], of_foreign[j]) for i, j in links}:
                words[english[i], foreign[j]] += weight
                stems[stem(english[i]), stem(foreign[j])] += weight
    strongest: dict[tuple[str, str], float] = {}
    for counted in counts.values():
        for links_of in counted:
            for pair, tie in ties_of(links_of, least, weakest).items():
                strongest[pair] = max(tie, strongest.get(pair, 0.0))
    return Lexicon.of(strongest)


_Counts = defaultdict[tuple[str, str], float]


def _two_counts() -> tuple[_Counts, _Counts]:
    return defaultdict(float), defaultdict(float)


def _plain_units(text: str, lang: str, reader: Reader) -> tuple[list[str], list[int]]:
    """The plain form of each unit, and the unit of each word."""
    text = readable(text, lang)
    places = reader.places(text) if is_character_language(lang) else ()
    units, unit_of = units_of(text, lang, places)
    return [plain_form(unit.of(text)) for unit in units], unit_of


def features_of(examples: Iterable[JointExample], reader: Reader) -> Iterator[_Feature]:
    """Tokenise examples; those longer than the model reads are left out and counted."""
    left_out = 0
    for example in examples:
        asked = [english for english, _ in example.entities]
        pair = reader.pair((example.source, example.target), ("en", example.lang), asked)
        if pair.is_whole and max(pair.blocks) <= (2 if reader.apart else 1):
            yield pair, example
        else:
            left_out += 1
    if left_out:
        log.info("%d examples are left out: longer than %d subwords", left_out, reader.longest)


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
            label[: len(pair.target.tokens)] = 0
            if span is not None:
                label[slice(*pair.target.units(span))] = 1
            labels.append(label)
    return torch.from_numpy(np.array(labels, dtype=np.int64).reshape(-1, targets))


def _links(rows: Sequence[_Feature], sources: int, targets: int) -> Tensor:
    links = torch.zeros(len(rows), sources + 1, targets + 1)
    for number, (pair, example) in enumerate(rows):
        here, there = (
            [0, *(unit + 1 for unit in side.unit_of)] for side in (pair.source, pair.target)
        )
        for i, j in example.links:
            links[number, here[i], there[j]] = 1
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
    freeze_lower_layers(aligner.model.encoder, recipe.freeze)
    chosen = chosen_from(silver, recipe)
    examples = joint_examples(chosen, recipe.hardening, seed)
    read = [*features_of(examples, aligner.reader)]
    features = [{"input_ids": pair.input_ids, "feature": (pair, ex)} for pair, ex in read]
    padding = int(aligner.tokenizer.pad_token_id or 0)
    if aligner.model.config.apart and read:
        some = read[:: max(1, len(read) // _CENTRED_ON)]
        _set_centre(aligner, [pair for pair, _ in some], padding)
    collate = Collator(aligner.lexicon, padding, recipe.blind, recipe.gaps)
    train_and_save(
        aligner, recipe, features, out, on_progress, silver=silver, used=chosen, collate=collate
    )
    return aligner


def _set_centre(aligner: JointAligner, pairs: Sequence[PairInputs], padding: int) -> None:
    grids = [evidence_of(pair, NO_LEXICON) for pair in pairs]
    batch = batch_of(pairs, grids, padding)
    names = ("input_ids", "blocks", "source_pool", "target_pool")
    ids, blocks, *pools = (batch[name].to(aligner.model.device) for name in names)
    aligner.model.centre = aligner.model.centre_of(ids, blocks, pools)


def _start(silver: Sequence[SilverSentence], recipe: JointRecipe) -> JointAligner:
    """Load a joint aligner with its lexicon, or make one of an encoder with a new lexicon."""
    base = resolve(recipe.base, "aligner")
    if load_config(base).model_type == MODEL_TYPE:
        aligner = JointAligner.from_pretrained(base)
        aligner.calibration = UNCALIBRATED  # it was fitted to other weights
        return aligner
    aligner = JointAligner.from_encoder(base, NO_LEXICON, apart=recipe.apart)
    aligner.use(lexicon_of(silver, aligner.reader, recipe.least_links, recipe.weakest_tie))
    return aligner


def chosen_from(silver: Iterable[SilverSentence], recipe: JointRecipe) -> list[SilverSentence]:
    """Draw what to make examples of: every listed name, and `per_language` sentences.

    Of sentences without a name only the share `nameless` is in the draw, and none longer than
    `max_words`; reviewed ones always are.
    """
    rng = random.Random(recipe.schedule.seed)  # noqa: S311  a sample is no secret
    names, sentences = [], []
    for sentence in silver:
        if is_name_pair(sentence):
            names.append(sentence)
        elif sentence.weight > 1 or (
            len(sentence.source.split()) <= recipe.max_words
            and (has_name(sentence) or rng.random() < recipe.nameless)
        ):
            sentences.append(sentence)
    return names + drawn(sentences, recipe.per_language, recipe.schedule.seed)


def has_name(sentence: SilverSentence) -> bool:
    """Return whether a phrase looks like a name: a capital after the sentence's first word, or
    several words.
    """
    texts = [(source.start, source.of(sentence.source)) for source, _ in sentence.phrases]
    return any(text[0].isupper() and (start > 0 or " " in text) for start, text in texts)
