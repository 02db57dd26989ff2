"""What a run counts of each part adds up, and is read back."""

from collections import Counter

from projection.io.json_fields import Fields
from projection.pipeline.conflicts import Policy
from projection.pipeline.engines import project_batch
from projection.pipeline.run_summary import RunCounts
from tests.projection.pipeline.run_examples import NOWHERE, FixedProjector, mixed


def counts_of(start: int, end: int) -> RunCounts:
    projector, counts = FixedProjector(NOWHERE), RunCounts()
    rows = project_batch(mixed(end)[start:], projector, Policy.FLAG)
    counts.count(rows, projector.needs_windows)
    return counts


def test_the_counts_of_parts_add_up() -> None:
    total = counts_of(0, 8)
    total.add(counts_of(8, 20))
    assert total == counts_of(0, 20)
    assert total.read == 20
    assert total.sentences == Counter(
        kept=12, flagged=4, dropped=4, entities=12, target=0, teacher=16, windowed=0
    )


def test_counts_are_read_back() -> None:
    counts = counts_of(0, 20)
    assert RunCounts.of(Fields(counts.to_json(), "parts.json")) == counts
    assert list(counts.to_json()["sentences"]) == sorted(counts.sentences)
