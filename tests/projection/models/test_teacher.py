"""Which teacher looks for named types, and what is refused before anything is loaded."""

from importlib.util import find_spec

import pytest

from projection.errors import SpanferryError
from projection.models.teacher import check_teacher, load_teacher


@pytest.mark.parametrize(
    ("teacher", "types", "said"),
    [
        pytest.param(
            None,
            ["drug"],
            "entity types: drug: only a GLiNER teacher looks for types that are named. "
            "Name one with --teacher gliner:…",
            id="no GLiNER teacher",
        ),
        pytest.param(
            "gliner:a/b",
            [],
            "gliner:a/b: looks for the types it is told, and none are. "
            "Pass --types, or SPANFERRY_BACKEND_TYPES",
            id="no types",
        ),
        pytest.param(
            "gliner:a/b",
            ["drug", "drug "],
            "gliner:a/b: the entity type 'drug' is given twice. "
            "Correct --types, or SPANFERRY_BACKEND_TYPES",
            id="a type twice",
        ),
        pytest.param(
            "gliner:a/b",
            ["B-PER"],
            "gliner:a/b: the entity type 'B-PER' is the tag of a token, not an entity type. "
            "Correct --types, or SPANFERRY_BACKEND_TYPES",
            id="a tag",
        ),
        pytest.param("gliner:a/b", [" "], "[0, 1): an entity without a label", id="a blank"),
    ],
)
def test_types_and_teacher_must_fit(teacher: str | None, types: list[str], said: str) -> None:
    with pytest.raises(SpanferryError) as refused:
        load_teacher(teacher, types=types)
    assert str(refused.value) == said


@pytest.mark.skipif(find_spec("gliner") is not None, reason="gliner is installed")
def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(
        SpanferryError, match=r"is not installed\. pip install 'spanferry\[gliner\]'"
    ):
        check_teacher("gliner:a/b", ["drug"])
