"""`spanferry push`, as far as it goes without a Label Studio."""

from pathlib import Path

import pytest

from label_config.labeling_config import build_config
from ml_backend.cli.connection import page_address
from ml_backend.cli.push import (
    guidelines_html,
    in_words,
    instructions_of,
    labels_of_run,
    labels_there,
)
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.review.push import PushReport
from projection.errors import CorpusError, RunError, ServerError
from tests.label_studio.examples import BY_ID, Example
from tests.ml_backend.cli.conftest import Spanferry, run_of

COMPANY = Example("c", "de", "Acme", "Acme", (("Company, Inc", "Acme", "Acme", 0.9),))
EVENT = Example("e", "de", "The Thaw", "Die Schmelze", (("EVENT", "Thaw", "Schmelze", 0.9),))


@pytest.mark.parametrize(
    ("examples", "settings", "labels"),
    [
        pytest.param([BY_ID["chinese"]], {}, ("PER", "ORG", "LOC", "MISC"), id="the usual four"),
        pytest.param([], {}, ("PER", "ORG", "LOC", "MISC"), id="an empty run"),
        pytest.param(
            [EVENT, BY_ID["plain"]],
            {},
            ("PER", "LOC", "EVENT"),
            id="others: what is found, the usual ones first",
        ),
        pytest.param([EVENT], {"labels": ["EVENT", "A, B"]}, ("EVENT", "A, B"), id="of the run"),
        pytest.param([EVENT], {"labels": ["WORK"]}, ("WORK", "EVENT"), id="and of its entities"),
        pytest.param(
            [EVENT],
            {"labels": ["LOC", "WORK", "PER"]},
            ("PER", "LOC", "WORK", "EVENT"),
            id="sorted",
        ),
        pytest.param([EVENT], {"labels": "EVENT,WORK"}, ("EVENT", "WORK"), id="an older run"),
        pytest.param([COMPANY], {"labels": "Company, Inc Ort"}, ("Company, Inc",), id="cut there"),
    ],
)
def test_the_labels_offered_are_those_of_the_run(
    tmp_path: Path, examples: list[Example], settings: dict[str, object], labels: tuple[str, ...]
) -> None:
    assert labels_of_run(run_of(tmp_path / "run", *examples, **settings)) == labels


def test_the_labels_of_an_option_may_add_to_those_of_the_run_but_lack_none(
    spanferry: Spanferry, nobody: str, tmp_path: Path
) -> None:
    run = run_of(tmp_path / "run", EVENT, COMPANY)
    assert labels_of_run(run, ["EVENT", "Company, Inc", "X"]) == ("EVENT", "Company, Inc", "X")
    outcome = spanferry("push", run, "--project", "Some", "--labels", "PER,EVENT")
    assert outcome.mistake.startswith(f"--labels: without Company, Inc, which is in {run}")
    outcome = spanferry("push", run, "--project", "Some", "--labels", '"Company, Inc", EVENT')
    assert outcome.mistake.startswith(nobody)


class FixedServer:
    """A server with one project, or none."""

    def __init__(self, *labels: str, tasks: int = 1) -> None:
        config = build_config(labels) if labels else "<View/>"
        self.project = Project(1, "News", config, "v1", tasks, 1, 0)

    def find_project(self, title: str) -> Project | None:
        return self.project if title == self.project.title else None


@pytest.mark.parametrize(
    ("server", "title", "there"),
    [
        (FixedServer("Firma", "PER"), "News", ("Firma", "PER")),
        (FixedServer("PER", "Firma", tasks=0), "News", ()),
        (FixedServer("PER", "Firma"), "Other", ()),
        (FixedServer(), "News", ()),
    ],
    ids=["with tasks", "without", "no project", "another layout"],
)
def test_a_project_with_tasks_keeps_its_labels_in_their_order(
    server: FixedServer, title: str, there: tuple[str, ...]
) -> None:
    assert labels_there(server, title) == there  # type: ignore[arg-type]


def test_guidelines_are_markdown_whose_html_is_text(tmp_path: Path) -> None:
    (tmp_path / "g.md").write_text(
        "# Names\n\n| a | b |\n|---|---|\n| *x* | <script>1</script> |\n"
    )
    html = guidelines_html(tmp_path / "g.md")
    assert html.startswith("<h1>Names</h1>\n<table>")
    assert "<em>x</em>" in html
    assert "<script>" not in html
    with pytest.raises(CorpusError, match="no such file"):
        guidelines_html(tmp_path / "missing.md")


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        labels_of_run(tmp_path)


def test_no_server_at_the_url_is_an_error_with_a_fix(
    spanferry: Spanferry, nobody: str, tmp_path: Path
) -> None:
    outcome = spanferry("push", run_of(tmp_path / "run"), "--project", "Some")
    assert outcome.mistake.startswith(f"{nobody}: no answer")


@pytest.mark.parametrize("title", ["ab", "x" * 51])
def test_a_title_label_studio_would_refuse_is_refused_before_asking(title: str) -> None:
    with (
        ReviewServer("http://127.0.0.1:9", "0" * 40) as server,
        pytest.raises(ServerError, match=f"{len(title)} characters. Use 3 to 50"),
    ):
        server.ensure_project(title, "<View/>")


def test_the_first_collisions_are_named() -> None:
    origins = [f"train.en:{n}" for n in range(1, 8)]
    report = PushReport(7, 0, tuple(origins), None, current=False)

    words = in_words(report, "http://queue")

    assert words.startswith(
        "7 added, 0 there already\n7 sentences pushed beside another text with the same id in the "
        "project: train.en:1, train.en:2, train.en:3, train.en:4, train.en:5, …\n"
    )
    assert words.endswith("\nReview: http://queue")
    page = page_address("http://backend:9090/", 5)
    assert in_words(report, "http://queue", page=page).endswith(
        "\nReview: http://queue\nProgress: http://backend:9090/lead/5"
    )
    links = {"anna@example.org": "http://hers"}
    assert in_words(report, "http://queue", links=links).endswith(
        "\nReview: http://queue\nReview as anna@example.org: http://hers"
    )


def test_of_languages_that_were_trained_annotators_are_told_nothing(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", EVENT)
    assert instructions_of(run) == []
    (run / "summary.json").unlink()  # an unfinished run
    assert instructions_of(run) == []
