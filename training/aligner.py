"""Trains the pair aligner on silver phrase pairs (Li, He and Xu 2021, §3.1)."""

import random
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from projection.aligner import PairAligner
from projection.checkpoints import longest_input, quiet
from projection.errors import TrainingError
from projection.records import Span
from training import loop
from training.folders import move_into_place, work_folder
from training.loop import OnProgress
from training.losses import IGNORED
from training.recipe import AlignerRecipe
from training.silver import SilverSentence


@dataclass(frozen=True, slots=True)
class AlignerExample:
    """A name, a target sentence, and every place in it that translates the name."""

    name: str
    target: str
    spans: tuple[Span, ...]


def examples_of(
    silver: Iterable[SilverSentence], negatives: float, seed: int
) -> Iterator[AlignerExample]:
    """Examples in reading order, with a name of an earlier sentence asked for now and then."""
    rng = random.Random(seed)  # noqa: S311  a sample of negatives is no secret
    pool: list[str] = []
    for sentence in silver:
        places: defaultdict[str, list[Span]] = defaultdict(list)
        for source, target in sentence.phrases:
            places[source.of(sentence.source)].append(target)
        for name, spans in places.items():
            yield AlignerExample(name, sentence.target, tuple(spans))
            if pool and rng.random() < negatives / (1 - negatives):
                other = rng.choice(pool)
                if other.lower() not in sentence.source.lower():
                    yield AlignerExample(other, sentence.target, ())
        pool = [*pool[-500:], *places]


def encode(
    example: AlignerExample, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> dict[str, list[int]]:
    """Model inputs with a label for each token of the target sentence."""
    encoded = tokenizer(
        example.name,
        example.target,
        truncation="longest_first",
        max_length=max_length,
        return_offsets_mapping=True,
    )
    labels = [
        IGNORED
        if segment != 1
        else int(a < b and any(span.overlaps(Span(a, b)) for span in example.spans))
        for segment, (a, b) in zip(
            encoded.sequence_ids(), encoded.pop("offset_mapping"), strict=True
        )
    ]
    return {**encoded, "labels": labels}


def train_aligner(
    silver: Iterable[SilverSentence],
    recipe: AlignerRecipe,
    out: Path,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> PairAligner:
    """Fine-tune an encoder into a pair aligner and write it to `out`, which appears whole.

    An interrupted training goes on from its last checkpoint when called again with the same
    `recipe` and `silver`.

    Args:
        silver: training pairs; all are read into memory.
        recipe: the numbers.
        out: folder for `save_pretrained`.
        on_progress: hears every step.

    Raises:
        TrainingError: if `out` exists, or there is nothing to train on.
        ModelError: if the base cannot be loaded.
    """
    if out.exists():
        raise TrainingError(str(out), "exists already", "Choose another folder, or delete this one")
    examples = list(examples_of(silver, recipe.negatives, recipe.schedule.seed))
    if not examples:
        raise TrainingError("silver data", "no phrase pairs", "Make them: spanferry aligner data")
    torch.manual_seed(recipe.schedule.seed)
    aligner = PairAligner.from_encoder(recipe.base)
    limit = longest_input(aligner.model, aligner.tokenizer)
    work = work_folder(out, [asdict(recipe), len(examples), repr(examples[-1])])
    aligner.model.train()
    loop.run(
        aligner.model,
        aligner.tokenizer,
        [encode(example, aligner.tokenizer, limit) for example in examples],
        recipe.schedule,
        work / "checkpoints",
        on_progress=on_progress,
    )
    with quiet():
        aligner.save_pretrained(work / "model")
    move_into_place(work / "model", out)
    shutil.rmtree(work)
    return aligner
