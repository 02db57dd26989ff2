"""Acceptance, over all and by group, counted by hand."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ml_backend.report.acceptance import (
    Acceptance,
    Group,
    Share,
    calibration_of,
    with_entries,
)
from projection.records import Entity, ReviewedSentence, ReviewStatus, Span
from tests.ml_backend.reviews import (
    ALL,
    ANNA,
    BERN,
    LOST,
    LOW,
    RIGHT,
    SIEMENS,
    SIEMENS_ORG,
    WEBER,
    by_person,
    review,
)  # fmt: skip


def accepted(*reviewed: ReviewedSentence) -> Acceptance:
    return Acceptance.of(with_entries(reviewed))


def shares(groups: Sequence[Group]) -> dict[str, tuple[Share | None, Share]]:
    return {group.name: (group.accepted, group.kept) for group in groups}


def test_acceptance_by_conflict_counts_a_sentence_under_each_of_its_kinds() -> None:
    found = accepted(
        review(ALL, ALL),
        review(ALL, RIGHT, number=2, conflicts=(LOST, LOW)),
        review(ALL, ALL, number=3, conflicts=(LOW,)),
    )
    assert shares(found.by["conflict"]) == {
        "none": (Share(1, 1), Share(3, 3)),
        "failed_mapping": (Share(0, 1), Share(2, 3)),
        "low_confidence": (Share(1, 2), Share(5, 6)),
    }
    assert [group.name for group in found.by["conflict"]] == [
        "none",
        "failed_mapping",
        "low_confidence",
    ]
    assert found.overall.accepted == Share(2, 3)
    assert found.overall.to_json()["corrected"] == Share(1, 3).to_json()


def test_by_language_and_by_model() -> None:
    found = accepted(review(ALL, ALL), review(ALL, RIGHT, number=2, lang="nl"))
    assert shares(found.by["language"]) == {
        "de": (Share(1, 1), Share(3, 3)),
        "nl": (Share(0, 1), Share(2, 3)),
    }
    assert shares(found.by["model"]) == {"spanferry-1": (Share(1, 2), Share(5, 6))}


def test_by_type_what_was_added_counts_under_its_own() -> None:
    found = accepted(review([SIEMENS, WEBER], [SIEMENS_ORG, ANNA, BERN]))
    assert {group.name: dict(group.changes) for group in found.by["type"]} == {
        "LOC": {"relabelled": 1, "added": 1},
        "PER": {"border_moved": 1},
    }
    assert shares(found.by["type"])["LOC"] == (None, Share(0, 1))


def test_by_confidence_borders_open_a_band() -> None:
    places = [Entity(Span(i, i + 1), "LOC", score) for i, score in enumerate((0.5, 0.49, 1.0))]
    unsure = Entity(Span(9, 10), "LOC")
    found = accepted(review([*places, unsure], [places[0]]))
    assert [(group.name, group.kept) for group in found.by["confidence"]] == [
        ("below 50 %", Share(0, 1)),
        ("50 to 80 %", Share(1, 1)),
        ("99 % and above", Share(0, 1)),
        ("no confidence given", Share(0, 1)),
    ]


@pytest.mark.parametrize(
    "nothing",
    [
        pytest.param(review(ALL, (), status=ReviewStatus.SKIPPED), id="skipped"),
        pytest.param(review(ALL, ALL, status=ReviewStatus.UNUSABLE), id="unusable"),
        pytest.param(review(ALL, ALL, status=ReviewStatus.UNSEEN, annotator=""), id="unseen"),
        pytest.param(review(None, RIGHT), id="no prediction"),
    ],
)
def test_where_no_proposal_was_decided_nothing_is_accepted_nor_rejected(
    nothing: ReviewedSentence,
) -> None:
    found = accepted(nothing, review(ALL, ALL, number=2))
    assert (found.overall.accepted, found.overall.kept) == (Share(1, 1), Share(3, 3))
    assert found.unaided == (nothing.predicted is None)


def test_calibration_compares_confidence_with_what_was_kept() -> None:
    figures = calibration_of(with_entries([review([ANNA, SIEMENS], [ANNA, SIEMENS_ORG])]))
    assert figures is not None
    assert [(b.n, b.confidence, b.right) for b in figures.bins] == [
        (1, 0.55, 0.0),
        (1, 0.97, 1.0),
    ]


def test_without_confidences_there_is_no_calibration() -> None:
    assert calibration_of(with_entries([review(by_person(*ALL), ALL)])) is None


def test_wilson_by_hand() -> None:
    """Wilson (1927) for 8 of 10, as any table has it."""
    low, high = Share(8, 10).interval or (0, 0)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_a_share_as_text() -> None:
    assert str(Share(412, 1496)) == "412 of 1,496"


def test_nothing_of_nothing_has_no_value() -> None:
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_around_the_share(counts: tuple[int, int]) -> None:
    share = Share(*counts)
    low, high = share.interval or (1, 0)
    assert share.value is not None
    assert 0 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert Share(*counts).interval == pytest.approx((expected.low, expected.high), abs=1e-6)
