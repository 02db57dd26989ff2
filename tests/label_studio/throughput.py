"""How fast a real Label Studio is fed and read: one is started for this, on SQLite.

    python -m tests.label_studio.throughput [push|export|propagate|repredict …] [--tasks 5000]

Sentences have about 28 words and three entities, and every fourth is in conflict. They are made
from three templates, which is the worst for a split. Projecting them costs nothing: the answers
come from a table, so that the time measured is ours and Label Studio's.
Seconds are medians of three; the exit status is 1 if a figure misses its target.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner

from label_config.annotations import annotation_of
from label_config.labeling_config import build_config
from label_config.tasks import to_prediction, to_task
from ml_backend.cli import app
from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.propagation.propagate import Selection, carry_out, plan
from ml_backend.review.push import CHUNK, push
from ml_backend.review.repredict import repredict
from projection.records import Entity, ProjectedSentence, ReviewStatus
from tests.label_studio.examples import FIRST, LABELS, Example, FixedProjector

TIMES = 3
EXPORT_SECONDS = 30.0
OF_BARE_IMPORT = 0.9  # what of the speed of Label Studio itself a push keeps

Answer = TypeVar("Answer")

FRAMES = (
    (
        "On Monday morning {per} told reporters that {org} would open a second office in {loc} "
        "next spring, if the town council agrees in time to the plan.",
        "Am Montagmorgen sagte {per} vor der Presse, {org} werde im nächsten Frühjahr ein zweites "
        "Büro in {loc} eröffnen, wenn der Stadtrat dem Plan rechtzeitig zustimmt.",
    ),
    (
        "After eleven years at {org}, the engineer {per} is going back to {loc}, where she wants "
        "to teach young people how bridges are planned and built.",
        "Nach elf Jahren bei {org} geht die Ingenieurin {per} zurück nach {loc}, wo sie jungen "
        "Leuten beibringen will, wie man Brücken plant und baut.",
    ),
    (
        "The harbour of {loc} stayed closed for three days because of the storm, and {org}, whose "
        "ships {per} has insured for years, is counting its losses.",
        "Der Hafen von {loc} blieb wegen des Sturms drei Tage lang geschlossen, und {org}, deren "
        "Schiffe {per} seit Jahren versichert, zählt nun die Verluste.",
    ),
)
PERSONS = ("Ada Lorenz", "Jonas Weidner", "Mira Castell", "Emil Brandt", "Rosa Linde")
COMPANIES = ("Siemens", "Nordlicht AG", "Bosch", "Hansekontor", "Talbank", "Lindt", "Ostwerke")
TOWNS = (
    ("Vienna", "Wien"), ("Munich", "München"), ("Cologne", "Köln"), ("Zurich", "Zürich"),
    ("Bremen", "Bremen"), ("Geneva", "Genf"), ("Prague", "Prag"), ("Berne", "Bern"),
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """What was measured, in which unit, and what it must be at least, or at most."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def good(self) -> bool:
        too_low = self.at_least is not None and self.value < self.at_least
        too_high = self.at_most is not None and self.value > self.at_most
        return not (too_low or too_high)

    def __str__(self) -> str:
        targets = (("at least", self.at_least), ("at most", self.at_most))
        target = "".join(f" (target: {what} {n:,g})" for what, n in targets if n is not None)
        missed = "" if self.good else " MISSED"
        return f"{self.name:<44}{self.value:>10,.2f} {self.unit}{target}{missed}"


def example(number: int) -> Example:
    """The sentence of this number. A company is wrongly taken for a town once in a while."""
    source, target = FRAMES[number % len(FRAMES)]
    person, company = PERSONS[number % len(PERSONS)], COMPANIES[number % len(COMPANIES)]
    town, stadt = TOWNS[number % len(TOWNS)]
    sure = 0.5 + (number % 997) / 2000
    found = None if number % 12 == 0 else stadt
    return Example(
        f"n{number}",
        "de",
        f"{source.format(per=person, org=company, loc=town)} ({number})",
        f"{target.format(per=person, org=company, loc=stadt)} ({number})",
        (
            ("PER", person, person, sure),
            ("LOC" if number % 10 == 1 else "ORG", company, company, sure / 1.2),
            ("LOC", town, found, sure if found else 0.0),
        ),
    )


def projector_for(count: int, version: str) -> FixedProjector:
    return FixedProjector(version, {f"n{n}": example(n) for n in range(count)})


def sentences(count: int) -> list[ProjectedSentence]:
    projector = projector_for(count, FIRST)
    return projector.project([each.sentence for each in projector.examples.values()])


def open_task(projected: ProjectedSentence) -> dict[str, Any]:
    return {**to_task(projected), "predictions": [to_prediction(projected)]}


def reviewed_task(projected: ProjectedSentence) -> dict[str, Any]:
    """The task as a person leaves it: companies are companies, whatever was predicted."""
    text = projected.sentence.target
    entities = [
        Entity(e.span, "ORG" if e.span.of(text) in COMPANIES else e.label)
        for e in projected.entities
    ]
    result = annotation_of(entities, text, ReviewStatus.CORRECTED)
    annotation = {"result": result, "was_cancelled": False, "lead_time": 4.2}
    return {**open_task(projected), "annotations": [annotation]}


