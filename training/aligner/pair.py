"""Trains the pair aligner on silver phrase pairs (Li, He and Xu 2021, §3.1)."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from projection.aligners.pair import PairAligner
from projection.io.folders import refuse_existing
from projection.models.checkpoints import longest_input
from projection.models.windows import characters_of
from projection.records import Span
from training.aligner.runner import train_and_save
from training.aligner.silver import SilverSentence, drawn
from training.trainer.losses import IGNORED
from training.trainer.settings import PairRecipe
from training.trainer.trainer import OnProgress


class PairExample(NamedTuple):
    """A name, a target sentence, and every place in it that translates the name."""

    name: str
    target: str
    spans: tuple[Span, ...]


def pair_examples(
    silver: Iterable[SilverSentence], negatives: float, seed: int, per_language: int | None = None
) -> Iterator[tuple[SilverSentence, PairExample]]:
    """Yield examples, at most `per_language` of each language, each with its sentence.

    The share `negatives` asks for a name of an earlier sentence, which is not in this one; so
    `silver` is in random order. A sentence of weight 5 is read five times.
    """
    rng = random.Random(seed)  # noqa: S311  a sample of negatives is no secret
    pool: list[str] = []
    counts: Counter[str] = Counter()
    for sentence in chain.from_iterable(repeat(s, max(1, round(s.weight))) for s in silver):
        room = math.inf if per_language is None else per_language - counts[sentence.lang]
        if room <= 0:
            continue
        examples = list(_of_sentence(sentence, pool, negatives, rng))
        yield from ((sentence, e) for number, e in enumerate(examples) if number < room)
        counts[sentence.lang] += len(examples)
        pool = [*pool[-500:], *_places(sentence)]


def _of_sentence(
    sentence: SilverSentence, pool: Sequence[str], negatives: float, rng: random.Random
) -> Iterator[PairExample]:
    """Every name of the sentence, by chance one of `pool` after it; then absent names."""
    places = _places(sentence)
    for name, spans in places.items():
        yield PairExample(name, sentence.target, tuple(spans))
        if pool and rng.random() < negatives / (1 - negatives):
            other = rng.choice(pool)
            if other.lower() not in sentence.source.lower():
                yield PairExample(other, sentence.target, ())
    for name in dict.fromkeys(gone.of(sentence.source) for gone in sentence.absent):
        if name not in places:
            yield PairExample(name, sentence.target, ())


def _places(sentence: SilverSentence) -> dict[str, list[Span]]:
    """Each name of the sentence with its translations, in the order of the phrases."""
    places: defaultdict[str, list[Span]] = defaultdict(list)
    for source, target in sentence.phrases:
        places[source.of(sentence.source)].append(target)
    return places


def encode(
    example: PairExample, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> dict[str, list[int]]:
    """Model inputs with a label for each token of the target sentence."""
    how = {"truncation": "longest_first", "max_length": max_length, "return_offsets_mapping": True}
    encoded = tokenizer(example.name, example.target, **how)
    places = characters_of(encoded["input_ids"], encoded.pop("offset_mapping"), tokenizer)
    tokens = zip(encoded.sequence_ids(), places, strict=True)
    labels = [
        int(a < b and any(span.overlaps(Span(a, b)) for span in example.spans))
        if segment == 1
        else IGNORED
        for segment, (a, b) in tokens
    ]
    return {**encoded, "labels": labels}


def train_aligner(
    silver: Iterable[SilverSentence],
    recipe: PairRecipe,
    out: Path,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> PairAligner:
    """Fine-tune an encoder into a pair aligner and write it to `out`, which appears whole.

    An interrupted training resumes when called again alike. Raises a TrainingError if `out` exists
    or there are no phrase pairs.
    """
    refuse_existing(out)
    seed = recipe.schedule.seed
    chosen = drawn(silver, recipe.per_language, seed)
    examples = list(pair_examples(chosen, recipe.negatives, seed, recipe.per_language))
    torch.manual_seed(seed)
    aligner = PairAligner.from_encoder(recipe.base)
    limit = longest_input(aligner.model, aligner.tokenizer)
    features = [encode(example, aligner.tokenizer, limit) for _, example in examples]
    used = list({id(sentence): sentence for sentence, _ in examples}.values())
    train_and_save(aligner, recipe, features, out, on_progress, silver=chosen, used=used)
    return aligner
