"""How well entities were projected, measured against gold on both sides.

A projected entity is right if its label and both its borders are: the strict scoring of CoNLL,
micro-averaged over all entities. Relaxed scores ask for the label and one shared character. Every
entity that is not right is a mistake of exactly one kind, see `Outcome`.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from projection.corpus import sentence_of
from projection.fields import Fields
from projection.files import read_jsonl
from projection.json_form import Json, decode_entities, encode_entity
from projection.records import Entity, ParallelSentence, Projection, Span
from projection.words import word_spans

if TYPE_CHECKING:  # composes what runs models, and scoring runs none
    from projection.projector import Aligns

BATCH = 64  # sentences handed to an aligner at a time
LEVEL, DRAWS, SEED = 0.95, 1000, 0
EXAMPLES = 3  # of each kind of mistake


@dataclass(frozen=True, slots=True)
class GoldSentence:
    """A sentence pair with gold entities on both sides; the source's are `sentence.entities`.

    The tokens are the gold's own, where it has any. `consistent` is False where the two sides were
    annotated independently and disagree.
    """

    sentence: ParallelSentence
    target_entities: tuple[Entity, ...]
    source_tokens: tuple[Span, ...] | None = None
    target_tokens: tuple[Span, ...] | None = None
    consistent: bool = True

    @property
    def source_words(self) -> tuple[Span, ...]:
        """What word aligners count in the source: its tokens, or else our words."""
        if self.source_tokens is not None:
            return self.source_tokens
        return word_spans(self.sentence.source, self.sentence.source_lang)

    @property
    def target_words(self) -> tuple[Span, ...]:
        """The same in the target."""
        if self.target_tokens is not None:
            return self.target_tokens
        return word_spans(self.sentence.target, self.sentence.target_lang)


def read_gold(path: Path, on_skip: Callable[[str], None] | None = None) -> list[GoldSentence]:
    """Read the consistent sentences of a gold file; `on_skip` is told the place of each other.

    Raises:
        CorpusError: as `read_every_gold`.
    """
    gold = []
    for sentence in read_every_gold(path):
        if sentence.consistent:
            gold.append(sentence)
        elif on_skip is not None:
            on_skip(sentence.sentence.origin)
    return gold


def read_every_gold(path: Path) -> Iterator[GoldSentence]:
    """Stream sentence pairs with gold entities on both sides, inconsistent ones as well.

    A line is `{"id", "source": {"text", "entities"}, "target": {"text", "entities"}, "source_lang",
    "lang"}`. Both sides may bring `tokens`: their text but for white space; tokens of nothing but
    white space do not count. A line that says `"consistent_labels": false` is not `consistent`.

    Raises:
        CorpusError: naming file, line and field.
    """
    for number, row in read_jsonl(path):
        yield _gold_sentence(Fields(row, f"{path}:{number}"), f"{path.name}:{number}")


def _gold_sentence(fields: Fields, origin: str) -> GoldSentence:
    sentence = sentence_of(fields, origin)
    if sentence.entities is None:
        raise fields.error_here("no gold source entities", "Add source.entities, even if []")
    target = fields.child("target")
    nested = isinstance(fields.row["source"], Mapping)
    return GoldSentence(
        sentence,
        decode_entities(target, "entities", sentence.target),
        _tokens(fields.child("source"), sentence.source) if nested else None,
        _tokens(target, sentence.target),
        consistent=fields.row.get("consistent_labels") is not False,
    )


def _tokens(side: Fields, text: str) -> tuple[Span, ...] | None:
    """Where each token stands: one walk over the text, which must be spelt by the tokens."""
    if not side.has("tokens"):
        return None
    spans: list[Span] = []
    end = 0
    for index, token in enumerate(side.texts("tokens")):
        if not token.strip():  # no aligner would count it: between spaces it is not there
            continue
        start = _visible_from(text, end)
        end = start + len(token)
        if text[start:end] != token:
            raise side.error(
                f"tokens[{index}]",
                f"{token!r:.40} where the text has {text[start:end]!r:.40}",
                "Make tokens and text agree, or leave the tokens out",
            )
        spans.append(Span(start, end))
    if (rest := text[end:].strip()) != "":
        raise side.error("tokens", f"end before {rest!r:.40}", "Add the tokens that are missing")
    return tuple(spans)


def _visible_from(text: str, start: int) -> int:
    """The first character from `start` on that is no white space, or the end of the text."""
    return next((i for i in range(start, len(text)) if not text[i].isspace()), len(text))


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


@dataclass(frozen=True, slots=True)
class Scores:
    """Fractions in [0, 1]; 0 where undefined (nothing predicted, no gold), as seqeval has it.

    `support` is the number of gold entities.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class ScoresByType(Scores):
    """The same over all entities and by label."""

    by_type: Mapping[str, Scores]


@dataclass(frozen=True, slots=True)
class ProjectionScores(ScoresByType):
    """Exact scores, and beside them the relaxed ones and what could be reached.

    `ceiling` is the F1 of an oracle that projects every gold source entity, always to the right
    place, but can neither invent entities nor relabel them. It is below 1 where the two sides were
    annotated differently.
    """

    relaxed: ScoresByType
    ceiling: float
    sentences: int

    @property
    def of_ceiling(self) -> float:
        """F1 by the ceiling. Above 1 if what gold has on one side only was wisely not projected."""
        return self.f1 / self.ceiling if self.ceiling else 0.0

    def to_json(self) -> Json:
        """All of it, as fractions."""
        return {**asdict(self), "of_ceiling": self.of_ceiling}


def score(gold: Sequence[GoldSentence], predicted: Sequence[Sequence[Entity]]) -> ProjectionScores:
    """Score predicted target entities, one sequence for each gold sentence, in order.

    Raises:
        ValueError: if there are not as many predictions as gold sentences.
    """
    return _scores_of([_Judged.of(g, p) for g, p in zip(gold, predicted, strict=True)])


@dataclass(frozen=True, slots=True)
class _Judged:
    """A gold sentence beside what was predicted for it."""

    gold: GoldSentence
    predicted: Sequence[Entity]
    matches: Sequence[Match]

    @classmethod
    def of(cls, gold: GoldSentence, predicted: Sequence[Entity]) -> "_Judged":
        return cls(gold, predicted, compare(gold.target_entities, predicted))

    def labels_of(self, right: Collection[Outcome]) -> Iterator[str]:
        """The labels of the gold entities with such an outcome."""
        for match in self.matches:
            if match.outcome in right and match.gold is not None:
                yield self.gold.target_entities[match.gold].label

    def counts(self) -> tuple[int, int, int]:
        """How many are right, predicted, and in the gold."""
        right = sum(match.outcome in EXACT for match in self.matches)
        return right, len(self.predicted), len(self.gold.target_entities)


def _scores_of(judged: Sequence[_Judged]) -> ProjectionScores:
    exact = _by_type(judged, EXACT)
    return ProjectionScores(
        precision=exact.precision,
        recall=exact.recall,
        f1=exact.f1,
        support=exact.support,
        by_type=exact.by_type,
        relaxed=_by_type(judged, RELAXED),
        ceiling=ceiling(each.gold for each in judged),
        sentences=len(judged),
    )


def _by_type(judged: Sequence[_Judged], right: Collection[Outcome]) -> ScoresByType:
    hits = Counter(label for each in judged for label in each.labels_of(right))
    guesses = Counter(entity.label for each in judged for entity in each.predicted)
    truths = Counter(entity.label for each in judged for entity in each.gold.target_entities)
    overall = _scores(hits.total(), guesses.total(), truths.total())
    return ScoresByType(
        precision=overall.precision,
        recall=overall.recall,
        f1=overall.f1,
        support=overall.support,
        by_type={
            label: _scores(hits[label], guesses[label], truths[label])
            for label in sorted(guesses.keys() | truths.keys())
        },
    )


def ceiling(gold: Iterable[GoldSentence]) -> float:
    """F1 of the oracle described in `ProjectionScores`, from the labels of both sides alone."""
    hits = guesses = truths = 0
    for sentence in gold:
        source = Counter(entity.label for entity in sentence.sentence.entities or ())
        target = Counter(entity.label for entity in sentence.target_entities)
        hits += (source & target).total()
        guesses += source.total()
        truths += target.total()
    return _scores(hits, guesses, truths).f1


def _scores(hits: int, guesses: int, truths: int) -> Scores:
    return Scores(
        precision=hits / guesses if guesses else 0.0,
        recall=hits / truths if truths else 0.0,
        f1=2 * hits / (guesses + truths) if guesses + truths else 0.0,
        support=truths,
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies in `LEVEL` of `DRAWS` resamplings of the sentences, as fractions."""

    low: float
    high: float

    def to_json(self) -> Json:
        """With how it was drawn."""
        return {**asdict(self), "level": LEVEL, "draws": DRAWS, "seed": SEED}


def bootstrap(counts: NDArray[np.int64]) -> Interval:
    """The percentile interval of F1, sentences drawn with replacement (Efron 1979).

    Args:
        counts: (sentences, 3): right, predicted and gold entities of each.
    """
    if not len(counts):
        return Interval(0.0, 0.0)
    return interval_of(f1_of(resampled(counts)))


def resampled(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(draws, columns): the columns' sums over as many sentences, drawn with replacement.

    Args:
        counts: (sentences, columns), at least one sentence.
    """
    rng = np.random.default_rng(SEED)
    # One draw at a time: all at once would take draws × sentences of memory.
    sums = [counts[rng.integers(len(counts), size=len(counts))].sum(axis=0) for _ in range(DRAWS)]
    return np.array(sums)


def f1_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,): F1 of each row of right, predicted and gold entities (n, 3)."""
    right, predicted, gold = counts.T
    f1: NDArray[np.float64] = 2 * right / np.maximum(predicted + gold, 1)
    return f1


def interval_of(draws: NDArray[np.float64]) -> Interval:
    """What lies between the outer quantiles of the draws."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