class Bench:
    """A Label Studio, and projects of `count` tasks on it."""

    def __init__(self, server: ReviewServer, key: str, count: int, folder: Path) -> None:
        self._server, self._key, self.count, self._folder = server, key, count, folder
        self._projects = 0

    def push(self) -> Iterator[Figure]:
        found = sentences(self.count)
        pushed = median(lambda: push(self._server, self.project(), found))
        made = median(lambda: [open_task(each) for each in found])
        tasks = [open_task(each) for each in found]
        written = median(lambda: [json.dumps(each).encode() for each in chunks(tasks)])
        bare = median(lambda: self.filled(tasks))
        rate = self.count / pushed
        yield Figure("push", rate, "tasks/s")
        yield Figure(
            "  rate over that of a bare import", bare / pushed, "", at_least=OF_BARE_IMPORT
        )
        yield Figure("  all of it", pushed, "s")
        yield Figure("  making tasks and predictions", made, "s")
        yield Figure("  writing JSON", written, "s")

    def export(self) -> Iterator[Figure]:
        """The whole verb, as people run it."""
        project = self.filled([reviewed_task(each) for each in sentences(self.count)])
        account = ["--url", self._server.url, "--api-key", self._key]
        command = ["export", *account, "--project", project.title, "--out", self._folder / "out"]
        taken = median(lambda: spanferry(*map(str, command)))
        split = median(lambda: spanferry(*map(str, command), "--split", "80/10/10"))
        snapshot = median(
            lambda: self._server.tasks(project, with_predictions=True, only_annotated=True)
        )
        yield Figure("export of reviewed tasks", taken, "s", at_most=EXPORT_SECONDS)
        yield Figure("  of it Label Studio", snapshot, "s")
        yield Figure("export of reviewed tasks, split", split, "s", at_most=EXPORT_SECONDS)

    def propagate(self) -> Iterator[Figure]:
        """Half of the tasks are reviewed, the others open."""
        found = sentences(self.count)
        half = self.count // 2
        tasks = [*map(reviewed_task, found[:half]), *map(open_task, found[half:])]
        project = self.filled(tasks)
        planned = median(lambda: plan(self._server, project, Selection()))
        snapshot = median(lambda: self._server.tasks(project, with_predictions=True))
        few = plan(self._server, project, Selection(phrase="Siemens"))
        seconds, done = timed(lambda: carry_out(self._server, few))
        yield Figure("propagate, dry run", planned, "s")
        yield Figure("  of it Label Studio", snapshot, "s")
        yield Figure(f"propagate --apply, {done.changed} tasks", done.changed / seconds, "tasks/s")

    def repredict(self) -> Iterator[Figure]:
        project = self.filled([open_task(each) for each in sentences(self.count)])
        projectors = (projector_for(self.count, f"fixed-{n}") for n in range(2, 2 + TIMES))
        taken = median(lambda: repredict(self._server, project, next(projectors)))
        yield Figure("repredict, nothing else to show", taken, "s")

    def project(self) -> Project:
        """A new and empty one."""
        self._projects += 1
        return self._server.ensure_project(f"Throughput {self._projects}", build_config(LABELS))

    def filled(self, tasks: Sequence[dict[str, Any]]) -> Project:
        project = self.project()
        for chunk in chunks(tasks):
            self._server.import_tasks(project, chunk)
        self._server.set_model_version(project, FIRST)
        return self._server.project(project.id)


PARTS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "push": Bench.push,
    "export": Bench.export,
    "propagate": Bench.propagate,
    "repredict": Bench.repredict,
}


def spanferry(*words: str) -> None:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    if result.exit_code:
        raise SystemExit(result.output)


def chunks(tasks: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(tasks), CHUNK):
        yield tasks[start : start + CHUNK]


def timed(work: Callable[[], Answer]) -> tuple[float, Answer]:
    """Seconds, and what the work answered."""
    started = time.perf_counter()
    answer = work()
    return time.perf_counter() - started, answer


def median(work: Callable[[], object]) -> float:
    """Seconds, doing the work three times."""
    return statistics.median(timed(work)[0] for _ in range(TIMES))


@contextmanager
def bench(count: int) -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory() as folder,
        LabelStudioServer(Path(folder) / "label-studio") as studio,
        ReviewServer.connect(studio.url, studio.account.token) as server,
    ):
        yield Bench(server, studio.account.token, count, Path(folder))


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure a Label Studio on SQLite.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} [all]")
    parser.add_argument("--tasks", type=int, default=5000)
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - PARTS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    good = True
    with bench(arguments.tasks) as made:
        for name in arguments.parts or PARTS:
            for figure in PARTS[name](made):
                sys.stdout.write(f"{figure}\n")
                sys.stdout.flush()
                good = good and figure.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
