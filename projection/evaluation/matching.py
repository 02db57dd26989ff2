"""Gold entities paired with predicted ones, one outcome each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from projection.records import Entity


class Outcome(StrEnum):
    """What became of a gold entity, or of a prediction.

    Within a sentence, gold entities and predictions are paired in this order, each at most once,
    in every step as many as possible:

    - right: same label, same borders.
    - wrong_border: same label, they overlap.
    - wrong_mention: same label, the prediction stands elsewhere: at the place of another gold
      entity, or where gold has nothing. Gold does not say which target entity translates which
      source entity; the label, which projection carries over, stands in for that.
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


Pairable = Callable[[Entity, Entity], bool]

Steps = tuple[tuple[Outcome, Pairable], ...]

STEPS: Steps = (
    (Outcome.RIGHT, lambda g, p: g.label == p.label and g.span == p.span),
    (Outcome.WRONG_BORDER, lambda g, p: g.label == p.label and g.span.overlaps(p.span)),
    (Outcome.WRONG_MENTION, lambda g, p: g.label == p.label),
    (Outcome.WRONG_LABEL, lambda g, p: g.span.overlaps(p.span)),
)
# For taggers, which find entities in place: no prediction stands for an entity elsewhere.
TAGGING_STEPS: Steps = tuple(step for step in STEPS if step[0] is not Outcome.WRONG_MENTION)
EXACT = frozenset({Outcome.RIGHT})
RELAXED = frozenset({Outcome.RIGHT, Outcome.WRONG_BORDER})
MISTAKES = tuple(outcome for outcome in Outcome if outcome not in EXACT)


@dataclass(frozen=True, slots=True)
class Match:
    """One step's finding: positions among the gold entities and among the predictions."""

    outcome: Outcome
    gold: int | None
    predicted: int | None


def compare(
    gold: Sequence[Entity], predicted: Sequence[Entity], steps: Steps = STEPS
) -> list[Match]:
    """Pair the gold entities of one sentence with what was predicted, as `Outcome` says."""
    matches: list[Match] = []
    gold_left, predicted_left = list(range(len(gold))), list(range(len(predicted)))
    for outcome, pairable in steps:
        wanted = {
            g: [p for p in predicted_left if pairable(gold[g], predicted[p])] for g in gold_left
        }
        for g, p in most_pairs(wanted).items():
            matches.append(Match(outcome, g, p))
            gold_left.remove(g)
            predicted_left.remove(p)
    matches += [Match(Outcome.MISSING, g, None) for g in gold_left]
    matches += [Match(Outcome.SPURIOUS, None, p) for p in predicted_left]
    return matches


def most_pairs(wanted: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """As many pairs as possible of a key with one of the values it wants, no value twice.

    Augmenting paths (Kuhn 1955): a key that finds its values taken asks their holders to move on.
    The earlier key and the earlier value win where that costs no pair.
    """
    holder: dict[int, int] = {}

    def settle(key: int, asked: set[int]) -> bool:
        for value in wanted[key]:
            if value not in asked:
                asked.add(value)
                if value not in holder or settle(holder[value], asked):
                    holder[value] = key
                    return True
        return False

    for key in wanted:
        settle(key, set())
    return dict(sorted((key, value) for value, key in holder.items()))
