"""A short training of a small tagger."""

from collections.abc import Callable
from pathlib import Path

import pytest

from training.data.rows import Rows
from training.tagger.features import example_of
from training.tagger.finetune import Material
from training.trainer.settings import FineTune, LossName


def material_of(rows: Rows) -> Material:
    return Material([example_of(row) for row in rows], rows.tag_names, "all")


@pytest.fixture
def settings(base: Callable[[str], Path]) -> FineTune:
    return FineTune(
        str(base("bert")), LossName.CE, epochs=1, batch_size=8, learning_rate=3e-3, max_length=64
    )
