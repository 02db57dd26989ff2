"""The state of an exported task."""

import pytest

from ml_backend.label_studio.tasks import Obstacle, obstacle
from projection.records import (
    ReviewStatus,
)
from tests.ml_backend.audit.tasks import (
    VERSION,
    Task,
    carried_over,
    reviewed,
    task,
)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param(task(1, 0.8), None, id="just sure enough"),
        pytest.param(task(1, 1.0, entities=()), None, id="without entities"),
        pytest.param(task(1, 0.7999), Obstacle.UNSURE, id="unsure"),
        pytest.param(task(1, conflict=True), Obstacle.CONFLICT, id="a conflict"),
        pytest.param(task(1, version="v0"), Obstacle.NO_PREDICTION, id="an old prediction"),
        pytest.param(carried_over(task(1)), Obstacle.PROPAGATED, id="changed by a correction"),
        pytest.param(carried_over(task(1, 0.5)), Obstacle.UNSURE, id="changed, and unsure anyway"),
        pytest.param({**task(1), "predictions": []}, Obstacle.NO_PREDICTION, id="no prediction"),
        pytest.param(task(1, drafts=[3]), Obstacle.TOUCHED, id="begun"),
        pytest.param(reviewed(task(1)), Obstacle.TOUCHED, id="reviewed"),
        pytest.param(
            reviewed(task(1), status=ReviewStatus.SKIPPED), Obstacle.TOUCHED, id="skipped"
        ),
    ],
)
def test_what_would_be_accepted_unseen(made: Task, why: Obstacle | None) -> None:
    assert obstacle(made, VERSION, 0.8) is why


def test_of_several_predictions_of_a_version_the_newest_counts() -> None:
    made = task(1, 0.99)
    older = {**made["predictions"][0], "id": 3, "score": 0.2}
    unscored = {**made["predictions"][0], "id": 9000, "score": None}
    assert obstacle({**made, "predictions": [made["predictions"][0], older]}, VERSION, 0.8) is None
    assert (
        obstacle({**made, "predictions": [*made["predictions"], unscored]}, VERSION, 0.8)
        is Obstacle.UNSURE
    )
