"""Engines give the lines of batches in the order of the batches."""

from collections.abc import Iterator

from projection.pipeline.conflicts import Policy
from projection.pipeline.engines import Batch, local
from tests.projection.pipeline.run_examples import NOWHERE, FixedProjector, mixed


def test_batches_are_taken_one_by_one_and_answered_in_order() -> None:
    taken = []

    def batches() -> Iterator[Batch]:
        for start in (0, 4, 8):
            taken.append(start)
            yield mixed(12)[start : start + 4]

    projector = FixedProjector(NOWHERE)
    results = local(projector, Policy.DROP)(batches())
    first = next(results)
    assert taken == [0]
    assert ["dropped" in row for row in first] == [False, False, False, True]
    assert [len(rows) for rows in results] == [4, 4]
