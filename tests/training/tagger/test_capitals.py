"""Names without capitals are taken out of labels that English has shaped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.rows import Row
from training.tagger.capitals import LEAST_MEANT, NAMES, counted, lower_case_is_meant, with_capitals
from training.tagger.presets import Part, Use
from training.tagger.sampling import drawn


def row(words: str, *tags: str, lang: str = "es") -> Row:
    return Row("1", tuple(words.split()), tags, lang)


def test_what_is_written_small_in_this_language_is_no_name() -> None:
    labelled = row("El gobierno libanés visita Beirut", "O", "O", "B-MISC", "O", "B-LOC")
    assert with_capitals(labelled).tags == ("O", "O", "O", "O", "B-LOC")


def test_all_words_of_an_entity_are_cleared_and_one_capital_keeps_it() -> None:
    small = row("Ayer la unión europea", "O", "O", "B-ORG", "I-ORG")
    mixed = row("Ayer la Liga de las estrellas", "O", "O", "B-ORG", "I-ORG", "I-ORG", "I-ORG")
    assert with_capitals(small).tags == ("O",) * 4
    assert with_capitals(mixed) == mixed


def test_what_is_cleared_has_neither_confidence_nor_origin() -> None:
    labelled = Row(
        "1",
        ("La", "libanesa", "Rima"),
        ("O", "B-MISC", "B-PER"),
        label_origin=("", "machine", "machine"),
        confidence=(1.0, 0.4, 0.9),
    )
    cleared = with_capitals(labelled)
    assert cleared.confidence == (1.0, 1.0, 0.9)
    assert cleared.label_origin == ("", "", "machine")


@pytest.mark.parametrize(
    ("words", "tags", "lang"),
    [
        ("vi a rima en beirut", ("O", "O", "B-PER", "O", "B-LOC"), "es"),  # no capital at all
        ("Nos vemos el lunes en enero", ("O", "O", "O", "B-DATE", "O", "B-DATE"), "es"),
        ("NATO 在 北京", ("B-ORG", "O", "B-LOC"), "zh"),  # scripts without case
        ("NATO და თბილისი", ("B-ORG", "O", "B-LOC"), "ka"),  # capitals for headlines only
        ("NATO في بيروت", ("B-ORG", "O", "B-LOC"), "ar"),
        ("El 1990 y el 11", ("O", "B-MISC", "O", "O", "B-MISC"), "es"),  # digits have no case
        ("Usa un iPhone", ("O", "O", "B-MISC"), "es"),
    ],
)
def test_what_stays(words: str, tags: tuple[str, ...], lang: str) -> None:
    labelled = row(words, *tags, lang=lang)
    assert with_capitals(labelled) == labelled


@given(st.lists(st.sampled_from(["el", "libanés", "Rima", "ß", "İstanbul", "ǆ", "123", "ა"])))
def test_only_entities_of_names_are_ever_cleared(words: list[str]) -> None:
    tags = tuple(("B-MISC", "O", "B-DATE")[i % 3] for i in range(len(words)))
    cleared = with_capitals(Row("1", tuple(words), tags))
    for before, after in zip(tags, cleared.tags, strict=True):
        assert after == before or (before.partition("-")[2] in NAMES and after == "O")


def test_a_use_says_whether_names_need_a_capital() -> None:
    labelled = [row("La libanesa canta", "O", "B-MISC", "O")]
    assert drawn(labelled, Use(Part.PSEUDO), 0) == labelled
    (cleared,) = drawn(labelled, Use(Part.PSEUDO, capitals=True), 0)
    assert not cleared.has_entity
    # Sentences that have lost their only entity count as those without one.
    assert drawn(labelled, Use(Part.PSEUDO, capitals=True, nameless=0.2), 0) == []


def test_names_in_lower_case_are_counted_and_a_few_are_slips() -> None:
    small, name = row("La libanesa canta", "O", "B-MISC", "O"), row("Rima canta", "B-PER", "O")
    labelled = [*[small] * LEAST_MEANT, *[name] * 10, row("El lunes", "O", "B-DATE")]
    assert counted(labelled) == (LEAST_MEANT + 10, LEAST_MEANT)
    assert lower_case_is_meant(labelled)
    assert not lower_case_is_meant(labelled[1:])
    assert not lower_case_is_meant([*labelled, *[name] * 1000])
    assert not lower_case_is_meant([])
