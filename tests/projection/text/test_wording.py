"""Counts, shares and names as people read them."""

import pytest

from projection.records import ConflictKind
from projection.text.wording import (
    CONFLICT_MEANINGS,
    CONFLICT_NAMES,
    NO_CONFLICT,
    counted,
    counts_in_words,
    in_words,
    percent,
    points,
)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (counted(1, "entity", "entities"), "1 entity"),
        (counted(2000, "entity", "entities"), "2,000 entities"),
        (counted(0, "sentence"), "0 sentences"),
        (in_words("none"), "no conflict"),
        (in_words("one_to_many"), "one-to-many"),
        (in_words("wrong_border"), "wrong border"),
        (counts_in_words({"one_to_many": 1, "overlap": 3}), "overlap 3, one-to-many 1"),
        (percent(None), "–"),
        (percent(0.0), "0 %"),
        (percent(0.004), "0.4 %"),
        (percent(0.5), "50 %"),
        (percent(0.996), "99.6 %"),
        (percent(1.0), "100 %"),
        (points(0.9162), "91.6"),
        (points(None), "–"),
    ],
)
def test_figures_and_names_in_words(made: str, said: str) -> None:
    assert made == said


def test_every_kind_of_conflict_has_a_name_and_a_meaning() -> None:
    assert set(CONFLICT_NAMES) == set(CONFLICT_MEANINGS) == {*ConflictKind, NO_CONFLICT}
    assert not any("_" in name for name in CONFLICT_NAMES.values())
