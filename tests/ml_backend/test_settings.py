"""Settings are read once, from a table that is also their documentation."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

import ml_backend
from ml_backend.settings import (
    Settings,
    SettingsError,
    cpu_count,
    documentation,
    without_settings,
)

PACKAGE = Path(ml_backend.__file__).parent


def test_nothing_needs_to_be_set() -> None:
    settings = Settings.from_env({})
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 9090, 1)
    assert settings.auth
    assert settings.password is None
    assert settings.data_dir.is_absolute()


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.from_env({"SPANFERRY_BACKEND_PORT": ""}).port == 9090


@pytest.mark.parametrize(
    ("env", "user", "password"),
    [
        pytest.param(
            {"SPANFERRY_BACKEND_USER": "a", "SPANFERRY_BACKEND_PASSWORD": "b"}, "a", "b", id="ours"
        ),
        pytest.param(
            {"BASIC_AUTH_USER": "a", "BASIC_AUTH_PASS": "b"}, "a", "b", id="label-studio-ml-backend"
        ),
        pytest.param(
            {"BASIC_AUTH_PASS": "theirs", "SPANFERRY_BACKEND_PASSWORD": "ours"},
            None,
            "ours",
            id="ours wins",
        ),
    ],
)
def test_both_names_of_the_credentials_are_known(
    env: dict[str, str], user: str | None, password: str
) -> None:
    settings = Settings.from_env(env)
    assert (settings.user, settings.password) == (user, password)


def test_an_option_wins_over_the_environment() -> None:
    env = {"SPANFERRY_BACKEND_PORT": "1234", "SPANFERRY_BACKEND_HOST": "0.0.0.0"}
    settings = Settings.from_env(env, {"port": "4321", "host": None})
    assert (settings.port, settings.host) == (4321, "0.0.0.0")


@pytest.mark.parametrize(
    ("env", "given", "message"),
    [
        pytest.param(
            {"SPANFERRY_BACKEND_PORT": "http"},
            {},
            "SPANFERRY_BACKEND_PORT: .http. does not fit: input should be a valid integer.*9090",
            id="word",
        ),
        pytest.param(
            {},
            {"port": "70000"},
            "--port: .70000. does not fit: .* less than or equal to 65535",
            id="range",
        ),
        pytest.param(
            {}, {"poll_seconds": "nan"}, "--poll-seconds: .nan. does not fit", id="not a number"
        ),
        pytest.param(
            {"SPANFERRY_BACKEND_AUTH": "maybe"},
            {},
            "SPANFERRY_BACKEND_AUTH: 'maybe' does not fit: .* The default is on",
            id="a switch that is neither",
        ),
        pytest.param(
            {"SPANFERRY_BACKEND_PASWORD": "x"},
            {},
            r"SPANFERRY_BACKEND_PASWORD: .* Did you mean SPANFERRY_BACKEND_PASSWORD\?",
            id="a misspelt name is not ignored",
        ),
        pytest.param(
            {"SPANFERRY_BACKEND_EVENT_QUEUE": "100"},
            {},
            r"no such setting\. docs/settings\.md lists them all",
            id="one of an earlier version",
        ),
        pytest.param(
            {"SPANFERRY_BACKEND_USER": "x"}, {}, "a user without a password", id="half of a secret"
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    env: dict[str, str], given: dict[str, str | None], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.from_env(env, given)


def test_the_password_is_not_shown() -> None:
    env = {"SPANFERRY_BACKEND_PASSWORD": "secret"}
    assert "secret" not in repr(Settings.from_env(env))
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({**env, "SPANFERRY_BACKEND_PORT": "http"})
    assert "secret" not in str(refused.value)
    with pytest.raises(ValidationError) as direct:
        Settings(password=["secret"], port="http")  # type: ignore[arg-type]
    assert "secret" not in str(direct.value)


def test_settings_cannot_be_changed_and_read_no_environment_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPANFERRY_BACKEND_PORT", "1234")
    settings = Settings.from_env({})
    assert settings.port == 9090
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_an_environment_can_be_rid_of_all_settings() -> None:
    env = {
        "PATH": "/bin",
        "LABEL_STUDIO_URL": "http://x",
        "SPANFERRY_BACKEND_PASSWORD": "x",
        "SPANFERRY_BACKEND_PASWORD": "x",
        "SPANFERRY_DATA_DIR": "x",
        "BASIC_AUTH_USER": "x",
        "START_TRAINING_EACH_N_UPDATES": "1",
    }
    assert without_settings(env) == {"PATH": "/bin", "LABEL_STUDIO_URL": "http://x"}


def test_the_cores_are_shared_among_the_workers_unless_told_otherwise() -> None:
    assert Settings.from_env({}, {"torch_threads": "3", "workers": "8"}).cpu_threads == 3
    assert Settings.from_env({}, {"workers": "64"}).cpu_threads == 1


AFFINITY = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        pytest.param({}, AFFINITY, id="no limit, no control groups"),
        pytest.param({"cpu.max": "max 100000"}, AFFINITY, id="version 2, no limit"),
        pytest.param({"cpu.max": "100000 100000"}, 1, id="version 2, one CPU"),
        pytest.param({"cpu.max": "20000 100000"}, 1, id="version 2, a fifth of a CPU"),
        pytest.param({"cpu.max": "6400000 100000"}, AFFINITY, id="more than there are"),
        pytest.param({"web/one/cpu.max": "50000 100000"}, 1, id="its own group"),
        pytest.param({"web/cpu.max": "50000 100000"}, 1, id="the group around it"),
        pytest.param({"other/cpu.max": "50000 100000"}, AFFINITY, id="somebody else's group"),
        pytest.param(
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            AFFINITY,
            id="version 1, no limit",
        ),
        pytest.param(
            {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"},
            1,
            id="version 1, half a CPU",
        ),
        pytest.param({"cpu.max": "?"}, AFFINITY, id="of a form nobody knows"),
    ],
)
def test_cpus_are_counted_within_the_limits_of_a_container(
    files: dict[str, str], cpus: int, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.write_text("0::/web/one\n")
    for name, content in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(content + "\n")
    assert cpu_count(tmp_path / "cgroup", own) == cpus
    assert cpu_count(tmp_path / "cgroup", tmp_path / "none") >= 1


def test_a_process_that_may_use_one_cpu_counts_one() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
    code += "from ml_backend.settings import cpu_count; print(cpu_count())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"


def test_every_setting_says_what_it_means() -> None:
    assert all(info.description for info in Settings.model_fields.values())


def test_the_page_is_up_to_date() -> None:
    """Write it again with `python -m ml_backend.settings > docs/settings.md`."""
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text("utf-8") == documentation()


def test_no_variable_is_used_that_the_page_does_not_name() -> None:
    used = {
        name
        for source in PACKAGE.rglob("*.py")
        for name in re.findall(r"SPANFERRY_BACKEND_[A-Z_]*[A-Z]", source.read_text("utf-8"))
    }
    assert used <= set(re.findall(r"`(\w+)`", documentation()))
