"""The order of reviews: what is worth most first, nothing twice, and never one thing in a row."""

import random
from statistics import fmean

from hypothesis import given, settings
from hypothesis import strategies as st

from projection.pipeline.review_order import LIKELY_BAD, MOST_OF_A_LANGUAGE, review_order
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


def ids(sentences: list[ProjectedSentence], seed: int = 0) -> list[str]:
    return [sentences[place].sentence.id for place in review_order(sentences, seed)]


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
    # Probable bad translations are spread among themselves.
    order = order[: len(order) - int(LIKELY_BAD * len(order))]
    assert not in_a_row([each.sentence.target_lang for each in order], MOST_OF_A_LANGUAGE)
    for lang in ("de", "nl", "zh"):
        of_lang = [each.sentence for each in order if each.sentence.target_lang == lang]
        assert not in_a_row([document_of(each) for each in of_lang], 1)


def place_of(name: str, sentences: list[ProjectedSentence], nth: int = 0) -> float:
    """The mean place, over many seeds, of the nth sentence with a name, from 0 to 1."""
    places = []
    for seed in range(40):
        texts = [sentences[place].sentence.source for place in review_order(sentences, seed)]
        places.append([n for n, text in enumerate(texts) if name in text][nth] / len(texts))
    return fmean(places)


def test_doubt_and_frequency_come_first_and_what_two_sentences_showed_does_not_come_again() -> None:
    sentences = [projected(100 * n, {"Anna": 0.5}) for n in range(10)]
    sentences += [projected(100 * n, {f"Rare{n}": 0.5}) for n in range(10, 20)]
    sentences += [projected(100 * n, {f"Sure{n}": 0.99}) for n in range(20, 30)]
    assert place_of("Anna", sentences, 1) < 0.25
    assert place_of("Anna", sentences, 1) < place_of("Rare", sentences, 1) + 0.05
    assert place_of("Rare", sentences, 5) < place_of("Anna", sentences, 5)
    assert place_of("Anna", sentences, 5) < place_of("Sure", sentences, 5)


def test_every_seed_draws_anew_and_no_sentence_is_always_last() -> None:
    sentences = [projected(20 * n, {f"Name{n}": 0.9 if n else 0.95}) for n in range(10)]
    assert len({tuple(ids(sentences, seed)) for seed in range(5)}) == 5
    assert {review_order(sentences, seed)[-1] for seed in range(30)} != {0}


def test_what_is_probably_no_translation_comes_last_but_only_so_many() -> None:
    sentences = [projected(20 * n, {"Anna": 0.99}) for n in range(38)]
    sentences += [projected(20 * n, {}, lost=("Bern", "Carl", "Dora")) for n in range(38, 42)]
    order = review_order(sentences)
    assert {*order[-2:]} < {38, 39, 40, 41}
    assert {38, 39, 40, 41} - {*order[-2:]} <= {*order[:12]}, "the others are the most doubtful"


def test_one_name_that_is_not_found_is_no_sign_of_a_bad_translation() -> None:
    sentences = [projected(20 * n, {"Anna": 0.99}) for n in range(40)]
    sentences.append(projected(2000, {}, lost=("Bern",)))
    assert 40 in review_order(sentences)[:20]


def test_of_nothing_nothing() -> None:
    assert review_order([]) == []
