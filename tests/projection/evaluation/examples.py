"""Gold and predictions made of marks in one text."""

from hypothesis import strategies as st

from projection.io.gold import GoldSentence
from projection.records import Entity, ParallelSentence, Span

"""Projection is scored by exact span and label, beside what an oracle could reach."""


TEXT = "x" * 20

Mark = tuple[int, int, str]


def entities(*marks: Mark) -> tuple[Entity, ...]:
    return tuple(Entity(Span(start, end), label) for start, end, label in marks)


def gold(source: list[Mark], target: list[Mark]) -> GoldSentence:
    sentence = ParallelSentence("1", TEXT, TEXT, "en", "de", "a:1", entities(*source))
    return GoldSentence(sentence, entities(*target))


marks = st.lists(
    st.tuples(st.integers(0, 8), st.integers(9, 20), st.sampled_from(["PER", "LOC"])), max_size=4
)
golds = st.lists(st.builds(gold, marks, marks), max_size=4)
