"""Trains the pair aligner on silver phrase pairs (Li, He and Xu 2021, §3.1)."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, repeat
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from projection.aligners.pair import PairAligner
from projection.errors import TrainingError
from projection.io.folders import work_folder
from projection.models.checkpoints import longest_input
from projection.records import Span
from training.aligner.augment import cut, emptied
from training.aligner.save import finish
from training.aligner.silver import SilverSentence, drawn
from training.trainer import trainer as loop
from training.trainer.losses import IGNORED
from training.trainer.settings import Hardening, PairRecipe
from training.trainer.trainer import OnProgress


@dataclass(frozen=True, slots=True)
class AlignerExample:
    """A name, a target sentence, and every place in it that translates the name."""

    name: str
    target: str
    spans: tuple[Span, ...]


def examples_of(
    silver: Iterable[SilverSentence],
    negatives: float,
    seed: int,
    *,
    per_language: int | None = None,
    hardening: Hardening | None = None,
) -> Iterator[AlignerExample]:
    """Examples in reading order; see `lessons_of`."""
    lessons = lessons_of(silver, negatives, seed, per_language=per_language, hardening=hardening)
    return (example for _, example in lessons)


def lessons_of(
    silver: Iterable[SilverSentence],
    negatives: float,
    seed: int,
    *,
    per_language: int | None = None,
    hardening: Hardening | None = None,
) -> Iterator[tuple[SilverSentence, AlignerExample]]:
    """Examples and what they are of, with a name of an earlier sentence asked for now and then.

    Such a name is none of the sentence's own: those are asked for, and found. A sentence of weight
    5 is read five times.

    Args:
        silver: in random order.
        negatives: the share of examples that ask for a name of another sentence.
        seed: of everything random.
        per_language: at most so many examples of each language.
        hardening: its shares of sentences are changed as for the joint aligner: `emptied`, `cut`,
            `mismatched`; the names that lost their translation are asked for, beside the others.
            None changes nothing, as published. Borders set wrong on purpose have no place here:
            each token has a label of its own, so that there is no span to refuse.
    """
    rng = random.Random(seed)  # noqa: S311  a sample of negatives is no secret
    changes = random.Random(seed)  # noqa: S311  of its own: the same names are asked for as without
    pool: list[str] = []
    counts: Counter[str] = Counter()
    before: dict[str, SilverSentence] = {}
    for sentence in chain.from_iterable(map(_as_often_as_trusted, silver)):
        room = math.inf if per_language is None else per_language - counts[sentence.lang]
        if room <= 0:
            continue
        changed = sentence
        if hardening is not None:
            other = before.get(sentence.lang, sentence)
            changed = hardened(sentence, other, hardening, changes)
            before[sentence.lang] = sentence
        examples = list(_of_sentence(changed, pool, negatives, rng))
        yield from ((sentence, e) for number, e in enumerate(examples) if number < room)
        counts[sentence.lang] += len(examples)
        pool = [*pool[-500:], *_places(sentence)]


def _as_often_as_trusted(sentence: SilverSentence) -> Iterator[SilverSentence]:
    return repeat(sentence, max(1, round(sentence.weight)))


def _of_sentence(
    sentence: SilverSentence, pool: Sequence[str], negatives: float, rng: random.Random
) -> Iterator[AlignerExample]:
    """Every name of the sentence, and by chance one of `pool` after it; then what is absent."""
    places = _places(sentence)
    for name, spans in places.items():
        yield AlignerExample(name, sentence.target, tuple(spans))
        if pool and rng.random() < negatives / (1 - negatives):
            other = rng.choice(pool)
            if other.lower() not in sentence.source.lower():
                yield AlignerExample(other, sentence.target, ())
    for name in dict.fromkeys(gone.of(sentence.source) for gone in sentence.absent):
        if name not in places:
            yield AlignerExample(name, sentence.target, ())


def _places(sentence: SilverSentence) -> dict[str, list[Span]]:
    """Each name of the sentence with its translations, in the order of the phrases."""
    places: defaultdict[str, list[Span]] = defaultdict(list)
    for source, target in sentence.phrases:
        places[source.of(sentence.source)].append(target)
    return places


def hardened(
    sentence: SilverSentence, other: SilverSentence, hardening: Hardening, rng: random.Random
) -> SilverSentence:
    """The sentence without some of its translations, or none of them, or as it is.

    `other` is one whose target may take the place of the sentence's own.
    """
    chance = rng.random()
    if (chance := chance - hardening.emptied) < 0:
        return _missing(sentence, *emptied(sentence, rng))
    if (chance := chance - hardening.cut) < 0:
        return _missing(sentence, *cut(sentence, rng))
    if chance - hardening.mismatched < 0 and other.target != sentence.target:
        strange = replace(
            sentence, target=other.target, phrases=(), sure=frozenset(), possible=frozenset()
        )
        return _missing(sentence, strange, [english for english, _ in sentence.phrases])
    return sentence


def _missing(before: SilverSentence, after: SilverSentence, lost: Iterable[Span]) -> SilverSentence:
    """`after` with the phrases in `lost` absent, if nothing of their translation is left.

    A name that stands in the target twice may have been translated twice, with one link.
    """
    left = after.target.lower()
    gone = {
        english
        for english in lost
        if before.source[english.start : english.end].lower() not in left
        and not any(english.overlaps(other) for other, _ in after.phrases)
        and not any(
            found.of(before.target).lower() in left
            for other, found in before.phrases
            if other == english
        )
    }
    return replace(after, absent=(*after.absent, *sorted(gone)))


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
    recipe: PairRecipe,
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
    seed = recipe.schedule.seed
    chosen = drawn(silver, recipe.per_language, seed)
    lessons = list(
        lessons_of(
            chosen,
            recipe.negatives,
            seed,
            per_language=recipe.per_language,
            hardening=recipe.hardening,
        )
    )
    examples = [example for _, example in lessons]
    used = list({id(sentence): sentence for sentence, _ in lessons}.values())
    if not examples:
        raise TrainingError("silver data", "no phrase pairs", "Make them: spanferry aligner data")
    torch.manual_seed(seed)
    aligner = PairAligner.from_encoder(recipe.base)
    limit = longest_input(aligner.model, aligner.tokenizer)
    work = work_folder(out, [asdict(recipe), len(examples), repr(examples[-1])])
    aligner.model.train()
    trained = loop.run(
        aligner.model,
        aligner.tokenizer,
        [encode(example, aligner.tokenizer, limit) for example in examples],
        recipe.schedule,
        work / "checkpoints",
        on_progress=on_progress,
    )
    finish(aligner, recipe, used, examples=len(examples), trained=trained, work=work, out=out)
    return aligner
