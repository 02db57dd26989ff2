"""Repredicting beside people at work, against a review server that lives in memory."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from ml_backend.label_studio.client import Backend
from ml_backend.propagation.memory import Memory
from ml_backend.review.repredict import RepredictReport, repredict
from projection.errors import ServerError
from projection.pipeline.review_order import review_order
from tests.label_studio.examples import BY_ID, EXAMPLES, FIRST, SECOND, FixedProjector, projected
from tests.ml_backend.corrections import review
from tests.ml_backend.review.test_push import FixedServer, push_all

# The new model finds nothing any more, so that every task but the one without entities reads
# differently.
LOST = {
    each.id: replace(
        each, went=tuple((label, source, None, 0.0) for label, source, *_ in each.went)
    )
    for each in EXAMPLES
}
CHANGED = len(EXAMPLES) - 1


class BusyServer(FixedServer):
    """One on which people do something as soon as the first task has been refreshed."""

    def __init__(self, do: Callable[["BusyServer"], None] = lambda _: None) -> None:
        super().__init__()
        self._do: Callable[[BusyServer], None] | None = do
        self.refreshed: list[str] = []
        self.served: list[list[Backend]] = [[]]
        push_all(self, projected())

    def tasks(self, _: object, *, with_predictions: bool = False) -> list[dict[str, Any]]:
        return deepcopy(self.held)

    def update_task_data(self, task_id: int, data: dict[str, Any]) -> None:
        super().update_task_data(task_id, data)
        self.refreshed.append(data["pair_id"])
        if self._do is not None:
            do, self._do = self._do, None
            do(self)

    def backends(self, _: object) -> list[Backend]:
        return self.served.pop(0) if len(self.served) > 1 else self.served[0]

    def of(self, pair_id: str) -> dict[str, Any]:
        return next(task for task in self.held if task["data"]["pair_id"] == pair_id)

    def predicted(self) -> list[str]:
        newest = [(task["data"]["pair_id"], task["predictions"][-1]) for task in self.held]
        return [pair_id for pair_id, each in newest if each["model_version"] == SECOND]


def repredict_all(server: BusyServer) -> RepredictReport:
    projector = FixedProjector(SECOND, LOST)
    return repredict(server, server.there, projector, pauses=(0.0, 0.0))  # type: ignore[arg-type]


def annotated(server: BusyServer) -> None:
    server.of("lines")["annotations"].append({"id": 1})


def begun(server: BusyServer) -> None:
    server.of("lines")["drafts"].append({"id": 1})


def predicted_by_another(server: BusyServer) -> None:
    server.of("lines")["predictions"].append({"model_version": "other"})


@pytest.mark.parametrize("do", [annotated, begun, predicted_by_another])
def test_what_somebody_took_up_during_the_refreshing_is_neither_refreshed_nor_predicted(
    do: Callable[[BusyServer], None],
) -> None:
    server = BusyServer(do)
    before = dict(server.of("lines")["data"])

    report = repredict_all(server)

    assert server.of("lines")["data"] == before
    assert "lines" not in server.predicted()
    assert (report.predicted, report.refreshed) == (len(EXAMPLES) - 1, CHANGED - 1)
    assert report.meanwhile == 1


@pytest.mark.parametrize("do", [annotated, begun])
def test_what_somebody_took_up_once_it_was_refreshed_is_not_predicted(
    do: Callable[[BusyServer], None],
) -> None:
    first = BY_ID["plain"].id
    server = BusyServer(lambda server: do_to(server, first, do))

    report = repredict_all(server)

    assert server.refreshed[0] == first
    assert first not in server.predicted()
    assert (report.predicted, report.refreshed) == (len(EXAMPLES) - 1, CHANGED - 1)


def do_to(server: BusyServer, pair_id: str, do: Callable[[BusyServer], None]) -> None:
    """The same to another task."""
    task, other = server.of("lines"), server.of(pair_id)
    do(server)
    for key in ("annotations", "drafts"):
        task[key], other[key] = other[key], task[key]


def test_what_people_found_out_about_a_task_stays_when_it_is_refreshed() -> None:
    server = BusyServer()
    for task in server.held:
        task["data"].update(audit="May", audit_threshold=0.8, disagreement="“Bonn”", propagated="x")
    assert repredict_all(server).refreshed == len(server.refreshed) == len(EXAMPLES)
    for task in server.held:
        kept = [task["data"][key] for key in ("audit", "audit_threshold", "disagreement")]
        assert kept == ["May", 0.8, "“Bonn”"]
        assert task["data"]["propagated"] == "", "the new prediction has no such correction"


def test_what_reads_differently_now_has_a_new_rank_and_the_rest_keeps_the_old_one() -> None:
    server = BusyServer()
    for task in server.held:
        task["data"]["rank"] = "old"
    del server.of("chinese")["data"]["rank"]  # as an older spanferry pushed it
    repredict_all(server)
    ranks = {task["data"]["pair_id"]: task["data"]["rank"] for task in server.held}
    assert [name for name, rank in ranks.items() if rank == "old"] == ["none"]
    new = FixedProjector(SECOND, LOST).project([each.sentence for each in EXAMPLES])
    in_order = [new[place].sentence.id for place in review_order(new)]
    assert sorted(ranks, key=ranks.__getitem__) == [n for n in in_order if n != "none"] + ["none"]


def test_what_others_wrote_into_a_task_meanwhile_stays() -> None:
    server = BusyServer(lambda server: server.of("lines")["data"].update(audit="May", mine=1))
    repredict_all(server)
    data = server.of("lines")["data"]
    assert (data["audit"], data["mine"]) == ("May", 1)
    assert data["conflict"] == "failed_mapping"


def test_what_was_corrected_is_not_predicted_wrong_again() -> None:
    server, corrected = BusyServer(), "Ada Lovelace besuchte Berlin."
    said = review(corrected, [("LOC", "Berlin")], [("ORG", "Berlin")])
    elsewhere = replace(said.sentence, origin="other.en:1")
    memory = Memory.of([said, replace(said, sentence=elsewhere)])
    projector = FixedProjector(SECOND)
    repredict(server, server.there, projector, show=memory.shown)  # type: ignore[arg-type]
    task = server.of("plain")
    marks = {
        item["value"]["text"]: item["value"]["labels"] for item in task["predictions"][-1]["result"]
    }
    assert marks == {"Ada Lovelace": ["PER"], "Berlin": ["ORG"]}
    assert task["data"]["propagated"] == "Berlin: LOC → ORG"
    assert "ORG" in task["data"]["conflicts_html"], "the page says so"


def backend(version: str, *, connected: bool = True) -> Backend:
    return Backend(1, "http://backend:9090", connected, True, version, "")


def test_where_the_backend_serves_another_model_nothing_is_done() -> None:
    server = BusyServer()
    server.served = [[backend(FIRST)]]
    with pytest.raises(ServerError, match=f"serves {FIRST}, the model here is {SECOND}.*team.md"):
        repredict_all(server)
    assert (server.refreshed, server.predicted()) == ([], [])


@pytest.mark.parametrize(
    "served",
    [
        pytest.param([[backend(SECOND)]], id="the same"),
        pytest.param([[backend(FIRST)], [backend("")], [backend(SECOND)]], id="in a moment"),
        pytest.param([[backend(FIRST), backend(SECOND)]], id="one of several"),
        pytest.param([[backend(FIRST, connected=False)]], id="one that does not answer"),
        pytest.param([[]], id="none"),
    ],
)
def test_where_it_serves_this_model_all_is_predicted(served: list[list[Backend]]) -> None:
    server = BusyServer()
    server.served = served
    assert repredict_all(server).predicted == len(EXAMPLES)
