import json
import re
from pathlib import Path

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from ml_backend.api.app import create_app
from ml_backend.jobs.reviews import PROJECTS
from ml_backend.serving.engine import Engine
from ml_backend.settings import Settings
from projection.io.files import write_json
from tests.ml_backend.conftest import BUNDLED_VERSION, make_task, metric, predict_body

DASHBOARD = Path(__file__).parents[3] / "docs" / "dashboard.json"


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


def test_the_dashboard_asks_for_exported_metrics_by_labels_they_have(client: FlaskClient) -> None:
    client.post("/predict", json=predict_body(make_task(), {}))
    client.post("/webhook", json={"action": "PROJECT_UPDATED"})
    families = [*text_string_to_metric_families(client.get("/metrics").get_data(as_text=True))]
    assert "spanferry_conflicts" in {family.name for family in families}
    # There was no conflict, and nobody has reviewed anything.
    labels = {"spanferry_conflicts_total": {"kind"}, "spanferry_reviews": {"project"}}
    for family in families:
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)

    queries = re.findall(r'"expr": (".*")', DASHBOARD.read_text("utf-8"))
    asked = [*map(json.loads, queries)]
    named = {name for query in asked for name in re.findall(r"spanferry_\w+", query)}
    assert named
    assert named <= labels.keys()
    for query in asked:
        for by, name in re.findall(r"by \(([\w, ]+)\) \((?:rate\(|increase\()?(\w+)", query):
            assert {*by.split(", ")} <= labels[name], query


def test_the_reviews_of_each_project_are_those_of_the_last_look(
    client: FlaskClient, settings: Settings
) -> None:
    assert "spanferry_reviews{" not in client.get("/metrics").get_data(as_text=True)
    settings.jobs_folder.mkdir(parents=True)
    known = {"5": {"reviews": 120, "used": 100, "job": 3}}
    write_json(settings.jobs_folder / PROJECTS, known)
    assert metric(client, 'spanferry_reviews{project="5"}') == 120
