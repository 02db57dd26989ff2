"""Draw the sample of an audit: random tasks among those that would be accepted without review.

The sample is stratified by target language and confidence, in proportion to the size of each
stratum. The data of its tasks name the audit, for the tab "Audit", and the model version and
threshold it was drawn for.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Self

from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.task_writer import OnProgress, is_still_open, write_each
from ml_backend.label_studio.tasks import Obstacle, Task, score_of, sentence_in
from ml_backend.review.pull import accepted_unseen, readable
from projection.errors import ReviewError
from projection.records import UnreadableReview

SIZE, THRESHOLD = 100, 0.8
FEWEST = 2  # tasks drawn from a stratum that has as many: one tells nothing of the spread
# Lower ends of strata, above the threshold: the thresholds an audit can recommend.
EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)

FIX = "Draw a new audit under another --name"


@dataclass(frozen=True, slots=True, order=True)
class Stratum:
    """Tasks of one target language with a score in [low, high), or in [low, 1]."""

    low: float
    high: float
    lang: str

    def __str__(self) -> str:
        return f"{self.lang} {self.low:g}–{self.high:g}"

    @classmethod
    def of(cls, lang: str, score: float, threshold: float) -> Self:
        """Return the stratum of a score that is at least the threshold."""
        edges = [threshold, *(edge for edge in EDGES if edge > threshold)]
        low = max(edge for edge in edges if edge <= score)
        return cls(low, min((edge for edge in edges if edge > low), default=1.0), lang)

    @classmethod
    def parse(cls, name: str, where: str) -> Self:
        """Return the stratum with this name, or raise ReviewError."""
        lang, _, band = name.rpartition(" ")
        low, _, high = band.partition("–")
        try:
            return cls(float(low), float(high), lang)
        except ValueError as error:
            raise ReviewError(f"{where} audit_stratum", f"{name!r} is no stratum", FIX) from error


Strata = defaultdict[Stratum, list[Task]]


@dataclass(frozen=True, slots=True)
class DrawnStratum:
    """The number of tasks in a stratum and in its sample."""

    name: str
    size: int
    drawn: int


@dataclass(frozen=True, slots=True)
class DrawReport:
    """The sample of an audit. Numbers count tasks.

    `added` of the `drawn` are new in the sample; `meanwhile` were touched during the draw.
    `population` could be accepted without review, or could when they were drawn; `left_out` counts
    the others by reason, `other_audits` are open in the sample of another audit, and `unreadable`
    ones have a record or prediction that cannot be read.
    """

    name: str
    threshold: float
    population: int
    drawn: int
    added: int
    strata: tuple[DrawnStratum, ...]
    left_out: Mapping[str, int]
    other_audits: int
    meanwhile: int = 0
    unreadable: tuple[UnreadableReview, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object."""
        return {**asdict(self), "unreadable": len(self.unreadable)}


class SamplePlan(NamedTuple):
    """The new fields of each task to draw, by its id, and the report if all are written."""

    fields: Mapping[int, Mapping[str, Any]]
    report: DrawReport


