"""Engines: what turns batches of sentences into lines of a run, in order.

All share one stage, `project_batch`; they differ in where it runs.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Protocol

from projection.errors import RunError
from projection.io.records_json import encode
from projection.io.xml_text import unreadable
from projection.pipeline.conflicts import Policy
from projection.pipeline.run_summary import RunRow
from projection.protocols import ProjectsSentences
from projection.records import ParallelSentence, ProjectedSentence

Batch = list[ParallelSentence]
Engine = Callable[[Iterator[Batch]], Generator[list[RunRow], None, None]]
"""Takes batches as it needs them, and gives the lines of each in the order of the batches."""

LoadProjector = Callable[[], ProjectsSentences]
"""Loads the models in another process: a function of a module, or a `partial` of one."""

_AHEAD = 3  # batches a worker in memory: in its hands, or done before one that takes longer


def local(projector: ProjectsSentences, policy: Policy) -> Engine:
    """Return the engine that projects in this process."""
    return lambda batches: (project_batch(batch, projector, policy) for batch in batches)


class WorkerPool(Protocol):
    """Workers elsewhere, which have one batch at a time."""

    @property
    def size(self) -> int:
        """How many there are; never none."""

    def give(self, number: int, batch: Batch) -> None:
        """Hand a batch to a worker that has none."""

    def take(self) -> list[tuple[int, list[RunRow]]]:
        """Wait; return the numbers of the batches that are done, and their lines.

        There are none if a worker has joined.
        """


def in_order(batches: Iterator[Batch], pool: WorkerPool) -> Generator[list[RunRow], None, None]:
    """Keep all workers busy, and give the lines of batches in the order of the batches."""
    numbered, done = enumerate(batches), dict[int, list[RunRow]]()
    given = taken = written = 0
    while True:
        while given - taken < pool.size and given - written < _AHEAD * pool.size:
            if (following := next(numbered, None)) is None:
                break
            pool.give(*following)
            given += 1
        if written in done:
            yield done.pop(written)
            written += 1
        elif taken < given:
            finished = pool.take()
            done.update(finished)
            taken += len(finished)
        else:
            return


def failed(batch: Batch, what: str) -> RunError:
    """The error that the worker with this batch `what`."""
    where = f"{batch[0].origin} to {batch[-1].origin}"
    fix = "What is written is kept: run the same command again to go on from there"
    return RunError(where, f"the worker with these {len(batch):,} sentences {what}", fix)


def project_batch(
    batch: Sequence[ParallelSentence], projector: ProjectsSentences, policy: Policy
) -> list[RunRow]:
    """One line a sentence: its projection, or the sentence with the reasons for dropping it."""
    unfit = [_unfit(sentence, projector) for sentence in batch]
    fit = [sentence for sentence, drop in zip(batch, unfit, strict=True) if drop is None]
    answers = projector.project(fit) if fit else []
    # strict: with an answer missing, every later sentence would get its neighbour's entities.
    projected = iter([answer for _, answer in zip(fit, answers, strict=True)])
    return [
        _row_under(policy, next(projected)) if drop is None else _dropped(sentence, [drop])
        for sentence, drop in zip(batch, unfit, strict=True)
    ]


def _unfit(sentence: ParallelSentence, projector: ProjectsSentences) -> tuple[str, str] | None:
    """The kind and the reason if a sentence cannot be projected."""
    sides = {"source": sentence.source, "target": sentence.target}
    if empty := [side for side, text in sides.items() if not text.strip()]:
        return "empty", f"no {' and no '.join(empty)} text"
    if nul := [side for side, text in sides.items() if "\0" in text]:
        return "nul", f"a NUL character in {' and '.join(nul)}"
    for side, text in sides.items():
        if (what := unreadable(text)) is not None:
            return "unreadable", f"{what}, in {side}"
    if not projector.fits(sentence):
        lengths = f"{len(sentence.source)} and {len(sentence.target)} characters"
        return "too_long", f"longer than the model can read ({lengths})"
    return None


def _row_under(policy: Policy, projected: ProjectedSentence) -> RunRow:
    if policy is Policy.FLAG or not projected.conflicts:
        return encode(projected)
    drops = [(conflict.kind.value, conflict.reason) for conflict in projected.conflicts]
    return _dropped(projected.sentence, drops)


def _dropped(sentence: ParallelSentence, drops: Iterable[tuple[str, str]]) -> RunRow:
    reasons = [{"kind": kind, "reason": reason} for kind, reason in drops]
    return {**encode(sentence), "dropped": reasons}
