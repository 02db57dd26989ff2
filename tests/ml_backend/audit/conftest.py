"""The tasks of a project that an audit is drawn from."""

import pytest

from tests.ml_backend.audit.tasks import (
    Task,
    reviewed,
    task,
)


@pytest.fixture
def corpus() -> list[Task]:
    """90 tasks in six strata of 3 languages and 2 bands, and some that are left out."""
    tasks = [
        task(n, (0.85, 0.99)[n % 2], lang=("de", "zh-Hans", "nl")[n % 3]) for n in range(1, 91)
    ]
    drafted = task(101, drafts=[7])
    unsure = [task(102, 0.79), task(103, 0.1)]
    left = [drafted, *unsure, task(104, conflict=True), task(105, version="v0")]
    return [*tasks, *left, reviewed(task(106))]
