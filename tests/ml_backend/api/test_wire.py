"""What Label Studio sends; test_hostile_requests.py has what is refused."""

import pytest

from ml_backend.api.wire import read_predict


def test_a_batch_and_a_drawing_are_told_apart_and_unknown_keys_ignored() -> None:
    batch = read_predict(b'{"tasks": [{"id": 1}], "model_version": "v", "params": null}', 1)
    assert (batch.tasks, batch.drawn, batch.label_config) == (({"id": 1},), None, "")

    raw = b'{"tasks": [], "label_config": "<View/>", "params": {"context": {"draft_id": 0}}}'
    assert read_predict(raw, 1)[1:] == ((), "<View/>", None)


@pytest.mark.parametrize(
    ("sent", "project"),
    [('"5.1767607200"', 5), ("5", 5), ("null", None), ('"../x.1"', None), ('"-1.2"', None)],
)
def test_the_project_is_read_if_it_is_one(sent: str, project: int | None) -> None:
    raw = f'{{"tasks": [], "project": {sent}}}'
    assert read_predict(raw.encode(), 1).project == project
