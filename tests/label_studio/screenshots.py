"""Makes the pictures of the documentation from a run, in a Label Studio of its own.

    python -m tests.label_studio.screenshots RUN [--out docs/images]

Writes task-clean.png, task-conflict.png, task-dark.png (the same in the dark theme),
task-chinese.png, data-manager.png, propagated.png, and interactive-before.png and
interactive-after.png. A picture the run has no sentence for is left out, and named.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from label_config.labeling_config import build_config
from ml_backend.cli.push import labels_of_run
from ml_backend.demo.label_studio_server import Account, LabelStudioServer
from ml_backend.label_studio.client import ReviewServer
from ml_backend.label_studio.tabs import REVIEW_QUEUE, review_tabs
from ml_backend.review.push import push
from projection.pipeline.run import load_run
from projection.records import ConflictKind, ProjectedSentence
from tests.label_studio.interactive_pictures import interactive_pictures
from tests.label_studio.pages import NEXT_SPAN, browsing, reviewing
from tests.label_studio.propagated_picture import propagated_picture

WIDTH, HEIGHT = 1440, 620
LONGEST = 160  # characters: a sentence that fits on two lines
TITLE = "Projected entities"

Score = Callable[[ProjectedSentence], float]
FEW = 3  # entities a picture should show at least


def clean(projected: ProjectedSentence) -> float:
    """Nothing in doubt, and the surer the better."""
    return 0 if projected.conflicts or not _is_latin(projected) else sure(projected)


def conflict(projected: ProjectedSentence) -> float:
    """As many kinds of doubt as possible, in as few lines; best, an entity was not found."""
    kinds, lines = projected.conflict_kinds, len(projected.conflicts)
    telling = len(kinds) + (ConflictKind.FAILED_MAPPING in kinds) - lines / 10
    return telling if kinds and projected.entities and _is_latin(projected) else 0


def chinese(projected: ProjectedSentence) -> float:
    """No spaces between words, and the surer the better."""
    return sure(projected) if projected.sentence.target_lang == "zh" else 0


def sure(projected: ProjectedSentence) -> float:
    """The score of a sentence that has a few entities to show."""
    return projected.score if len(projected.entities) >= FEW else 0


LIGHT, DARK = "light", "dark"

# The theme each is taken in, and what makes a sentence fit for it.
PICTURES: dict[str, tuple[str, Score]] = {
    "task-clean": (LIGHT, clean),
    "task-conflict": (LIGHT, conflict),
    "task-chinese": (LIGHT, chinese),
    "task-dark": (DARK, conflict),
}


def _is_latin(projected: ProjectedSentence) -> bool:
    """Return whether most readers of the documentation can tell the letters."""
    return projected.sentence.target_lang not in ("ar", "ja", "ru", "zh")


def best(sentences: Iterable[ProjectedSentence], score: Score) -> ProjectedSentence | None:
    """The highest-scoring sentence of those that fit, the first of equals; None without any."""
    fitting = [s for s in sentences if score(s) > 0 and len(s.sentence.source) <= LONGEST]
    return max(fitting, key=score, default=None)


def take_all(run: Path, out: Path, data_dir: Path) -> None:
    sentences = list(load_run(run))
    with (
        LabelStudioServer(data_dir, account=Account.made_up("reviewer@example.org")) as studio,
        ReviewServer.connect(studio.url, studio.account.token) as server,
        browsing() as browser,
        reviewing(browser, studio, WIDTH, HEIGHT) as page,
    ):
        project = server.ensure_project(TITLE, build_config(labels_of_run(run)))
        push(server, project, sentences)
        tabs = server.ensure_tabs(project, list(review_tabs()))
        ids = {task["data"]["origin"]: task["id"] for task in server.tasks(project)}
        for name, (theme, score) in PICTURES.items():
            chosen = best(sentences, score)
            if chosen is None:
                sys.stderr.write(f"{run} has no sentence for {name}.png\n")
                continue
            page.open(server.task_url(project, ids[chosen.sentence.origin]))
            page.set_theme(theme)
            page.press(NEXT_SPAN)
            page.picture_of_task(out / f"{name}.png")
        page.set_theme(LIGHT)
        page.open_tab(server.tab_url(project, tabs[REVIEW_QUEUE.title]))
        page.picture(out / "data-manager.png")
        propagated_picture(page, server, out)
        interactive_pictures(page, server, out)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the pictures of the documentation.")
    parser.add_argument("run", type=Path, help="run folder of `spanferry project`")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        take_all(arguments.run, arguments.out, Path(folder))


if __name__ == "__main__":
    main()
