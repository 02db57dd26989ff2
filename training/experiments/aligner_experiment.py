"""Aligners side by side: the same silver data, the same encoder, the same gold, in one run.

Both recipes see the same number of sentences. Each model is asked once about every gold sentence,
and what it answered is decoded in every way, so that rows of one model differ by nothing else.
"""

import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch

from projection.aligners.baselines import ExactMatch, LinkedWords, PharaohAligner
from projection.aligners.decoding import JOINT, PUBLISHED, Decoding
from projection.aligners.loading import load_aligner
from projection.errors import CorpusError, TrainingError
from projection.evaluation.report import BATCH, ProjectionReport, evaluate_aligner
from projection.io.gold import GoldSentence, read_gold
from projection.io.records_json import Json
from projection.models import bundled
from projection.protocols import Aligns
from projection.records import ParallelSentence
from projection.text.chinese import simplified
from projection.text.words import is_character_language, word_spans
from training.aligner.silver import (
    SilverSentence,
    WordAligner,
    alignment_words,
    drawn,
    run_eflomal,
    to_words,
)
from training.experiments.score_cache import Remembering, RememberingJoint, RememberingPair
from training.experiments.side_by_side import Settings, Training, train_both
from training.trainer.settings import (
    AlignerPreset,
)
from training.trainer.trainer import OnProgress

GAP = 2  # unlinked words bridged in the second row of the word aligner
LIBRARIES = ("torch", "transformers", "tokenizers", "numpy", "eflomal")


class Family(StrEnum):
    """What a row belongs to."""

    BASELINE = "baseline"
    PAPER_PAIR = "paper-pair"
    CONTEXT_JOINT = "context-joint"
    TRAINED_LONGER = "trained longer"


class System(NamedTuple):
    """A way to decode, as a row is named by it."""

    name: str
    decoding: Decoding


WHOLE_SPANS = Decoding(whole_spans=True)

