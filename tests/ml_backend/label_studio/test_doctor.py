"""What the doctor says about a project, against a review server that lives in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from label_config.labeling_config import build_config
from ml_backend.label_studio.checks import NOTE, OK, PROBLEM, CheckStatus
from ml_backend.label_studio.client import Backend, Project, Webhook
from ml_backend.label_studio.doctor import check_project
from projection.errors import ServerError

URL = "http://backend:9090"
PROJECT = Project(1, "News", build_config(("PER", "LOC")), "v1", 5, 5, 0)
BACKEND = Backend(1, URL, connected=True, interactive=True, model_version="v1", error="")
HOOK = Webhook(1, f"{URL}/webhook", active=True, authorization="Token a")


class FixedServer:
    """The part of ReviewServer that the doctor needs."""

    def __init__(
        self,
        project: Project = PROJECT,
        backends: tuple[Backend, ...] = (BACKEND,),
        webhooks: tuple[Webhook, ...] = (HOOK,),
        *,
        missing: int = 0,
        languages: Mapping[str, int] = MappingProxyType({"de": 5}),
        labels: Mapping[str, list[str]] = MappingProxyType({"predictions": ["PER"]}),
        twice: Sequence[dict[str, Any]] = (),
        refused: Sequence[str] = (),
    ) -> None:
        self._twice, self._refused = twice, refused
        self.found, self._backends, self._webhooks = project, backends, webhooks
        self._missing, self._languages, self._labels = missing, languages, labels

    def existing_project(self, title: str) -> Project:
        if title != self.found.title:
            raise ServerError("http://studio", f"no project {title!r}", "Check the title")
        return self.found

    def backends(self, _: Project) -> list[Backend]:
        return [*self._backends]

    def webhooks(self, _: Project) -> list[Webhook]:
        return [*self._webhooks]

    def languages(self, _: Project) -> dict[str, int]:
        return {**self._languages}

    def tasks(self, _: Project, *, with_predictions: bool) -> list[dict[str, Any]]:
        assert with_predictions
        kind = {"from_name": "entities", "to_name": "target", "type": "labels"}
        done = {
            name: [{"result": [{**kind, "value": {"labels": [label]}} for label in labels]}]
            for name, labels in self._labels.items()
        }
        return [{"id": 1, "data": {}, "predictions": [], "annotations": [], **done}, *self._twice]

    def may_call(self, url: str) -> bool:
        return url not in self._refused

    def tasks_without_current_prediction(self, _: Project) -> int:
        return self._missing


def examine(
    server: FixedServer, url: str | None = URL, expected: str | None = "Token a"
) -> dict[str, CheckStatus]:
    found = check_project(server, "News", url, expected)  # type: ignore[arg-type]
    return {check.check: check.verdict for check in found}


def test_a_healthy_project_has_no_problem() -> None:
    names = ("project", "labeling config", "predictions", "backend", "interactive")
    assert examine(FixedServer()) == dict.fromkeys((*names, "model version", "webhook"), OK)


@pytest.mark.parametrize(
    ("server", "name", "status"),
    [
        pytest.param(FixedServer(replace(PROJECT, title="Sport")), "project", PROBLEM, id="none"),
        pytest.param(
            FixedServer(replace(PROJECT, label_config="<View/>")),
            "labeling config",
            PROBLEM,
            id="a labeling config of somebody else",
        ),
        pytest.param(
            FixedServer(replace(PROJECT, task_count=0)), "predictions", PROBLEM, id="no tasks"
        ),
        pytest.param(FixedServer(missing=2), "predictions", NOTE, id="some without prediction"),
        pytest.param(FixedServer(missing=5), "predictions", PROBLEM, id="all without prediction"),
        pytest.param(FixedServer(backends=()), "backend", PROBLEM, id="not connected"),
        pytest.param(
            FixedServer(backends=(replace(BACKEND, connected=False),)),
            "backend",
            PROBLEM,
            id="no answer",
        ),
        pytest.param(
            FixedServer(backends=(replace(BACKEND, interactive=False),)),
            "interactive",
            PROBLEM,
            id="not interactive",
        ),
        pytest.param(
            FixedServer(backends=(replace(BACKEND, model_version="v2"),)),
            "model version",
            PROBLEM,
            id="another model",
        ),
        pytest.param(FixedServer(webhooks=()), "webhook", PROBLEM, id="no webhook"),
        pytest.param(
            FixedServer(webhooks=(replace(HOOK, active=False),)),
            "webhook",
            PROBLEM,
            id="webhook off",
        ),
    ],
)
def test_a_fault_is_found(server: FixedServer, name: str, status: CheckStatus) -> None:
    assert examine(server)[name] is status


@pytest.mark.parametrize(
    ("sent", "expected", "status"),
    [
        pytest.param("Token a", "Token a", OK, id="the same password"),
        pytest.param("Token b", "Token a", PROBLEM, id="another one"),
        pytest.param("", "Token a", PROBLEM, id="none"),
        pytest.param("Token b", None, OK, id="nobody here knows the password"),
        pytest.param("", None, PROBLEM, id="but that there is one"),
        pytest.param("", "", OK, id="the backend accepts any request"),
        pytest.param("Token b", "", OK, id="whatever it sends"),
    ],
)
def test_a_webhook_is_compared_with_what_the_backend_accepts(
    sent: str, expected: str | None, status: CheckStatus
) -> None:
    server = FixedServer(webhooks=(replace(HOOK, authorization=sent),))
    assert examine(server, expected=expected)["webhook"] is status


@pytest.mark.parametrize("where", ["predictions", "annotations"])
def test_labels_that_the_config_lacks_are_counted_with_the_command_that_adds_them(
    where: str,
) -> None:
    server: Any = FixedServer(labels={where: ["PER", "MISC", "Company, Inc", "MISC"]})
    [found] = [c for c in check_project(server, "News", URL, "Token a") if "config" in c.check]
    assert found.verdict is PROBLEM
    assert found.finding == (
        "offers PER, LOC; predictions and annotations also have Company, Inc (1), MISC (2)"
    )
    assert found.fix.startswith("Run `spanferry push` again without --labels")


def test_a_project_without_a_backend_is_worth_a_note() -> None:
    assert examine(FixedServer(backends=()), url=None)["backend"] is NOTE


@pytest.mark.parametrize(
    ("tasks", "status", "finding", "fix"),
    [
        pytest.param(
            {"de-AT": 4, "yue": 1},
            OK,
            "de-AT (4 tasks), yue (1 task): the al",
            "",
            id="all",
        ),
        pytest.param({"de": 4, "it": 1}, NOTE, "it: the aligner was not", "Train one:", id="one"),
        pytest.param(
            {"German": 5}, PROBLEM, "'German' is no language tag", "Did you mean de?", id="no tag"
        ),
    ],
)
def test_languages_of_the_tasks_are_those_of_the_aligner(
    tasks: dict[str, int], status: CheckStatus, finding: str, fix: str
) -> None:
    server: Any = FixedServer(languages=tasks)
    checks = check_project(server, "News", URL, "Token a", trained=("de", "zh"))
    [found] = [check for check in checks if check.check == "languages"]
    assert found.verdict is status
    assert finding in found.finding
    assert found.fix.startswith(fix)


def one(found: FixedServer, name: str, url: str | None = URL, **options: Any) -> tuple[str, ...]:
    checks: Any = check_project(found, "News", url, "Token a", **options)  # type: ignore[arg-type]
    return next((str(c.verdict), c.finding, c.fix) for c in checks if c.check == name)


@pytest.mark.parametrize(
    ("labels", "status", "finding"),
    [
        pytest.param(("LOC", "PER"), OK, "those of the project", id="the same"),
        pytest.param(("DRUG", "LOC", "PER"), PROBLEM, "lacks DRUG", id="unknown to the project"),
        pytest.param(("PER",), NOTE, "predicts no LOC", id="unknown to the model"),
    ],
)
def test_labels_of_the_project_are_those_of_the_model(
    labels: tuple[str, ...], status: CheckStatus, finding: str
) -> None:
    verdict, said, _ = one(FixedServer(), "model labels", model_labels=labels)
    assert verdict == status
    assert finding in said


def test_a_labeling_config_without_smart_never_asks_the_backend() -> None:
    config = PROJECT.label_config.replace('smart="true" smartOnly="true"', "")
    verdict, said, fix = one(FixedServer(replace(PROJECT, label_config=config)), "labeling config")
    assert verdict == PROBLEM
    assert "without smart" in said
    assert "--fix" in fix


def test_second_tasks_of_a_sentence_are_counted() -> None:
    data = {"pair_id": "a", "origin": "o", "source": "s", "target": "t"}
    task = {"data": data, "predictions": [], "annotations": [], "drafts": []}
    twice = [{**task, "id": number} for number in (9, 5, 7)]
    verdict, said, fix = one(FixedServer(twice=twice), "doubles")
    assert verdict == PROBLEM
    assert said == "2 second tasks of a sentence, as of task 5"
    assert "--fix" in fix


def test_a_backend_that_label_studio_may_not_call_is_told_apart_from_one_that_is_down() -> None:
    down = replace(BACKEND, connected=False, url="http://localhost:9090")
    refused = FixedServer(backends=(down,), refused=[down.url])
    assert one(refused, "address guard", None)[0] == PROBLEM
    assert one(FixedServer(backends=(down,)), "address guard", None)[0] == OK
    assert "that address is Label Studio itself" in one(refused, "backend", None)[2]
