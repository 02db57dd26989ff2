"""gunicorn's settings, and what is checked before it starts."""

import socket

import pytest

from ml_backend.api.http_worker import HttpWorker
from ml_backend.api.server import GunicornApp, bind, serve
from ml_backend.settings import Settings, SettingsError


def test_gunicorn_runs_one_process_and_loads_after_the_fork(settings: Settings) -> None:
    config = GunicornApp(settings).cfg
    assert (config.workers, config.worker_class) == (1, HttpWorker)
    assert config.preload_app is False


def test_a_request_may_end_after_sigterm_as_late_as_without_it(settings: Settings) -> None:
    config = GunicornApp(settings).cfg
    assert settings.predict_seconds < config.graceful_timeout < config.timeout


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("0.0.0.0", id="every address"),
        pytest.param("::", id="every address, IPv6 too"),
        pytest.param("0", id="every address, by a number"),
        pytest.param("::ffff:0.0.0.0", id="every address, mapped"),
    ],
)
def test_without_a_password_only_this_machine_is_served(settings: Settings, host: str) -> None:
    open_to_all = settings.model_copy(update={"auth": False, "host": host, "port": 0})
    with pytest.raises(SettingsError, match="others could reach this address"):
        bind(open_to_all)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_this_machine_may_be_served_without_one(settings: Settings, host: str) -> None:
    with bind(settings.model_copy(update={"auth": False, "host": host, "port": 0})) as bound:
        assert bound.getsockname()[1] > 0


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1"])
def test_an_address_that_cannot_be_used_is_refused_before_anything_starts(
    settings: Settings, host: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        used = settings.model_copy(update={"host": host, "port": port})
        with pytest.raises(SettingsError, match=f"{host}:{port}: cannot listen there .* --port"):
            serve(used)


@pytest.mark.parametrize("change", [{"loader": "nowhere:load"}, {"password": None, "user": None}])
def test_settings_that_cannot_work_are_refused_before_anything_starts(
    settings: Settings, change: dict[str, str | None]
) -> None:
    with pytest.raises(SettingsError):
        serve(settings.model_copy(update={"port": 0, **change}))
