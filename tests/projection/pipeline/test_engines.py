"""Engines give the lines of batches in the order of the batches."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from projection.pipeline.conflicts import Policy
from projection.pipeline.engines import Batch, in_order, local
from projection.pipeline.run_summary import RunRow
from tests.projection.pipeline.run_examples import NOWHERE, FixedProjector, mixed


def test_batches_are_taken_one_by_one() -> None:
    taken = []

    def batches() -> Iterator[Batch]:
        for start in (0, 4, 8):
            taken.append(start)
            yield mixed(12)[start : start + 4]

    results = local(FixedProjector(NOWHERE), Policy.DROP)(batches())
    first = next(results)
    assert taken == [0]
    assert ["dropped" in row for row in first] == [False, False, False, True]
    assert [len(rows) for rows in results] == [4, 4]


class AnyOrder:
    """A pool whose workers take as long as they are told."""

    def __init__(self, size: int, choices: list[int]) -> None:
        self.size, self.most = size, 0
        self._choices, self._busy = iter(choices), list[tuple[int, Batch]]()

    def give(self, number: int, batch: Batch) -> None:
        self._busy.append((number, batch))
        assert len(self._busy) <= self.size

    def take(self) -> list[tuple[int, list[RunRow]]]:
        choice = next(self._choices, 0)
        if choice == 3:
            self.size += 1  # a worker joins
            return []
        number, batch = self._busy.pop(choice % len(self._busy))
        return [(number, [{"id": sentence.id} for sentence in batch])]


@given(st.integers(1, 4), st.integers(0, 30), st.lists(st.integers(0, 3)))
def test_whoever_is_first_the_order_is_that_of_the_corpus(
    size: int, count: int, choices: list[int]
) -> None:
    read = written = 0

    def batches() -> Iterator[Batch]:
        nonlocal read
        for each in mixed(count):
            read += 1
            assert read - written <= 3 * pool.size, "memory does not grow"
            yield [each]

    pool = AnyOrder(size, choices)
    for [row] in in_order(batches(), pool):
        assert row["id"] == str(written)
        written += 1
    assert written == count
