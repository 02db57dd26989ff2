"""How fast the projection pipeline is: beside the published aligner and others, and by size.

All contenders take turns on the same sentences with the same source entities, so that whatever else
the machine does meets all of them. A figure is the median of the rounds; a ratio is that of the
rounds' ratios.
"""

import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import torch
from transformers import PreTrainedModel

from ml_backend.benchmark.encoder_meter import EncoderMeter, matrix_peak, number_format
from ml_backend.benchmark.published_path import PublishedPath
from projection.aligners.joint import JointAligner
from projection.errors import ModelError, SpanferryError
from projection.models.computing import device_name, tokens_at_once
from projection.models.tagger import Tagger
from projection.pipeline.projector import Projector
from projection.pipeline.run import MAX_BATCH
from projection.records import ParallelSentence
from projection.text.words import word_spans

OURS = "spanferry"
PUBLISHED = "one pass an entity"
ONE_BY_ONE = f"{PUBLISHED}, one at a time"
TWO_WORKERS = "two workers"
OnRound = Callable[[int], None]
Figures = dict[str, object]


@dataclass(frozen=True)
class Contender:
    """An aligner of any kind, by what it does with all sentences."""

    name: str
    align: Callable[[], object]
    start: Callable[[], object] = lambda: None  # what its time has besides aligning


@dataclass(frozen=True)
class Timed:
    """The seconds of each contender in each round."""

    seconds: Mapping[str, Sequence[float]]

    def rate(self, name: str, sentences: int) -> float:
        """Sentences a second."""
        return sentences / statistics.median(self.seconds[name])

    def ratio(self, name: str) -> float:
        """How many times as fast as this one ours is."""
        pairs = zip(self.seconds[name], self.seconds[OURS], strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)


def take_turns(contenders: Sequence[Contender], rounds: int, on_round: OnRound) -> Timed:
    """Time each contender once a round."""
    seconds: dict[str, list[float]] = {each.name: [] for each in contenders}
    for _ in range(rounds):
        for each in contenders:
            seconds[each.name].append(_seconds(each.align) - _seconds(each.start))
        on_round(1)
    return Timed(seconds)


def aligner_speed(
    projector: Projector,
    sentences: Sequence[ParallelSentence],
    others: Mapping[str, str],
    rounds: int,
    on_round: OnRound,
) -> Figures:
    """The aligner beside the published path and `others`, on source entities that are known.

    `others` are commands by name; see `command`. ModelError if it is no joint aligner.
    """
    aligner = projector.aligner
    if not isinstance(aligner, JointAligner):
        what = "is a pair aligner, whose path is the published one"
        raise ModelError("--aligner", what, "Name a joint aligner")
    known = projector.with_entities(sentences)
    entities = sum(len(sentence.entities or ()) for sentence in known)
    published = PublishedPath(aligner.model.encoder.config, aligner.tokenizer, aligner.model.device)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        contenders = [
            Contender(OURS, lambda: aligner.align(known)),
            Contender(PUBLISHED, lambda: published.align(known)),
            Contender(ONE_BY_ONE, lambda: published.align(known, batch=1)),
            *(command(name, line, known, Path(folder)) for name, line in others.items()),
        ]
        for each in contenders[3:]:
            each.start()  # a mistake in a command shows at once
        aligner.align(known)
        meter = EncoderMeter(aligner.model.encoder)
        stack.enter_context(meter.counting())
        timed = take_turns(contenders, rounds, on_round)
    peak = matrix_peak(aligner.model.encoder)
    ours = sum(timed.seconds[OURS])
    figures: Figures = {
        "sentences": len(known),
        "entities_per_sentence": entities / len(known),
        "sentences_per_second": {
            each.name: timed.rate(each.name, len(known)) for each in contenders
        },
        "ours_over_paper_path": timed.ratio(PUBLISHED),
        "ours_over_paper_path_one_by_one": timed.ratio(ONE_BY_ONE),
        "eta_kernel": meter.operations / meter.seconds / peak,
        "eta_host": meter.seconds / ours,
        "gflops_peak": peak / 1e9,
        "number_format": str(number_format(aligner.model.encoder)).removeprefix("torch."),
    }
    return figures | {f"ours_over_{_key(name)}": timed.ratio(name) for name in others}


