"""Corrections are propagated to the open tasks of a real Label Studio, and to nothing else."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner

from label_config.annotations import annotation_of
from ml_backend.cli import app
from ml_backend.demo.label_studio_server import LabelStudioServer
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tabs import PROPAGATED, review_tabs
from ml_backend.propagation.propagate import LeftOut, Propagated, Selection, carry_out, plan
from ml_backend.review.pull import fetch_reviewed
from ml_backend.review.push import push
from ml_backend.review.repredict import repredict
from projection.io.records_json import Json
from projection.records import Entity, LabelOrigin, ReviewStatus
from tests.label_studio.conftest import invited
from tests.label_studio.examples import SECOND, Example, FixedProjector, place

if TYPE_CHECKING:
    from tests.label_studio.pages import ReviewPage

pytestmark = pytest.mark.label_studio

SIEMENS = ("LOC", "Siemens", "Siemens", 0.6)  # the mistake
EXAMPLES = [
    Example("builds", "de", "Siemens builds.", "Siemens baut.", (SIEMENS,)),
    Example("buys", "de", "Siemens buys.", "Siemens kauft.", (SIEMENS,)),
    Example("open", "de", "Ada saw Siemens.", "Ada sah Siemens.", (SIEMENS,)),
    Example("twice", "de", "Siemens or Siemens.", "😀 Siemens oder Siemens.", (SIEMENS,)),
    Example("skipped", "de", "Siemens is.", "Siemens ist.", (SIEMENS,)),
    Example("begun", "de", "Siemens was.", "Siemens war.", (SIEMENS,)),
    Example("kept", "de", "To Berlin.", "Nach Berlin.", (("LOC", "Berlin", "Berlin", 0.9),)),
    Example("dutch", "nl", "Siemens is big.", "Siemens is groot.", (SIEMENS,)),
    Example("none", "de", "Siemensstadt is not.", "Siemensstadt nicht.", ()),
]
BY_ID = {example.id: example for example in EXAMPLES}
OPEN = ["open", "twice"]  # where the mistake is, and nobody has been


@pytest.fixture
def reviewed(
    server: ReviewServer, project: Project, label_studio: LabelStudioServer
) -> dict[str, int]:
    """Two people's work: Siemens corrected twice, a task skipped, another begun; ids by name."""
    projector = FixedProjector(examples=BY_ID)
    push(server, project, projector.project([example.sentence for example in EXAMPLES]))
    ids = {task["data"]["pair_id"]: task["id"] for task in server.tasks(project)}
    for name in ("builds", "buys"):
        decide(server, ids[name], name, [("ORG", "Siemens")])
    decide(server, ids["kept"], "kept", [("LOC", "Berlin")])
    server.annotate(ids["skipped"], [], skipped=True)
    begin(label_studio, ids["begun"], label_studio.account.token)
    return ids


def begin(studio: LabelStudioServer, task_id: int, key: str) -> None:
    """Leave a draft, as the browser does."""
    httpx.post(
        f"{studio.url}/api/tasks/{task_id}/drafts",
        json={"result": [], "lead_time": 1.0},
        headers={"Authorization": f"Token {key}"},
    ).raise_for_status()


def decide(server: ReviewServer, task_id: int, name: str, marks: list[tuple[str, str]]) -> None:
    text = BY_ID[name].target
    entities = [Entity(place(text, phrase), label) for label, phrase in marks]
    server.annotate(task_id, annotation_of(entities, text, ReviewStatus.CORRECTED))


def as_it_is(server: ReviewServer, project: Project) -> dict[str, tuple[Json, Json]]:
    """The data and the prediction of every task."""
    return {
        task["data"]["pair_id"]: (task["data"], task["predictions"][-1])
        for task in server.tasks(project, with_predictions=True)
    }


def labels_of(prediction: Json) -> list[str]:
    return [region["value"]["labels"][0] for region in prediction["result"]]


def now(server: ReviewServer, project: Project) -> Project:
    return server.project(project.id)


def test_planning_changes_nothing(
    server: ReviewServer, project: Project, reviewed: dict[str, int]
) -> None:
    before = as_it_is(server, project)

    planned = plan(server, now(server, project), Selection())

    assert [(f.evidence.correction.kind, f.tasks, f.left_out) for f in planned.findings] == [
        ("relabelled", 2, None)
    ]
    assert (planned.reviewed, planned.open) == (4, 4)
    assert sorted(c.task_id for c in planned.changes) == sorted(reviewed[name] for name in OPEN)
    assert as_it_is(server, project) == before


