"""The commands that talk to Label Studio, as far as they go without one."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ml_backend.cli import app
from ml_backend.cli.push import labels_of_run
from ml_backend.demo.label_studio_server import free_port
from ml_backend.label_studio.client import ReviewServer, token_kind
from projection.errors import RunError, ServerError, TrainingError
from projection.pipeline.conflicts import Policy
from projection.pipeline.run import project_corpus
from tests.label_studio.examples import BY_ID, Example, FixedProjector


def run_of(folder: Path, *examples: Example, **settings: str) -> Path:
    project_corpus(
        [example.sentence for example in examples],
        FixedProjector(examples={example.id: example for example in examples}),
        folder,
        policy=Policy.FLAG,
        settings=settings,
        on_progress=lambda _: None,
    )
    return folder


EVENT = Example("e", "de", "The Thaw", "Die Schmelze", (("EVENT", "Thaw", "Schmelze", 0.9),))


@pytest.mark.parametrize(
    ("examples", "settings", "labels"),
    [
        pytest.param([BY_ID["chinese"]], {}, ("PER", "ORG", "LOC", "MISC"), id="the usual four"),
        pytest.param([], {}, ("PER", "ORG", "LOC", "MISC"), id="an empty run"),
        pytest.param(
            [EVENT, BY_ID["plain"]], {}, ("EVENT", "LOC", "PER"), id="others: what is found"
        ),
        pytest.param([EVENT], {"labels": "EVENT,WORK"}, ("EVENT", "WORK"), id="those of the run"),
    ],
)
def test_the_labels_offered_are_those_of_the_run(
    tmp_path: Path, examples: list[Example], settings: dict[str, str], labels: tuple[str, ...]
) -> None:
    assert labels_of_run(run_of(tmp_path / "run", *examples, **settings)) == labels


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        labels_of_run(tmp_path)


@pytest.mark.parametrize(
    "command", ["push", "export", "propagate", "repredict", "adjudicate", "doctor"]
)
def test_the_help_names_the_environment_variables_and_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert "LABEL_STUDIO_URL" in result.stdout
    assert "LABEL_STUDIO_API_KEY" in result.stdout
    assert f"spanferry {command} " in result.stdout


def test_a_command_without_a_key_says_which_variable_to_set() -> None:
    result = CliRunner().invoke(app, ["export", "--url", "http://localhost", "--project", "P"])

    assert result.exit_code == 2
    assert "LABEL_STUDIO_API_KEY" in result.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--split", "80/20"], "such as 80/10/10", id="two shares"),
        pytest.param(["--adjudicate", "reviewer"], "needs a reviewer", id="no reviewer"),
        pytest.param(["--reviewer", "7"], "knows no reviewer", id="a needless reviewer"),
    ],
)
def test_an_export_that_cannot_work_is_refused_before_anything_is_fetched(
    tmp_path: Path, options: list[str], says: str
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    command = ["export", "--url", url, "--project", "Some", "--out", str(tmp_path / "out")]

    result = CliRunner().invoke(app, [*command, "--api-key", "0" * 40, *options])

    assert isinstance(result.exception, TrainingError)
    assert says in str(result.exception)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--accept-above", "1.5"], "--accept-above", id="no probability"),
        pytest.param(["--audit", "nowhere.json"], "nowhere.json", id="no such report"),
        pytest.param(["--adjudicate", "loudest"], "majority", id="no such policy"),
    ],
)
def test_options_of_an_export_that_cannot_be_are_usage_errors(
    tmp_path: Path, options: list[str], says: str
) -> None:
    command = ["export", "--project", "Some", "--out", str(tmp_path / "out"), *options]
    env = {"LABEL_STUDIO_URL": "http://127.0.0.1:9", "LABEL_STUDIO_API_KEY": "k", "COLUMNS": "200"}

    result = CliRunner().invoke(app, command, env=env)

    assert result.exit_code == 2
    assert says in result.output


def test_no_server_at_the_url_is_an_error_with_a_fix(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    command = ["push", str(run_of(tmp_path / "run")), "--url", url, "--project", "Some"]

    result = CliRunner().invoke(app, [*command, "--api-key", "0" * 40])

    assert isinstance(result.exception, ServerError)
    assert str(result.exception).startswith(f"{url}: no answer")


def test_the_doctor_says_so_too_and_exits_with_1() -> None:
    url = f"http://127.0.0.1:{free_port()}"

    result = CliRunner().invoke(app, ["doctor", "--url", url, "--api-key", "k", "--json"])

    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert not answer["ok"]
    assert [check["check"] for check in answer["checks"]] == ["server"]


@pytest.mark.parametrize("title", ["ab", "x" * 51])
def test_a_title_label_studio_would_refuse_is_refused_before_asking(title: str) -> None:
    with (
        ReviewServer("http://127.0.0.1:9", "0" * 40) as server,
        pytest.raises(ServerError, match=f"{len(title)} characters. Use 3 to 50"),
    ):
        server.ensure_project(title, "<View/>")


@pytest.mark.parametrize(
    ("key", "kind"),
    [("0" * 40, "legacy token"), ("eyJhb.eyJ0b.c2ln", "personal access token")],
)
def test_the_two_kinds_of_key_are_told_apart(key: str, kind: str) -> None:
    assert token_kind(key) == kind
