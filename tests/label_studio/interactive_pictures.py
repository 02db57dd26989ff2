"""Someone marks English words the teacher missed: what they see before and after.

Shared by the browser test and by the pictures of the documentation.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from label_config.labeling_config import SOURCE_LABEL_HOTKEYS, build_config
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.review.push import push
from projection.pipeline.projector import Projector, pair
from tests.label_studio.bundled_backend import CREDENTIALS, BundledBackend, bundled_backend
from tests.label_studio.examples import LABELS, place
from tests.label_studio.pages import SOURCE, ReviewPage

# The bundled tagger finds the person and the town, and misses the guild.
SENTENCE = pair(
    "Marta Vidal showed the charter of the harbour guild to the proud mayor of Ghent.",
    "Marta Vidal zeigte dem Bürgermeister von Gent die Urkunde der Hafengilde.",
    "de",
)
MISSED, LABEL, FOUND = "harbour guild", "ORG", "Hafengilde"


def source_key(label: str, labels: Sequence[str] = LABELS) -> str:
    """The key that marks a label in the source."""
    return SOURCE_LABEL_HOTKEYS[labels.index(label)]


def project_of(server: ReviewServer, title: str) -> Project:
    """A new project of ours."""
    return server.ensure_project(title, build_config(LABELS))


def ready_to_draw(
    page: ReviewPage, server: ReviewServer, project: Project, backend: BundledBackend
) -> None:
    """Connect the backend, push the sentence and open it."""
    server.connect_backend(project, backend.url, CREDENTIALS)
    push(server, project, Projector.load().project([SENTENCE]))
    (task,) = server.tasks(project)
    page.open(server.task_url(project, int(task["id"])))


def mark_missed(page: ReviewPage) -> None:
    """Mark the missed words with their label, and wait for what they lead to."""
    page.press(source_key(LABEL))
    page.drag_over(place(SENTENCE.source, MISSED), SOURCE)
    page.page.wait_for_function(_SHOWN, arg=FOUND)


def interactive_pictures(page: ReviewPage, server: ReviewServer, folder: Path) -> None:
    """Take interactive-before.png and interactive-after.png with a project of their own."""
    project = project_of(server, "Marking what was missed")
    with tempfile.TemporaryDirectory() as data_dir, bundled_backend(Path(data_dir)) as backend:
        ready_to_draw(page, server, project, backend)
        page.picture_of_task(folder / "interactive-before.png")
        mark_missed(page)
        page.select(FOUND)
        page.picture_of_task(folder / "interactive-after.png")


_SHOWN = """phrase => [...document.querySelectorAll(".sf-target .htx-highlight")]
    .some(span => span.textContent === phrase)"""
