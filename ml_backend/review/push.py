"""Push sentences to a Label Studio project, each once: a run's predictions, an export's reviews."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from label_config.tasks import ASSIGNED, to_prediction, to_task
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.task_writer import remove_doubles
from ml_backend.label_studio.tasks import Sentence, Task, doubled, sentence_in
from ml_backend.review.assignment import Assigner
from ml_backend.review.import_journal import ImportJournal, after_pending_import, import_noted
from ml_backend.review.review_tasks import shown_in, task_of_reviews
from projection.errors import RunError
from projection.io.corpus import corpus_id
from projection.pipeline.review_order import review_ranks
from projection.records import ParallelSentence, ProjectedSentence, ReviewedSentence, ReviewStatus
from training.data.adjudication import by_sentence

CHUNK = 1000  # tasks a request: about a second for Label Studio, and what an interruption may lose
FIRST_CHUNK = 100  # so that Label Studio soon has something to do

OnProgress = Callable[[int], None]
NewTask = tuple[ParallelSentence, Callable[[], dict[str, Any]], int]
"""A sentence, what makes its task, and its steps of progress."""


@dataclass(frozen=True, slots=True)
class PushReport:
    """The result of a push. Numbers count sentences; `reviews` those of the added ones.

    `skipped` were in the project already. `collisions` are the origins under which the project has
    another text with the same id: both are tasks. `current` is true if the project shows
    predictions of `model_version`, which is None where nothing was predicted.

    Counted in the project afterwards: `removed` second tasks of a sentence were deleted, those in
    `doubles` are kept because somebody has begun them, and `missing` sentences have no task.
    """

    added: int
    skipped: int
    collisions: tuple[str, ...]
    model_version: str | None
    current: bool
    reviews: int = 0
    removed: int = 0
    doubles: tuple[int, ...] = ()
    missing: int = 0


def push(
    server: ReviewServer,
    project: Project,
    sentences: Iterable[ProjectedSentence],
    *,
    journal: ImportJournal | None = None,
    assigner: Assigner | None = None,
    on_progress: OnProgress = lambda _: None,
) -> PushReport:
    """Import sentences, projected by one model, with their predictions, a thousand a request.

    They are gone through twice, to rank them among each other first; an iterator is held in memory.
    A sentence is skipped if the project has one with the same id, origin and texts, so running an
    interrupted push again finishes it. With the `journal` of the interrupted one, an import that
    Label Studio is still at is waited for. In the end the tasks are counted; if there are others
    than were imported, they are read again, and second tasks of a sentence removed. The `assigner`
    says whose new ones are.
    """
    version: str | None = None
    held = [*sentences] if isinstance(sentences, Iterator) else sentences
    ranks = review_ranks(held)

    def items() -> Iterator[NewTask]:
        nonlocal version
        for projected, rank in zip(held, ranks, strict=True):
            version = version or projected.model_version
            if projected.model_version != version:
                what = f"projected by {projected.model_version}, the ones before by {version}"
                raise RunError(projected.sentence.origin, what, "Push the runs of two models apart")
            yield projected.sentence, partial(_task_of, projected, rank, assigner), 1

    report = _import(server, project, items(), journal or ImportJournal(), on_progress)
    return _shown(report, version, server, project)


def push_reviews(
    server: ReviewServer,
    project: Project,
    reviewed: Sequence[ReviewedSentence],
    *,
    keep_annotators: bool = False,
    journal: ImportJournal | None = None,
    on_progress: OnProgress = lambda _: None,
) -> PushReport:
    """Import an export: its sentences, known and skipped as by `push`, with their annotations.

    Exporting the project again gives the same reviews, but for the ids of tasks and annotations
    (see `label_studio.imported`). The project shows the predictions that its unseen sentences were
    accepted from, or else those of most sentences. `keep_annotators` shows each annotation as made
    by the user with its annotator's number, who is the same person only on the export's own server;
    else they are shown as made by whoever pushes.
    """
    users = set(server.users()) if keep_annotators else set()
    groups = [*by_sentence(reviewed)]
    ranks = review_ranks(shown_in(group)[-1] for group in groups)
    items = (
        (group[0].sentence, partial(task_of_reviews, group, users, rank), len(group))
        for group, rank in zip(groups, ranks, strict=True)
    )
    report = _import(server, project, items, journal or ImportJournal(), on_progress)
    # Most likely the version that the exported project showed.
    unseen = [each for each in reviewed if each.status is ReviewStatus.UNSEEN]
    counts = Counter(each.model_version for each in unseen or reviewed if each.model_version)
    version = max(counts, key=lambda version: (counts[version], version), default=None)
    return _shown(report, version, server, project)


def _known_texts(tasks: Iterable[Task]) -> defaultdict[tuple[str, str], set[tuple[str, str]]]:
    """Return the texts that the project has under each id and origin."""
    known: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for pair_id, origin, source, target in map(sentence_in, tasks):
        # Ids that earlier versions made of the place alone are known by the texts, too.
        for name in (pair_id, corpus_id(pair_id, source, target)):
            known[name, origin].add((source, target))
    return known


def _import(
    server: ReviewServer,
    project: Project,
    items: Iterable[NewTask],
    journal: ImportJournal,
    on_progress: OnProgress,
) -> PushReport:
    """Import the tasks whose sentence the project does not have yet."""
    project = after_pending_import(server, project, journal)
    before = server.tasks(project) if project.task_count else []
    known = _known_texts(before)
    pushed, new = set[Sentence](), set[Sentence]()
    collisions: dict[str, None] = {}
    added = skipped = reviews = 0
    sent: Future[None] | None = None
    remaining, size, most = iter(items), 0, FIRST_CHUNK

    # While Label Studio imports a chunk, the next one is made.
    with ThreadPoolExecutor(max_workers=1) as sender:
        while chunk := list(islice(remaining, most)):
            fresh, most = [], CHUNK
            for sentence, make_task, _ in chunk:
                there = known[sentence.id, sentence.origin]
                name = (sentence.id, sentence.origin, sentence.source, sentence.target)
                pushed.add(name)
                if (sentence.source, sentence.target) in there:
                    skipped += 1
                    continue
                if there:
                    collisions[sentence.origin] = None
                there.add((sentence.source, sentence.target))
                new.add(name)
                fresh.append(make_task())
            if sent:
                sent.result()
                on_progress(size)
            added += len(fresh)
            reviews += sum(len(task.get("annotations", ())) for task in fresh)
            sent, size = None, sum(steps for _, _, steps in chunk)
            if fresh:
                noted = (journal, len(before) + added)
                sent = sender.submit(import_noted, server, project, fresh, *noted)
            else:
                on_progress(size)
        if sent:
            sent.result()
            on_progress(size)
    report = PushReport(added, skipped, tuple(collisions), None, current=False, reviews=reviews)
    if added and server.project(project.id).task_count == len(before) + added:
        return _counted_again(report, server, before, pushed - new)  # nobody else has imported
    return _counted_again(report, server, server.tasks(project) if added else before, pushed)


def _counted_again(
    report: PushReport, server: ReviewServer, tasks: Sequence[Task], pushed: Collection[Sentence]
) -> PushReport:
    """Count the tasks of the pushed sentences, and remove second ones."""
    found = remove_doubles(server, doubled(tasks, pushed))
    known = _known_texts(tasks)
    missing = sum((s, t) not in known[name, origin] for name, origin, s, t in pushed)
    return replace(report, removed=found.removed, doubles=found.begun, missing=missing)


def _task_of(
    projected: ProjectedSentence, rank: int = 0, assigner: Assigner | None = None
) -> dict[str, Any]:
    task = {**to_task(projected, rank), "predictions": [to_prediction(projected)]}
    if assigner:
        task["data"][ASSIGNED] = assigner.give(projected.sentence)
    return task


def _shown(
    report: PushReport, version: str | None, server: ReviewServer, project: Project
) -> PushReport:
    """Show the predictions of `version` in the project."""
    current = version is not None and server.set_model_version(project, version)
    return replace(report, model_version=version, current=current)
