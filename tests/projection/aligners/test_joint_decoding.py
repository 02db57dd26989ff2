"""A projection keeps what it was chosen over, so that a settled doubt is still seen."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.aligners.confidence import UNCALIBRATED
from projection.aligners.decoding import (
    JOINT,
    PUBLISHED,
    Decoding,
    ScoredRun,
    other_places,
    place_all,
)
from projection.aligners.joint_decoding import MOST_ALTERNATIVES, Beliefs, answers_of, word_by_word
from projection.evaluation.report import evaluate_aligner
from projection.io.gold import GoldSentence
from projection.pipeline.conflicts import PAPER_CHECKS, find_conflicts
from projection.records import Entity, ParallelSentence, Projection, Span
from projection.text.words import word_spans

SURE, LIKELY, HARDLY, NO = 0.98, 0.8, 0.4, 0.01

SHARING = Decoding(whole_spans=True, exclusive=False)


def pair(source: str, target: str, *names: str, lang: str = "es") -> ParallelSentence:
    """A pair whose entities are these names, each where it comes next in the source."""
    entities, start = [], 0
    for name in names:
        start = source.index(name, start)
        entities.append(Entity(Span(start, start + len(name)), "ORG" if " " in name else "LOC"))
        start += len(name)
    return ParallelSentence("1", source, target, "en", lang, "a:1", tuple(entities))


def answer(
    sentence: ParallelSentence, *rows: Sequence[float], decoding: Decoding = JOINT
) -> tuple[Projection, ...]:
    """What is made of these beliefs, one row an entity and one number a word."""
    beliefs = [Beliefs(list(row), list(row)) for row in rows]
    return tuple(p for p, _ in answers_of(sentence, beliefs, decoding, UNCALIBRATED))


def shown(sentence: ParallelSentence, found: Sequence[Projection]) -> list[tuple[str, ...]]:
    """The phrase of each projection, then its alternatives."""
    spans = [(p.target, *p.alternatives) for p in found]
    return [tuple(span.of(sentence.target) if span else "" for span in each) for each in spans]


def told(sentence: ParallelSentence, found: Sequence[Projection]) -> list[str]:
    return [conflict.reason for conflict in find_conflicts(sentence, found, PAPER_CHECKS)]


BANKS = pair(
    "The Bank of Spain left Spain.", "Banco de España deja el país.", "Bank of Spain", "Spain"
)
BANK = (SURE, SURE, SURE, NO, NO, NO, NO)
COUNTRY = (NO, NO, SURE, NO, NO, NO, NO)


class TestAPlaceThatAnotherTook:
    def test_the_first_choice_is_kept_beside_the_second(self) -> None:
        found = answer(BANKS, BANK, (NO, NO, SURE, NO, NO, LIKELY, NO))
        assert shown(BANKS, found) == [("Banco de España",), ("país", "España")]
        [conflict] = find_conflicts(BANKS, found, PAPER_CHECKS)
        assert conflict.reason == (
            "“España” is claimed by both “Bank of Spain” and “Spain”, "
            "found as “Banco de España” and “país”"
        )
        assert conflict.spans == (Span(0, 15), Span(9, 15), Span(24, 28))
        assert conflict.projections == found

    def test_an_entity_left_with_nothing_says_who_has_its_place(self) -> None:
        found = answer(BANKS, BANK, (NO, NO, LIKELY, NO, NO, NO, NO))
        assert shown(BANKS, found) == [("Banco de España",), ("", "España")]
        assert found[1].score == 0
        [conflict] = find_conflicts(BANKS, found, PAPER_CHECKS)
        assert conflict.reason == (
            "“Spain” (LOC) was not found in the translation: “España” is taken by “Bank of Spain”"
        )
        assert conflict.spans == (Span(9, 15),)
        assert conflict.projections == found[1:]

    def test_a_place_cut_short_keeps_what_was_cut_off(self) -> None:
        found = answer(BANKS, (NO, LIKELY, LIKELY, NO, NO, NO, NO), COUNTRY)
        assert shown(BANKS, found) == [("de", "España"), ("España",)]
        assert told(BANKS, found) == [
            "“España” is claimed by both “Bank of Spain” and “Spain”, found as “de” and “España”"
        ]

    def test_two_that_would_have_each_others_place_are_one_doubt(self) -> None:
        both = (SURE, NO, NO, LIKELY, NO, NO, NO)
        found = answer(BANKS, both, (LIKELY, NO, NO, SURE, NO, NO, NO))
        assert shown(BANKS, found) == [("Banco", "deja"), ("deja", "Banco")]
        assert told(BANKS, found) == [
            "“Banco” is claimed by both “Bank of Spain” and “Spain”, found as “Banco” and “deja”"
        ]

    def test_where_places_are_shared_the_paper_s_rule_says_it_alone(self) -> None:
        found = answer(BANKS, BANK, COUNTRY, decoding=SHARING)
        assert shown(BANKS, found) == [("Banco de España",), ("España",)]
        assert told(BANKS, found) == ["“España” is claimed by both “Bank of Spain” and “Spain”"]


TWICE = pair("Spain, Spain!", "España y España otra", "Spain", "Spain")


class TestTwoMentionsOfOneName:
    def test_each_might_have_the_others_place_and_nothing_would_change(self) -> None:
        found = answer(TWICE, (SURE, NO, LIKELY, NO), (SURE, NO, LIKELY, NO))
        assert shown(TWICE, found) == [("España", "España"), ("España", "España")]
        assert told(TWICE, found) == []

    def test_one_place_for_both_says_so(self) -> None:
        found = answer(TWICE, (SURE, NO, NO, NO), (LIKELY, NO, NO, NO))
        assert told(TWICE, found) == [
            "“Spain” (LOC) was not found in the translation: “España” is taken by another “Spain”"
        ]


COMMISSION = pair(
    "The Commission met.",
    "Die Kommission, also der Ausschuss der Kommission, tagte.",
    "Commission",
    lang="de",
)  # Die Kommission , also der Ausschuss der Kommission , tagte .


class TestAnotherPlace:
    @pytest.mark.parametrize(
        ("row", "places", "reasons"),
        [
            pytest.param(
                [NO, SURE, NO, NO, NO, LIKELY, NO, NO, NO, NO, NO],
                ("Kommission", "Ausschuss"),
                ["“Commission” was found as “Kommission” but could also be “Ausschuss”"],
                id="reads otherwise",
            ),
            pytest.param(
                [NO, LIKELY, NO, NO, NO, NO, NO, SURE, NO, NO, NO],
                ("Kommission", "Kommission"),
                [],
                id="reads the same: kept, and no conflict",
            ),
            pytest.param(
                [NO, SURE, NO, NO, NO, HARDLY, NO, NO, NO, NO, NO],
                ("Kommission",),
                [],
                id="not believed in",
            ),
            pytest.param(
                [NO, SURE, HARDLY, HARDLY, HARDLY, SURE, NO, NO, NO, NO, NO],
                ("Kommission, also der Ausschuss",),
                [],
                id="what the place reaches over is no other place",
            ),
            pytest.param(
                [NO, SURE, NO, NO, NO, 0.7, NO, LIKELY, NO, 0.6, NO],
                ("Kommission", "Kommission", "Ausschuss", "tagte"),
                ["“Commission” was found as “Kommission” but could also be “Ausschuss” or “tagte”"],
                id="the strongest first",
            ),
            pytest.param(
                [NO] * 11,
                ("",),
                ["“Commission” (LOC) was not found in the translation"],
                id="nowhere at all",
            ),
        ],
    )
    def test_it_is_kept_if_the_aligner_believed_in_it(
        self, row: list[float], places: tuple[str, ...], reasons: list[str]
    ) -> None:
        found = answer(COMMISSION, row)
        assert shown(COMMISSION, found) == [places]
        assert told(COMMISSION, found) == reasons

    def test_the_list_ends_before_it_helps_nobody(self) -> None:
        row = [LIKELY, NO] * 5 + [NO]
        [found] = answer(COMMISSION, row)
        assert len(list(other_places(row, ScoredRun((0, 1), 1.0), JOINT))) == MOST_ALTERNATIVES + 1
        assert len(found.alternatives) == MOST_ALTERNATIVES

    def test_the_threshold_is_that_of_the_decoding(self) -> None:
        row = [NO, SURE, NO, NO, NO, LIKELY, NO, NO, NO, NO, NO]
        strict = Decoding(threshold=0.9, whole_spans=True, exclusive=True)
        assert shown(COMMISSION, answer(COMMISSION, row, decoding=strict)) == [("Kommission",)]

    def test_both_directions_are_asked_if_the_decoding_says_so(self) -> None:
        inside = [NO, SURE, NO, NO, NO, LIKELY, NO, NO, NO, NO, NO]
        agreed = [NO, SURE, *[NO] * 9]
        both = Decoding(whole_spans=True, exclusive=True, both_directions=True)
        for decoding, places in ((JOINT, 1), (both, 0)):
            beliefs = [Beliefs(inside, agreed)]
            [(found, _)] = answers_of(COMMISSION, beliefs, decoding, UNCALIBRATED)
            assert len(found.alternatives) == places

    def test_characters_are_words_where_there_are_no_words(self) -> None:
        chinese = pair("Spain left.", "西班牙离开西国。", "Spain", lang="zh")
        row = (SURE, SURE, SURE, NO, NO, LIKELY, LIKELY, NO)
        assert shown(chinese, answer(chinese, row)) == [("西班牙", "西国")]


def test_an_entity_that_was_not_found_has_no_signals() -> None:
    beliefs = [Beliefs(list(row), list(row)) for row in (BANK, COUNTRY)]
    (_, bank), (_, country) = answers_of(BANKS, beliefs, JOINT, UNCALIBRATED)
    assert bank is not None
    assert country is None


def test_every_entity_needs_its_beliefs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        answer(BANKS, BANK)


class FixedAligner:
    """Answers with what it was given: the real interface, no model."""

    version = "fixed"
    languages: tuple[str, ...] = ()

    def __init__(self, found: tuple[Projection, ...]) -> None:
        self.found = found

    def fits(self, sentence: ParallelSentence) -> bool:
        return True

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        return [self.found for _ in sentences]


def test_only_what_was_chosen_is_scored() -> None:
    """The alternative would have been right: that is no excuse."""
    row = [NO, SURE, NO, NO, NO, LIKELY, NO, NO, NO, NO, NO]
    found = answer(COMMISSION, row)
    assert found[0].alternatives
    assert [p.entity.span for p in found if p.entity] == [Span(4, 14)]
    gold = GoldSentence(COMMISSION, (Entity(found[0].alternatives[0], "LOC"),))
    bare = tuple(Projection(p.source, p.target, p.score) for p in found)
    kept, plain = (evaluate_aligner(FixedAligner(each), [gold]).scores for each in (found, bare))
    assert kept == plain


A, B = Entity(Span(0, 1), "PER"), Entity(Span(2, 3), "LOC")
WORDS = word_spans(COMMISSION.target, "de")
rows = st.lists(st.floats(0, 1), min_size=len(WORDS), max_size=len(WORDS))
decodings = st.builds(
    Decoding,
    threshold=st.floats(0.05, 0.95),
    whole_spans=st.just(True),
    exclusive=st.booleans(),
    both_directions=st.booleans(),
)


@given(st.lists(rows, max_size=4), decodings)
def test_alternatives_are_what_the_entity_could_have_had(
    beliefs: list[list[float]], decoding: Decoding
) -> None:
    for row, place in zip(beliefs, place_all(beliefs, decoding), strict=True):
        others = list(other_places(row, place, decoding))
        taken = [other.run for other in others] + ([place.run] if place else [])
        assert len({i for run in taken for i in range(*run)}) == sum(b - a for a, b in taken)
        assert all(other.strength > 0 for other in others)
        assert all(a.strength > b.strength - 1e-9 for a, b in pairwise(others))
        if place is None and others:
            assert decoding.exclusive, "nobody else could have taken it"
        believed = {i for i, p in enumerate(row) if p > decoding.threshold + 1e-6}
        assert believed <= {i for run in taken for i in range(*run)}, "no doubt is lost"


@given(st.lists(rows, min_size=2, max_size=2), decodings)
def test_whoever_took_a_place_is_named(beliefs: list[list[float]], decoding: Decoding) -> None:
    """Neither a place that one entity has and another could be, nor its owner, goes untold."""
    sentence = ParallelSentence("1", "A B", COMMISSION.target, "en", "de", "a:1", (A, B))
    found = answer(sentence, *beliefs, decoding=decoding)
    assert all(len(p.alternatives) <= MOST_ALTERNATIVES for p in found)
    reasons = " ".join(told(sentence, found))
    for p, other in (found, found[::-1]):
        if other.target and any(place.overlaps(other.target) for place in p.alternatives):
            said = "is claimed by both “A” and “B”" if p.target else "is taken by"
            assert said in reasons


def test_two_entities_of_the_same_words_share_their_place() -> None:
    """Two labels for one phrase are one question of where it stands."""
    span, twice = Span(4, 17), ("ORG", "LOC")
    sentence = ParallelSentence(
        "1",
        BANKS.source,
        BANKS.target,
        "en",
        "es",
        "a:1",
        tuple(Entity(span, label) for label in twice),
    )
    found = answer(sentence, BANK, BANK)
    assert [(p.source.label, p.target, p.alternatives) for p in found] == [
        (label, Span(0, 15), ()) for label in twice
    ]


def test_word_by_word_an_entity_may_have_several_phrases_or_none() -> None:
    sentence = pair("Anna saw Bern.", "Anna y Anna vio.", "Anna", "Bern", lang="es")
    rows = [(0.9, 0.1, 0.8, 0.1, 0.1), (0.4, 0.4, 0.4, 0.4, 0.4)]
    beliefs = [Beliefs(list(row), [0.0] * 5) for row in rows]
    found = list(word_by_word(sentence, beliefs, PUBLISHED))
    assert [(p.target, p.score) for p in found] == [
        (Span(0, 4), 0.9),
        (Span(7, 11), 0.8),
        (None, 0.0),
    ]
