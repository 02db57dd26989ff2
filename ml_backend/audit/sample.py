"""Draws a random sample of the tasks that would be accepted without anybody looking.

Such a task is one nobody has annotated, skipped or begun, whose prediction of the current model
version has at least a given score, that has no conflict, and that no correction of another sentence
has changed. The sample is stratified by target language and confidence, in proportion to the size
of each stratum. What is drawn is marked in the task's data, where the tab "Audit" finds it,
and so is what it was drawn for: the model version and the least score.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from label_config.labeling_config import ENTITIES
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tasks import obstacle, prediction_of, score_of
from projection.errors import ReviewError

SIZE = 100
THRESHOLD = 0.8
FEWEST = 2  # of a stratum, where it has as many: fewer tell nothing of their spread
# Where bands begin, if the threshold is not above it. The thresholds that an audit can recommend.
EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)

_FIX = "Draw a new audit under another --name"

Task = Mapping[str, Any]
OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True, order=True)
class Stratum:
    """Tasks of one target language with a score in [low, high); at 1 the end belongs to it."""

    low: float
    high: float
    lang: str

    def __str__(self) -> str:
        return f"{self.lang} {self.low:g}–{self.high:g}"

    @classmethod
    def of(cls, lang: str, score: float, threshold: float) -> Self:
        """The stratum of a task with at least the threshold."""
        edges = [threshold, *(edge for edge in EDGES if edge > threshold)]
        low = max(edge for edge in edges if edge <= score)
        return cls(low, min((edge for edge in edges if edge > low), default=1.0), lang)

    @classmethod
    def parse(cls, name: str, where: str) -> Self:
        """The stratum a task's data name.

        Raises:
            ReviewError: if it is not in the form `draw` writes.
        """
        lang, _, band = name.rpartition(" ")
        low, _, high = band.partition("–")
        try:
            return cls(float(low), float(high), lang)
        except ValueError as error:
            raise ReviewError(f"{where} audit_stratum", f"{name!r} is no stratum", _FIX) from error


@dataclass(frozen=True, slots=True)
class DrawnStratum:
    """A stratum, how many tasks it has, and how many of them are in the sample."""

    name: str
    size: int
    drawn: int


@dataclass(frozen=True, slots=True)
class DrawReport:
    """What is in an audit's sample. Numbers count tasks.

    `added` of the `drawn` were missing before. `population` could be accepted unseen, or could be
    when they were drawn; `left_out` says why the rest of the project could not, and `other_audits`
    are waiting in the sample of another audit.
    """

    name: str
    threshold: float
    population: int
    drawn: int
    added: int
    strata: tuple[DrawnStratum, ...]
    left_out: Mapping[str, int]
    other_audits: int

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """A draw before it is done: the new data of each task to mark, by id, and what comes of it."""

    data: Mapping[int, Mapping[str, Any]]
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
    """Mark a stratified random sample, or what is missing of it.

    A task's turn depends on the seed, the audit's name and the task alone. So an interrupted draw
    is finished by running it again, and a finished one changes nothing.

    Raises:
        ReviewError: if `plan` does.
        ServerError: if Label Studio refuses something or goes away.
    """
    tasks = server.tasks(project, with_predictions=True)
    where = f"project {project.title!r}"
    planned = plan(
        tasks, project.model_version, name, size=size, threshold=threshold, seed=seed, where=where
    )
    for done, (task_id, data) in enumerate(planned.data.items()):
        on_progress("tasks marked", done, len(planned.data))
        server.update_task_data(task_id, dict(data))
    on_progress("tasks marked", len(planned.data), len(planned.data))
    return planned.report


def plan(
    tasks: Sequence[Task],
    version: str,
    name: str,
    *,
    size: int,
    threshold: float,
    seed: int = 0,
    where: str = "project",
) -> Plan:
    """Which tasks to mark, so that `size` of them (or all) are in the sample.

    Args:
        tasks: all of a project, with predictions in full.
        version: of the model whose predictions would be accepted.
        name: of the audit.
        size: of the sample.
        threshold: the least score, to four digits.
        seed: of the draw.
        where: what to name in errors.

    Raises:
        ReviewError: if there is nothing to draw; if the audit was begun with another threshold or
            for another model, or tasks have joined its population since; or if a task is not one
            that was pushed.
    """
    threshold = round(threshold, 4)
    where = f"{where} audit {name!r}"
    members = [task for task in tasks if audit_of(task) == name]
    _refuse_another_draw(where, members, version, threshold)
    marked = _by_stratum((stratum_of(task), task) for task in members)
    others = [task for task in tasks if audit_of(task) != name]
    obstacles = {task["id"]: obstacle(task, version, threshold) for task in others}
    left_out = Counter(why.value for why in obstacles.values() if why is not None)
    open_tasks = [task for task in others if obstacles[task["id"]] is None]
    free = _by_stratum(
        (Stratum.of(_lang(task), score_of(task, version) or 0.0, threshold), task)
        for task in open_tasks
        if not audit_of(task)
    )
    if not marked and not free:
        raise _nothing_to_draw(where, left_out, threshold)
    sizes = {s: len(free[s]) + len(marked[s]) for s in sorted({*free, *marked}, reverse=True)}
    data: dict[int, dict[str, Any]] = {}
    if len(members) < min(size, sum(sizes.values())):
        _refuse_a_grown_population(where, marked, sizes)
        drawn_for = {"audit_model_version": version, "audit_threshold": threshold}
        wanted = allocate(sizes, size)
        data = _marks({"audit": name, **drawn_for}, marked, free, wanted, f"{seed} {name}")
    added = Counter(task["audit_stratum"] for task in data.values())
    report = DrawReport(
        name=name,
        threshold=threshold,
        population=sum(sizes.values()),
        drawn=len(members) + len(data),
        added=len(data),
        strata=tuple(
            DrawnStratum(str(stratum), count, len(marked[stratum]) + added[str(stratum)])
            for stratum, count in sizes.items()
        ),
        left_out=dict(left_out),
        other_audits=sum(bool(audit_of(task)) for task in open_tasks),
    )
    return Plan(data, report)


def _marks(
    audit: Mapping[str, Any],
    marked: Mapping[Stratum, Sequence[Task]],
    free: Mapping[Stratum, Sequence[Task]],
    wanted: Mapping[Stratum, int],
    salt: str,
) -> dict[int, dict[str, Any]]:
    """The new data of the tasks to mark, so that as many as wanted of each stratum are."""
    data: dict[int, dict[str, Any]] = {}
    for stratum, count in wanted.items():
        there, others = marked[stratum], free[stratum]
        marks = {
            **audit,
            "audit_stratum": str(stratum),
            "audit_stratum_size": _size_when_drawn(there) or len(others),
        }
        for task in _next(others, count - len(there), salt):
            data[task["id"]] = {**task["data"], **marks}
    return data


def allocate(sizes: Mapping[Stratum, int], size: int) -> dict[Stratum, int]:
    """How many to draw of each stratum: in proportion to its size, two or more where possible.

    If the sample is too small for two of each, proportion alone counts.
    """
    total = sum(sizes.values())
    fewest = {stratum: min(FEWEST, count) for stratum, count in sizes.items()}
    if sum(fewest.values()) > size:
        fewest = dict.fromkeys(sizes, 0)
    drawn = fewest
    for _ in range(min(size, total) - sum(fewest.values())):
        short = {s: size * sizes[s] / total - drawn[s] for s in sizes if drawn[s] < sizes[s]}
        neediest = max(short, key=lambda stratum: (short[stratum], stratum))
        drawn[neediest] += 1
    return drawn


def proposals_of(task: Task, version: str) -> int:
    """How many entities the model version proposes."""
    prediction = prediction_of(task, version) or {"result": ()}
    return sum(region.get("from_name") == ENTITIES for region in prediction["result"])


def audit_of(task: Task) -> str:
    """The audit the task is in the sample of, or nothing."""
    return str(task["data"].get("audit") or "")


def stratum_of(task: Task) -> Stratum:
    """The stratum the task was drawn from.

    Raises:
        ReviewError: if it is not in the sample of any audit.
    """
    return Stratum.parse(str(task["data"].get("audit_stratum")), f"task {task['id']}")


def _lang(task: Task) -> str:
    return str(task["data"]["lang"])


def _by_stratum(tasks: Iterable[tuple[Stratum, Task]]) -> defaultdict[Stratum, list[Task]]:
    found: defaultdict[Stratum, list[Task]] = defaultdict(list)
    for stratum, task in tasks:
        found[stratum].append(task)
    return found


def _next(tasks: Iterable[Task], count: int, salt: str) -> list[Task]:
    """The tasks whose turn it is, in an order that only the salt and each task decide."""

    def turn(task: Task) -> bytes:
        data = task["data"]
        return hashlib.sha256(f"{salt} {data['pair_id']} {data['origin']}".encode()).digest()

    return sorted(tasks, key=turn)[: max(0, count)]


def _size_when_drawn(members: Sequence[Task]) -> int:
    return max((int(task["data"].get("audit_stratum_size") or 0) for task in members), default=0)


def _refuse_another_draw(
    where: str, members: Iterable[Task], version: str, threshold: float
) -> None:
    for task in members:
        for key, wanted in (("audit_model_version", version), ("audit_threshold", threshold)):
            drawn_for = task["data"].get(key, wanted)
            if drawn_for != wanted:
                what = key.removeprefix("audit_").replace("_", " ")
                raise ReviewError(
                    where, f"was drawn for the {what} {drawn_for}, not {wanted}", _FIX
                )


def _refuse_a_grown_population(
    where: str, marked: Mapping[Stratum, Sequence[Task]], sizes: Mapping[Stratum, int]
) -> None:
    for stratum, members in marked.items():
        if members and sizes[stratum] > _size_when_drawn(members):
            raise ReviewError(where, f"tasks have joined {stratum} since it was begun", _FIX)


def _nothing_to_draw(where: str, left_out: Mapping[str, int], threshold: float) -> ReviewError:
    reasons = ", ".join(f"{count} {why}" for why, count in left_out.items()) or "it has no tasks"
    return ReviewError(
        where, f"nothing to draw ({reasons})", f"Push more, or lower the threshold ({threshold:g})"
    )
