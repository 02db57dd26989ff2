"""Rows of aligners: trained on the same silver sentences from the same encoder, scored on gold.

All go through equally many sentences; one model is decoded in several ways.
"""

import hashlib
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from projection.aligners.baselines import ExactMatch, LinkedWords, PharaohAligner
from projection.aligners.decoding import Decoding
from projection.aligners.loading import load_aligner
from projection.errors import CorpusError, TrainingError
from projection.evaluation.report import evaluate_aligner
from projection.io.files import read_object
from projection.io.gold import GoldSentence, read_gold
from projection.io.records_json import Json
from projection.models import bundled
from projection.protocols import Aligns
from projection.records import ParallelSentence
from projection.text.words import word_spans
from training.aligner.augment import is_name_pair
from training.aligner.joint import chosen_from, train_joint
from training.aligner.pair import train_aligner
from training.aligner.silver import (
    SilverSentence,
    Tokenised,
    WordAligner,
    drawn,
    read_silver,
    run_eflomal,
    to_words,
)
from training.experiments.config import DataConfig, files
from training.experiments.definition import Experiment, ExperimentOptions, ExperimentRow
from training.tagger.finetune import counted, identity_of
from training.trainer.settings import (
    JOINT_SCHEDULE,
    PUBLISHED_ALIGNER,
    AlignerPreset,
    Hardening,
    JointRecipe,
    PairRecipe,
)
from training.trainer.trainer import OnProgress

EXACT, EFLOMAL = "exact-match", "eflomal"
TOGETHER = "joint-together"  # context-joint that encodes both sentences at once
TRAINED = (*AlignerPreset, TOGETHER)
INSTALLED: WordAligner | None = run_eflomal if find_spec("eflomal") else None
WARMUP = 0.1  # of the steps: the presets' 200 would be a third of so short a training
NUMBERS = {
    "steps": 600,  # of context-joint; paper-pair goes through as many sentences
    "pair_learning_rate": JOINT_SCHEDULE.learning_rate,
    "eflomal_sentences": 50_000,  # silver pairs of a language, aligned along with the gold
}


def numbers_of(changes: Mapping[str, Any]) -> dict[str, float]:
    """Return `NUMBERS` with the changes of an experiment and the command.

    Raises TrainingError at an unknown name, or a value that is no number.
    """
    numbers = dict(NUMBERS)
    for name, value in changes.items():
        if name not in NUMBERS:
            fix = f"One of {', '.join(NUMBERS)}"
            raise TrainingError(f"--set {name}", f"no setting {name}", fix)
        try:
            numbers[name] = float(value)
        except (TypeError, ValueError) as error:
            raise TrainingError(f"--set {name}", f"{value!r} is no number") from error
        if numbers[name] < 0 or (name != "eflomal_sentences" and numbers[name] == 0):
            raise TrainingError(f"--set {name}", f"{value} is not above 0")
    return numbers


def recipes_on(
    silver: Sequence[SilverSentence],
    base: str,
    numbers: Mapping[str, float],
    per_language: int | None,
    seed: int,
) -> tuple[list[SilverSentence], PairRecipe, JointRecipe]:
    """Return the recipes of both presets, and the silver sentences that paper-pair gets.

    context-joint draws its sentences from `silver` itself; paper-pair gets the same ones, and as
    many of the listed names. `per_language` sentences are drawn, None for those of one pass. Raises
    TrainingError if there is nothing to draw.
    """
    steps = int(numbers["steps"])
    sentences = steps * JOINT_SCHEDULE.batch_size  # gone through, repeated ones counted again
    languages = Counter(sentence.lang for sentence in silver if not is_name_pair(sentence))
    per_language = per_language or math.ceil(sentences / max(len(languages), 1))
    share = sum(min(n, per_language) for n in languages.values()) / max(languages.total(), 1)
    joint = JointRecipe(
        base,
        replace(JOINT_SCHEDULE, max_steps=steps, warmup=WARMUP, seed=seed),
        # As many names to a sentence as in a training on all of the silver.
        Hardening(lone_names=Hardening().lone_names * share),
        per_language,
        freeze=0,  # as paper-pair, which trains all layers
    )
    rng = random.Random(seed)  # noqa: S311  a sample is no secret
    pair_silver = [
        sentence
        for sentence in chosen_from(silver, joint)
        if not is_name_pair(sentence) or rng.random() < joint.hardening.lone_names
    ]
    if not pair_silver:
        fix = "Make them: spanferry aligner data"
        raise TrainingError("silver data", "no sentences with names", fix)
    schedule = replace(
        PUBLISHED_ALIGNER,
        epochs=sentences / len(pair_silver),
        learning_rate=numbers["pair_learning_rate"],
        warmup=WARMUP,
        seed=seed,
    )
    return pair_silver, PairRecipe(base, schedule, per_language=None), joint


