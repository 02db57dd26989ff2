"""Acceptance, over all and by group, counted by hand."""

from collections.abc import Sequence

import pytest

from ml_backend.report.acceptance import Acceptance, Group, calibration_of, with_entries
from ml_backend.report.shares import Share
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
    assert (found.overall.accepted, found.overall.corrected) == (Share(2, 3), Share(1, 3))


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
