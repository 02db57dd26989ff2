"""How much better unseen documents are pre-annotated after so many reviews.

    python -m tests.ml_backend.jobs.review_gain GOLD [--reviews 50 100 200 500] [--seeds 0 1 2 3 4]
        [--only memory teacher tagger …]

GOLD has entities on both sides. The bundled models project it from the text alone, without types
that it does not annotate. For each seed a third of the documents is held out, and of the others the
first so many sentences are reviewed: people leave exactly the gold of the target. Printed are the
strict F1 of pre-annotations on what is held out, and what is gained by

    memory          corrections that `repredict` and the backend remember
    teacher         the teacher that "Start training" trains
    tagger          the target-language tagger that it trains
    teacher+memory, tagger+memory

as means over the seeds, with the 95 % interval of the paired t-test.
"""

import argparse
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from scipy.stats import t

from label_config.results import read_result
from ml_backend.jobs.retrain import EPOCHS_OF_FEW
from ml_backend.propagation.memory import Memory
from projection.errors import ReviewError
from projection.evaluation.scores import score
from projection.io.gold import GoldSentence, read_gold
from projection.io.json_fields import Fields
from projection.models import bundled
from projection.models.tagger import Tagger
from projection.pipeline.projector import Projector
from projection.records import (
    Entity,
    LabelOrigin,
    ProjectedSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
)
from projection.text.documents import document_of
from training.data.rows import Rows, row_of
from training.tagger.preset_changes import changed
from training.tagger.presets import DEFAULT, PRESETS
from training.tagger.recipe_runner import train_preset
from training.tagger.teacher import source_rows, teach
from training.tagger.training_data import TrainingData

Pair = tuple[GoldSentence, ProjectedSentence]
WAYS = ("memory", "teacher", "teacher+memory", "tagger", "tagger+memory")
HELD_OUT = 1 / 3
TYPES = ("LOC", "MISC", "ORG", "PER")  # of the bundled teacher


def reviewed(pair: Pair) -> ReviewedSentence:
    """The sentence as a reviewer leaves it who knows the gold of the target."""
    gold, seen = pair
    sources = {p.target: p.source.span for p in reversed(seen.projections)}
    entities = tuple(dict.fromkeys(replace(e, score=None) for e in gold.target_entities))
    marks = ({(e.span, e.label) for e in side} for side in (entities, seen.entities))
    kept = (
        Provenance(LabelOrigin.PROJECTED, sources[entity.span])
        if entity.span in sources
        else Provenance(LabelOrigin.PERSON)
        for entity in entities
    )
    return ReviewedSentence(
        seen.sentence,
        entities,
        ReviewStatus.ACCEPTED if next(marks) == next(marks) else ReviewStatus.CORRECTED,
        "1",
        predicted=seen.entities,
        provenance=tuple(kept),
        teacher_entities=seen.source_entities,
    )


def remembered(memory: Memory, seen: ProjectedSentence) -> tuple[Entity, ...]:
    """The entities of a prediction, with the corrections that hold."""
    prediction = Fields(memory.shown(seen).prediction, seen.sentence.origin, ReviewError, "")
    return tuple(region.entity for region in read_result(prediction, seen.sentence).regions)


def parted(pairs: Sequence[Pair], seed: int) -> tuple[list[Pair], list[Pair]]:
    """What can be reviewed, document by document in random order, and what is held out."""
    documents: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        documents[document_of(pair[0].sentence)].append(pair)
    names = sorted(documents)
    random.Random(seed).shuffle(names)
    pool: list[Pair] = []
    held_out: list[Pair] = []
    for name in names:
        full = len(held_out) >= HELD_OUT * len(pairs)
        (pool if full else held_out).extend(documents[name])
    return pool, held_out