@dataclass(frozen=True, slots=True)
class Mistake:
    """A gold entity that was not found as it is, a projection that is not right, or both at once.

    `gold` is None for what is spurious, `predicted` for what is missing.
    """

    outcome: Outcome
    sentence: ParallelSentence
    gold: Entity | None
    predicted: Projection | None

    def to_json(self) -> Json:
        """Both texts, and the phrases: gold, predicted, and what that was projected from."""
        source, target, found = self.sentence.source, self.sentence.target, self.predicted
        entity = found.entity if found is not None else None
        return {
            "id": self.sentence.id,
            "origin": self.sentence.origin,
            "source": source,
            "target": target,
            "gold": None if self.gold is None else encode_entity(self.gold, target),
            "predicted": None if entity is None else encode_entity(entity, target),
            "projected_from": None if found is None else encode_entity(found.source, source),
        }


@dataclass(frozen=True, slots=True)
class ProjectionReport:
    """What `evaluate_aligner` found.

    `aligner` is its version. `mistakes` are in the order of the gold. `seconds` are those spent
    in the aligner. `too_long` sentences it could not read whole; they were aligned all the same.
    """

    aligner: str
    scores: ProjectionScores
    interval: Interval
    mistakes: tuple[Mistake, ...]
    seconds: float
    too_long: int

    @property
    def sentences_per_second(self) -> float:
        """How many were aligned in a second; 0 where no time passed."""
        return self.scores.sentences / self.seconds if self.seconds else 0.0

    def mistakes_of(self, outcome: Outcome) -> list[Mistake]:
        """Those of one kind, in the order of the gold."""
        return [mistake for mistake in self.mistakes if mistake.outcome is outcome]

    def to_json(self, examples: int = EXAMPLES) -> Json:
        """All of it, with the first `examples` of each kind of mistake."""
        found = {outcome.value: self.mistakes_of(outcome) for outcome in MISTAKES}
        return {
            **self.scores.to_json(),
            "f1_interval": self.interval.to_json(),
            "mistakes": {
                kind: {"count": len(all_), "examples": [m.to_json() for m in all_[:examples]]}
                for kind, all_ in found.items()
            },
            "aligner": self.aligner,
            "too_long": self.too_long,
            "seconds": self.seconds,
            "sentences_per_second": self.sentences_per_second,
        }


def evaluate_aligner(
    aligner: "Aligns",
    gold: Sequence[GoldSentence],
    batch: int = BATCH,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ProjectionReport:
    """Project the gold source entities and compare them with the gold of the target.

    Args:
        aligner: any aligner, with a model or without.
        gold: on both sides; the aligner sees only the source's.
        batch: sentences handed over at a time.
        on_progress: told how many more sentences are aligned.
    """
    projections: list[list[Projection]] = []
    seconds = 0.0
    for start in range(0, len(gold), batch):
        sentences = [g.sentence for g in gold[start : start + batch]]
        began = time.perf_counter()
        answers = aligner.align(sentences)
        seconds += time.perf_counter() - began
        projections += [[p for p in answer if p.target is not None] for answer in answers]
        on_progress(len(sentences))
    judged = [
        _Judged.of(g, [e for p in found if (e := p.entity) is not None])
        for g, found in zip(gold, projections, strict=True)
    ]
    return ProjectionReport(
        aligner=aligner.version,
        scores=_scores_of(judged),
        interval=bootstrap(np.array([each.counts() for each in judged], dtype=np.int64)),
        mistakes=tuple(
            mistake
            for each, found in zip(judged, projections, strict=True)
            for mistake in _mistakes(each, found)
        ),
        seconds=seconds,
        too_long=sum(not aligner.fits(g.sentence) for g in gold),
    )


def _mistakes(judged: _Judged, projections: Sequence[Projection]) -> Iterator[Mistake]:
    gold = judged.gold
    for match in judged.matches:
        if match.outcome not in EXACT:
            yield Mistake(
                match.outcome,
                gold.sentence,
                None if match.gold is None else gold.target_entities[match.gold],
                None if match.predicted is None else projections[match.predicted],
            )