def draw(
    server: ReviewServer,
    project: Project,
    name: str,
    *,
    size: int = SIZE,
    threshold: float = THRESHOLD,
    seed: int = 0,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> DrawReport:
    """Draw a stratified random sample, or what is missing of it; errors as `plan`.

    The order of drawing is fixed by the seed, the audit's name and each task. Idempotent.
    """
    tasks = {task["id"]: task for task in server.tasks(project, with_predictions=True)}
    settings: dict[str, Any] = {"size": size, "threshold": threshold, "seed": seed}
    where = f"project {project.title!r}"
    fields, report = plan([*tasks.values()], project.model_version, name, where=where, **settings)
    changes = [(tasks[task_id], new) for task_id, new in fields.items()]
    left_alone = write_each(server, changes, if_still=is_still_open, on_progress=on_progress)
    touched = Counter(fields[task_id]["audit_stratum"] for task_id in left_alone)
    missing = len(left_alone)
    return replace(
        report,
        drawn=report.drawn - missing,
        added=report.added - missing,
        strata=tuple(replace(s, drawn=s.drawn - touched[s.name]) for s in report.strata),
        meanwhile=missing,
    )


def plan(
    tasks: Sequence[Task],
    version: str,
    name: str,
    *,
    size: int,
    threshold: float,
    seed: int = 0,
    where: str = "project",
) -> SamplePlan:
    """Choose the tasks to add, so that `size` tasks (or all) are in the sample.

    `tasks` are all of a project, with predictions in full; `version` is that of the predictions to
    accept; `threshold`, the least score, counts to four digits. ReviewError is raised if there is
    nothing to draw, if the audit was begun with another threshold or model version, or if tasks
    have joined its population since.
    """
    threshold = round(threshold, 4)
    where = f"{where} audit {name!r}"
    unreadable: list[UnreadableReview] = []
    inside = [task for task in tasks if audit_of(task) == name]
    members = [*readable(inside, stratum_of, unreadable)]
    drawn_for = {"audit_model_version": version, "audit_threshold": threshold}
    _check_same_draw(where, inside, drawn_for)
    sampled: Strata = defaultdict(list)
    for task, stratum in members:
        sampled[stratum].append(task)
    available: Strata = defaultdict(list)
    left_out: Counter[str] = Counter()
    other_audits = 0
    outside = (task for task in tasks if audit_of(task) != name)
    accept = partial(accepted_unseen, version=version, threshold=threshold, where=where)
    for task, accepted in readable(outside, accept, unreadable):
        if isinstance(accepted, Obstacle):
            left_out[accepted.value] += 1
        elif audit_of(task):
            other_audits += 1
        else:
            lang, score = accepted.sentence.target_lang, score_of(task, version)
            available[Stratum.of(lang, score, threshold)].append(task)
    strata = sorted({*available, *sampled}, reverse=True)
    sizes = {stratum: len(available[stratum]) + len(sampled[stratum]) for stratum in strata}
    if not sizes:
        reasons = ", ".join(f"{n} {why}" for why, n in left_out.items()) or "it has no tasks"
        fix = f"Push more, or lower the threshold ({threshold:g})"
        raise ReviewError(where, f"nothing to draw ({reasons})", fix)
    fields: dict[int, Mapping[str, Any]] = {}
    if len(members) < min(size, sum(sizes.values())):
        _check_same_population(where, sampled, sizes)
        for stratum, count in allocate(sizes, size).items():
            marks = {
                "audit": name,
                **drawn_for,
                "audit_stratum": str(stratum),
                "audit_stratum_size": _size_when_drawn(sampled[stratum]) or sizes[stratum],
            }
            missing = max(0, count - len(sampled[stratum]))
            chosen = sorted(available[stratum], key=partial(_turn, f"{seed} {name}"))[:missing]
            fields |= {task["id"]: marks for task in chosen}
    added = Counter(each["audit_stratum"] for each in fields.values())
    report = DrawReport(
        name=name,
        threshold=threshold,
        population=sum(sizes.values()),
        drawn=len(members) + len(fields),
        added=len(fields),
        strata=tuple(
            DrawnStratum(str(stratum), count, len(sampled[stratum]) + added[str(stratum)])
            for stratum, count in sizes.items()
        ),
        left_out=dict(left_out),
        other_audits=other_audits,
        unreadable=tuple(unreadable),
    )
    return SamplePlan(fields, report)


def allocate(sizes: Mapping[Stratum, int], size: int) -> dict[Stratum, int]:
    """Share a sample out in proportion, with at least two of each stratum if it is large enough."""
    total = sum(sizes.values())
    drawn = {stratum: min(FEWEST, count) for stratum, count in sizes.items()}
    if sum(drawn.values()) > size:
        drawn = dict.fromkeys(sizes, 0)
    for _ in range(min(size, total) - sum(drawn.values())):
        short = {s: size * sizes[s] / total - drawn[s] for s in sizes if drawn[s] < sizes[s]}
        drawn[max(short, key=lambda stratum: (short[stratum], stratum))] += 1
    return drawn


def audit_of(task: Task) -> str:
    """Return the name of the audit whose sample the task is in, or ""."""
    return str(task["data"].get("audit") or "")


def stratum_of(task: Task) -> Stratum:
    """Return the stratum that a task of a sample was drawn from."""
    return Stratum.parse(str(task["data"].get("audit_stratum")), f"task {task['id']}")


def _turn(salt: str, task: Task) -> bytes:
    pair_id, origin, *_ = sentence_in(task)
    return hashlib.sha256(f"{salt} {pair_id} {origin}".encode()).digest()


def _size_when_drawn(members: Sequence[Task]) -> int:
    return max((int(task["data"].get("audit_stratum_size") or 0) for task in members), default=0)


def _check_same_draw(where: str, members: Iterable[Task], drawn_for: Mapping[str, Any]) -> None:
    for task in members:
        for key, wanted in drawn_for.items():
            if (found := task["data"].get(key, wanted)) != wanted:
                what = key.removeprefix("audit_").replace("_", " ")
                raise ReviewError(where, f"was drawn for the {what} {found}, not {wanted}", FIX)


def _check_same_population(where: str, sampled: Strata, sizes: Mapping[Stratum, int]) -> None:
    for stratum, members in sampled.items():
        if members and sizes[stratum] > _size_when_drawn(members):
            raise ReviewError(where, f"tasks have joined {stratum} since it was begun", FIX)
