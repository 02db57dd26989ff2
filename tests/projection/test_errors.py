"""Errors say where, what and the fix."""

import pickle

import pytest

from projection import errors
from projection.errors import SpanferryError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize(
    ("fix", "line"),
    [
        pytest.param("Add it", "a.tmx:3: no xml:lang. Add it", id="where, what, fix"),
        pytest.param("", "a.tmx:3: no xml:lang", id="nothing to fix"),
    ],
)
def test_an_error_is_one_line(fix: str, line: str) -> None:
    assert str(SpanferryError("a.tmx:3", "no xml:lang", fix)) == line


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_command_line_catches_every_kind_as_one(kind: type[SpanferryError]) -> None:
    error = kind("model", "damaged")
    assert isinstance(error, SpanferryError)
    assert (error.where, error.what, error.fix) == ("model", "damaged", "")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_of_another_process_arrives_whole(kind: type[SpanferryError]) -> None:
    error = kind("a.tmx:3", "no xml:lang", "Add it")
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), str(found), found.fix) == (kind, str(error), "Add it")