def read_gold_files(paths: Sequence[Path], limit: int | None) -> dict[str, list[GoldSentence]]:
    """Read at most `limit` sentences of each gold file, by its name without the suffix.

    Raises CorpusError if two files have one name, or one has no sentences or two of one id.
    """
    found: dict[str, list[GoldSentence]] = {}
    for path in paths:
        if path.stem in found:
            raise CorpusError(f"gold {path.stem}", "2 files have this name", "Rename one")
        found[path.stem] = sentences = read_gold(path)[:limit]
        if not sentences:
            fix = "See `spanferry score-projection --help`"
            raise CorpusError(str(path), "has no sentence to score", fix)
        [(key, most)] = Counter(gold.sentence.id for gold in sentences).most_common(1)
        if most > 1:
            fix = "Give every sentence an id of its own, or none"
            raise CorpusError(f"{path} id", f"{key!r} is used {most} times", fix)
    return found


def link_words(
    pairs: Sequence[ParallelSentence], silver: Sequence[SilverSentence], word_aligner: WordAligner
) -> dict[str, LinkedWords]:
    """Return the words of each pair, by id, and the links that both directions found.

    `silver` is aligned along with them, for better statistics. In languages without spaces the word
    aligner gets subwords, and the links lead back to characters.
    """
    others = [ParallelSentence("", s.source, s.target, "en", s.lang, "") for s in silver]
    units = [Tokenised.of(pair) for pair in [*pairs, *others]]
    links = word_aligner([unit.texts() for unit in units])
    return {
        pair.id: LinkedWords(
            unit.source,
            word_spans(pair.target, pair.target_lang),
            to_words(forward & reverse, pair, unit.target),
        )
        for pair, unit, (forward, reverse) in zip(pairs, units, links, strict=False)
    }


