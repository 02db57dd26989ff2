"""Pairing gold entities with predicted ones."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from projection.records import Entity


class Outcome(StrEnum):
    """The outcome of a gold entity, or of a prediction.

    Within a sentence, gold entities and predictions are paired, each at most once: first as many as
    possible that are right, then as many as possible of the next kind, and so on. Of equally good
    pairings the one with the earliest entities counts.

    - right: same label, same borders.
    - wrong_border: same label, they overlap.
    - wrong_mention: same label, they do not overlap. Gold does not say which target entity
      translates which source entity; the label stands in for that.
    - wrong_label: they overlap, the labels differ, and no gold entity of the predicted label is
      left.
    - missing: gold without a partner.
    - spurious: a prediction without a partner.

    So recall is lost to all mistakes but spurious, precision to all but missing.
    """

    RIGHT = "right"
    WRONG_BORDER = "wrong_border"
    WRONG_MENTION = "wrong_mention"
    WRONG_LABEL = "wrong_label"
    MISSING = "missing"
    SPURIOUS = "spurious"


PAIRS = (Outcome.RIGHT, Outcome.WRONG_BORDER, Outcome.WRONG_MENTION, Outcome.WRONG_LABEL)
# For taggers, whose predictions cannot stand for an entity elsewhere.
TAGGING_STEPS = (Outcome.RIGHT, Outcome.WRONG_BORDER, Outcome.WRONG_LABEL)
EXACT = frozenset({Outcome.RIGHT})
RELAXED = frozenset({Outcome.RIGHT, Outcome.WRONG_BORDER})
MISTAKES = tuple(outcome for outcome in Outcome if outcome not in EXACT)


class Match(NamedTuple):
    """The position of a gold entity, of a prediction, or of both that were paired."""

    outcome: Outcome
    gold: int | None
    predicted: int | None


def compare(
    gold: Sequence[Entity], predicted: Sequence[Entity], kinds: Collection[Outcome] = PAIRS
) -> list[Match]:
    """Pair the gold entities of one sentence with the predicted ones, as `Outcome` says.

    Returns pairs of the given kinds by outcome and in the order of the gold, then missing and
    spurious ones.
    """
    pairs = _best_pairs([[_outcome(g, p, kinds) for p in predicted] for g in gold])
    paired_gold, paired_found = {m.gold for m in pairs}, {m.predicted for m in pairs}
    return [
        *sorted(pairs, key=lambda match: PAIRS.index(match.outcome)),
        *(Match(Outcome.MISSING, g, None) for g in range(len(gold)) if g not in paired_gold),
        *(Match(Outcome.SPURIOUS, None, p) for p in range(len(predicted)) if p not in paired_found),
    ]


def _outcome(gold: Entity, predicted: Entity, kinds: Collection[Outcome]) -> Outcome | None:
    """The best of `kinds` that these two make as a pair, if any."""
    overlap = gold.span.overlaps(predicted.span)
    if gold.label != predicted.label:
        found = Outcome.WRONG_LABEL if overlap else None
    elif gold.span == predicted.span:
        found = Outcome.RIGHT
    else:
        found = Outcome.WRONG_BORDER if overlap else Outcome.WRONG_MENTION
    return found if found in kinds else None


def _best_pairs(outcomes: Sequence[Sequence[Outcome | None]]) -> list[Match]:
    """Choose pairs from the outcomes of gold entities × predictions, in the order of gold.

    The assignment of the largest weight: a pair outweighs any number of pairs of the next kind, and
    a pair of the last kind all differences in position.
    """
    if not outcomes or not outcomes[0]:
        return []
    # scipy.optimize takes half a second to import, and the command line imports this module.
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    rows, columns = len(outcomes), len(outcomes[0])
    base = float(min(rows, columns) + 1)
    late = 0.5 / (base * (rows + columns))  # per position
    weights = np.array(
        [
            [
                0.0 if o is None else base ** (len(PAIRS) - 1 - PAIRS.index(o)) - late * (g + p)
                for p, o in enumerate(row)
            ]
            for g, row in enumerate(outcomes)
        ]
    )
    return [
        Match(outcome, int(g), int(p))
        for g, p in zip(*linear_sum_assignment(weights, maximize=True), strict=True)
        if (outcome := outcomes[g][p]) is not None
    ]