class Bench:
    """The gold, as the bundled models project it, and what is trained on reviews of it."""

    def __init__(self, path: Path) -> None:
        gold = read_gold(path)
        self.labels = sorted({e.label for each in gold for e in each.target_entities})
        self.bundled = Projector.load(suppress=[each for each in TYPES if each not in self.labels])
        bare = [replace(each.sentence, entities=None) for each in gold]
        self.pairs = [*zip(gold, self.bundled.project(bare), strict=True)]

    def measure(self, seed: int, count: int, ways: Sequence[str]) -> Iterator[tuple[str, float]]:
        """Yield F1 on the held-out sentences, as it was ("") and in each way."""
        pool, held_out = parted(self.pairs, seed)
        if count > len(pool):
            raise SystemExit(f"there are only {len(pool)} sentences to review")
        reviews = [*map(reviewed, pool[:count])]
        gold, memory = [pair[0] for pair in held_out], Memory.of(reviews)
        before = [pair[1] for pair in held_out]
        yield "", score(gold, [each.entities for each in before]).f1
        for way in ways:
            kind, _, also = way.partition("+")
            if kind == "memory":
                yield way, score(gold, [remembered(memory, each) for each in before]).f1
            elif not also:
                projector = self.teacher(reviews) if kind == "teacher" else self.tagger(reviews)
                seen = projector.project([each.sentence for each in before])
                yield way, score(gold, [each.entities for each in seen]).f1
                if (both := f"{kind}+memory") in ways:
                    yield both, score(gold, [remembered(memory, each) for each in seen]).f1

    def teacher(self, reviews: Sequence[ReviewedSentence]) -> Projector:
        """The projector with the teacher that a job trains."""
        rows = source_rows(reviews, self.labels, self.bundled.link)
        with TemporaryDirectory() as folder:
            out = Path(folder) / "teacher"
            teach(rows, Rows(), bundled.path("tagger"), out, on_progress=lambda *_: None)
            return self.bundled.with_other_teacher(Tagger.from_pretrained(out))

    def tagger(self, reviews: Sequence[ReviewedSentence]) -> Projector:
        """The projector with the target-language tagger that a job trains."""
        rows = Rows.of((row for row, _ in map(row_of, reviews) if row.tokens), self.labels)
        recipe = changed(PRESETS[DEFAULT], {"epochs": EPOCHS_OF_FEW})
        with TemporaryDirectory() as folder:
            train_preset(recipe, TrainingData(reviewed=rows), Path(folder) / "tagger")
            tagger = Tagger.from_pretrained(Path(folder) / "tagger")
            return self.bundled.with_target_model(tagger)


def summary(gains: Sequence[float]) -> str:
    """Mean and 95 % interval, in points."""
    mean, count = 100 * float(np.mean(gains)), len(gains)
    if count < 2:
        return f"{mean:+.2f}"
    half = 100 * float(t.ppf(0.975, count - 1) * np.std(gains, ddof=1) / count**0.5)
    return f"{mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gold", type=Path)
    parser.add_argument("--reviews", type=int, nargs="+", default=[50, 100, 200, 500])
    parser.add_argument("--seeds", type=int, nargs="+", default=[*range(5)])
    parser.add_argument("--only", nargs="+", choices=WAYS, default=[*WAYS])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(asked.gold)
    found: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for count in asked.reviews:
        for seed in asked.seeds:
            start, before = time.process_time(), 0.0
            for way, f1 in bench.measure(seed, count, asked.only):
                before = before if way else f1
                found[way, count].append(f1 - before if way else f1)
                line = f"{count} reviews, seed {seed}, {way or 'before'}: {100 * f1:.2f}"
                sys.stderr.write(f"{line}, {time.process_time() - start:.0f} CPU s\n")
                sys.stderr.flush()
    rows = [["reviews", "before", *asked.only], ["---"] * (len(asked.only) + 2)]
    for count in asked.reviews:
        cells = [summary(found[way, count]) for way in asked.only]
        rows.append([str(count), f"{100 * np.mean(found['', count]):.2f}", *cells])
    sys.stdout.writelines(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    main()
