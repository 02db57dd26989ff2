"""gunicorn's settings, and what is checked before it starts."""

import socket

import pytest

from ml_backend.api.server import GunicornApp, gunicorn_options, serve
from ml_backend.settings import Settings, SettingsError


def test_gunicorn_runs_threads_in_one_process_and_loads_after_the_fork(settings: Settings) -> None:
    config = GunicornApp(settings).cfg
    assert (config.workers, config.threads, config.worker_class_str) == (1, 16, "gthread")
    assert config.preload_app is False
    assert config.address == [("127.0.0.1", 9090)]


def test_an_ipv6_address_is_bracketed() -> None:
    settings = Settings.from_env({}, {"host": "::1", "port": "1"})
    assert gunicorn_options(settings)["bind"] == "[::1]:1"


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
