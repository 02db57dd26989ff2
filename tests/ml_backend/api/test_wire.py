"""What Label Studio sends, and what is refused."""

import pytest
from flask.testing import FlaskClient

from ml_backend.api.wire import read_predict


def test_a_batch_and_a_drawing_are_told_apart_and_unknown_keys_ignored() -> None:
    batch = read_predict(b'{"tasks": [{"id": 1}], "model_version": "v", "params": null}', 1)
    assert (batch.tasks, batch.drawn, batch.label_config) == (({"id": 1},), None, "")

    raw = b'{"tasks": [], "label_config": "<View/>", "params": {"context": {"draft_id": 0}}}'
    assert read_predict(raw, 1)[1:] == ((), "<View/>")


@pytest.mark.parametrize(
    ("path", "raw", "error"),
    [
        pytest.param("/predict", b"", "/predict body: not JSON", id="empty"),
        pytest.param("/predict", b'{"tasks": [', "/predict body: not JSON", id="cut short"),
        pytest.param("/predict", b"\xff\xfe\xfa", "/predict body: not JSON", id="not UTF-8"),
        pytest.param("/predict", b"[" * 100_000, "/predict body: not JSON", id="too deep"),
        pytest.param("/predict", b"[]", "/predict body: a list, not an object", id="a list"),
        pytest.param("/predict", b"{}", "/predict body: there are no tasks", id="no tasks"),
        pytest.param(
            "/predict", b'{"tasks": {}}', "/predict tasks: a dict, not a list", id="tasks"
        ),
        pytest.param(
            "/predict", b'{"tasks": [{}, 7]}', "/predict tasks[1]: a int, not an object", id="task"
        ),
        pytest.param(
            "/predict", b'{"tasks": [], "params": 1}', "/predict params: a int", id="params"
        ),
        pytest.param(
            "/predict",
            b'{"tasks": [], "params": {"context": []}}',
            "/predict params.context: a list, not an object",
            id="context",
        ),
        pytest.param(
            "/predict",
            b'{"tasks": [], "params": {"context": {"result": [1]}}}',
            "/predict params.context.result[0]: a int, not an object",
            id="context result",
        ),
        pytest.param("/webhook", b"?", "/webhook body: not JSON", id="webhook"),
        pytest.param("/webhook", b"{}", "/webhook body: there is no action", id="no action"),
    ],
)
def test_a_malformed_body_is_refused_with_where_what_and_the_fix(
    client: FlaskClient, path: str, raw: bytes, error: str
) -> None:
    response = client.post(path, data=raw, content_type="application/json")
    assert response.status_code == 400
    assert response.json is not None
    assert response.json["error"].startswith(error)
    assert ". " in response.json["error"]
