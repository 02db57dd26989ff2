"""A backend is connected once, with a webhook that has its password."""

import pytest

from ml_backend.auth import Credentials
from ml_backend.label_studio.backends import Backend
from ml_backend.label_studio.client import ReviewServer
from projection.errors import ServerError
from tests.ml_backend.label_studio.studio import KEY, running

LOGIN = Credentials("spanferry", "correct horse battery")


def test_connecting_again_changes_what_is_there() -> None:
    with running() as studio, ReviewServer(studio.url, KEY, pauses=()) as server:
        number = studio.add_project("News", "<View/>", [], "")
        project = server.project(number)
        for url in ("http://backend:9090", "http://backend:9090/"):
            server.connect_backend(project, url)
        made = server.connect_backend(project, "http://backend:9090", LOGIN)

        [backend] = server.backends(project)
        [hook] = server.webhooks(project)

    assert made == backend
    assert (backend.url, backend.interactive, backend.connected) == (
        "http://backend:9090",
        True,
        True,
    )
    assert hook.url == "http://backend:9090/webhook"
    assert hook.authorization == LOGIN.webhook_header["Authorization"]


def test_a_backend_that_starts_meanwhile_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_backend.label_studio.backends.time.sleep", lambda _: None)
    here = Backend(
        1, "http://backend:9090", connected=True, interactive=True, model_version="", error=""
    )
    answers = iter([no_answer(), no_answer(), here])

    def connect(*_: object) -> Backend:
        answer = next(answers)
        if isinstance(answer, ServerError):
            raise answer
        return answer

    with running() as studio, ReviewServer(studio.url, KEY, pauses=()) as server:
        project = server.project(studio.add_project("News", "<View/>", [], ""))
        monkeypatch.setattr(server, "_connect_backend", connect)
        waited: list[int] = []
        assert server.connect_backend(project, here.url, on_wait=waited.append) is here
        assert waited == [0, 1]
        answers = iter([no_answer()])
        with pytest.raises(ServerError, match="health check failed"):
            server.connect_backend(project, here.url)
        answers = iter([ServerError("backend", "401", "Check the password")])
        with pytest.raises(ServerError, match="401"):
            server.connect_backend(project, here.url, on_wait=waited.append)


def no_answer() -> ServerError:
    return ServerError("backend", "Can't connect to ML backend, health check failed", "Start it")
