"""Settings are read once, from a table that is also their documentation."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import ml_backend
from ml_backend.settings import Settings, SettingsError, documentation, without_settings

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
            {"SPANFERRY_BACKEND_PORT": "http"}, {}, "SPANFERRY_BACKEND_PORT: invalid", id="word"
        ),
        pytest.param({}, {"port": "70000"}, "--port: 70000 is not between 0 and 65535", id="range"),
        pytest.param({}, {"poll_seconds": "nan"}, "--poll-seconds: nan is not", id="not a number"),
        pytest.param(
            {"SPANFERRY_BACKEND_AUTH": "maybe"},
            {},
            "SPANFERRY_BACKEND_AUTH: 'maybe' is neither on nor off",
            id="a switch that is neither",
        ),
        pytest.param(
            {"SPANFERRY_BACKEND_PASWORD": "x"},
            {},
            r"SPANFERRY_BACKEND_PASWORD: .* Did you mean SPANFERRY_BACKEND_PASSWORD\?",
            id="a misspelt name is not ignored",
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
    assert "secret" not in repr(Settings.from_env({"SPANFERRY_BACKEND_PASSWORD": "secret"}))


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
    assert Settings.from_env({}, {"workers": "64"}).cpu_threads >= 1


def test_every_setting_says_what_it_means() -> None:
    assert all(each.metadata["doc"] and each.metadata["names"] for each in fields(Settings))


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
