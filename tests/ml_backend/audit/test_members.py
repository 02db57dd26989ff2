"""The tasks of a sample, and what cannot be read of them."""

import pytest

from ml_backend.audit.members import member_of
from projection.errors import ReviewError
from projection.records import UnreadableReview
from tests.ml_backend.audit.tasks import VERSION, draw, reviewed, task


def test_an_annotation_that_cannot_be_read_is_not_a_review() -> None:
    [drawn] = draw([task(1)], 1)
    unreadable: list[UnreadableReview] = []
    assert member_of(reviewed(drawn), VERSION, "project", unreadable).state == "reviewed"
    assert unreadable == []

    damaged = reviewed(drawn)
    damaged["annotations"][0]["result"][0]["value"]["end"] = 900
    assert member_of(damaged, VERSION, "project", unreadable).state == "waiting"
    assert [each.annotation_id for each in unreadable] == [10]


@pytest.mark.parametrize(
    "marks",
    [{"audit_stratum": "de high"}, {"audit_threshold": "high"}, {"audit_stratum_size": "a"}],
)
def test_damaged_marks_are_named(marks: dict[str, str]) -> None:
    [drawn] = draw([task(1)], 1)
    drawn["data"].update(marks)
    with pytest.raises(ReviewError, match=r"task 1 audit_.*Draw a new audit"):
        member_of(drawn, VERSION, "project", [])
