"""Push sentences to a Label Studio project, each once: a run's predictions, an export's reviews."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any, Self, TypeVar

from label_config.tasks import to_prediction, to_task
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.review.review_tasks import task_of_reviews
from projection.errors import RunError
from projection.records import (
    ParallelSentence,
    ProjectedSentence,
    ReviewedSentence,
    ReviewStatus,
)
from training.data.adjudication import by_sentence

CHUNK = 1000  # tasks a request: about a second for Label Studio, and what an interruption may lose
_KNOWN_BY = ("pair_id", "origin", "source", "target")

Identity = tuple[str, str]
Texts = tuple[str, str]
MakeTask = Callable[[], dict[str, Any]]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PushReport:
    """The result of a push. Numbers count sentences, `reviews` those of the `added`.

    `skipped` were in the project already. `collisions` names each origin under which the project
    has another text with the same id: both are tasks of their own. `current` is true if the project
    shows predictions of `model_version`, which is None where nothing was predicted.
    """

    added: int
    skipped: int
    collisions: tuple[str, ...]
    model_version: str | None
    current: bool
    reviews: int = 0

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object."""
        return asdict(self)


def push(
    server: ReviewServer,
    project: Project,
    sentences: Iterable[ProjectedSentence],
    *,
    on_progress: Callable[[int], None] = lambda _: None,
) -> PushReport:
    """Import `sentences` with their predictions, a thousand a request.

    A sentence is skipped if the project has one with the same id, origin and texts, so running an
    interrupted push again finishes it.

    Raises:
        RunError: if the sentences were projected by more than one model.
        ServerError: if Label Studio refuses a request or does not answer.
    """
    version: str | None = None
    with _Tasks(server, project, on_progress) as tasks:
        for chunk in _chunks(sentences):
            version = _one_version(chunk, version)
            tasks.add(((each.sentence, partial(_task_of, each)) for each in chunk), len(chunk))
    return tasks.report(version)


def push_reviews(
    server: ReviewServer,
    project: Project,
    reviewed: Sequence[ReviewedSentence],
    *,
    keep_annotators: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> PushReport:
    """Import an export: its sentences with predictions and annotations.

    Exporting the project again gives the same reviews, but for the ids of tasks and annotations
    (see `label_studio.imported`). The project shows the predictions that its unseen sentences were
    accepted from, or else those of most sentences.

    Args:
        server: the Label Studio server.
        project: where to import.
        reviewed: the reviews; sentences are known and skipped as by `push`.
        keep_annotators: show each annotation as made by the user with its annotator's number, who
            is the same person only on the export's own server; else as made by whoever pushes.
        on_progress: is given how many more reviews are done.

    Raises:
        ServerError: if Label Studio refuses a request or does not answer.
    """
    users = server.user_ids() if keep_annotators else set()
    with _Tasks(server, project, on_progress) as tasks:
        for chunk in _chunks(by_sentence(reviewed)):
            new = ((group[0].sentence, partial(task_of_reviews, group, users)) for group in chunk)
            tasks.add(new, sum(map(len, chunk)))
    return tasks.report(_prevalent_version(reviewed))


class _Tasks:
    """Import the tasks that a project does not have yet.

    While Label Studio imports a chunk, the next one is made. Leaving the block waits for the last.
    """

    def __init__(
        self, server: ReviewServer, project: Project, on_progress: Callable[[int], None]
    ) -> None:
        self._server, self._project, self._on_progress = server, project, on_progress
        self._known: defaultdict[Identity, set[Texts]] = defaultdict(set)
        for task in server.tasks(project) if project.task_count else ():
            pair_id, origin, *texts = (str(task["data"].get(key)) for key in _KNOWN_BY)
            self._known[pair_id, origin].add((texts[0], texts[1]))
        self._collisions: dict[str, None] = {}
        self._added = self._skipped = self._reviews = 0
        self._sender = ThreadPoolExecutor(max_workers=1)
        self._under_way: list[tuple[Future[list[int]], int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._wait()
        finally:
            self._sender.shutdown()

    def add(self, tasks: Iterable[tuple[ParallelSentence, MakeTask]], size: int) -> None:
        """Import the new ones in one request; all of them are `size` steps of progress."""
        fresh: list[dict[str, Any]] = []
        for sentence, make in tasks:
            texts = (sentence.source, sentence.target)
            known = self._known[sentence.id, sentence.origin]
            if texts in known:
                self._skipped += 1
                continue
            if known:
                self._collisions[sentence.origin] = None
            known.add(texts)
            fresh.append(make())
        self._wait()
        self._added += len(fresh)
        self._reviews += sum(len(task.get("annotations", ())) for task in fresh)
        if fresh:
            sent = self._sender.submit(self._server.import_tasks, self._project, fresh)
            self._under_way.append((sent, size))
        else:
            self._on_progress(size)

    def _wait(self) -> None:
        while self._under_way:
            sent, size = self._under_way.pop()
            sent.result()
            self._on_progress(size)

    def report(self, version: str | None) -> PushReport:
        """Show the predictions of `version`, and return the result."""
        current = version is not None and self._server.set_model_version(self._project, version)
        return PushReport(
            self._added, self._skipped, tuple(self._collisions), version, current, self._reviews
        )


def _task_of(projected: ProjectedSentence) -> dict[str, Any]:
    return {**to_task(projected), "predictions": [to_prediction(projected)]}


def _prevalent_version(reviewed: Sequence[ReviewedSentence]) -> str | None:
    """Return the model version whose predictions the exported project showed, most likely."""
    unseen = [each for each in reviewed if each.status is ReviewStatus.UNSEEN]
    counts = Counter(each.model_version for each in unseen or reviewed if each.model_version)
    return max(counts, key=lambda version: (counts[version], version), default=None)


def _one_version(chunk: list[ProjectedSentence], version: str | None) -> str:
    expected = version or chunk[0].model_version
    for projected in chunk:
        if projected.model_version != expected:
            what = f"projected by {projected.model_version}, the ones before by {expected}"
            raise RunError(projected.sentence.origin, what, "Push the runs of two models apart")
    return expected


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk
