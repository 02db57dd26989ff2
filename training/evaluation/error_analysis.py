"""Strict scores of a tagger with intervals, its mistakes by kind, and comparisons of taggers.

The kinds are `wrong_border`, `wrong_label`, `missing` and `spurious`
(`projection.evaluation.matching.Outcome`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from projection.evaluation.matching import EXACT, MISTAKES, TAGGING_STEPS, Outcome, compare
from projection.evaluation.scores import DRAWS, Interval, bootstrap, f1_of, interval_of, resampled
from projection.io.records_json import Json
from projection.records import Entity, Span
from projection.text.iob2 import chunks
from training.data.rows import Row
from training.evaluation.tagging_scores import Tagged, TaggingScores, score

EXAMPLES = 5  # of each kind of mistake, in the JSON form
KINDS = tuple(kind for kind in MISTAKES if kind is not Outcome.WRONG_MENTION)

Name = tuple[str, str]
"""An entity as text: its tokens, joined by spaces, and its type."""


class TaggingMistake(NamedTuple):
    """A gold entity (None: spurious) and a prediction (None: missing) that is not equal to it.

    Spans count tokens of `row`.
    """

    outcome: Outcome
    row: Row
    gold: Entity | None
    predicted: Entity | None

    @property
    def place(self) -> tuple[int, int, bool]:
        """Sorts the mistakes of a sentence in the order of the text."""
        entity = self.gold or self.predicted
        assert entity is not None  # noqa: S101  a mistake has one of the two
        return entity.span.start, entity.span.end, self.gold is None

    def to_json(self) -> Json:
        """Return the sentence, and the phrases in it."""
        return {
            "id": self.row.id,
            "lang": self.row.lang,
            "sentence": " ".join(self.row.tokens),
            "gold": _phrase(self.row, self.gold),
            "predicted": _phrase(self.row, self.predicted),
        }


class Recall(NamedTuple):
    """The numbers of gold entities that were found exactly, and of all."""

    found: int
    of: int

    @property
    def share(self) -> float:
        """Between 0 and 1; 0 where there are none."""
        return self.found / self.of if self.of else 0.0

    def to_json(self) -> Json:
        """Return the counts and the share."""
        return {**self._asdict(), "share": self.share}


@dataclass(frozen=True, slots=True)
class ErrorAnalysis:
    """The scores and mistakes of a model on gold data.

    `counts` (sentences × 3) are the right, predicted and gold entities of each sentence, for
    resampling. `seen` and `unseen` are the recall of names that the training data have and of new
    ones, None without training data.
    """

    scores: TaggingScores
    interval: Interval
    by_language: dict[str, TaggingScores]
    mistakes: tuple[TaggingMistake, ...]
    seen: Recall | None
    unseen: Recall | None
    counts: NDArray[np.int64]

    def mistakes_of(self, kind: Outcome) -> list[TaggingMistake]:
        """Return the mistakes of one kind, in the order of the data."""
        return [mistake for mistake in self.mistakes if mistake.outcome is kind]

    def to_json(self, examples: int = EXAMPLES) -> Json:
        """Return a JSON object with the first `examples` of each kind of mistake."""
        found = {kind.value: self.mistakes_of(kind) for kind in KINDS}
        return {
            **self.scores.to_json(),
            "f1_interval": self.interval.to_json(),
            "by_language": {lang: scores.to_json() for lang, scores in self.by_language.items()},
            "mistakes": {
                kind: {"count": len(all_), "examples": [m.to_json() for m in all_[:examples]]}
                for kind, all_ in found.items()
            },
            "seen": None if self.seen is None else self.seen.to_json(),
            "unseen": None if self.unseen is None else self.unseen.to_json(),
        }


class Difference(NamedTuple):
    """The difference in F1 of two models on the same sentences, as a fraction.

    `p` is two-sided: the share of `DRAWS` resamplings without the difference.
    """

    f1: float
    interval: Interval
    p: float

    def to_json(self) -> Json:
        """Return a JSON object."""
        return {**self._asdict(), "interval": self.interval.to_json()}


def assess(tagged: Tagged, known: Collection[Name] | None = None) -> ErrorAnalysis:
    """Score the predictions of a model; `known` are the names of its training data."""
    gold = [_entities(row.tags) for row in tagged.rows]
    predicted = [_entities(tags) for tags in tagged.predicted]
    matches = [
        compare(truth, guess, TAGGING_STEPS) for truth, guess in zip(gold, predicted, strict=True)
    ]
    right = [{m.gold for m in found if m.outcome in EXACT} for found in matches]
    sizes = ([len(each) for each in side] for side in (right, predicted, gold))
    counts = np.array([*zip(*sizes, strict=True)], dtype=np.int64)
    mistakes: list[TaggingMistake] = []
    for row, truth, guess, found in zip(tagged.rows, gold, predicted, matches, strict=True):
        wrong = (
            TaggingMistake(
                match.outcome,
                row,
                None if match.gold is None else truth[match.gold],
                None if match.predicted is None else guess[match.predicted],
            )
            for match in found
            if match.outcome not in EXACT
        )
        mistakes += sorted(wrong, key=lambda mistake: mistake.place)
    seen, unseen = _by_acquaintance(tagged.rows, gold, right, known)
    return ErrorAnalysis(
        scores=tagged.scores,
        interval=bootstrap(counts),
        by_language=_by_language(tagged),
        mistakes=tuple(mistakes),
        seen=seen,
        unseen=unseen,
        counts=counts,
    )


def names_in(rows: Iterable[Row]) -> frozenset[Name]:
    """Return the names of all entities."""
    return frozenset(_name(row, entity) for row in rows for entity in _entities(row.tags))


def better_by(first: ErrorAnalysis, second: ErrorAnalysis) -> Difference:
    """Compare two models by the paired bootstrap (Koehn, 2004): both on the same draws.

    Raises ValueError if they were not scored on equally many sentences with the same gold.
    """
    if not np.array_equal(first.counts[:, 2:], second.counts[:, 2:]):
        raise ValueError("two models can only be compared on the same sentences")
    draws = resampled(np.hstack([first.counts, second.counts]))
    differences = f1_of(draws[:, :3]) - f1_of(draws[:, 3:])
    # One is added to either side: no number of draws proves that it never happens.
    tails = (1 + np.count_nonzero(differences <= 0), 1 + np.count_nonzero(differences >= 0))
    return Difference(
        f1=first.scores.f1 - second.scores.f1,
        interval=interval_of(differences),
        p=float(min(1.0, 2 * min(tails) / (1 + DRAWS))),
    )


def _entities(tags: Sequence[str]) -> list[Entity]:
    return [Entity(Span(chunk.start, chunk.end), chunk.label) for chunk in chunks(tags)]


def _by_language(tagged: Tagged) -> dict[str, TaggingScores]:
    languages = sorted({row.lang for row in tagged.rows})
    pairs = list(zip(tagged.rows, tagged.predicted, strict=True))
    return {
        lang: score(
            [row.tags for row, _ in pairs if row.lang == lang],
            [tags for row, tags in pairs if row.lang == lang],
        )
        for lang in languages
    }


def _by_acquaintance(
    rows: Sequence[Row],
    gold: Sequence[Sequence[Entity]],
    right: Sequence[Collection[int | None]],
    known: Collection[Name] | None,
) -> tuple[Recall | None, Recall | None]:
    if known is None:
        return None, None
    tally = {True: [0, 0], False: [0, 0]}
    for row, entities, hits in zip(rows, gold, right, strict=True):
        for index, entity in enumerate(entities):
            met = tally[_name(row, entity) in known]
            met[0] += index in hits
            met[1] += 1
    return Recall(*tally[True]), Recall(*tally[False])


def _name(row: Row, entity: Entity) -> Name:
    return " ".join(row.tokens[entity.span.start : entity.span.end]), entity.label


def _phrase(row: Row, entity: Entity | None) -> Json | None:
    if entity is None:
        return None
    text, label = _name(row, entity)
    return {"text": text, "label": label, "start": entity.span.start, "end": entity.span.end}
