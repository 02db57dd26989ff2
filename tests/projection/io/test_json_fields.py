"""A JSON object is read field by field, and errors name the place."""

from collections.abc import Callable
from enum import StrEnum

import pytest

from projection.errors import CorpusError, ReviewError
from projection.io.json_fields import Fields


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        (Fields.text, 7, "here:1 x: 7 where text should be"),
        (Fields.integer, True, "here:1 x: True where a whole number should be"),
        (Fields.number, "1", "here:1 x: '1' where a number should be"),
        (Fields.number, 10**400, "where a smaller number should be"),
        (Fields.texts, ["a", 1], "where a list of texts should be"),
        (Fields.language, 7, "here:1 x: 7 where text should be"),
        (Fields.language, "German", r"here:1 x: 'German' is no language tag. Did you mean de\?"),
        (Fields.child, [], r"here:1 x: \[\] where an object should be"),
        (lambda fields, key: fields.choice(key, Colour), "blue", "'blue' is none of red"),
    ],
)
def test_a_wrong_type_is_named(
    read: Callable[[Fields, str], object], value: object, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        read(Fields({"x": value}, "here:1"), "x")


def test_null_and_absent_are_none_only_where_that_is_allowed() -> None:
    for fields in (Fields({"x": None}, "here:1"), Fields({}, "here:1")):
        assert fields.text_or_none("x") is fields.integer_or_none("x") is None
        assert fields.number_or_none("x") is None
        assert not fields.has("x")
    with pytest.raises(CorpusError, match="here:1 x: missing"):
        Fields({}, "here:1").text("x")


def test_nested_objects_name_their_way_and_keep_error_and_fix() -> None:
    fields = Fields({"a": {"b": [{"c": 1}]}}, "task 3", ReviewError, "Push it again")
    (inner,) = fields.child("a").children("b")
    with pytest.raises(ReviewError, match=r"task 3\.a\.b\[0\] c: 1 where text .*Push it again"):
        inner.text("c")
