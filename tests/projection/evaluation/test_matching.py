"""Gold entities and predictions are paired as well as possible, each once."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.evaluation.matching import PAIRS, TAGGING_STEPS, Outcome, compare
from projection.records import Entity
from tests.projection.evaluation.examples import Mark, entities, marks


@pytest.mark.parametrize(
    ("truth", "guess", "outcomes"),
    [
        pytest.param([(0, 4, "PER")], [(0, 4, "PER")], {"right": 1}, id="right"),
        pytest.param([(0, 4, "PER")], [(0, 5, "PER")], {"wrong_border": 1}, id="too long"),
        pytest.param([(0, 4, "PER")], [(1, 3, "PER")], {"wrong_border": 1}, id="inside"),
        pytest.param([(0, 4, "PER")], [(9, 12, "PER")], {"wrong_mention": 1}, id="elsewhere"),
        pytest.param([(0, 4, "PER")], [(4, 8, "PER")], {"wrong_mention": 1}, id="beside"),
        pytest.param([(0, 4, "PER")], [(0, 4, "LOC")], {"wrong_label": 1}, id="other label"),
        pytest.param([(0, 4, "PER")], [(3, 8, "LOC")], {"wrong_label": 1}, id="other in all"),
        pytest.param([(0, 4, "PER")], [], {"missing": 1}, id="missing"),
        pytest.param([], [(0, 4, "PER")], {"spurious": 1}, id="spurious"),
        pytest.param(
            [(0, 4, "PER")], [(9, 12, "LOC")], {"missing": 1, "spurious": 1}, id="nothing alike"
        ),
        pytest.param(
            [(0, 4, "PER")],
            [(0, 4, "PER"), (0, 4, "PER")],
            {"right": 1, "spurious": 1},
            id="said twice",
        ),
        pytest.param(
            [(0, 4, "PER")],
            [(0, 4, "PER"), (9, 12, "PER")],
            {"right": 1, "spurious": 1},
            id="one place too many",
        ),
        pytest.param(
            [(0, 4, "PER"), (9, 12, "PER")],
            [(0, 4, "PER"), (0, 4, "PER")],
            {"right": 1, "wrong_mention": 1},
            id="both mentions at the place of one",
        ),
        pytest.param(
            [(0, 4, "PER"), (9, 12, "LOC")],
            [(0, 4, "LOC"), (9, 12, "PER")],
            {"wrong_mention": 2},
            id="each at the other's place",
        ),
        pytest.param(
            [(0, 4, "LOC"), (9, 12, "PER")],
            [(0, 4, "PER")],
            {"wrong_mention": 1, "missing": 1},
            id="a gold entity of its label is what it should have found",
        ),
        pytest.param(
            [(0, 4, "PER"), (5, 9, "PER")],
            [(0, 9, "PER")],
            {"wrong_border": 1, "missing": 1},
            id="two in one",
        ),
        pytest.param(
            [(0, 9, "PER")],
            [(0, 4, "PER"), (5, 9, "PER")],
            {"wrong_border": 1, "spurious": 1},
            id="one in two",
        ),
        pytest.param(
            [(0, 4, "PER"), (2, 6, "PER")],
            [(2, 6, "PER"), (5, 6, "PER")],
            {"right": 1, "wrong_mention": 1},
            id="right comes first, even if it costs an overlap",
        ),
    ],
)
def test_outcomes(truth: list[Mark], guess: list[Mark], outcomes: dict[str, int]) -> None:
    matches = compare(entities(*truth), entities(*guess))
    assert Counter(match.outcome.value for match in matches) == outcomes


def test_matches_say_who_met_whom() -> None:
    truth = entities((0, 4, "PER"), (5, 9, "LOC"), (10, 12, "ORG"))
    guess = entities((15, 16, "MISC"), (6, 9, "LOC"), (0, 4, "PER"))
    assert [(m.outcome.value, m.gold, m.predicted) for m in compare(truth, guess)] == [
        ("right", 0, 2),
        ("wrong_border", 1, 1),
        ("missing", 2, None),
        ("spurious", None, 0),
    ]


@pytest.mark.parametrize(
    ("truth", "guess", "pairs"),
    [
        pytest.param([], [(0, 4)], [], id="none"),
        pytest.param([(0, 4), (6, 8)], [(5, 9)], [(1, 0)], id="the first has no partner"),
        pytest.param([(0, 6), (0, 3)], [(2, 5), (4, 9)], [(0, 1), (1, 0)], id="the first moves on"),
        pytest.param([(0, 4), (1, 5)], [(2, 9)], [(0, 0)], id="the earlier gold entity"),
        pytest.param([(0, 9)], [(0, 4), (5, 9)], [(0, 0)], id="the earlier prediction"),
        pytest.param(
            [(0, 4), (3, 8), (0, 1), (5, 6)],
            [(0, 3), (1, 6), (7, 9)],
            [(0, 1), (1, 2), (2, 0)],
            id="a chain",
        ),
    ],
)
def test_of_equal_pairings_the_earliest_counts(
    truth: list[tuple[int, int]], guess: list[tuple[int, int]], pairs: list[tuple[int, int]]
) -> None:
    found = compare(
        *(entities(*((start, end, "PER") for start, end in side)) for side in (truth, guess)),
        kinds=TAGGING_STEPS,
    )
    paired = [(m.gold, m.predicted) for m in found if m.outcome is Outcome.WRONG_BORDER]
    assert paired == pairs


def outcome_of(gold: Entity, predicted: Entity) -> Outcome | None:
    """What the two make as a pair, as `Outcome` says."""
    if gold.label == predicted.label:
        if gold.span == predicted.span:
            return Outcome.RIGHT
        return Outcome.WRONG_BORDER if gold.span.overlaps(predicted.span) else Outcome.WRONG_MENTION
    return Outcome.WRONG_LABEL if gold.span.overlaps(predicted.span) else None


short_marks = st.lists(
    st.tuples(st.integers(0, 4), st.integers(5, 9), st.sampled_from(["PER", "LOC"])).map(
        lambda mark: (mark[0], mark[0] + mark[1] - 4, mark[2])
    ),
    max_size=4,
)


@pytest.mark.parametrize("kinds", [PAIRS, TAGGING_STEPS])
@given(short_marks, short_marks)
def test_no_better_pairing_is_possible(
    kinds: tuple[Outcome, ...], truth: list[Mark], guess: list[Mark]
) -> None:
    """Against every way of handing out the predictions, or none, to the gold entities."""
    golds, guesses = entities(*truth), entities(*guess)
    places: list[Entity | None] = [*guesses, *[None] * len(golds)]
    best = max(
        tuple(
            sum(
                p is not None and outcome_of(g, p) is kind
                for g, p in zip(golds, each, strict=False)
            )
            for kind in kinds
        )
        for each in permutations(places, len(golds))
    )
    found = Counter(match.outcome for match in compare(golds, guesses, kinds))
    assert tuple(found[kind] for kind in kinds) == best


@given(marks, marks)
def test_nothing_is_counted_twice(truth: list[Mark], guess: list[Mark]) -> None:
    """Every gold entity and every prediction has exactly one outcome."""
    matches = compare(entities(*truth), entities(*guess))
    found = [m.gold for m in matches if m.gold is not None]
    used = [m.predicted for m in matches if m.predicted is not None]
    assert sorted(found) == list(range(len(truth)))
    assert sorted(used) == list(range(len(guess)))
    for match in matches:
        assert (match.gold is None) == (match.outcome is Outcome.SPURIOUS)
        assert (match.predicted is None) == (match.outcome is Outcome.MISSING)
