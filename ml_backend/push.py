"""Puts projected sentences into a Label Studio project, each once, however often it is run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from label_config.tasks import to_prediction, to_task
from ml_backend.label_studio import Project, ReviewServer
from projection.errors import RunError
from projection.records import ProjectedSentence

CHUNK = 1000  # tasks a request: about a second for Label Studio, and what an interruption may lose

Identity = tuple[str, str]
Texts = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a push did. Numbers count sentences.

    `skipped` were in the project already; `changed` of those stand there with another text, and
    were left as they are. `current` says whether the project now shows predictions of
    `model_version` (None when nothing was pushed).
    """

    added: int
    skipped: int
    changed: int
    model_version: str | None
    current: bool

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
    known = _known(server, project)
    added = skipped = changed = 0
    version: str | None = None
    for chunk in _chunks(sentences):
        version = _one_version(chunk, version)
        fresh: list[dict[str, Any]] = []
        for projected in chunk:
            sentence = projected.sentence
            texts = (sentence.source, sentence.target)
            there = known.setdefault((sentence.id, sentence.origin), texts)
            if there is texts:
                fresh.append({**to_task(projected), "predictions": [to_prediction(projected)]})
            elif there != texts:
                changed += 1
        if fresh:
            server.import_tasks(project, fresh)
        added += len(fresh)
        skipped += len(chunk) - len(fresh)
        on_progress(len(chunk))
    current = version is not None and server.set_model_version(project, version)
    return PushReport(added, skipped, changed, version, current)


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


def _chunks(sentences: Iterable[ProjectedSentence]) -> Iterator[list[ProjectedSentence]]:
    remaining = iter(sentences)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk
