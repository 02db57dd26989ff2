"""What is doubtful about a projection, and in which words it is said."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import SpanError
from projection.pipeline.conflicts import (
    CHECKS,
    PAPER_CHECKS,
    Check,
    failed_mapping,
    find_conflicts,
    low_confidence,
    near_misses,
    one_to_many,
    overlapping,
    type_unsure,
)
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


def to(
    source: Entity, target: Span | None, score: float = 0.9, over: tuple[Span, ...] = ()
) -> Projection:
    return Projection(source, target, score, over)


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


UNSURE = Entity(Span(23, 28), "LOC", 0.62)
LEFT = Entity(Span(18, 22), "ORG", 0.3)


@pytest.mark.parametrize(
    ("found", "alternatives", "reasons", "marked"),
    [
        pytest.param(
            [to(UNSURE, ESPANA)],
            [],
            ["only 62 % sure that “Spain” is LOC: perhaps no entity"],
            [(ESPANA,)],
            id="below the threshold",
        ),
        pytest.param(
            [to(UNSURE, ESPANA)],
            [Entity(UNSURE.span, "ORG", 0.2), Entity(UNSURE.span, "MISC", 0.1)],
            ["only 62 % sure that “Spain” is LOC: perhaps ORG"],
            [(ESPANA,)],
            id="the likeliest other type",
        ),
        pytest.param(
            [to(UNSURE, ESPANA_AGAIN), to(UNSURE, ESPANA)],
            [],
            ["only 62 % sure that “Spain” is LOC: perhaps no entity"],
            [(ESPANA, ESPANA_AGAIN)],
            id="one entity in two places",
        ),
        pytest.param([to(replace(UNSURE, score=0.9), ESPANA)], [], [], [], id="at the threshold"),
        pytest.param([to(SPAIN, ESPANA)], [], [], [], id="of the corpus"),
        pytest.param([to(UNSURE, NOWHERE, 0)], [], [], [], id="not found: said already"),
        pytest.param(
            [to(SPAIN, ESPANA)],
            [LEFT],
            ["“left” may be ORG (30 %): the teacher did not label it"],
            [()],
            id="a near miss",
        ),
        pytest.param([], [replace(LEFT, score=0.04)], [], [], id="too far a miss"),
        pytest.param(
            [to(replace(SPAIN, score=0.95), ESPANA)],
            [Entity(SPAIN.span, "ORG", 0.3)],
            [],
            [],
            id="another type of a sure entity",
        ),
    ],
)
def test_what_the_teacher_doubts(
    found: list[Projection],
    alternatives: list[Entity],
    reasons: list[str],
    marked: list[tuple[Span, ...]],
) -> None:
    conflicts = list(type_unsure(0.9, 0.05)(SENTENCE, found, alternatives))
    assert {conflict.kind for conflict in conflicts} <= {ConflictKind.TYPE_UNSURE}
    assert [conflict.reason for conflict in conflicts] == reasons
    assert [conflict.spans for conflict in conflicts] == marked


def test_near_misses_are_in_no_source_entity() -> None:
    other_type = Entity(SPAIN.span, "ORG", 0.3)
    assert [*near_misses([to(SPAIN, NOWHERE, 0)], [other_type, LEFT])] == [LEFT]


SPAIN_BEFORE = Entity(Span(12, 17), "LOC")
COUNTRY = Entity(Span(12, 17), "MISC")


@pytest.mark.parametrize(
    ("check", "found", "reasons", "marked"),
    [
        pytest.param(
            failed_mapping,
            [to(BANK, BANCO_DE_ESPANA), to(SPAIN, NOWHERE, 0, (ESPANA_IN_BANCO,))],
            [
                "“Spain” (LOC) was not found in the translation: "
                "“España” is taken by “Bank of Spain”"
            ],
            [(ESPANA_IN_BANCO,)],
            id="the only place is taken",
        ),
        pytest.param(
            failed_mapping,
            [to(BANK, NOWHERE, 0, (BANCO_DE_ESPANA,)), to(SPAIN, ESPANA_IN_BANCO)],
            [
                "“Bank of Spain” (ORG) was not found in the translation: "
                "“España” is taken by “Spain”"
            ],
            [(BANCO_DE_ESPANA,)],
            id="a part of it is taken, all of it is marked",
        ),
        pytest.param(
            failed_mapping,
            [to(SPAIN, ESPANA), to(SPAIN_BEFORE, NOWHERE, 0, (ESPANA,))],
            [
                "“Spain” (LOC) was not found in the translation: "
                "“España” is taken by another “Spain”"
            ],
            [(ESPANA,)],
            id="by another mention",
        ),
        pytest.param(
            failed_mapping,
            [
                to(BANK, BANCO_DE_ESPANA),
                to(SPAIN, NOWHERE, 0, (ESPANA, ESPANA_IN_BANCO)),
                to(COUNTRY, ESPANA),
            ],
            [
                "“Spain” (LOC) was not found in the translation: “España” is taken by another "
                "“Spain” and “España” is taken by “Bank of Spain”"
            ],
            [(ESPANA_IN_BANCO, ESPANA)],
            id="several places by several others, likeliest first",
        ),
        pytest.param(
            failed_mapping,
            [to(SPAIN, NOWHERE, 0, (ESPANA,))],
            ["“Spain” (LOC) was not found in the translation"],
            [(ESPANA,)],
            id="free and yet not chosen",
        ),
        pytest.param(
            overlapping,
            [to(BANK, BANCO_DE_ESPANA), to(SPAIN, NOWHERE, 0, (ESPANA_IN_BANCO,))],
            [],
            [],
            id="what failed mapping tells",
        ),
        pytest.param(
            overlapping,
            [to(BANK, BANCO_DE_ESPANA), to(SPAIN, ESPANA, over=(ESPANA_IN_BANCO,))],
            [
                "“España” is claimed by both “Bank of Spain” and “Spain”, "
                "found as “Banco de España” and “España”"
            ],
            [(BANCO_DE_ESPANA, ESPANA_IN_BANCO, ESPANA)],
            id="the first choice was lost",
        ),
        pytest.param(
            overlapping,
            [to(BANK, BANCO, over=(ESPANA,)), to(SPAIN, ESPANA, over=(BANCO,))],
            [
                "“Banco” is claimed by both “Bank of Spain” and “Spain”, "
                "found as “Banco” and “España”"
            ],
            [(BANCO, ESPANA)],
            id="each would have the other's: one doubt",
        ),
        pytest.param(
            overlapping,
            [to(BANK, BANCO, over=(ESPANA,)), to(SPAIN, ESPANA_IN_BANCO, over=(ESPANA,))],
            [],
            [],
            id="nobody has it",
        ),
        pytest.param(
            overlapping,
            [to(SPAIN_BEFORE, ESPANA_IN_BANCO, over=(ESPANA,)), to(SPAIN, ESPANA)],
            [],
            [],
            id="mentions of one name may change places",
        ),
        pytest.param(
            overlapping,
            [to(COUNTRY, ESPANA_IN_BANCO, over=(ESPANA,)), to(SPAIN, ESPANA)],
            ["“España” is claimed by two mentions of “Spain”, found as “España”"],
            [(ESPANA_IN_BANCO, ESPANA)],
            id="unless they are labelled otherwise",
        ),
        pytest.param(
            overlapping,
            [to(BANK, BANCO_DE_ESPANA), to(SPAIN, ESPANA_IN_BANCO, over=(BANCO,))],
            ["“España” is claimed by both “Bank of Spain” and “Spain”"],
            [(BANCO_DE_ESPANA, ESPANA_IN_BANCO)],
            id="shared characters are said first, and alone",
        ),
        pytest.param(
            one_to_many,
            [to(BANK, BANCO, over=(ESPANA,))],
            ["“Bank of Spain” was found as “Banco” but could also be “España”"],
            [(BANCO, ESPANA)],
            id="another phrase",
        ),
        pytest.param(
            one_to_many,
            [to(BANK, BANCO_DE_ESPANA, over=(ESPANA_AGAIN, ESPANA, Span(16, 20)))],
            ["“Bank of Spain” was found as “Banco de España” but could also be “España” or “dejó”"],
            [(BANCO_DE_ESPANA, Span(16, 20), ESPANA, ESPANA_AGAIN)],
            id="each text is named once, likeliest first",
        ),
        pytest.param(
            one_to_many, [to(SPAIN, ESPANA, over=(ESPANA_AGAIN,))], [], [], id="same text elsewhere"
        ),
        pytest.param(
            one_to_many,
            [to(BANK, BANCO, over=(ESPANA,)), to(SPAIN, ESPANA)],
            [],
            [],
            id="another entity has it",
        ),
        pytest.param(
            one_to_many,
            [to(BANK, BANCO), to(BANK, ESPANA, over=(Span(16, 20),))],
            ["“Bank of Spain” was found as “Banco” and “España” but could also be “dejó”"],
            [(BANCO, Span(16, 20), ESPANA)],
            id="beside several phrases",
        ),
        pytest.param(
            one_to_many, [to(SPAIN, NOWHERE, 0, (ESPANA,))], [], [], id="nowhere is not many"
        ),
        pytest.param(
            low_confidence(0.5), [to(SPAIN, ESPANA, 0.9, (BANCO,))], [], [], id="sure all the same"
        ),
    ],
)
def test_a_doubt_the_aligner_settled_is_told(
    check: Check,
    found: list[Projection],
    reasons: list[str],
    marked: list[tuple[Span, ...]],
) -> None:
    conflicts = list(check(SENTENCE, found))
    assert [conflict.reason for conflict in conflicts] == reasons
    assert [conflict.spans for conflict in conflicts] == marked


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


def apart(target: Span | None, others: list[Span]) -> tuple[Span, ...]:
    """The other places that share no character with the target or one before."""
    kept: list[Span] = [] if target is None else [target]
    for span in others:
        if not any(span.overlaps(place) for place in kept):
            kept.append(span)
    return tuple(kept if target is None else kept[1:])


def projections_over(others: st.SearchStrategy[list[Span]]) -> st.SearchStrategy[list[Projection]]:
    return st.lists(
        st.builds(
            lambda source, target, score, over: to(source, target, score, apart(target, over)),
            st.builds(Entity, spans_in(UGLY.source), st.sampled_from(["PER", "LOC"])),
            st.none() | spans_in(UGLY.target),
            st.floats(0, 1),
            others,
        ),
        max_size=5,
    )


plain = projections_over(st.just([]))
projections = projections_over(st.lists(spans_in(UGLY.target), max_size=3))


@given(projections)
def test_checks_never_crash_and_point_at_what_they_were_given(found: list[Projection]) -> None:
    for conflict in find_conflicts(UGLY, found):
        assert set(conflict.projections) <= set(found)
        places = {place for p in conflict.projections for place in (p.target, *p.alternatives)}
        assert set(conflict.spans) <= places
        assert list(conflict.spans) == sorted(set(conflict.spans))
        assert conflict.reason


@given(projections)
def test_a_sentence_without_conflicts_could_be_trained_on(found: list[Projection]) -> None:
    if not find_conflicts(UGLY, found, PAPER_CHECKS):
        spans = [p.target for p in found if p.target is not None]
        assert len(spans) == len(found)
        marked = [i for span in spans for i in range(span.start, span.end)]
        assert len(marked) == len(set(marked)), "every character belongs to one entity"


@given(plain)
def test_without_alternatives_the_rules_are_the_paper_s(found: list[Projection]) -> None:
    """Counted here once more, from the paper's words."""
    placed = [p for p in found if p.target is not None]
    meeting = [1 for a, b in combinations(placed, 2) if a.entity.span.overlaps(b.entity.span)]
    texts: dict[Entity, set[str]] = {}
    for p in placed:
        texts.setdefault(p.source, set()).add(p.entity.span.of(UGLY.target))
    kinds = Counter(conflict.kind for conflict in find_conflicts(UGLY, found, PAPER_CHECKS))
    assert kinds[ConflictKind.FAILED_MAPPING] == len(found) - len(placed)
    assert kinds[ConflictKind.OVERLAP] == len(meeting)
    assert kinds[ConflictKind.ONE_TO_MANY] == sum(len(each) > 1 for each in texts.values())


@given(projections)
def test_alternatives_add_doubts_and_take_none_away(found: list[Projection]) -> None:
    bare = [replace(p, alternatives=()) for p in found]
    before, after = (
        Counter(conflict.kind for conflict in find_conflicts(UGLY, each)) for each in (bare, found)
    )
    assert before <= after
    if not any(p.alternatives for p in found):
        assert before == after
