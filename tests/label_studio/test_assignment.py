"""Who labels what on a real Label Studio: shared sentences, and those assigned to people."""

from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tabs import REVIEW_QUEUE, review_tabs
from projection.errors import ReviewError
from tests.label_studio.conftest import invited
from tests.label_studio.examples import BY_ID, EXAMPLES, Example, many
from tests.label_studio.test_audit import shown_in, spanferry
from tests.ml_backend.cli.conftest import run_of

pytestmark = pytest.mark.label_studio


def labelled_by(studio: LabelStudioServer, key: str, project: Project, title: str) -> list[int]:
    """Label what a tab offers this person, asking as the browser does, until there is no more."""
    done = list[int]()
    with (
        httpx.Client(base_url=studio.url, headers={"Authorization": f"Token {key}"}) as web,
        ReviewServer.connect(studio.url, key) as person,
    ):
        [tab] = [tab for tab in person.tabs(project) if tab["title"] == title]
        shown = {key: tab[key] for key in ("filters", "ordering")}
        body = {**shown, "selectedItems": {"all": True, "excluded": []}}
        ask = {"id": "next_task", "project": project.id}
        while (answer := web.post("/api/dm/actions", params=ask, json=body)).is_success:
            done.append(answer.json()["id"])
            person.annotate(done[-1], [])
        assert answer.status_code == httpx.codes.NOT_FOUND, answer.text
    return done


def test_a_share_of_the_sentences_is_offered_to_two_people(
    label_studio: LabelStudioServer, server: ReviewServer, project: Project, run: Path
) -> None:
    options = ("--overlap", "2", "--overlap-share", "0.3")
    spanferry(label_studio, project, "push", str(run), *options)
    queue = REVIEW_QUEUE.title
    tab = server.ensure_tabs(project, [*review_tabs()])[queue]

    everything = shown_in(label_studio, project, tab)
    first = labelled_by(label_studio, invited(label_studio), project, queue)
    waiting = shown_in(label_studio, project, tab)
    second = labelled_by(label_studio, invited(label_studio), project, queue)
    assert set(first) == everything
    assert len(first) == len(everything) == len(EXAMPLES)
    assert set(second) == waiting
    assert len(second) == len(waiting) == round(0.3 * len(EXAMPLES))
    assert shown_in(label_studio, project, tab) == set()
    assert spanferry(label_studio, project, "adjudicate")["agreement"]["sentences"] == len(second)


def numbered(start: int, end: int) -> list[Example]:
    """German sentences, each a document of its own."""
    texts = (each.sentence for each in many(end)[start:])
    return [Example(s.id, "de", s.source, s.target, (("LOC", "Berlin", "Berlin", 0.9),))
            for s in texts]  # fmt: skip


def test_each_annotator_gets_their_sentences_and_the_shared_ones(
    label_studio: LabelStudioServer, server: ReviewServer, project: Project, tmp_path: Path
) -> None:
    anna = f"anna-{uuid4().hex[:8]}@example.org"
    jo = f"jo-{anna}"  # which Anna's address is a part of
    keys = {email: invited(label_studio, email) for email in (anna, jo)}

    def push(name: str, *examples: Example, people: str, **options: str) -> dict[str, int]:
        """Push a run; the number of each person's tab, of the link that is printed."""
        run = run_of(tmp_path / name, *examples)
        more = [word for key, value in options.items() for word in (f"--{key}", value)]
        if people:
            more += ["--assign", f"de={people}"]
        links = spanferry(label_studio, project, "push", str(run), *more)["annotators"]
        return {person: int(httpx.URL(link).params["tab"]) for person, link in links.items()}

    def whose() -> dict[int, str]:
        return {task["id"]: task["data"]["assigned"] for task in server.tasks(project)}

    def open_for(person: str) -> set[int]:
        return shown_in(label_studio, project, tabs[person])

    everybodys = BY_ID["chinese"]
    with pytest.raises(ReviewError, match=r"no user of Label Studio: nobody@example\.org"):
        push("none", *numbered(0, 2), people=f"{anna},nobody@example.org")
    push("first", *numbered(0, 4), everybodys, people="", overlap="2")
    tabs = push("more", *numbered(0, 12), everybodys, people=f"{anna.upper()},{jo}",
                overlap="2", **{"overlap-share": "0.25"})  # fmt: skip

    first = whose()
    shared = {task for task, names in first.items() if ", " in names}
    assert sorted(map(len, (open_for(anna), open_for(jo), shared))) == [3, 7, 8]
    assert open_for(anna) & open_for(jo) == shared
    assert sum(not names for names in first.values()) == 1, "a language without --assign"

    theirs = open_for(anna)
    assert set(labelled_by(label_studio, keys[anna], project, anna)) == theirs
    assert open_for(anna) == shared, "until the other has labelled them, too"
    before = open_for(jo)
    assert push("later", *numbered(12, 16), people=f"{jo},{anna}") == tabs
    assert {task: names for task, names in whose().items() if task in first} == first
    assert open_for(anna) - shared == whose().keys() - first.keys(), "she had nothing to do"

    with pytest.raises(ReviewError, match="are assigned to people"):
        push("again", people="", overlap="2")
    push("alone", *numbered(12, 16), people=jo)
    theirs = open_for(jo)
    assert theirs == before | (whose().keys() - first.keys())
    assert set(labelled_by(label_studio, keys[jo], project, jo)) == theirs
    found = spanferry(label_studio, project, "adjudicate")["agreement"]
    assert found["sentences"] == len(shared) == 3
    assert open_for(anna) == open_for(jo) == set()
