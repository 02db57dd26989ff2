"""A corpus with sentences of every fate, a projector that knows the answers, and their runs."""

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from projection.pipeline.conflicts import Policy, find_conflicts
from projection.pipeline.run import project_corpus
from projection.pipeline.run_summary import RunSummary
from projection.records import Entity, ParallelSentence, ProjectedSentence, Projection, Span

CORPUS = "parallel.en"
ANNA = Entity(Span(0, 4), "PER", 1.0)


def sentence(
    number: int, source: str = "Anna left.", target: str = "Anna ging."
) -> ParallelSentence:
    return ParallelSentence(str(number), source, target, "en", "de", f"{CORPUS}:{number}")


class FixedProjector:
    """Says where Anna went: the real interface, no torch.

    `nowhere` are the ids for which it finds nothing. Like a real model's, its scores depend in
    their last digits on what else is in the batch. It is interrupted in the batch `stop_in`.
    """

    labels = ("PER",)
    languages: tuple[str, ...] = ()

    def __init__(
        self, nowhere: Sequence[str] = (), version: str = "v1", stop_in: int | None = None
    ) -> None:
        self.nowhere, self.model_version, self.stop_in = nowhere, version, stop_in
        self.asked: list[list[str]] = []

    def fits(self, sentence: ParallelSentence) -> bool:
        return len(sentence.source) < 100

    def needs_windows(self, *texts: str) -> bool:
        return any(len(text) > 50 for text in texts)

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        if len(self.asked) == self.stop_in:
            raise KeyboardInterrupt
        self.asked.append([sentence.id for sentence in sentences])
        return [self._one(sentence, 0.9 + 1e-7 * len(sentences)) for sentence in sentences]

    def _one(self, sentence: ParallelSentence, score: float) -> ProjectedSentence:
        placed = sentence.id not in self.nowhere
        found = Projection(ANNA, Span(0, 4) if placed else None, score if placed else 0.0)
        return ProjectedSentence(
            sentence=sentence,
            entities=(Entity(Span(0, 4), "PER", score),) if placed else (),
            projections=(found,),
            conflicts=find_conflicts(sentence, [found]),
            score=found.score,
            model_version=self.model_version,
        )


def mixed(count: int) -> list[ParallelSentence]:
    """Sentences of every fate: number 3 of 10 is empty, 5 is too long; see also `NOWHERE`."""
    fates = {3: sentence(3, target=" \u00a0"), 5: sentence(5, source="A" * 100)}
    return [
        ParallelSentence(
            str(n), fate.source, fate.target, fate.source_lang, fate.target_lang, f"{CORPUS}:{n}"
        )
        for n, fate in ((n, fates.get(n % 10, sentence(n))) for n in range(count))
    ]


NOWHERE = [str(n) for n in range(500) if n % 10 in (7, 8)]


def project(
    sentences: Iterator[ParallelSentence] | Sequence[ParallelSentence],
    out: Path,
    projector: FixedProjector | None = None,
    **changes: Any,
) -> RunSummary:
    defaults: dict[str, Any] = {
        "policy": Policy.FLAG,
        "settings": {"corpus": CORPUS},
        "on_progress": lambda _: None,
        "batch_size": 4,
    }
    return project_corpus(
        sentences, projector or FixedProjector(NOWHERE), out, **defaults | changes
    )


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def contents(out: Path) -> dict[str, bytes]:
    """Everything but the time it took."""
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    summary = json.loads(files.pop("summary.json"))
    return files | {"counts": json.dumps(summary | {"seconds": 0}).encode()}


class DyingProjector(FixedProjector):
    """Dies, fails or waits at sentence 9, for which a run must have `how`."""

    def __init__(self, how: str) -> None:
        super().__init__(NOWHERE)
        self.how = how

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        if "9" in [sentence.id for sentence in sentences]:
            if self.how == "waits":
                time.sleep(60)
            if self.how == "is killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError("no matrix")
        return super().project(sentences)