class AlignerBench:
    """Trains aligners into `models` and scores them, a column for each gold file."""

    def __init__(
        self,
        config: DataConfig,
        experiment: Experiment,
        options: ExperimentOptions,
        models: Path,
        word_aligner: WordAligner | None,
    ) -> None:
        self.config, self.options, self.models = config, options, models
        self.word_aligner = word_aligner
        self.numbers = numbers_of({**experiment.set, **options.set})
        self.gold = read_gold_files(files(config.gold), options.scored)
        self.columns = config.chosen(self.gold, options.columns, "gold file")
        self.names = tuple(config.aligners)
        self._linked: dict[tuple[str, int], dict[str, LinkedWords]] = {}

    def prepare(self, rows: Sequence[ExperimentRow]) -> None:
        """Check that every row has an aligner, and the trained ones base and silver data.

        Raises TrainingError or ModelError if one is unknown or missing.
        """
        known = (EXACT, EFLOMAL, *TRAINED, *self.config.aligners)
        for row in rows:
            if row.preset not in known:
                fix = f"There are {', '.join(known)}"
                raise TrainingError(f"row {row.name}", f"no aligner {row.preset}", fix)
            decoding_of(row)
            if row.preset in TRAINED and self.options.base is None:
                raise TrainingError("--base", "is missing", "Name the encoder to train aligners on")
            if row.preset in TRAINED and not files(self.config.silver):
                fix = 'Such as silver = "silver/*.jsonl"'
                raise TrainingError(f"{self.config.file} silver", "names no file", fix)
            if row.preset in self.config.aligners:
                self._load(row, self.config.aligners[row.preset])

    def reason_against(self, row: ExperimentRow, column: str) -> str | None:  # noqa: ARG002  the engine's
        """Return what eflomal lacks; nothing stops the other rows."""
        if row.preset == EFLOMAL and self.word_aligner is None:
            return "eflomal is not installed. pip install 'spanferry[models]'"
        return None

    def key(self, row: ExperimentRow, column: str, seed: int) -> object:
        """Return the aligner, what it was made of, and the gold."""
        made_of: object = None
        if row.preset in TRAINED:
            made_of = self._folder(row.preset, seed).name
        elif row.preset == EFLOMAL:
            made_of = [self._silver_hash, self.numbers["eflomal_sentences"], seed]
        elif row.preset in self.config.aligners:
            made_of = identity_of(self.config.aligners[row.preset], "aligner")
        return [row.preset, dict(row.set), made_of, _hash(self.gold[column])]

    def run(self, row: ExperimentRow, column: str, seed: int, on_progress: OnProgress) -> Json:
        """Train the row's aligner unless that is done, and score it."""
        gold = self.gold[column]
        aligner, learned_from, steps = self._aligner(row, column, seed, on_progress)
        advance = counted(on_progress, "sentences aligned", len(gold))
        report = evaluate_aligner(aligner, gold, on_progress=advance)
        return {
            "base": self.options.base if steps else None,
            "scores": report.to_json(examples=0),
            "learned_from": learned_from,
            "steps": steps,
            "reviews": None,
        }

    def _aligner(
        self, row: ExperimentRow, column: str, seed: int, on_progress: OnProgress
    ) -> tuple[Aligns, Json, Json]:
        """Return the aligner of a row, what it learned from, and its steps."""
        if row.preset == EXACT:
            return ExactMatch(), {}, {}
        if row.preset == EFLOMAL:
            linked = self._links(column, seed)
            return PharaohAligner(linked, int(row.set.get("bridge", 0))), {}, {}
        if row.preset in self.config.aligners:
            return self._load(row, self.config.aligners[row.preset]), {}, {}
        folder = self._folder(row.preset, seed)
        if not folder.exists():
            self._train(row.preset, seed, folder, on_progress)
        record = read_object(folder / "training.json")
        sentences = sum(counts["sentences"] for counts in record["data"].values())
        learned_from = {row.preset: {"silver": sentences}}
        return self._load(row, str(folder)), learned_from, {row.preset: record["steps"]}

    def _load(self, row: ExperimentRow, name: str) -> Aligns:
        decoding = decoding_of(row) if row.set else None
        return load_aligner(bundled.resolve(name, "aligner"), decoding)

    def _folder(self, preset: str, seed: int) -> Path:
        """Return the folder of a model, named by everything that shapes it."""
        base, numbers = identity_of(self.options.base or "", "aligner"), self.numbers
        shaped_by = [base, numbers["steps"], numbers["pair_learning_rate"]]
        shaped_by += [self.options.sentences, seed, self._silver_hash]
        return self.models / f"{preset}-{_hash(shaped_by)}"

    def _train(self, preset: str, seed: int, folder: Path, on_progress: OnProgress) -> None:
        pair_silver, pair, joint = recipes_on(
            self._silver, self.options.base or "", self.numbers, self.options.sentences, seed
        )
        folder.parent.mkdir(parents=True, exist_ok=True)
        if preset == AlignerPreset.PAPER_PAIR:
            train_aligner(pair_silver, pair, folder, on_progress)
        else:
            joint = replace(joint, apart=preset != TOGETHER)
            train_joint(self._silver, joint, folder, on_progress)

    def _links(self, column: str, seed: int) -> dict[str, LinkedWords]:
        """Align the words of a gold file, each language along with silver pairs."""
        if (column, seed) not in self._linked:
            assert self.word_aligner is not None  # noqa: S101  see reason_against
            linked = self._linked[column, seed] = {}
            pairs = [gold.sentence for gold in self.gold[column]]
            for lang in sorted({pair.target_lang for pair in pairs}):
                of_lang = (sentence for sentence in self._silver if sentence.lang == lang)
                silver = drawn(of_lang, int(self.numbers["eflomal_sentences"]), seed)
                asked = [pair for pair in pairs if pair.target_lang == lang]
                linked |= link_words(asked, silver, self.word_aligner)
        return self._linked[column, seed]

    @cached_property
    def _silver(self) -> list[SilverSentence]:
        return list(chain.from_iterable(map(read_silver, files(self.config.silver))))

    @cached_property
    def _silver_hash(self) -> str:
        return _hash([hashlib.sha256(f.read_bytes()).digest() for f in files(self.config.silver)])


def decoding_of(row: ExperimentRow) -> Decoding:
    """Return the decoding that a row sets; raises TrainingError at an unknown field."""
    try:
        return Decoding(**row.set)
    except TypeError as error:
        fix = f"Fields are {', '.join(each.name for each in fields(Decoding))}"
        raise TrainingError(f"row {row.name} set", str(error), fix) from error


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
