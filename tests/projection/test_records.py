"""Records refuse to contradict themselves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import LanguageTagError, SpanError
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    LabelOrigin,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)

spans = st.builds(
    lambda start, length: Span(start, start + length), st.integers(0, 30), st.integers(1, 9)
)

FAMILY = "👨‍👩‍👧"  # five code points, one picture


def sentence(source: str = "Anna met Bo.", target: str = "Anna traf Bo.") -> ParallelSentence:
    return ParallelSentence("1", source, target, "en", "de", "news.en:1")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(3, 3, id="empty"),
        pytest.param(4, 3, id="backwards"),
        pytest.param(-1, 3, id="before the text"),
    ],
)
def test_a_span_that_covers_nothing_is_refused(start: int, end: int) -> None:
    with pytest.raises(SpanError, match=r"empty, backwards or before the text"):
        Span(start, end)


@pytest.mark.parametrize(
    ("text", "span", "covered"),
    [
        pytest.param("über Köln", Span(5, 9), "Köln", id="Latin"),
        pytest.param(f"{FAMILY} Li", Span(6, 8), "Li", id="after an emoji family"),
        pytest.param("𠮷野家", Span(0, 1), "𠮷", id="beyond the basic plane is one"),
        pytest.param("Cafe\u0301s", Span(3, 5), "e\u0301", id="a combining mark counts"),
        pytest.param("שלום עולם", Span(5, 9), "עולם", id="right to left, in logical order"),
        pytest.param("a\r\nBo", Span(3, 5), "Bo", id="CRLF counts two"),
    ],
)
def test_offsets_are_code_points(text: str, span: Span, covered: str) -> None:
    assert span.of(text) == covered
    assert len(span) == len(covered)


def test_a_span_past_the_text_is_an_error_not_a_shorter_slice() -> None:
    with pytest.raises(SpanError, match=r"\[3, 9\): reaches past the text \(5 code points\)"):
        Span(3, 9).of("short")


@pytest.mark.parametrize(
    ("other", "overlap"),
    [
        pytest.param(Span(4, 8), False, id="touching is not overlapping"),
        pytest.param(Span(3, 8), True, id="one character shared"),
        pytest.param(Span(1, 2), True, id="inside"),
        pytest.param(Span(6, 8), False, id="apart"),
    ],
)
def test_overlap(other: Span, overlap: bool) -> None:
    assert Span(0, 4).overlaps(other) is overlap


@given(spans, spans)
def test_overlap_means_a_shared_code_point_whichever_way_it_is_asked(a: Span, b: Span) -> None:
    shared = set(range(a.start, a.end)) & set(range(b.start, b.end))
    assert a.overlaps(b) is b.overlaps(a) is bool(shared)


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_a_score_is_a_probability(score: float) -> None:
    with pytest.raises(SpanError, match="not a probability"):
        Entity(Span(0, 1), "PER", score)


def test_an_entity_has_a_label() -> None:
    with pytest.raises(SpanError, match="without a label"):
        Entity(Span(0, 1), "")


def test_source_entities_lie_within_the_source() -> None:
    with pytest.raises(SpanError, match=r"news\.en:1 source entities: PER \[9, 12\)"):
        ParallelSentence(
            "1", "Anna", "Anna", "en", "de", "news.en:1", (Entity(Span(9, 12), "PER"),)
        )


def test_target_entities_lie_within_the_target() -> None:
    beyond = (Entity(Span(5, 50), "PER"),)
    with pytest.raises(SpanError, match=r"news\.en:1 target entities"):
        ProjectedSentence(sentence(), beyond, (), (), 1.0, "v1")


@pytest.mark.parametrize("field", ["entities", "predicted"])
def test_reviewed_entities_lie_within_the_target(field: str) -> None:
    entities: dict[str, tuple[Entity, ...]] = {"entities": (), "predicted": ()}
    entities[field] = (Entity(Span(5, 50), "PER"),)
    with pytest.raises(SpanError, match=r"news\.en:1 reviewed entities"):
        ReviewedSentence(sentence(), status=ReviewStatus.ACCEPTED, annotator="7", **entities)


def test_a_projection_proposes_an_entity_with_the_source_label_and_its_own_score() -> None:
    source = Entity(Span(0, 4), "PER", 0.9)
    assert Projection(source, Span(1, 3), 0.4).entity == Entity(Span(1, 3), "PER", 0.4)
    assert Projection(source, None, 0.0).entity is None


def test_alternatives_are_not_proposed() -> None:
    found = Projection(Entity(Span(0, 4), "PER"), None, 0.0, (Span(1, 3),))
    assert found.entity is None
    assert Projection(found.source, Span(5, 9), 0.4, (Span(1, 3),)).entity == Entity(
        Span(5, 9), "PER", 0.4
    )


@pytest.mark.parametrize(
    ("target", "alternatives", "message"),
    [
        pytest.param(
            Span(0, 4), (Span(0, 4),), r"\[0, 4\): no alternative to \[0, 4\)", id="itself"
        ),
        pytest.param(Span(0, 4), (Span(3, 5),), r"\[3, 5\): .*share characters", id="a part of it"),
        pytest.param(None, (Span(6, 8), Span(6, 8)), "share characters", id="the same one twice"),
    ],
)
def test_an_alternative_is_another_place(
    target: Span | None, alternatives: tuple[Span, ...], message: str
) -> None:
    with pytest.raises(SpanError, match=message):
        Projection(Entity(Span(0, 4), "PER"), target, 0.5, alternatives)


def test_an_alternative_may_touch_the_target_or_stand_before_it() -> None:
    found = Projection(Entity(Span(0, 4), "PER"), Span(5, 9), 0.5, (Span(9, 12), Span(0, 5)))
    assert found.alternatives == (Span(9, 12), Span(0, 5)), "likeliest first, as given"


def test_conflict_kinds_are_named_once_and_in_one_order() -> None:
    found = tuple(
        Conflict(kind, "why")
        for kind in (ConflictKind.OVERLAP, ConflictKind.FAILED_MAPPING, ConflictKind.OVERLAP)
    )
    projected = ProjectedSentence(sentence(), (), (), found, 1.0, "v1")
    assert projected.conflict_kinds == (ConflictKind.FAILED_MAPPING, ConflictKind.OVERLAP)


@pytest.mark.parametrize(
    ("status", "judged", "usable"),
    [
        (ReviewStatus.ACCEPTED, True, True),
        (ReviewStatus.CORRECTED, True, True),
        (ReviewStatus.UNSEEN, False, True),
        (ReviewStatus.UNUSABLE, False, False),
        (ReviewStatus.SKIPPED, False, False),
    ],
)
def test_only_decided_sentences_are_trained_on(
    status: ReviewStatus, judged: bool, usable: bool
) -> None:
    reviewed = ReviewedSentence(sentence(), (), status, "7")
    assert (reviewed.judged, reviewed.usable) == (judged, usable)


@pytest.mark.parametrize(
    ("provenance", "message"),
    [
        pytest.param([None, None], "2 provenances for 1 entities", id="more than entities"),
        pytest.param([Span(0, 50)], r"\[0, 50\): reaches past the text", id="past the source"),
    ],
)
def test_provenance_goes_with_the_entities(provenance: list[Span | None], message: str) -> None:
    given = tuple(Provenance(LabelOrigin.PERSON, source) for source in provenance)
    with pytest.raises(SpanError, match=message):
        ReviewedSentence(
            sentence(),
            (Entity(Span(0, 1), "PER"),),
            ReviewStatus.CORRECTED,
            "7",
            provenance=given,
        )


@pytest.mark.parametrize(("target", "propagated"), [(None, "ORG"), (Span(0, 4), "")])
def test_a_propagated_label_goes_with_its_target(target: Span | None, propagated: str) -> None:
    with pytest.raises(SpanError, match="contradicts the propagated"):
        Projection(Entity(Span(0, 4), "PER"), target, 0.0, propagated=propagated)


def test_the_source_entities_are_those_of_the_corpus_or_else_what_the_teacher_found() -> None:
    found, own = Entity(Span(0, 4), "PER", 0.9), Entity(Span(9, 11), "PER")
    projections = (Projection(own, None, 0.0), *(Projection(found, Span(0, 4), 0.8),) * 2)
    without, with_own = sentence(), replace(sentence(), entities=(own,))
    known = [
        ProjectedSentence(each, (), projections, (), 0.0, "v").source_entities
        for each in (without, with_own)
    ]
    assert known == [(found, own), (own,)]
    reviewed = [
        ReviewedSentence(each, (), ReviewStatus.ACCEPTED, "1", teacher_entities=(found,))
        for each in (without, with_own)
    ]
    assert [each.source_entities for each in reviewed] == [(found,), (own,)]
    assert replace(reviewed[0], teacher_entities=None).source_entities is None


def test_a_sentence_holds_normalised_tags() -> None:
    made = ParallelSentence("1", "a", "b", "EN_us", "zho_Hant", "news.en:1")
    assert (made.source_lang, made.target_lang) == ("en-US", "zh-Hant")
    with pytest.raises(LanguageTagError, match=r"^news\.en:1 target_lang: 'German' is no .* de\?$"):
        replace(made, target_lang="German")


def test_a_label_loses_the_white_space_around_it_and_keeps_the_rest() -> None:
    assert Entity(Span(0, 3), " Company, Inc\n") == Entity(Span(0, 3), "Company, Inc")


@pytest.mark.parametrize("label", ["", " ", "A\tB", "A\x1b[31mB"])
def test_a_label_that_no_page_could_show_is_refused(label: str) -> None:
    with pytest.raises(SpanError, match="label"):
        Entity(Span(0, 3), label)