@pytest.mark.usefixtures("reviewed")
def test_a_correction_reaches_the_open_tasks_and_no_other(
    server: ReviewServer, project: Project
) -> None:
    before = as_it_is(server, project)

    done = carry_out(server, plan(server, now(server, project), Selection()))

    after = as_it_is(server, project)
    assert done == Propagated(changed=len(OPEN), meanwhile=0)
    assert {name for name in after if changed(before[name], after[name])} == set(OPEN)
    for name in OPEN:
        data, prediction = after[name]
        assert data["propagated"] == "Siemens: LOC → ORG"
        assert labels_of(prediction) == ["ORG"]
        [region] = prediction["result"]
        assert region["meta"]["propagated"] == "LOC → ORG, as in 2 reviewed sentences"
        assert region["meta"]["was"]["label"] == "LOC"
        assert prediction["model_version"] == before[name][1]["model_version"]
        assert prediction["score"] == before[name][1]["score"]


def changed(before: tuple[Json, Json], after: tuple[Json, Json]) -> bool:
    (data_before, one), (data_after, other) = before, after
    return data_before != data_after or one["result"] != other["result"]


@pytest.mark.usefixtures("reviewed")
def test_a_second_run_changes_nothing(server: ReviewServer, project: Project) -> None:
    carry_out(server, plan(server, now(server, project), Selection()))
    before = as_it_is(server, project)

    again = plan(server, now(server, project), Selection())

    assert again.changes == ()
    assert carry_out(server, again) == Propagated(0, 0)
    assert as_it_is(server, project) == before


