"""How well entities were projected, measured against gold on both sides.

Exact match of span and label, micro-averaged over all entities: the strict scoring of CoNLL.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from projection.corpus import sentence_of
from projection.fields import Fields
from projection.files import read_jsonl
from projection.json_form import Json, decode_entities
from projection.records import Entity, ParallelSentence, Span


@dataclass(frozen=True, slots=True)
class GoldSentence:
    """A sentence pair with gold entities on both sides; the source's are `sentence.entities`."""

    sentence: ParallelSentence
    target_entities: tuple[Entity, ...]


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
class ProjectionScores:
    """Scores over all entities and by label.

    `ceiling` is the F1 of an oracle that projects every gold source entity, always to the right
    place, but can neither invent entities nor relabel them. It is below 1 where the two sides were
    annotated differently.
    """

    precision: float
    recall: float
    f1: float
    by_type: Mapping[str, Scores]
    ceiling: float
    sentences: int

    def to_json(self) -> Json:
        """All of it, as fractions."""
        return asdict(self)


def read_gold(path: Path, on_skip: Callable[[str], None] | None = None) -> list[GoldSentence]:
    """Read sentence pairs with gold entities on both sides.

    A line is `{"id", "source": {"text", "entities"}, "target": {"text", "entities"}, "source_lang",
    "lang"}`. Lines that say `"consistent_labels": false` (the sides were annotated independently
    and disagree) are skipped, and `on_skip` is told the place of each.

    Raises:
        CorpusError: naming file, line and field.
    """
    gold = []
    for number, row in read_jsonl(path):
        origin = f"{path.name}:{number}"
        if row.get("consistent_labels") is False:
            if on_skip is not None:
                on_skip(origin)
            continue
        gold.append(_gold_sentence(Fields(row, f"{path}:{number}"), origin))
    return gold


def _gold_sentence(fields: Fields, origin: str) -> GoldSentence:
    sentence = sentence_of(fields, origin)
    if sentence.entities is None:
        raise fields.error_here("no gold source entities", "Add source.entities, even if []")
    target = fields.child("target")
    return GoldSentence(sentence, decode_entities(target, "entities", sentence.target))


Key = tuple[Span, str]


def score(gold: Sequence[GoldSentence], predicted: Sequence[Sequence[Entity]]) -> ProjectionScores:
    """Score predicted target entities, one sequence for each gold sentence, in order.

    Raises:
        ValueError: if there are not as many predictions as gold sentences.
    """
    hits, guesses, truths = Counter[str](), Counter[str](), Counter[str]()
    for sentence, entities in zip(gold, predicted, strict=True):
        truth, guess = _keys(sentence.target_entities), _keys(entities)
        hits.update(label for _, label in (truth & guess).elements())
        guesses.update(label for _, label in guess.elements())
        truths.update(label for _, label in truth.elements())
    overall = _scores(hits.total(), guesses.total(), truths.total())
    labels = sorted(guesses.keys() | truths.keys())
    return ProjectionScores(
        precision=overall.precision,
        recall=overall.recall,
        f1=overall.f1,
        by_type={label: _scores(hits[label], guesses[label], truths[label]) for label in labels},
        ceiling=ceiling(gold),
        sentences=len(gold),
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


def _keys(entities: Iterable[Entity]) -> Counter[Key]:
    """A multiset, so that saying the same thing twice is wrong once."""
    return Counter((entity.span, entity.label) for entity in entities)


def _scores(hits: int, guesses: int, truths: int) -> Scores:
    return Scores(
        precision=hits / guesses if guesses else 0.0,
        recall=hits / truths if truths else 0.0,
        f1=2 * hits / (guesses + truths) if guesses + truths else 0.0,
        support=truths,
    )