PAIR_SYSTEMS = (
    System("paper-pair, as published", PUBLISHED),
    System("paper-pair + span decoding", WHOLE_SPANS),
    System("paper-pair + joint assignment", JOINT),
)
JOINT_SYSTEMS = (
    System("context-joint, word by word", PUBLISHED),
    System("context-joint + span decoding", WHOLE_SPANS),
    System("context-joint + joint assignment", JOINT),
    System("context-joint + both directions", replace(JOINT, both_directions=True)),
)


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold file: its name without the suffix, and its consistent sentences."""

    name: str
    sentences: tuple[GoldSentence, ...]

    @classmethod
    def read(cls, path: Path, limit: int | None = None) -> Self:
        """Read at most `limit` sentences.

        Raises:
            CorpusError: if there are none, or two share an id.
        """
        sentences = read_gold(path)[:limit]
        if not sentences:
            fix = "See `spanferry score-projection --help`"
            raise CorpusError(str(path), "has no sentence to score", fix)
        [(key, most)] = Counter(gold.sentence.id for gold in sentences).most_common(1)
        if most > 1:
            fix = "Give every sentence an id of its own, or none"
            raise CorpusError(f"{path} id", f"{key!r} is used {most} times", fix)
        return cls(path.stem, tuple(sentences))

    @property
    def pairs(self) -> list[ParallelSentence]:
        """The sentences as an aligner gets them."""
        return [gold.sentence for gold in self.sentences]


@dataclass(frozen=True, slots=True)
class WordAlignment:
    """One run of the word aligner: the gold pairs of a language with the silver ones."""

    lang: str
    gold: int
    silver: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One aligner, decoded in one way: a report for each gold file, in order."""

    name: str
    family: Family
    reports: tuple[ProjectionReport, ...]
    decoding: Decoding | None = None

    @property
    def sentences_per_second(self) -> float:
        """Over all gold files, the pass through the model included."""
        seconds = sum(report.seconds for report in self.reports)
        sentences = sum(report.scores.sentences for report in self.reports)
        return sentences / seconds if seconds else 0.0

    def to_json(self, gold: Sequence[Gold]) -> Json:
        """All figures by the name of the gold file; no text of it."""
        return {
            "name": self.name,
            "family": self.family.value,
            "decoding": None if self.decoding is None else asdict(self.decoding),
            "sentences_per_second": self.sentences_per_second,
            "gold": {
                each.name: report.to_json(examples=0)
                for each, report in zip(gold, self.reports, strict=True)
            },
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """The experiment's result. `skipped` says of a row that is not there why."""

    gold: tuple[Gold, ...]
    rows: tuple[Row, ...]
    skipped: Mapping[str, str]
    trainings: tuple[Training, ...]
    word_alignments: tuple[WordAlignment, ...]
    settings: Settings
    machine: dict[str, Any]

    @property
    def ceilings(self) -> list[float]:
        """The best F1 that projection could reach on each gold file."""
        return [report.scores.ceiling for report in self.rows[0].reports]

    def to_json(self) -> Json:
        """Everything but the texts."""
        return {
            "schema": 1,
            "settings": asdict(self.settings),
            "machine": self.machine,
            "gold": {
                gold.name: {"sentences": len(gold.sentences), "ceiling": ceiling}
                for gold, ceiling in zip(self.gold, self.ceilings, strict=True)
            },
            "trainings": [asdict(training) for training in self.trainings],
            "word_alignments": [asdict(alignment) for alignment in self.word_alignments],
            "rows": [row.to_json(self.gold) for row in self.rows],
            "skipped": dict(self.skipped),
        }


def compare_aligners(
    silver: Sequence[SilverSentence],
    gold: Sequence[Gold],
    settings: Settings,
    out: Path,
    *,
    word_aligner: WordAligner = run_eflomal,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Comparison:
    """Train what is not yet trained in `out`, and score every row.

    Args:
        silver: what everything learns from, in any languages.
        gold: files with different names.
        settings: the numbers.
        out: folder for both models, which stay there: called again, only the scoring is done again.
        word_aligner: stands behind the eflomal rows.
        on_progress: hears of every part.

    Raises:
        TrainingError: if there is nothing to train on, or `out` holds models of another experiment.
        CorpusError: if two gold files have one name.
        ModelError: if the base or `settings.aligner` cannot be loaded.
    """
    check_names(gold)
    other = None if settings.aligner is None else load_other(settings.aligner)
    trainings = train_both(silver, settings, out, on_progress)
    skipped: dict[str, str] = {}
    alignments: list[WordAlignment] = []
    rows = [row_of("exact match", Family.BASELINE, ExactMatch(), gold)]
    try:
        linked, alignments = align_words(silver, gold, settings, word_aligner, on_progress)
        rows += word_aligner_rows(gold, linked, alignments)
    except TrainingError as error:
        skipped["eflomal"] = str(error)
    pair = RememberingPair.from_pretrained(out / AlignerPreset.PAPER_PAIR)
    joint = RememberingJoint.from_pretrained(out / AlignerPreset.CONTEXT_JOINT)
    rows += decoded_rows(pair, PAIR_SYSTEMS, Family.PAPER_PAIR, gold, on_progress)
    rows += decoded_rows(joint, JOINT_SYSTEMS, Family.CONTEXT_JOINT, gold, on_progress)
    if other is not None:
        name = f"{Path(str(settings.aligner)).name} (trained longer)"
        rows.append(row_of(name, Family.TRAINED_LONGER, other, gold, on_progress))
    return Comparison(
        tuple(gold), tuple(rows), skipped, tuple(trainings), tuple(alignments), settings, machine()
    )


def check_names(gold: Sequence[Gold]) -> None:
    """Refuse gold that results could not tell apart.

    Raises:
        CorpusError: naming it.
    """
    for name, count in Counter(each.name for each in gold).items():
        if count > 1:
            raise CorpusError(f"gold {name}", f"{count} files have this name", "Rename one")


def load_other(aligner: str) -> Aligns:
    """The aligner to score beside those trained here.

    Raises:
        ModelError: if there is none.
    """
    return load_aligner(bundled.resolve(aligner, "aligner"))


def row_of(
    name: str,
    family: Family,
    aligner: Aligns,
    gold: Sequence[Gold],
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Row:
    """Score an aligner as it is."""
    reports = []
    for each in gold:
        advance = _counting(f"{name} on {each.name}", len(each.sentences), on_progress)
        reports.append(evaluate_aligner(aligner, each.sentences, on_progress=advance))
    return Row(name, family, tuple(reports), getattr(aligner, "decoding", None))


def decoded_rows(
    aligner: Remembering,
    systems: Sequence[System],
    family: Family,
    gold: Sequence[Gold],
    on_progress: OnProgress,
) -> Iterator[Row]:
    """Score an aligner in every decoding; the seconds of its one pass count in each row."""
    passes = [_seconds_of_pass(aligner, each, family, on_progress) for each in gold]
    for system in systems:
        aligner.decoding = system.decoding
        row = row_of(system.name, family, aligner, gold)
        yield replace(row, reports=_with_seconds(row.reports, passes))


def _seconds_of_pass(
    aligner: Remembering, gold: Gold, family: Family, on_progress: OnProgress
) -> float:
    advance = _counting(f"{family} on {gold.name}", len(gold.sentences), on_progress)
    seconds = 0.0
    for start in range(0, len(gold.sentences), BATCH):
        batch = gold.pairs[start : start + BATCH]
        began = time.perf_counter()
        aligner.remember(batch)
        seconds += time.perf_counter() - began
        advance(len(batch))
    return seconds


def _with_seconds(
    reports: Sequence[ProjectionReport], more: Sequence[float]
) -> tuple[ProjectionReport, ...]:
    return tuple(
        replace(report, seconds=report.seconds + seconds)
        for report, seconds in zip(reports, more, strict=True)
    )


def _counting(what: str, total: int, on_progress: OnProgress) -> Callable[[int], None]:
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        on_progress(what, done, total)

    return advance


Linked = dict[str, LinkedWords]  # by the id of the sentence


def align_words(
    silver: Sequence[SilverSentence],
    gold: Sequence[Gold],
    settings: Settings,
    word_aligner: WordAligner,
    on_progress: OnProgress,
) -> tuple[list[Linked], list[WordAlignment]]:
    """The links of all gold pairs, a table for each file, and what they took.

    All gold of a language is aligned at once, along with silver pairs drawn at random.

    Raises:
        TrainingError: if the word aligner, or the segmenter it needs, is not installed.
    """
    linked: list[Linked] = [{} for _ in gold]
    taken = []
    languages = sorted({pair.target_lang for each in gold for pair in each.pairs})
    for number, lang in enumerate(languages, start=1):
        asked = [
            (table, pair)
            for table, each in zip(linked, gold, strict=True)
            for pair in each.pairs
            if pair.target_lang == lang
        ]
        of_lang = (sentence for sentence in silver if sentence.lang == lang)
        others = drawn(of_lang, settings.eflomal_sentences, settings.seed)
        began = time.perf_counter()
        answers = linked_words([pair for _, pair in asked], others, word_aligner)
        for (table, pair), words in zip(asked, answers, strict=True):
            table[pair.id] = words
        seconds = time.perf_counter() - began
        taken.append(WordAlignment(lang, len(asked), len(others), seconds))
        on_progress("languages aligned by eflomal", number, len(languages))
    return linked, taken


def linked_words(
    pairs: Sequence[ParallelSentence], silver: Sequence[SilverSentence], word_aligner: WordAligner
) -> list[LinkedWords]:
    """The words of each pair and the links that both directions of the word aligner found.

    `silver` is aligned with them, and helps by its numbers. Words are those of silver data: Chinese
    is segmented for the word aligner, and the links lead back to characters.
    """
    texts = [(p.source, p.target, p.target_lang) for p in pairs]
    texts += [(s.source, s.target, s.lang) for s in silver]
    units = [
        (word_spans(source, "en"), alignment_words(target, lang)) for source, target, lang in texts
    ]
    read = [
        ([w.of(source) for w in sides[0]], [w.of(_as_read(target, lang)) for w in sides[1]])
        for (source, target, lang), sides in zip(texts, units, strict=True)
    ]
    links = word_aligner(read)[: len(pairs)]
    return [
        LinkedWords(
            source,
            word_spans(pair.target, pair.target_lang),
            to_words(forward & reverse, pair, target),
        )
        for pair, (source, target), (forward, reverse) in zip(pairs, units, links, strict=False)
    ]


def _as_read(target: str, lang: str) -> str:
    return simplified(target) if is_character_language(lang) else target


def word_aligner_rows(
    gold: Sequence[Gold], linked: Sequence[Linked], alignments: Sequence[WordAlignment]
) -> Iterator[Row]:
    """Entities read off the links, without and with gaps bridged.

    The word aligner has no separate training: its seconds are shared by all pairs it aligned.
    """
    shares = [
        sum(
            a.seconds * sum(p.target_lang == a.lang for p in each.pairs) / (a.gold + a.silver)
            for a in alignments
        )
        for each in gold
    ]
    for name, bridge in (("eflomal", 0), (f"eflomal, gaps up to {GAP} bridged", GAP)):
        reports = [
            evaluate_aligner(PharaohAligner(table, bridge), each.sentences)
            for table, each in zip(linked, gold, strict=True)
        ]
        yield Row(name, Family.BASELINE, _with_seconds(reports, shares))


def machine() -> dict[str, Any]:
    """What the figures were measured with."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def cpu_model() -> str:
    """The processor's name where the system tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
