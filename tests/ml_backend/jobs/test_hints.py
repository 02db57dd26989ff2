"""Hints: left at once by any process, once each, and never lost to the one that reads them."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from ml_backend.jobs.hints import MOST_HINTS, Hint, Hints


@pytest.fixture
def hints(tmp_path: Path) -> Hints:
    return Hints(tmp_path / "hints")


def test_a_hint_is_left_once_for_each_project_and_kind(hints: Hints, tmp_path: Path) -> None:
    for _ in range(3):
        assert hints.leave(5, Hint.ASKED)
        assert hints.leave(5, Hint.REVIEWED)
        assert hints.leave(6, Hint.ASKED)
    (tmp_path / "hints" / "x.asked").touch()  # of somebody else
    os.utime(tmp_path / "hints" / "6.asked", (1, 1))
    assert next(iter(hints.left())) == (6, Hint.ASKED), "the oldest first"
    assert hints.left().keys() == {(5, Hint.ASKED), (5, Hint.REVIEWED), (6, Hint.ASKED)}


def test_one_that_is_left_again_meanwhile_is_not_removed(hints: Hints) -> None:
    hints.leave(5, Hint.ASKED)
    seen = hints.left()[5, Hint.ASKED]
    hints.remove(5, Hint.ASKED, seen - 1)
    assert hints.left() == {(5, Hint.ASKED): seen}
    for _ in range(2):
        hints.remove(5, Hint.ASKED, seen)
        assert hints.left() == {}


def test_many_at_once_are_bounded_and_known_ones_are_taken_all_the_same(hints: Hints) -> None:
    with ThreadPoolExecutor(8) as threads:
        left = [*threads.map(partial(hints.leave, hint=Hint.ASKED), range(1, 2 * MOST_HINTS))]
    assert MOST_HINTS <= sum(left) == len(hints.left()) <= MOST_HINTS + 8
    assert hints.leave(next(iter(hints.left()))[0], Hint.ASKED)