def pipeline_speed(
    projector: Projector, sentences: Sequence[ParallelSentence], sizes: Sequence[int], rounds: int
) -> Figures:
    """The whole pipeline: texts encoded for each sentence, and seconds by size of the corpus."""
    meters = [EncoderMeter(encoder) for encoder in _encoders(projector)]
    with ExitStack() as stack:
        for meter in meters:
            stack.enter_context(meter.counting())
        project_all(projector, sentences[: sizes[0]])
    seconds = {
        size: statistics.median(
            _seconds(lambda size=size: project_all(projector, sentences[:size]))  # type: ignore[misc]
            for _ in range(rounds if size == sizes[0] else 1)
        )
        for size in sizes
    }
    return {
        # A sentence pair is two texts: one pass of an encoder over both is 1.
        "passes_per_sentence": sum(meter.texts for meter in meters) / 2 / sizes[0],
        "eta_pad": sum(m.tokens for m in meters) / sum(m.padded for m in meters),
        "seconds_per_1000_lines": {str(size): 1000 * s / size for size, s in seconds.items()},
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def command_speed(sentences: Sequence[ParallelSentence], rounds: int) -> Figures:
    """`spanferry project` as a process: its start, and two workers beside one, a thread each.

    Two workers need two batches: with fewer sentences they are left out.
    """
    with TemporaryDirectory() as name:
        first = _corpus(Path(name) / "first.jsonl", sentences[:1])
        found: Figures = {"cold_start_seconds": _seconds(lambda: _run_project(first, 1))}
        every = sentences[: 2 * MAX_BATCH]
        if len(every) < 2 * MAX_BATCH:
            return found
        corpus = _corpus(Path(name) / "every.jsonl", every)
        contenders = [
            Contender(
                each, partial(_run_project, corpus, count), partial(_run_project, first, count)
            )
            for each, count in ((OURS, 1), (TWO_WORKERS, 2))
        ]
        timed = take_turns(contenders, rounds, lambda _round: None)
        return found | {"two_workers_over_one": 1 / timed.ratio(TWO_WORKERS)}


def _corpus(file: Path, sentences: Sequence[ParallelSentence]) -> Path:
    lines = (
        json.dumps(
            {"id": str(n), "source": s.source, "target": s.target, "target_lang": s.target_lang}
        )
        for n, s in enumerate(sentences)
    )
    file.write_text("\n".join(lines), "utf-8")
    return file


def _run_project(corpus: Path, workers: int) -> None:
    with TemporaryDirectory() as out:
        line = [sys.executable, "-m", "ml_backend", "project", "--jsonl", str(corpus)]
        line += ["--out", out, "--workers", str(workers)]
        _run(line, {**os.environ, "OMP_NUM_THREADS": "1"})


def _run(line: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603  the command of whoever measures
        line, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        what = f"ended with {done.returncode}: {done.stderr[-300:].strip()}"
        raise SpanferryError(shlex.join(line), what)


def machine() -> Figures:
    """What it was measured on."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {
        "device": device_name(),
        "processor": str(torch.cpu.get_capabilities().get("cpu_name", "unknown")),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "tokens_at_once": tokens_at_once(device),
    }


def project_all(projector: Projector, sentences: Sequence[ParallelSentence]) -> None:
    """Project as `spanferry project` does, so many sentences a call."""
    for start in range(0, len(sentences), MAX_BATCH):
        projector.project(sentences[start : start + MAX_BATCH])


def command(name: str, line: str, sentences: Sequence[ParallelSentence], folder: Path) -> Contender:
    """A word aligner that runs as a command, which may be installed in an environment of its own.

    `{pairs}` in `line` is a file with `source ||| target` a line, words parted by spaces; `{links}`
    is where it writes. Its start is the time it takes for the first pair.
    """
    every, first = folder / f"{_key(name)}.pairs", folder / f"{_key(name)}.first"
    lines = [
        f"{_spaced(s.source, s.source_lang)} ||| {_spaced(s.target, s.target_lang)}\n"
        for s in sentences
    ]
    every.write_text("".join(lines), "utf-8")
    first.write_text(lines[0], "utf-8")
    links = folder / "links"

    def run(pairs: Path) -> None:
        links.unlink(missing_ok=True)  # eflomal would not write over them
        _run([part.format(pairs=pairs, links=links) for part in shlex.split(line)])

    return Contender(name, lambda: run(every), lambda: run(first))


def _spaced(text: str, lang: str) -> str:
    return " ".join(span.of(text) for span in word_spans(text, lang))


def _encoders(projector: Projector) -> Iterator[PreTrainedModel]:
    if isinstance(projector.teacher, Tagger):
        yield cast("PreTrainedModel", projector.teacher.model.base_model)
    if isinstance(projector.aligner, JointAligner):
        yield projector.aligner.model.encoder


def _key(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.lower())


def _seconds(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began