@pytest.mark.usefixtures("reviewed")
def test_what_an_interruption_left_half_done_is_finished(
    server: ReviewServer, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(server, "update_prediction", end)
        with pytest.raises(KeyboardInterrupt):
            carry_out(server, plan(server, now(server, project), Selection()))

    done = carry_out(server, plan(server, now(server, project), Selection()))

    assert done.changed == len(OPEN)
    for name in OPEN:
        data, prediction = as_it_is(server, project)[name]
        assert data["propagated"] == "Siemens: LOC → ORG"
        assert labels_of(prediction) == ["ORG"]


def test_who_was_quicker_is_left_alone(
    server: ReviewServer, project: Project, reviewed: dict[str, int]
) -> None:
    planned = plan(server, now(server, project), Selection())
    decide(server, reviewed["open"], "open", [("LOC", "Siemens")])
    [other] = [c for c in planned.changes if c.task_id == reviewed["twice"]]
    server.update_prediction(other.prediction["id"], [], 0.5)
    before = as_it_is(server, project)

    done = carry_out(server, planned)

    assert done == Propagated(changed=0, meanwhile=2)
    assert not any(changed(before[name], task) for name, task in as_it_is(server, project).items())


def test_what_somebody_else_has_begun_is_left_alone(
    label_studio: LabelStudioServer,
    server: ReviewServer,
    project: Project,
    reviewed: dict[str, int],
) -> None:
    colleague = invited(label_studio)
    begin(label_studio, reviewed["open"], colleague)
    planned = plan(server, now(server, project), Selection())
    begin(label_studio, reviewed["twice"], colleague)
    before = as_it_is(server, project)

    done = carry_out(server, planned)

    assert [change.task_id for change in planned.changes] == [reviewed["twice"]]
    assert done == Propagated(changed=0, meanwhile=1)
    assert as_it_is(server, project) == before


def test_the_page_says_what_was_changed(
    server: ReviewServer, project: Project, reviewed: dict[str, int], reviewer: "ReviewPage"
) -> None:
    carry_out(server, plan(server, now(server, project), Selection()))
    reviewer.open(server.task_url(project, reviewed["open"]))

    assert reviewer.tags() == ["↪ 1 ORG"]
    assert reviewer.outlined() == ["Siemens"]
    assert reviewer.chip_tags() == ["1 LOC ↪ ORG"]
    assert reviewer.conflicts().splitlines() == [
        "✓ no conflict",
        "↪ propagated — Siemens: LOC → ORG",
    ]
    reviewer.press("Alt+.", "1")  # the span, and another label for it
    assert reviewer.tags() == ["1 PER"]


def test_a_contested_correction_is_listed_and_left_out(
    server: ReviewServer, project: Project, reviewed: dict[str, int]
) -> None:
    decide(server, reviewed["open"], "open", [("LOC", "Siemens")])

    planned = plan(server, now(server, project), Selection())

    [finding] = planned.findings
    evidence = finding.evidence
    assert (finding.left_out, finding.tasks) == (LeftOut.CONTESTED, 1)
    assert (evidence.sentences, evidence.otherwise) == (2, 1)
    assert planned.changes == ()


def test_nothing_reviewed_and_nothing_pushed(server: ReviewServer, project: Project) -> None:
    empty = plan(server, project, Selection())
    push(server, project, FixedProjector(examples=BY_ID).project([EXAMPLES[0].sentence]))
    open_only = plan(server, now(server, project), Selection())

    assert (empty.reviewed, empty.open, empty.findings, empty.changes) == (0, 0, (), ())
    assert (open_only.reviewed, open_only.open, open_only.findings) == (0, 1, ())


def test_what_was_propagated_and_accepted_says_so_in_the_export(
    server: ReviewServer, project: Project, reviewed: dict[str, int]
) -> None:
    carry_out(server, plan(server, now(server, project), Selection()))
    prediction = as_it_is(server, project)["open"][1]

    server.annotate(
        reviewed["open"],
        [{**region, "origin": "prediction"} for region in prediction["result"]],
        parent_prediction=prediction["id"],
    )

    [one] = [r for r in fetch_reviewed(server, now(server, project)) if r.sentence.id == "open"]
    assert one.status is ReviewStatus.ACCEPTED
    assert [provenance.origin for provenance in one.provenance] == [LabelOrigin.PROPAGATED]


@pytest.mark.usefixtures("reviewed")
def test_a_newer_prediction_takes_the_note_away_and_leaves_what_people_found_out(
    server: ReviewServer, project: Project
) -> None:
    carry_out(server, plan(server, now(server, project), Selection()))
    found_out = {
        "audit": "May",
        "audit_stratum": "de 0.5–0.6",
        "audit_stratum_size": 7,
        "disagreement": "Siemens: LOC or ORG",
        "mine": "not ours",
    }
    for task in server.tasks(project):
        server.update_task_data(task["id"], {**task["data"], **found_out})

    report = repredict(server, now(server, project), FixedProjector(SECOND, BY_ID))

    assert (report.refreshed, report.predicted) == (len(OPEN), 4)
    for name, (data, prediction) in as_it_is(server, project).items():
        assert found_out.items() <= data.items(), name
        if name in OPEN:
            assert (data["propagated"], labels_of(prediction)) == ("", ["LOC"])


class Meanwhile(FixedProjector):
    """Somebody decides a task, and another process predicts one, while this is at work."""

    def __init__(self, server: ReviewServer, project: Project, ids: dict[str, int]) -> None:
        super().__init__(SECOND, BY_ID)
        self._did = (server, project, ids)

    def project(self, sentences: Any) -> Any:
        server, project, ids = self._did
        decide(server, ids["open"], "open", [("ORG", "Siemens")])
        answer = {"task": ids["twice"], "model_version": SECOND, "score": 0.5, "result": []}
        server.import_predictions(project, [answer])
        return super().project(sentences)


def test_repredicting_leaves_alone_what_happened_meanwhile(
    server: ReviewServer, project: Project, reviewed: dict[str, int]
) -> None:
    report = repredict(server, now(server, project), Meanwhile(server, project, reviewed))

    assert (report.predicted, report.meanwhile) == (2, 2)
    predictions = {
        task["data"]["pair_id"]: [p["model_version"] for p in task["predictions"]]
        for task in server.tasks(project, with_predictions=True)
    }
    assert SECOND not in predictions["open"]
    assert predictions["twice"].count(SECOND) == 1


def test_the_command_shows_first_and_changes_when_told(
    label_studio: LabelStudioServer,
    server: ReviewServer,
    project: Project,
    reviewed: dict[str, int],
    tmp_path: Path,
) -> None:
    env = {
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.account.token,
        "SPANFERRY_DATA_DIR": str(tmp_path),
        "COLUMNS": "120",
    }

    def spanferry(*words: str) -> str:
        command = ["propagate", "--project", project.title, *words]
        result = CliRunner().invoke(app, command, env=env, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    shown = spanferry()
    too_few = spanferry("--min-corrections", "3")
    other = json.loads(spanferry("--lang", "nl", "--json"))
    planned = json.loads(spanferry("--json"))
    applied = json.loads(spanferry("--phrase", "Siemens", "--apply", "--json"))
    again = spanferry("--apply")

    assert "Siemens" in shown
    assert "LOC → ORG" in shown
    assert "Nothing was changed; with --apply 2 tasks will be" in shown
    assert f"{reviewed['open']}  “Siemens” LOC  “Siemens” ORG" in shown
    assert "too few: needs 3 sentences" in too_few
    assert [change["task"] for change in planned["changes"]] == [reviewed[name] for name in OPEN]
    assert planned["changes"][0] == {
        "task": reviewed["open"],
        "target": "Ada sah Siemens.",
        "before": ["“Siemens” LOC"],
        "after": ["“Siemens” ORG"],
        "corrections": ["Siemens: LOC → ORG"],
    }
    assert (other["tasks"], other["corrections"], other["tab"]) == (0, [], None)
    assert (applied["changed"], applied["meanwhile"], applied["tasks"]) == (2, 0, 2)
    assert "Nothing to propagate" in again
    tabs = server.ensure_tabs(project, list(review_tabs()))
    assert applied["tab"] == server.tab_url(project, tabs[PROPAGATED.title])
    answer = httpx.get(
        f"{label_studio.url}/api/tasks",
        params={"view": tabs[PROPAGATED.title], "project": project.id},
        headers={"Authorization": f"Token {label_studio.account.token}"},
    ).raise_for_status()
    assert sorted(task["id"] for task in answer.json()["tasks"]) == sorted(
        reviewed[name] for name in OPEN
    )
