"""The figures of a data lead's page, on tasks as Label Studio exports them."""

from dataclasses import replace

import pytest

from label_config.labeling_config import build_config
from ml_backend.label_studio.client import Project
from ml_backend.lead.overview import Overview, pieces_of
from ml_backend.report.figures import Report
from ml_backend.report.source import read_tasks
from projection.records import Entity, ReviewStatus, Span
from tests.ml_backend.audit.tasks import LABELS, LOC, PER, VERSION, Task, draw, reviewed, task
from tests.ml_backend.reviews import ALL, ANNA, SIEMENS, review

PROJECT = Project(5, "News", build_config(LABELS), VERSION, 0, 0, 0)
USERS = {1: "anna@example.org", 2: "ben@example.org"}


def overview(*tasks: Task) -> Overview:
    return Overview.of(
        PROJECT,
        tasks,
        users=USERS,
        tabs={},
        task_address=lambda number: f"http://studio/task/{number}",
    )


def taking(seconds: float, decided: Task) -> Task:
    """The task with all its decisions made in so many seconds."""
    timed = [{**each, "lead_time": seconds} for each in decided["annotations"]]
    return {**decided, "annotations": timed}


def test_the_report_is_the_report() -> None:
    tasks = [reviewed(task(1)), reviewed(reviewed(task(2)), [PER], by=2), task(3)]
    expected = Report.of(read_tasks("News", tasks))
    found = overview(*tasks).report
    assert replace(found, made_at="") == replace(expected, made_at="")


def test_a_row_for_each_annotator_by_name() -> None:
    tasks = [
        taking(8, reviewed(task(1))),
        taking(4, reviewed(task(2), [PER])),
        reviewed(reviewed(task(3)), [PER], by=2),
        reviewed(reviewed(task(4)), by=7),
        reviewed(task(5), status=ReviewStatus.SKIPPED, by=9),
    ]
    anna, ben, other = overview(*tasks).people
    assert (anna.name, anna.decided, anna.median) == ("anna@example.org", 4, 3.0)
    assert anna.corrected == (1, 4)
    assert (ben.name, ben.decided, ben.corrected) == ("ben@example.org", 1, (1, 1))
    assert (ben.f1, ben.shared) == (pytest.approx(2 / 3), 1)
    assert (anna.f1, anna.shared) == (pytest.approx((2 / 3 + 1) / 2), 2)
    assert (other.name, other.f1, other.last) == ("user 7", 1.0, "2026-01-02")


def test_the_time_left_goes_by_the_conflicts_of_a_sentence() -> None:
    doubtful = [taking(30, reviewed(task(n, conflict=True), [PER])) for n in range(1, 6)]
    plain = [taking(10, reviewed(task(n))) for n in range(6, 11)]
    left = [task(20, conflict=True), task(21, conflict=True), task(22)]
    found = overview(*doubtful, *plain, *left)
    assert found.seconds_left == 70
    none, low = found.conflicts
    assert (none.name, none.corrected, none.left, none.seconds) == ("none", (0, 5), 1, 10)
    assert (low.name, low.corrected, low.left, low.seconds) == ("low_confidence", (5, 5), 2, 60)


def test_few_times_of_a_conflict_do_not_count_and_without_any_the_time_is_unknown() -> None:
    few = [taking(100, reviewed(task(1, conflict=True))), taking(20, reviewed(task(2)))]
    assert overview(*few, task(3, conflict=True)).seconds_left == 60
    assert overview(task(1)).seconds_left is None
    assert overview(taking(0, reviewed(task(1))), task(2)).seconds_left is None
    assert overview(reviewed(task(1))).seconds_left == 0


def test_disagreements_stand_side_by_side_with_what_differs() -> None:
    disagreeing = reviewed(reviewed(task(1)), [PER, Entity(LOC.span, "PER")], by=2)
    unusable = reviewed(reviewed(task(2)), [], ReviewStatus.UNUSABLE, by=2)
    found = overview(disagreeing, unusable, reviewed(reviewed(task(3)), by=2))
    assert found.disagreements == 2
    first, second = found.shown
    assert first.address == "http://studio/task/1"
    marked = [[piece for piece in each.pieces if piece.label] for each in first.versions]
    assert marked == [
        [("Anna", "PER", False), ("Bonn", "LOC", True)],
        [("Anna", "PER", False), ("Bonn", "PER", True)],
    ]
    assert [version.name for version in first.versions] == [*USERS.values()]
    assert [version.usable for version in second.versions] == [True, False]


def test_pieces_are_the_text_also_where_entities_overlap() -> None:
    inner = Entity(Span(5, 10), "ORG")
    given = review(ALL, (ANNA, inner, SIEMENS))
    pieces = pieces_of(given, set())
    assert "".join(piece.text for piece in pieces) == given.sentence.target
    assert [piece.label for piece in pieces] == ["PER", "PER + ORG", "", "LOC", ""]


def test_audits_are_estimated_and_a_damaged_one_says_why() -> None:
    drawn = draw([task(n) for n in range(1, 9)], size=3)
    done = [reviewed(each) if each["data"]["audit"] else each for each in drawn]
    [audit] = overview(*done).audits
    assert (audit.reviewed, audit.precision.value) == (3, 1.0)
    for each in done:
        each["data"]["audit_stratum"] = "?"
    found = overview(*done)
    assert found.audits == []
    assert "no task of the audit 'a' can be read" in found.audit_error
