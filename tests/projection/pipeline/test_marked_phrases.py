"""What a person marks in one sentence, found in the other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.aligners.joint_decoding import Beliefs
from projection.aligners.loading import load_aligner
from projection.models import bundled
from projection.pipeline.marked_phrases import link_marked, project_marked, word_ties
from projection.pipeline.projector import pair
from projection.protocols import Aligns, Link
from projection.records import Entity, ParallelSentence, Projection, Span
from projection.text.words import word_spans, words_touched
from tests.projection.pipeline.marked_phrases_accuracy import KNOWN, linked_back


@pytest.fixture(scope="module")
def bundled_aligner() -> Aligns:
    return load_aligner(bundled.path("aligner"))


def place(text: str, phrase: str) -> Span:
    start = text.index(phrase)
    return Span(start, start + len(phrase))


def marks(text: str, *phrases: str, label: str = "LOC") -> list[Entity]:
    return [Entity(place(text, phrase), label) for phrase in phrases]


class Dictionary:
    """Knows phrases; several target phrases are several projections, as a pair aligner gives."""

    version = "dictionary"
    languages: tuple[str, ...] = ()

    def __init__(self, phrases: Mapping[str, Sequence[str]], score: float = 0.8) -> None:
        self.phrases, self.score = phrases, score
        self.asked: list[list[str]] = []

    def fits(self, sentence: ParallelSentence) -> bool:
        return True

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        return [self._one(sentence) for sentence in sentences]

    def _one(self, sentence: ParallelSentence) -> tuple[Projection, ...]:
        entities = sentence.entities or ()
        self.asked.append([entity.span.of(sentence.source) for entity in entities])
        found = []
        for entity in entities:
            went = self.phrases.get(entity.span.of(sentence.source), ())
            spans = [place(sentence.target, phrase) for phrase in went]
            found += [Projection(entity, span, self.score) for span in spans]
            found += [] if spans else [Projection(entity, None, 0.0)]
        return tuple(found)


class Believer(Dictionary):
    """Ties words one by one, as a joint aligner does, with a strength each."""

    def __init__(
        self,
        ties: Mapping[tuple[str, str], float],
        phrases: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(phrases or {})
        self.ties = ties

    def beliefs(self, sentences: Sequence[ParallelSentence]) -> list[list[Beliefs]]:
        return [[self._of(s, e) for e in s.entities or ()] for s in sentences]

    def _of(self, sentence: ParallelSentence, entity: Entity) -> Beliefs:
        word = entity.span.of(sentence.source)
        target = word_spans(sentence.target, sentence.target_lang)
        agreed = [self.ties.get((word, span.of(sentence.target)), 0.0) for span in target]
        return Beliefs([0.0] * len(target), agreed)


PHRASES = {"Bank of Spain": ["Banco de España"], "Spain": ["España"], "Anna": ["Anna"]}


class TestProjectMarked:
    SENTENCE = pair("The Bank of Spain warned Anna.", "El Banco de España avisó a Anna.", "es")

    def marked(
        self, *phrases: str, known: Sequence[str] = ()
    ) -> tuple[list[list[str]], Dictionary]:
        source, target = self.SENTENCE.source, self.SENTENCE.target
        aligner = Dictionary(PHRASES)
        sentence = replace(self.SENTENCE, entities=tuple(marks(source, *known)))
        found = project_marked(aligner, sentence, marks(source, *phrases))
        return [[p.target.of(target) for p in each if p.target] for each in found], aligner

    def test_what_was_marked_is_found_and_the_others_compete_but_are_not_returned(self) -> None:
        found, aligner = self.marked("Bank of Spain", known=["Anna"])
        assert found == [["Banco de España"]]
        assert aligner.asked == [["Bank of Spain", "Anna"]]

    def test_a_known_entity_that_the_marked_one_meets_steps_aside(self) -> None:
        _, aligner = self.marked("Bank of Spain", known=["Spain", "Anna"])
        assert aligner.asked == [["Bank of Spain", "Anna"]]

    def test_answers_come_in_the_order_of_the_marks(self) -> None:
        assert self.marked("Anna", "Bank of Spain")[0] == [["Anna"], ["Banco de España"]]

    def test_what_is_not_found_has_no_projection(self) -> None:
        assert self.marked("warned", "Anna")[0] == [[], ["Anna"]]

    def test_a_mark_given_twice_is_asked_once_and_answered_twice(self) -> None:
        found, aligner = self.marked("Anna", "Anna")
        assert found == [["Anna"], ["Anna"]]
        assert aligner.asked == [["Anna"]]

    def test_several_phrases_are_several_projections(self) -> None:
        sentence = replace(pair("the euro", "el euro y la eurozona", "es"), entities=())
        aligner = Dictionary({"euro": ["euro", "eurozona"]})
        (found,) = project_marked(aligner, sentence, marks(sentence.source, "euro"))
        assert len(found) == 2


TIES = {
    ("European", "Europäische"): 0.9,
    ("Union", "Union"): 0.8,
    ("Bank", "Bank"): 0.7,
    ("of", "von"): 0.4,
    ("Spain", "Spanien"): 0.6,
    ("fined", "bestrafte"): 0.1,
}


class TestLinkMarked:
    SENTENCE = pair(
        "Yesterday the European Union fined the Bank of Spain.",
        "Gestern bestrafte die Europäische Union die Bank von Spanien.",
        "de",
    )

    def link(
        self,
        phrase: str,
        known: Sequence[str] = (),
        aligner: Aligns | None = None,
    ) -> tuple[str, float] | None:
        source, target = self.SENTENCE.source, self.SENTENCE.target
        sentence = replace(self.SENTENCE, entities=tuple(marks(source, *known)))
        aligner = aligner or Believer(TIES)
        (link,) = link_marked(aligner, sentence, [place(target, phrase)])
        return link and (link.source.of(source), pytest.approx(link.score))

    @pytest.mark.parametrize(
        ("phrase", "source", "score"),
        [
            pytest.param("Europäische Union", "European Union", 0.85, id="every word"),
            pytest.param("Spanien", "Spain", 0.6, id="one word"),
            pytest.param("Bank von Spanien", "Bank of Spain", 1.7 / 3, id="a weak word between"),
            pytest.param("anien", "Spain", 0.6, id="part of a word stands for it"),
        ],
    )
    def test_ties_lead_back(self, phrase: str, source: str, score: float) -> None:
        assert self.link(phrase) == (source, score)

    @pytest.mark.parametrize("phrase", ["Gestern", "bestrafte", " "])
    def test_what_is_tied_to_nothing_or_hardly_has_no_link(self, phrase: str) -> None:
        assert self.link(phrase) is None

    @pytest.mark.parametrize(
        ("known", "source"),
        [
            pytest.param(["the Bank of Spain"], "the Bank of Spain", id="mostly the same words"),
            pytest.param(["Spain"], "Bank of Spain", id="only a part of them"),
            pytest.param(["Yesterday"], "Bank of Spain", id="elsewhere"),
            pytest.param(["Spain", "Bank of Spain"], "Bank of Spain", id="the nearest"),
        ],
    )
    def test_a_known_entity_is_meant_if_most_words_are_its_own(
        self, known: list[str], source: str
    ) -> None:
        found = self.link("Bank von Spanien", known)
        assert found
        assert found[0] == source

    def test_a_known_entity_that_the_aligner_puts_there_comes_first(self) -> None:
        aligner = Believer(TIES, {"Yesterday": ["Spanien"]})
        assert self.link("Spanien", ["Yesterday"], aligner) == ("Yesterday", 0.8)

    def test_the_borders_of_words_are_what_counts(self) -> None:
        aligner = Believer(TIES, {"Yesterday": ["Spanien"]})
        assert self.link("panien", ["Yesterday"], aligner) == ("Yesterday", 0.8)

    def test_one_answer_for_each_mark_in_order(self) -> None:
        target = self.SENTENCE.target
        spans = [place(target, phrase) for phrase in ("Spanien", "Gestern", "Bank")]
        links = link_marked(Believer(TIES), replace(self.SENTENCE, entities=()), spans)
        source = self.SENTENCE.source
        assert [link and link.source.of(source) for link in links] == ["Spain", None, "Bank"]

    def test_an_aligner_that_knows_only_places_is_asked_word_by_word(self) -> None:
        aligner = Dictionary({"European": ["Europäische"], "Union": ["Union"]})
        assert self.link("Europäische Union", aligner=aligner) == ("European Union", 0.8)
        assert self.link("Bank", aligner=aligner) is None

    def test_ties_are_source_words_by_target_words(self) -> None:
        sentence = replace(pair("Anna left", "Anna fue a Bern", "es"), entities=())
        assert word_ties(Dictionary({"Anna": ["Anna"]}), sentence) == [[0.8, 0, 0, 0], [0, 0, 0, 0]]

    def test_chinese_is_read_by_the_character(self) -> None:
        sentence = replace(pair("Anna went to Berlin", "安娜去柏林", "zh"), entities=())
        aligner = Believer({("Berlin", "柏"): 0.9, ("Berlin", "林"): 0.5, ("Anna", "安"): 0.7})
        (link,) = link_marked(aligner, sentence, [place(sentence.target, "柏林")])
        assert link == Link(place(sentence.source, "Berlin"), 0.9)


texts = st.text(st.sampled_from("ab 😀é.-安"), min_size=1, max_size=12).filter(str.strip)


@given(texts, texts, st.data())
def test_links_lie_within_the_source_whatever_is_tied(
    source: str, target: str, data: st.DataObject
) -> None:
    sentence = replace(pair(source, target, "de"), entities=())
    rows = len(word_spans(source, "en"))
    columns = len(word_spans(target, "de"))
    strengths = st.lists(st.floats(0, 1), min_size=columns, max_size=columns)
    drawn = data.draw(st.lists(strengths, min_size=rows, max_size=rows))

    class Told(Dictionary):
        def beliefs(self, sentences: Sequence[ParallelSentence]) -> list[list[Beliefs]]:
            return [[Beliefs(row, row) for row in drawn]]

    start = data.draw(st.integers(0, len(target) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(target))))
    (link,) = link_marked(Told({}), sentence, [span])
    if link is not None:
        assert words_touched(word_spans(source, "en"), link.source)
        assert link.source.end <= len(source)
        assert 0 <= link.score <= 1


@pytest.mark.parametrize(
    ("known", "exact", "overlap"),
    [("nothing known", 0.87, 0.95), ("gold known", 0.94, 0.95)],  # measured: 0.89, 0.96; 0.96, 0.96
)
def test_most_entities_of_the_sample_are_linked_back(
    bundled_aligner: Aligns, known: str, exact: float, overlap: float
) -> None:
    found = linked_back(partial(link_marked, bundled_aligner), KNOWN[known], every=8)
    assert found["all"].counts["asked"] > 125
    assert found["all"].share("exact") >= exact
    assert found["all"].share("overlap") >= overlap
    short = {lang: found[lang].share("exact") for lang in bundled.SAMPLE_LANGUAGES}
    assert {lang: share for lang, share in short.items() if share < 0.7} == {}
