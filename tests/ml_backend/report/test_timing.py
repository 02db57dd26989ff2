"""How long annotators take for a decision."""

from ml_backend.report.timing import Times
from projection.records import ReviewStatus
from tests.ml_backend.reviews import ALL, LOST, LOW, RIGHT, review


def test_times_have_median_and_quartiles_and_say_what_is_set_aside() -> None:
    seconds: list[float | None] = [4.0, 6.0, 8.0, 10.0, 600.0, 600.1, None, 0.0, -1.0]
    times = Times.of([review(ALL, ALL, number=n, seconds=s) for n, s in enumerate(seconds)])
    assert times.overall is not None
    spread = times.overall
    assert (spread.n, spread.lower, spread.median, spread.upper) == (5, 6.0, 8.0, 10.0)
    assert (times.idle, times.untimed, times.seconds) == (1, 3, 628.0)


def test_times_are_cut_by_decision_conflict_and_language() -> None:
    times = Times.of(
        [
            review(ALL, ALL, seconds=3),
            review(ALL, RIGHT, seconds=9, conflicts=(LOW, LOST), lang="nl"),
            review(ALL, RIGHT, seconds=5, status=ReviewStatus.UNUSABLE),
            review(ALL, RIGHT, seconds=7, status=ReviewStatus.SKIPPED),
        ]
    )
    assert [(s.name, s.median) for s in times.by["decision"]] == [
        ("accepted", 3), ("corrected", 9), ("unusable", 5),
    ]  # fmt: skip
    assert [(s.name, s.median) for s in times.by["conflict"]] == [
        ("none", 4), ("failed_mapping", 9), ("low_confidence", 9),
    ]  # fmt: skip
    assert [(s.name, s.median) for s in times.by["language"]] == [("de", 4), ("nl", 9)]
