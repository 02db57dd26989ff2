import pytest
from flask import Flask
from flask.testing import FlaskClient

from ml_backend.api.guard import guard
from ml_backend.auth import Credentials

USER, PASSWORD = "label-studio", "a-password-of-many-letters"


def guarded(credentials: Credentials | None) -> FlaskClient:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 10
    guard(app, credentials)
    for name, methods in (("health", ["GET"]), ("predict", ["GET", "POST"])):
        app.add_url_rule(f"/{name}", name, lambda: "answer", methods=methods)
    return app.test_client()


@pytest.fixture
def client() -> FlaskClient:
    return guarded(Credentials(USER, PASSWORD))


def test_health_is_open_and_the_rest_is_not(client: FlaskClient) -> None:
    assert client.get("/health").status_code == 200
    refused = client.get("/predict")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic")
    assert client.get("/predict", auth=(USER, PASSWORD)).status_code == 200


def test_guesses_are_slowed_down_and_say_for_how_long(client: FlaskClient) -> None:
    answers = [client.get("/predict", auth=(USER, f"guess {i}")) for i in range(50)]
    last = answers[-1]
    assert answers[0].status_code == 401
    assert last.status_code == 429
    assert int(last.headers["Retry-After"]) > 0
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"{}", "application/json", 200, id="JSON"),
        pytest.param(b"{}", "text/plain", 415, id="what a page may send anywhere"),
        pytest.param(b"[" * 11, "application/json", 413, id="large"),
        pytest.param(b"", "", 200, id="no body"),
    ],
)
def test_bodies_are_small_and_json(body: bytes, kind: str, status: int) -> None:
    answer = guarded(None).post("/predict", data=body, content_type=kind)
    assert answer.status_code == status
