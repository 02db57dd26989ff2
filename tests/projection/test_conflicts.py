"""What is doubtful about a projection, and in which words it is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.conflicts import (
    CHECKS,
    PAPER_CHECKS,
    Check,
    failed_mapping,
    find_conflicts,
    low_confidence,
    one_to_many,
    overlapping,
)
from projection.errors import SpanError
from projection.records import ConflictKind, Entity, ParallelSentence, Projection, Span

SOURCE = "The Bank of Spain left Spain."
TARGET = "Banco de España dejó España, España."
BANK = Entity(Span(4, 17), "ORG")
SPAIN = Entity(Span(23, 28), "LOC")
SENTENCE = ParallelSentence("1", SOURCE, TARGET, "en", "es", "a:1", (BANK, SPAIN))

BANCO_DE_ESPANA, BANCO, ESPANA_IN_BANCO, ESPANA, ESPANA_AGAIN = (
    Span(0, 15), Span(0, 5), Span(9, 15), Span(21, 27), Span(29, 35),
)  # fmt: skip
NOWHERE = None


def to(source: Entity, target: Span | None, score: float = 0.9) -> Projection:
    return Projection(source, target, score)


@pytest.mark.parametrize(
    ("check", "found", "reasons"),
    [
        pytest.param(failed_mapping, [to(BANK, BANCO_DE_ESPANA)], [], id="placed"),
        pytest.param(
            failed_mapping,
            [to(BANK, NOWHERE, 0), to(SPAIN, ESPANA)],
            ["“Bank of Spain” (ORG) was not found in the translation"],
            id="not placed",
        ),
        pytest.param(overlapping, [to(BANK, BANCO_DE_ESPANA), to(SPAIN, ESPANA)], [], id="apart"),
        pytest.param(
            overlapping, [to(BANK, Span(0, 9)), to(SPAIN, Span(9, 15))], [], id="touching"
        ),
        pytest.param(
            overlapping,
            [to(BANK, BANCO_DE_ESPANA), to(SPAIN, ESPANA_IN_BANCO)],
            ["“España” is claimed by both “Bank of Spain” and “Spain”"],
            id="shared characters",
        ),
        pytest.param(
            overlapping,
            [to(SPAIN, ESPANA), to(Entity(Span(12, 17), "LOC"), ESPANA)],
            ["“España” is claimed by two mentions of “Spain”"],
            id="two mentions of one name",
        ),
        pytest.param(
            overlapping,
            [to(BANK, BANCO_DE_ESPANA), to(BANK, ESPANA_IN_BANCO)],
            ["“España” is claimed twice by “Bank of Spain”"],
            id="one entity with itself",
        ),
        pytest.param(overlapping, [to(BANK, NOWHERE), to(SPAIN, ESPANA)], [], id="one nowhere"),
        pytest.param(
            one_to_many, [to(SPAIN, ESPANA), to(SPAIN, ESPANA_AGAIN)], [], id="same text twice"
        ),
        pytest.param(
            one_to_many,
            [to(BANK, BANCO), to(BANK, ESPANA)],
            ["“Bank of Spain” was found as different phrases: “Banco” and “España”"],
            id="different texts",
        ),
        pytest.param(
            one_to_many,
            [to(BANK, ESPANA), to(BANK, BANCO), to(BANK, ESPANA_AGAIN)],
            ["“Bank of Spain” was found as different phrases: “Banco” and “España”"],
            id="each text is named once, as they stand",
        ),
        pytest.param(
            one_to_many,
            [to(SPAIN, ESPANA), to(Entity(Span(12, 17), "LOC"), BANCO)],
            [],
            id="two mentions of one name are two entities",
        ),
        pytest.param(low_confidence(0.5), [to(SPAIN, ESPANA, 0.5)], [], id="at the threshold"),
        pytest.param(
            low_confidence(0.5),
            [to(SPAIN, ESPANA, 0.31)],
            ["only 31 % sure that “España” is “Spain”"],
            id="below it",
        ),
        pytest.param(
            low_confidence(0.5), [to(SPAIN, NOWHERE, 0.0)], [], id="nowhere is no phrase to doubt"
        ),
    ],
)
def test_a_check_says_why(check: Check, found: list[Projection], reasons: list[str]) -> None:
    assert [conflict.reason for conflict in check(SENTENCE, found)] == reasons


def test_a_conflict_marks_the_phrases_concerned() -> None:
    found = [to(SPAIN, ESPANA_IN_BANCO), to(BANK, BANCO_DE_ESPANA)]
    [conflict] = overlapping(SENTENCE, found)
    assert conflict.kind is ConflictKind.OVERLAP
    assert conflict.spans == (BANCO_DE_ESPANA, ESPANA_IN_BANCO)
    assert conflict.projections == tuple(found)


def test_the_paper_has_three_rules_and_confidence_is_ours() -> None:
    found = [to(BANK, NOWHERE, 0), to(SPAIN, ESPANA, 0.1)]
    kinds = [c.kind for c in find_conflicts(SENTENCE, found, PAPER_CHECKS)]
    assert kinds == [ConflictKind.FAILED_MAPPING]
    kinds = [c.kind for c in find_conflicts(SENTENCE, found, CHECKS)]
    assert kinds == [ConflictKind.FAILED_MAPPING, ConflictKind.LOW_CONFIDENCE]


def test_a_projection_past_the_text_is_an_error() -> None:
    beyond = [to(SPAIN, Span(30, 99)), to(BANK, Span(31, 99))]
    with pytest.raises(SpanError, match="reaches past the text"):
        find_conflicts(SENTENCE, beyond)


# Real sentences hold more than letters.
UGLY = ParallelSentence(
    "2", "👨‍👩‍👧 Ame\u0301lie\r\n北京 שלום", "אמלי\r\n👨‍👩‍👧 北京 e\u0301", "en", "he", "b:1"
)


def spans_in(text: str) -> st.SearchStrategy[Span]:
    ends = st.integers(1, len(text))
    return ends.flatmap(lambda end: st.builds(Span, st.integers(0, end - 1), st.just(end)))


projections = st.lists(
    st.builds(
        Projection,
        st.builds(Entity, spans_in(UGLY.source), st.sampled_from(["PER", "LOC"])),
        st.none() | spans_in(UGLY.target),
        st.floats(0, 1),
    ),
    max_size=5,
)


@given(projections)
def test_checks_never_crash_and_point_at_what_they_were_given(found: list[Projection]) -> None:
    for conflict in find_conflicts(UGLY, found):
        assert set(conflict.projections) <= set(found)
        assert set(conflict.spans) <= {p.target for p in found}
        assert conflict.reason


@given(projections)
def test_a_sentence_without_conflicts_could_be_trained_on(found: list[Projection]) -> None:
    if not find_conflicts(UGLY, found, PAPER_CHECKS):
        spans = [p.target for p in found if p.target is not None]
        assert len(spans) == len(found)
        marked = [i for span in spans for i in range(span.start, span.end)]
        assert len(marked) == len(set(marked)), "every character belongs to one entity"
