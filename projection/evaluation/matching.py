"""Gold entities paired with predicted ones, one outcome each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from projection.records import Entity


class Outcome(StrEnum):
    """The outcome of a gold entity, or of a prediction.

    Within a sentence, gold entities and predictions are paired, each at most once: first as many as
    possible that are right, then as many as possible of the next kind, and so on. Of equally good
    pairings the one with the earliest entities counts.

    - right: same label, same borders.
    - wrong_border: same label, they overlap.
    - wrong_mention: same label, the prediction stands elsewhere: at the place of another gold
      entity, or where gold has nothing. Gold does not say which target entity translates which
      source entity; the label, which is projected too, stands in for that.
    - wrong_label: they overlap, the labels differ, and no gold entity of the predicted label is
      left to be found: the two sides were annotated differently.
    - missing: gold without a partner. Nothing was projected there, or only what is already
      another entity's partner.
    - spurious: a prediction without a partner. It overlaps no gold, or only gold that has one.

    So recall is lost to wrong_border + wrong_mention + wrong_label + missing, precision to
    wrong_border + wrong_mention + wrong_label + spurious, and nothing is counted twice.
    """

    RIGHT = "right"
    WRONG_BORDER = "wrong_border"
    WRONG_MENTION = "wrong_mention"
    WRONG_LABEL = "wrong_label"
    MISSING = "missing"
    SPURIOUS = "spurious"


PAIRS = (Outcome.RIGHT, Outcome.WRONG_BORDER, Outcome.WRONG_MENTION, Outcome.WRONG_LABEL)
# For taggers, which find entities in place: no prediction stands for an entity elsewhere.
TAGGING_STEPS = (Outcome.RIGHT, Outcome.WRONG_BORDER, Outcome.WRONG_LABEL)
EXACT = frozenset({Outcome.RIGHT})
RELAXED = frozenset({Outcome.RIGHT, Outcome.WRONG_BORDER})
MISTAKES = tuple(outcome for outcome in Outcome if outcome not in EXACT)


@dataclass(frozen=True, slots=True)
class Match:
    """The position of a gold entity, of a prediction, or of both that were paired."""

    outcome: Outcome
    gold: int | None
    predicted: int | None


def compare(
    gold: Sequence[Entity], predicted: Sequence[Entity], kinds: Collection[Outcome] = PAIRS
) -> list[Match]:
    """Pair the gold entities of one sentence with what was predicted, as `Outcome` says.

    Returns pairs of the given kinds in the order of their outcomes and of the gold, then what is
    missing, then what is spurious.
    """
    pairs = _best_pairs([[_outcome(g, p, kinds) for p in predicted] for g in gold])
    paired_gold, paired_predicted = {m.gold for m in pairs}, {m.predicted for m in pairs}
    return [
        *sorted(pairs, key=lambda match: PAIRS.index(match.outcome)),
        *(Match(Outcome.MISSING, g, None) for g in range(len(gold)) if g not in paired_gold),
        *(
            Match(Outcome.SPURIOUS, None, p)
            for p in range(len(predicted))
            if p not in paired_predicted
        ),
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
    """Choose pairs from the outcomes of all gold entities × predictions, in the order of gold.

    One assignment of the largest weight: a pair outweighs any number of pairs of the next kind, and
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
