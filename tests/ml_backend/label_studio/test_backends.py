"""A backend is connected once, with a webhook that has its password."""

from ml_backend.auth import Credentials
from ml_backend.label_studio.client import ReviewServer
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
