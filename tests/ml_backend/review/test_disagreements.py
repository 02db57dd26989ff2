"""Disagreements that are marked while others annotate, against a server that lives in memory."""

import pytest

from label_config.labeling_config import SETTLED
from label_config.regions import choice_of
from ml_backend.review.disagreements import DisagreementReport, mark_disagreements
from tests.ml_backend.audit.tasks import PER, reviewed, task
from tests.ml_backend.label_studio.test_task_writer import Change, SharedServer, Task, annotated


def disagreeing(number: int) -> Task:
    return reviewed(reviewed(task(number), by=1), [PER], by=2)


def marked(server: SharedServer) -> DisagreementReport:
    return mark_disagreements(server, server.project)  # type: ignore[arg-type]


def agreed(held: Task) -> None:
    held["annotations"] = reviewed(held, [PER], by=1)["annotations"]


def corrected(held: Task) -> None:
    held["annotations"][0]["result"].pop()


@pytest.mark.parametrize("change", [agreed, corrected, annotated])
def test_a_disagreement_is_not_marked_if_somebody_annotated_meanwhile(change: Change) -> None:
    server = SharedServer([disagreeing(1), disagreeing(2)], {1: change})

    report = marked(server)

    assert (report.marked, report.cleared, report.meanwhile) == (1, 0, 1)
    assert not server.held[1]["data"]["disagreement"]
    assert server.held[2]["data"]["disagreement"]


def test_marking_a_disagreement_keeps_what_others_wrote_meanwhile() -> None:
    server = SharedServer([disagreeing(1)], {1: lambda held: held["data"].update(mine="a note")})
    assert marked(server).marked == 1
    assert server.held[1]["data"]["mine"] == "a note"
    assert "“Bonn”" in server.held[1]["data"]["disagreement"]


def test_a_settled_disagreement_is_cleared_and_the_agreement_is_measured() -> None:
    server = SharedServer([disagreeing(1), reviewed(task(2))])
    first = marked(server)
    assert (first.opened, first.annotators, len(first.open)) == (2, 2, 1)
    assert first.agreement.compared == 1

    agreed(server.held[1])
    again = marked(server)

    assert (again.marked, again.cleared, again.open) == (0, 1, ())
    assert server.held[1]["data"]["disagreement"] == ""


def test_a_version_keeps_its_number_and_its_pick() -> None:
    server = SharedServer([disagreeing(1)])
    marked(server)
    data = server.held[1]["data"]
    first, second = (each["id"] for each in server.held[1]["annotations"])
    assert data["versions"] == [first, second]
    assert "Shift+1 · anna@example.org" in data["conflicts_html"]
    assert "Shift+2 · 2" in data["conflicts_html"]

    server.held[1] = reviewed(server.held[1], by=3)
    del server.held[1]["annotations"][0]
    marked(server)

    third = server.held[1]["annotations"][-1]["id"]
    data = server.held[1]["data"]
    assert data["versions"] == [first, second, third]
    assert "Shift+1" not in data["conflicts_html"]
    server.held[1]["annotations"][0]["result"].append(choice_of("x", "version 3", SETTLED))
    assert (marked(server).cleared, server.held[1]["data"]["disagreement"]) == (1, "")


def test_an_annotation_that_cannot_be_read_is_counted_and_stops_nothing() -> None:
    damaged = reviewed(task(2))
    damaged["annotations"][0]["result"][0]["value"]["end"] = 900
    report = marked(SharedServer([disagreeing(1), damaged]))
    assert (report.marked, report.opened, report.to_json()["unreadable"]) == (1, 1, 1)
