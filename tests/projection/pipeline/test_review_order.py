"""The order of reviews: doubtful phrases first, each sentence once, never too many alike."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from projection.pipeline.review_order import (
    LIKELY_BAD,
    MOST_OF_A_LANGUAGE,
    review_order,
    review_ranks,
)
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)
from projection.text.documents import document_of

NAMES = ("Anna", "Bern", "Carl", "Dora", "Emil")


def projected(
    number: int, found: dict[str, float], lang: str = "de", *, lost: tuple[str, ...] = ()
) -> ProjectedSentence:
    """A sentence of these names, each with its score, and of names that were not found."""
    names = [*found, *lost]
    text = " ".join([*names, "geht"])
    pair = ParallelSentence(f"{lang}:{number}", text, text, "en", lang, f"news.en:{number}")
    projections = []
    for name in names:
        span = Span(text.index(name), text.index(name) + len(name))
        target = span if name in found else None
        projections.append(Projection(Entity(span, "PER"), target, found.get(name, 0.0)))
    entities = tuple(p.entity for p in projections if p.entity)
    score = min((p.score for p in projections), default=1.0)
    conflicts = tuple(
        Conflict(ConflictKind.FAILED_MAPPING, "", (p,)) for p in projections[len(found) :]
    )
    return ProjectedSentence(pair, entities, tuple(projections), conflicts, score, "v1")


@st.composite
def corpora(draw: st.DrawFn) -> list[ProjectedSentence]:
    """Sentences of up to three languages, some of them without a name, some without a doubt."""
    langs = draw(st.lists(st.sampled_from(["de", "nl", "zh"]), min_size=1, max_size=60))
    found = st.dictionaries(st.sampled_from(NAMES[:3]), st.sampled_from([0.1, 0.5, 0.99, 1.0]))
    lost = st.sets(st.sampled_from(NAMES[3:])).map(sorted).map(tuple)
    lines = draw(st.permutations(range(0, 5 * len(langs), 5)))  # four to a document
    return [
        projected(line, draw(found), lang, lost=draw(lost))
        for line, lang in zip(lines, langs, strict=True)
    ]


def ids(sentences: list[ProjectedSentence]) -> list[str]:
    return [sentences[place].sentence.id for place in review_order(sentences)]


def in_a_row(groups: list[str], most: int) -> bool:
    """Whether more than `most` of a group follow each other though others are left."""
    return any(
        len({*groups[start : start + most + 1]}) == 1 and len({*groups[start:]}) > 1
        for start in range(len(groups) - most)
    )


@settings(deadline=None, max_examples=60)
@given(corpora(), st.randoms(use_true_random=False))
def test_each_sentence_comes_once_wherever_it_stood(
    sentences: list[ProjectedSentence], rng: random.Random
) -> None:
    order = review_order(sentences)
    assert sorted(order) == [*range(len(sentences))]
    shuffled = rng.sample(sentences, len(sentences))
    assert ids(shuffled) == ids(sentences)


@settings(deadline=None, max_examples=60)
@given(corpora())
def test_languages_and_documents_take_turns(sentences: list[ProjectedSentence]) -> None:
    order = [sentences[place] for place in review_order(sentences)]
    # Probable bad translations take turns among themselves.
    order = order[: len(order) - int(LIKELY_BAD * len(order))]
    assert not in_a_row([each.sentence.target_lang for each in order], MOST_OF_A_LANGUAGE)
    for lang in ("de", "nl", "zh"):
        of_lang = [each.sentence for each in order if each.sentence.target_lang == lang]
        assert not in_a_row([document_of(each) for each in of_lang], 1)


def texts(sentences: list[ProjectedSentence]) -> list[str]:
    """The first word of each, in order."""
    return [sentences[place].sentence.source.split()[0] for place in review_order(sentences)]


def test_frequent_doubts_first_and_what_two_sentences_showed_not_again_before_the_rest() -> None:
    sentences = [projected(100 * n, {"Anna": 0.5}) for n in range(10)]
    sentences += [projected(100 * n, {f"B{n}": 0.6}) for n in range(10, 15)]
    sentences += [projected(100 * n, {f"C{n}": 0.99}) for n in range(15, 20)]
    kinds = "".join(text[0] for text in texts(sentences))
    assert kinds == "AABBBBB" + "A" * 8 + "CCCCC"


def test_a_doubt_in_few_words_is_worth_more() -> None:
    long, short = {"Anna": 0.5, **{f"Sure{n}": 1.0 for n in range(20)}}, {"Bert": 0.5}
    assert texts([projected(0, long), projected(100, short)]) == ["Bert", "Anna"]


def test_what_the_teacher_may_have_missed_counts_without_a_phrase() -> None:
    missed = replace(projected(0, {}), score=0.3)
    assert texts([projected(100, {"Anna": 0.8}), missed]) == ["geht", "Anna"]


def test_what_is_probably_no_translation_comes_last_but_only_so_many() -> None:
    sentences = [projected(20 * n, {"Anna": 0.99}) for n in range(38)]
    sentences += [projected(20 * n, {}, lost=("Bern", "Carl", "Dora")) for n in range(38, 42)]
    order = review_order(sentences)
    assert {*order[:2]} | {*order[-2:]} == {38, 39, 40, 41}
    one = projected(2000, {}, lost=("Bern",))
    assert review_order([*sentences[:38], one])[0] == 38, "may well have no translation"


def test_a_small_language_waits_for_nothing_but_its_turn() -> None:
    sentences = [projected(20 * n, {f"A{n}": 0.1}) for n in range(30)]
    sentences += [projected(20 * n, {f"N{n}": 0.9}, "nl") for n in range(2)]
    langs = [sentences[place].sentence.target_lang for place in review_order(sentences)]
    assert [n for n, lang in enumerate(langs) if lang == "nl"] == [6, 13]


def test_ranks_are_the_places_in_the_order() -> None:
    sentences = [projected(20 * n, {"Anna": score}) for n, score in enumerate((0.9, 0.2, 0.5))]
    assert review_ranks(sentences) == [3, 1, 2]
    assert review_ranks([]) == []
