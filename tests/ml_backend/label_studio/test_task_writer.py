"""What commands write to tasks while others change them, against a server that lives in memory."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import pytest

from label_config.labeling_config import build_config
from ml_backend.audit.sample import audit_of, draw
from ml_backend.label_studio.client import Project
from ml_backend.label_studio.task_writer import write_fields
from ml_backend.propagation.propagate import Selection, carry_out, plan
from projection.records import Entity
from tests.ml_backend.audit.tasks import ANNA, BONN, LABELS, VERSION, reviewed, task

Task = dict[str, Any]
Change = Callable[[Task], object]


class SharedServer:
    """The part of ReviewServer that the writer needs. Somebody changes tasks after a snapshot."""

    def __init__(self, tasks: Sequence[Task], changes: dict[int, Change] | None = None) -> None:
        self.held = {each["id"]: deepcopy(each) for each in tasks}
        self.project = Project(1, "News", build_config(LABELS), VERSION, len(tasks), len(tasks), 0)
        self._changes = changes or {}
        self.writes = 0

    def change(self, changes: dict[int, Change]) -> None:
        for task_id, change in changes.items():
            change(self.held[task_id])

    def tasks(self, _: Project, **options: bool) -> list[Task]:
        found = deepcopy([*self.held.values()])
        self.change(self._changes)
        return found

    def users(self) -> dict[int, str]:
        return {1: "anna@example.org"}

    def task(self, task_id: int) -> Task:
        found = deepcopy(self.held[task_id])
        return {**found, "total_predictions": len(found["predictions"]), "draft_exists": False}

    def update_task_data(self, task_id: int, data: Task) -> None:
        self.writes += 1
        self.held[task_id]["data"] = data

    def update_prediction(self, prediction_id: int, result: list[Task], score: float) -> None:
        for each in self.held.values():
            for prediction in each["predictions"]:
                if prediction["id"] == prediction_id:
                    prediction.update(result=result, score=score)


def annotated(held: Task) -> None:
    held["annotations"].append({"id": 77, "result": [], "was_cancelled": False})


def begun(held: Task) -> None:
    held["drafts"].append(7)


def predicted(held: Task) -> None:
    held["predictions"].append({"id": 9999, "model_version": "v2", "result": [], "score": 0.5})


def predicted_otherwise(held: Task) -> None:
    held["predictions"][0]["result"].pop()


def noted(held: Task) -> None:
    held["data"].update(mine="a note", disagreement="somebody's")


TOUCHED = [annotated, begun, predicted, predicted_otherwise]


# Fields


def test_only_the_given_fields_change_and_nothing_is_sent_if_they_are_as_wanted() -> None:
    server = SharedServer([task(1)])
    before = server.held[1]["data"]

    for _ in range(2):
        assert write_fields(server, 1, {"audit": "May"}, if_still=lambda _: True)  # type: ignore[arg-type]

    assert server.held[1]["data"] == {**before, "audit": "May"}
    assert server.writes == 1


def test_a_task_that_is_not_as_it_was_is_left_alone() -> None:
    server = SharedServer([task(1)])
    assert not write_fields(server, 1, {"audit": "May"}, if_still=lambda _: False)  # type: ignore[arg-type]
    assert server.writes == 0


# Commands


@pytest.mark.parametrize("change", TOUCHED)
def test_an_audit_draws_no_task_that_was_touched_meanwhile(change: Change) -> None:
    server = SharedServer([task(n) for n in range(1, 6)], {2: change, 3: noted})

    report = draw(server, server.project, "May", size=5)  # type: ignore[arg-type]

    assert {n for n, held in server.held.items() if audit_of(held) == "May"} == {1, 3, 4, 5}
    assert (report.population, report.drawn, report.added, report.meanwhile) == (5, 4, 4, 1)
    assert [(each.size, each.drawn) for each in report.strata] == [(5, 4)]


def test_an_audit_keeps_what_others_wrote_meanwhile() -> None:
    server = SharedServer([task(1)], {1: noted})
    draw(server, server.project, "May", size=1)  # type: ignore[arg-type]
    data = server.held[1]["data"]
    assert (data["audit"], data["mine"], data["disagreement"]) == ("May", "a note", "somebody's")


def without_record(held: Task) -> None:
    del held["data"]["record"]


@pytest.mark.parametrize("change", [annotated, begun, predicted_otherwise, without_record])
def test_propagation_leaves_a_task_that_was_touched_meanwhile(change: Change) -> None:
    bonn_is_a_person = [Entity(ANNA, "PER"), Entity(BONN, "PER")]
    damaged = task(5)
    without_record(damaged)
    tasks = [*(reviewed(task(n), bonn_is_a_person) for n in (1, 2)), *map(task, (3, 4)), damaged]
    server = SharedServer(tasks)
    planned = plan(server, server.project, Selection())  # type: ignore[arg-type]
    assert [each.task_id for each in planned.unreadable] == [5]
    assert planned.to_json()["unreadable"] == 1
    server.change({3: change, 4: noted})

    done = carry_out(server, planned)  # type: ignore[arg-type]

    assert (done.changed, done.meanwhile) == (1, 1)
    assert not server.held[3]["data"]["propagated"]
    assert server.held[4]["data"]["propagated"]
    assert server.held[4]["data"]["mine"] == "a note"
