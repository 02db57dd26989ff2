"""Teacher, aligner and checks together: what becomes of a sentence, and what it is named after."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.aligners.decoding import PUBLISHED
from projection.errors import ModelError
from projection.pipeline.conflicts import CHECKS, PAPER_CHECKS, Check, low_confidence, type_unsure
from projection.pipeline.projector import SECOND_OPINION, Projector, pair
from projection.protocols import Aligns, ProjectsSentences, Tagging, Tags
from projection.records import ConflictKind, Entity, ParallelSentence, Projection, Span


class FixedTagger:
    """Finds the names in a table, wherever they stand: the real interface, no torch."""

    def __init__(
        self,
        names: Mapping[str, str],
        version: str = "t1",
        score: float = 1.0,
        nearly: Mapping[str, tuple[str, float]] | None = None,
    ) -> None:
        self.names, self.version, self.score = names, version, score
        self.nearly = nearly or {}  # alternatives, with their probability
        self.asked: list[tuple[str, list[str]]] = []

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.names.values())))

    def tag(self, texts: Sequence[str], lang: str) -> list[tuple[Entity, ...]]:
        return [tagging.entities for tagging in self.tag_with_alternatives(texts, lang)]

    def tag_with_alternatives(self, texts: Sequence[str], lang: str) -> list[Tagging]:
        self.asked.append((lang, list(texts)))
        return [Tagging(self._one(text), self._others(text)) for text in texts]

    def _others(self, text: str) -> tuple[Entity, ...]:
        return tuple(
            Entity(Span(at, at + len(name)), label, score)
            for name, (label, score) in self.nearly.items()
            if (at := text.find(name)) >= 0
        )

    def _one(self, text: str) -> tuple[Entity, ...]:
        found = [(text.index(name), name) for name in self.names if name in text]
        return tuple(
            Entity(Span(at, at + len(name)), self.names[name], self.score)
            for at, name in sorted(found)
        )


class FixedAligner:
    """Knows translations of names from a table; the first place is taken."""

    languages: tuple[str, ...] = ()

    def __init__(
        self,
        translations: Mapping[str, str],
        version: str = "a1",
        scores: Mapping[str, float] | None = None,
    ) -> None:
        self.translations, self.version, self.scores = translations, version, scores or {}

    def fits(self, sentence: ParallelSentence) -> bool:
        return len(sentence.target) <= 40

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        return [tuple(self._one(s, e) for e in s.entities or ()) for s in sentences]

    def _one(self, sentence: ParallelSentence, entity: Entity) -> Projection:
        name = entity.span.of(sentence.source)
        phrase = self.translations.get(name, name)
        at = sentence.target.find(phrase)
        if at < 0:
            return Projection(entity, None, 0.0)
        return Projection(entity, Span(at, at + len(phrase)), self.scores.get(name, 0.8))


TEACHER = {"Anna": "PER", "Spain": "LOC", "Bank of Spain": "ORG"}
TRANSLATIONS = {"Spain": "España", "Bank of Spain": "Banco de España"}


def projector(
    teacher: Tags | None = None, aligner: Aligns | None = None, target_model: Tags | None = None
) -> Projector:
    return Projector(
        teacher or FixedTagger(TEACHER),
        aligner or FixedAligner(TRANSLATIONS),
        target_model=target_model,
    )


def phrases(text: str, entities: Sequence[Entity]) -> list[tuple[str, str]]:
    return [(e.span.of(text), e.label) for e in entities]


class TestProject:
    def test_a_label_travels(self) -> None:
        sentence = pair("Anna left Spain.", "Anna se fue de España.", "es")
        (found,) = projector().project([sentence])
        assert phrases(sentence.target, found.entities) == [("Anna", "PER"), ("España", "LOC")]
        assert (found.conflicts, found.score) == ((), 0.8)
        assert [p.source.span.of(sentence.source) for p in found.projections] == ["Anna", "Spain"]

    def test_the_sentence_stays_as_the_corpus_brought_it(self) -> None:
        """A better teacher may look again: what this one found is in the projections."""
        sentence = pair("Anna left.", "Anna se fue.", "es")
        (found,) = projector().project([sentence])
        assert found.sentence is sentence
        assert found.sentence.entities is None

    def test_a_sentence_without_entities_is_certain(self) -> None:
        (found,) = projector().project([pair("She left.", "Se fue.", "es")])
        assert (found.entities, found.projections, found.score) == ((), (), 1.0)

    def test_target_entities_of_the_corpus_are_the_answer_without_a_model(self) -> None:
        teacher = FixedTagger(TEACHER)
        mine = (Entity(Span(7, 13), "CITY", 0.5), Entity(Span(0, 4), "HERO"))
        text = "Anna / España / a text that is longer than the aligner can read"
        plain = pair("Anna left Spain.", text, "es")
        own, other = replace(plain, target_entities=mine), pair("Spain", "España", "es")
        made = projector(teacher)
        assert (made.fits(plain), made.fits(own)) == (False, True)
        kept, projected = made.project([own, other])
        assert kept.sentence is own
        assert phrases(text, kept.entities) == [("Anna", "HERO"), ("España", "CITY")]
        assert (kept.projections, kept.conflicts, kept.score) == ((), (), 0.5)
        assert kept.model_version == projected.model_version == made.model_version
        assert phrases(other.target, projected.entities) == [("España", "LOC")]
        assert teacher.asked == [("en", ["Spain"])]

    def test_no_sentences(self) -> None:
        assert projector().project([]) == []

    @pytest.mark.parametrize(
        ("source", "target", "scores", "kinds", "score"),
        [
            pytest.param(
                "Anna left Spain.",
                "Ella se fue de España.",
                {},
                [ConflictKind.FAILED_MAPPING],
                0.0,
                id="a name that is not there",
            ),
            pytest.param(
                "Spain owns the Bank of Spain.",
                "El Banco de España es de España.",
                {},
                [ConflictKind.OVERLAP],
                0.8,
                id="two names in one place",
            ),
            pytest.param(
                "Anna left.",
                "Anna se fue.",
                {"Anna": 0.4},
                [ConflictKind.LOW_CONFIDENCE],
                0.4,
                id="a doubtful phrase",
            ),
        ],
    )
    def test_conflicts_are_found_and_nothing_is_dropped(
        self,
        source: str,
        target: str,
        scores: Mapping[str, float],
        kinds: list[ConflictKind],
        score: float,
    ) -> None:
        aligner = FixedAligner(TRANSLATIONS, scores=scores)
        (found,) = projector(aligner=aligner).project([pair(source, target, "es")])
        assert list(found.conflict_kinds) == kinds
        assert found.score == score
        placed = [p for p in found.projections if p.target is not None]
        assert len(found.entities) == len(placed)

    def test_the_teachers_doubt_counts_as_much_as_the_aligners(self) -> None:
        teacher = FixedTagger(TEACHER, score=0.5)
        aligner = FixedAligner(TRANSLATIONS, scores={"Anna": 0.6, "Spain": 1.0})
        sentence = pair("Anna left Spain.", "Anna se fue de España.", "es")
        (found,) = projector(teacher, aligner).project([sentence])
        assert [p.score for p in found.projections] == [0.3, 0.5]
        assert [e.score for e in found.entities] == [0.3, 0.5]
        assert found.score == 0.3
        assert [(c.kind, c.reason) for c in found.conflicts] == [
            (ConflictKind.LOW_CONFIDENCE, "only 60 % sure that “Anna” is “Anna”"),
            (ConflictKind.TYPE_UNSURE, "only 50 % sure that “Anna” is PER: perhaps no entity"),
            (ConflictKind.TYPE_UNSURE, "only 50 % sure that “Spain” is LOC: perhaps no entity"),
        ]
        assert [c.projections[0] for c in found.conflicts[1:]] == list(found.projections)

    def test_what_the_teacher_nearly_found_is_flagged(self) -> None:
        teacher = FixedTagger({"Anna": "PER"}, nearly={"Spain": ("LOC", 0.25)})
        sentence = pair("Anna left Spain.", "Anna se fue de España.", "es")
        (found,) = projector(teacher).project([sentence])
        (conflict,) = found.conflicts
        reason = "“Spain” may be LOC (25 %): the teacher did not label it"
        assert (conflict.kind, conflict.reason) == (ConflictKind.TYPE_UNSURE, reason)
        assert (conflict.spans, conflict.projections) == ((), ())
        assert found.score == 0.75

    def test_the_checks_are_those_that_were_given(self) -> None:
        sentence = pair("Anna left.", "Ella se fue.", "es")
        lenient = Projector(FixedTagger(TEACHER), FixedAligner({}), checks=())
        assert lenient.project([sentence])[0].conflicts == ()

    def test_equal_phrases_keep_one_order_in_every_process(self) -> None:
        """Two names claim one phrase with different scores; sets would shuffle them."""
        names = {"Spain": "LOC", "Iberia": "LOC", "Hispania": "LOC"}
        aligner = FixedAligner(
            dict.fromkeys(names, "España"), scores={"Spain": 0.7, "Iberia": 0.9, "Hispania": 0.8}
        )
        sentence = pair("Hispania, Iberia, Spain", "España", "es")
        (found,) = projector(FixedTagger(names), aligner).project([sentence])
        assert [e.score for e in found.entities] == [0.8, 0.9, 0.7]

    def test_fits_asks_the_aligner(self) -> None:
        assert projector().fits(pair("a", "b" * 40, "de"))
        assert not projector().fits(pair("a", "b" * 41, "de"))


class TestTeacher:
    def test_entities_of_the_corpus_are_believed(self) -> None:
        teacher = FixedTagger(TEACHER)
        sentence = replace(
            pair("Anna left Spain.", "Anna se fue de España.", "es"),
            entities=(Entity(Span(0, 4), "PERSON"),),
        )
        (found,) = projector(teacher).project([sentence])
        assert phrases(sentence.target, found.entities) == [("Anna", "PERSON")]
        assert teacher.asked == []

    def test_nothing_about_them_is_unsure(self) -> None:
        teacher = FixedTagger({}, nearly={"Spain": ("LOC", 0.25)})
        sentence = replace(
            pair("Anna left Spain.", "Anna se fue de España.", "es"),
            entities=(Entity(Span(0, 4), "PER"),),
        )
        (found,) = projector(teacher).project([sentence])
        assert (found.conflicts, found.score) == ((), 0.8)

    def test_none_found_by_the_corpus_is_an_answer_too(self) -> None:
        teacher = FixedTagger(TEACHER)
        sentence = replace(pair("Anna left.", "Anna se fue.", "es"), entities=())
        assert projector(teacher).project([sentence])[0].entities == ()
        assert teacher.asked == []

    def test_only_sentences_nobody_looked_at_are_asked_about(self) -> None:
        teacher = FixedTagger(TEACHER)
        known = replace(pair("Spain is far.", "España está lejos.", "es"), entities=())
        sentences = [
            known,
            pair("Anna left.", "Anna se fue.", "es"),
            known,
            pair("Spain.", "España.", "es"),
        ]
        found = projector(teacher).project(sentences)
        assert teacher.asked == [("en", ["Anna left.", "Spain."])]
        assert [len(p.entities) for p in found] == [0, 1, 0, 1]

    @given(st.lists(st.sampled_from(["en", "fr", "de"]), max_size=8))
    def test_order_is_kept_when_languages_mix(self, languages: list[str]) -> None:
        teacher = FixedTagger({f"N{i}": "PER" for i in range(len(languages))})
        sentences = [
            pair(f"N{i} left.", f"N{i} verließ", "de", source_lang=lang)
            for i, lang in enumerate(languages)
        ]
        found = projector(teacher, FixedAligner({})).project(sentences)
        assert [p.sentence for p in found] == sentences
        assert [phrases(p.sentence.target, p.entities) for p in found] == [
            [(f"N{i}", "PER")] for i in range(len(languages))
        ]
        assert sorted(lang for lang, _ in teacher.asked) == sorted(set(languages))

    def test_models_read_equal_sentences_once(self) -> None:
        """Each answer keeps its own sentence; source entities of its own make another sentence."""
        teacher = FixedTagger(TEACHER)
        first = pair("Spain is far.", "España está lejos.", "es")
        again = replace(first, id="again", margin=1.1)
        own = replace(first, id="own", entities=())
        found = projector(teacher).project([first, own, again])
        assert teacher.asked == [("en", [first.source])]
        assert [p.sentence for p in found] == [first, own, again]
        assert [len(p.entities) for p in found] == [1, 0, 1]


class TestSecondOpinion:
    SENTENCE = pair("Anna left.", "Anna se fue de Madrid.", "es")

    def test_what_projection_missed_is_offered_and_flagged(self) -> None:
        model = FixedTagger({"Madrid": "LOC"}, score=SECOND_OPINION)
        (found,) = projector(target_model=model).project([self.SENTENCE])
        assert phrases(self.SENTENCE.target, found.entities) == [("Anna", "PER"), ("Madrid", "LOC")]
        (conflict,) = found.conflicts
        assert conflict.kind is ConflictKind.UNPROJECTED
        assert conflict.spans == (Span(15, 21),)
        assert conflict.reason == (
            "“Madrid” looks like LOC to the target-language model, "
            "but no source entity was projected there"
        )
        assert found.score <= SECOND_OPINION
        assert len(found.projections) == 1

    def test_what_it_is_not_sure_of_is_not_offered(self) -> None:
        model = FixedTagger({"Madrid": "LOC"}, score=SECOND_OPINION - 0.01)
        (found,) = projector(target_model=model).project([self.SENTENCE])
        assert phrases(self.SENTENCE.target, found.entities) == [("Anna", "PER")]
        assert found.conflicts == ()

    @pytest.mark.parametrize(
        "names",
        [
            pytest.param({"Anna": "PER"}, id="the same"),
            pytest.param({"Anna": "ORG"}, id="another label: projection is believed"),
            pytest.param({"Anna se": "PER"}, id="other borders: projection is believed"),
        ],
    )
    def test_what_was_projected_is_left_as_it_is(self, names: Mapping[str, str]) -> None:
        (found,) = projector(target_model=FixedTagger(names)).project([self.SENTENCE])
        assert phrases(self.SENTENCE.target, found.entities) == [("Anna", "PER")]
        assert found.conflicts == ()

    def test_it_reads_the_target_in_its_language(self) -> None:
        model = FixedTagger({})
        sentences = [self.SENTENCE, pair("Anna left.", "Anna verließ Bern.", "de")]
        projector(target_model=model).project(sentences)
        assert model.asked == [("es", ["Anna se fue de Madrid."]), ("de", ["Anna verließ Bern."])]

    def test_its_labels_are_offered_too(self) -> None:
        model = FixedTagger({"Madrid": "CITY"})
        assert projector(target_model=model).labels == ("CITY", "LOC", "ORG", "PER")
        assert projector().labels == ("LOC", "ORG", "PER")


class TestModelVersion:
    def test_it_is_short_and_says_whose_it_is(self) -> None:
        version = projector().model_version
        assert version.startswith("spanferry-")
        assert len(version) == len("spanferry-") + 12
        (found,) = projector().project([pair("Anna", "Anna", "de")])
        assert found.model_version == version

    def test_equal_parts_make_equal_versions(self) -> None:
        assert projector().model_version == projector().model_version

    def test_each_part_changes_it(self) -> None:
        teacher, aligner = FixedTagger(TEACHER), FixedAligner(TRANSLATIONS)
        versions = {
            name: Projector(*parts).model_version
            for name, parts in {
                "as it is": (teacher, aligner),
                "another teacher": (FixedTagger(TEACHER, "t2"), aligner),
                "another aligner": (teacher, FixedAligner(TRANSLATIONS, "a2")),
                "fewer checks": (teacher, aligner, PAPER_CHECKS),
                "another threshold": (teacher, aligner, (*PAPER_CHECKS, low_confidence(0.6))),
                "a second opinion": (teacher, aligner, CHECKS, FixedTagger({}, "t1")),
                "another second opinion": (teacher, aligner, CHECKS, FixedTagger({}, "t2")),
            }.items()
        }
        assert len(set(versions.values())) == len(versions)

    def test_a_check_is_named_with_its_threshold(self) -> None:
        assert [check.name for check in PAPER_CHECKS] == [
            "failed_mapping",
            "overlapping",
            "one_to_many",
        ]
        assert low_confidence(0.25).name == "low_confidence(0.25)"
        assert type_unsure(0.9, 0.05).name == "type_unsure(0.9, 0.05)"

    def test_it_depends_on_names_and_not_on_where_code_stands(self) -> None:
        """Moved or renamed functions leave every stored prediction current."""
        moved = tuple(Check(check.name, lambda _s, _p, _a: iter(())) for check in CHECKS)
        teacher, aligner = FixedTagger(TEACHER), FixedAligner(TRANSLATIONS)
        here, there = (Projector(teacher, aligner, checks) for checks in (CHECKS, moved))
        assert here.model_version == there.model_version

    def test_a_target_model_is_named_in_it(self) -> None:
        """So one target model is recognised beside whatever teacher and aligner it serves."""
        target = FixedTagger({}, "77ab01c5e2f3")
        projector = Projector(FixedTagger(TEACHER), FixedAligner({}), CHECKS, target)
        assert projector.model_version.endswith("-77ab01c5e2f3")


class TestWhileAnnotating:
    """The teacher is asked for what else stands in the source; marks are answered alone."""

    SENTENCE = pair("The Bank of Spain warned Anna.", "El Banco de España avisó a Anna.", "es")

    def test_what_was_marked_is_found(self) -> None:
        marked = Entity(Span(4, 17), "ORG")
        assert marked.span.of(self.SENTENCE.source) == "Bank of Spain"
        ((found,),) = projector(FixedTagger({"Anna": "PER"})).suggest(self.SENTENCE, [marked])
        assert found.target
        assert found.target.of(self.SENTENCE.target) == "Banco de España"
        assert (found.source, found.score) == (marked, 0.8)

    def test_what_was_marked_in_the_target_is_linked_to_what_the_teacher_knows(self) -> None:
        banco = Span(3, 18)
        assert banco.of(self.SENTENCE.target) == "Banco de España"
        known = projector(FixedTagger({"Bank of Spain": "ORG"}))
        (link,) = known.link(self.SENTENCE, [banco])
        assert link
        assert (link.source.of(self.SENTENCE.source), link.score) == ("Bank of Spain", 0.8)

    def test_entities_of_the_corpus_are_taken_as_they_are(self) -> None:
        teacher = FixedTagger(TEACHER)
        sentence = replace(self.SENTENCE, entities=())
        projector(teacher).link(sentence, [Span(3, 18)])
        projector(teacher).suggest(sentence, [Entity(Span(4, 17), "ORG")])
        assert teacher.asked == []

    def test_nothing_marked_is_nothing_found(self) -> None:
        assert projector().suggest(self.SENTENCE, []) == []
        assert projector().link(self.SENTENCE, []) == []


class TestLoad:
    """With real checkpoints: tiny ones that know a few words."""

    @pytest.fixture
    def teacher(self, word_tagger: Callable[[Mapping[str, str]], Path]) -> Path:
        return word_tagger({"Anna": "B-PER", "Bern": "B-LOC"})

    def test_a_label_travels(self, teacher: Path, copying_aligner: Path) -> None:
        loaded: ProjectsSentences = Projector.load(teacher, copying_aligner)
        sentence = pair("Anna left Bern", "das Bern verließ Anna", "de")
        (found,) = loaded.project([sentence])
        assert phrases(sentence.target, found.entities) == [("Bern", "LOC"), ("Anna", "PER")]
        assert loaded.labels == ("LOC", "PER")
        assert loaded.fits(sentence)

    def test_the_version_is_the_same_in_every_load(
        self, teacher: Path, copying_aligner: Path
    ) -> None:
        first, second = (Projector.load(teacher, str(copying_aligner)) for _ in range(2))
        first.project([pair("Anna left Bern", "Anna verließ Bern", "de")])
        assert first.model_version == second.model_version

    def test_options_change_it(self, teacher: Path, copying_aligner: Path) -> None:
        options = (
            {},
            {"labels": {"PER": "PERSON", "LOC": "LOC"}},
            {"suppress": ["LOC"]},
            {"decoding": PUBLISHED},
            {"checks": PAPER_CHECKS},
            {"target_model": teacher},
        )
        versions = {Projector.load(teacher, copying_aligner, **o).model_version for o in options}
        assert len(versions) == len(options)

    def test_labels_and_suppression_reach_the_teacher(
        self, teacher: Path, copying_aligner: Path
    ) -> None:
        loaded = Projector.load(
            teacher, copying_aligner, labels={"PER": "PERSON"}, suppress=["LOC"]
        )
        sentence = pair("Anna left Bern", "Anna verließ Bern", "de")
        (found,) = loaded.project([sentence])
        assert phrases(sentence.target, found.entities) == [("Anna", "PERSON")]

    def test_a_model_for_something_else_is_refused(self, teacher: Path) -> None:
        with pytest.raises(ModelError, match="an aligner has"):
            Projector.load(teacher, teacher)


class TestPair:
    def test_its_id_tells_pairs_apart(self) -> None:
        a, b = pair("Anna", "Ana", "es"), pair("Anna", "Anna", "es")
        assert a.id != b.id
        assert a == pair("Anna", "Ana", "es")
        assert (a.source_lang, a.target_lang, a.entities) == ("en", "es", None)
