"""The parts of the data that recipes learn from, in the small language."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from training.data.rows import Rows
from training.tagger.training_data import TrainingData

Data = Callable[[int, int], Rows]


@pytest.fixture(scope="module")
def data(made_data: Data) -> TrainingData:
    """English is the small language, too; pseudo-labels come from two corpora, without the last
    name of each sentence in one of them."""
    rows = made_data(40, 2).rows
    pseudo = [
        replace(
            r,
            status="projected",
            origin=f"{'ab'[i % 2]}:{i}",
            confidence=tuple(0.5 if tag != "O" else 1.0 for tag in r.tags),
        )
        for i, r in enumerate(rows)
    ]
    return TrainingData(
        english=made_data(30, 1),
        pseudo=Rows.of(pseudo),
        reviewed=made_data(20, 3),
        unlabelled=made_data(24, 4),
        translations={"haus": "huis", "heute": "vandaag"},
    )
