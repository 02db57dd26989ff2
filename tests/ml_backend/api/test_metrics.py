from flask.testing import FlaskClient

from ml_backend.api.app import create_app
from ml_backend.jobs.reviews import PROJECTS
from ml_backend.serving.engine import Engine
from ml_backend.settings import Settings
from projection.io.files import write_json
from tests.ml_backend.conftest import BUNDLED_VERSION, metric


def test_metrics_count_requests_and_name_the_model(client: FlaskClient, engine: Engine) -> None:
    engine.projector(10)
    for path in ("/health", "/health", "/nowhere", "/elsewhere"):
        client.get(path)
    client.post("/predict", data=b"?", content_type="application/json")
    assert metric(client, 'spanferry_requests_total{endpoint="health",status="200"}') == 2
    assert metric(client, 'spanferry_requests_total{endpoint="unknown",status="404"}') == 2
    assert metric(client, 'spanferry_requests_total{endpoint="predict",status="400"}') == 1
    assert metric(client, f'spanferry_model_info{{version="{BUNDLED_VERSION}"}}') == 1


def test_applications_do_not_share_counters(
    client: FlaskClient, settings: Settings, engine: Engine
) -> None:
    client.get("/health")
    other = create_app(settings.model_copy(update={"auth": False}), engine).test_client()
    assert "endpoint=" not in other.get("/metrics").get_data(as_text=True)


def test_the_reviews_of_each_project_are_those_of_the_last_look(
    client: FlaskClient, settings: Settings
) -> None:
    assert "spanferry_reviews{" not in client.get("/metrics").get_data(as_text=True)
    settings.jobs_folder.mkdir(parents=True)
    known = {"5": {"reviews": 120, "used": 100, "job": 3}}
    write_json(settings.jobs_folder / PROJECTS, known)
    assert metric(client, 'spanferry_reviews{project="5"}') == 120
