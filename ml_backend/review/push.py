"""Puts sentences into a Label Studio project, each once, however often it is run.

They come from a run, with predictions, or from an export, with what people decided as well.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

Identity = tuple[str, str]
Texts = tuple[str, str]
MakeTask = Callable[[], dict[str, Any]]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a push did. Numbers count sentences.

    `skipped` were in the project already; `changed` of those stand there with another text, and
    were left as they were. `reviews` came along with the `added`. `current` says whether the
    project now shows predictions of `model_version` (None when nothing was pushed, or nothing was
    predicted).
    """

    added: int
    skipped: int
    changed: int
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

    A sentence is known by its id and origin; one that is in the project already is skipped. So an
    interrupted push is finished by running it again, and a finished one changes nothing.

    Raises:
        RunError: if the sentences were projected by more than one model.
        ServerError: if Label Studio refuses something or goes away.
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
    """Import an export: its sentences with what was proposed, decided, by whom and when.

    With `keep_annotators` Label Studio shows each annotation as one of the user with the number of
    its annotator: on another server than that of the export these are other people. Without, it
    shows all as made by whoever pushes. `on_progress` is told how many more reviews have been dealt
    with.

    Exporting the project again gives the same reviews, but for the ids of tasks and annotations
    (see `label_studio.imported`). Sentences are known and skipped as by `push`. The project shows
    the predictions its unseen sentences were accepted for, or else those of most sentences.

    Raises:
        ServerError: if Label Studio refuses something or goes away.
    """
    users = server.user_ids() if keep_annotators else set()
    with _Tasks(server, project, on_progress) as tasks:
        for chunk in _chunks(by_sentence(reviewed)):
            new = ((group[0].sentence, partial(task_of_reviews, group, users)) for group in chunk)
            tasks.add(new, sum(map(len, chunk)))
    return tasks.report(_prevalent_version(reviewed))


class _Tasks:
    """The tasks of a project, to which those are added that it has not got.

    While Label Studio imports some, the next ones are made. Leaving the block waits for the last.
    """

    def __init__(
        self, server: ReviewServer, project: Project, on_progress: Callable[[int], None]
    ) -> None:
        self._server, self._project, self._on_progress = server, project, on_progress
        self._known = _known(server, project)
        self._added = self._skipped = self._changed = self._reviews = 0
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
        """Import what is new of these, in one request; they are `size` steps of the progress."""
        fresh: list[dict[str, Any]] = []
        for sentence, make in tasks:
            texts = (sentence.source, sentence.target)
            there = self._known.setdefault((sentence.id, sentence.origin), texts)
            if there is texts:
                fresh.append(make())
                continue
            self._skipped += 1
            self._changed += there != texts
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
        """Make `version` the one shown, and say what was done."""
        current = version is not None and self._server.set_model_version(self._project, version)
        return PushReport(
            self._added, self._skipped, self._changed, version, current, self._reviews
        )


def _task_of(projected: ProjectedSentence) -> dict[str, Any]:
    return {**to_task(projected), "predictions": [to_prediction(projected)]}


def _prevalent_version(reviewed: Sequence[ReviewedSentence]) -> str | None:
    """The model whose predictions the project showed, as far as an export tells."""
    unseen = [each for each in reviewed if each.status is ReviewStatus.UNSEEN]
    counts = Counter(each.model_version for each in unseen or reviewed if each.model_version)
    return max(counts, key=lambda version: (counts[version], version), default=None)


def _known(server: ReviewServer, project: Project) -> dict[Identity, Texts]:
    if not project.task_count:
        return {}
    return {_identity(task["data"]): _texts(task["data"]) for task in server.tasks(project)}


def _identity(data: Mapping[str, Any]) -> Identity:
    return str(data.get("pair_id")), str(data.get("origin"))


def _texts(data: Mapping[str, Any]) -> Texts:
    return str(data.get("source")), str(data.get("target"))


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
