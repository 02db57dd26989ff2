"""A tagger's answers on labelled sentences, and which of them are right."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from projection.errors import TrainingError
from projection.models.readings import UNCALIBRATED_TAGGER
from projection.models.tagger import Tagger
from training.data.rows import Row, Rows
from training.tagger.calibration import examples_of

Word = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def tagger(word_tagger: Word) -> Tagger:
    """Knows a name and a city, and is sure of both."""
    return Tagger.from_pretrained(word_tagger({"Anna": "B-PER", "Bern": "B-LOC"}))


def data(*sentences: str) -> Rows:
    """`data("Anna/B-PER left/O")`: a row a sentence."""
    rows = []
    for number, sentence in enumerate(sentences):
        tokens, tags = zip(*(word.split("/") for word in sentence.split()), strict=True)
        rows.append(Row(str(number), tokens, tags))
    return Rows.of(rows)


def rights(tagger: Tagger, rows: Rows) -> list[bool]:
    """Whether each answer that the tagger is sure of is right."""
    examples = examples_of(tagger, rows, "dev.iob2")
    return [
        is_right for signals, is_right in examples if UNCALIBRATED_TAGGER.probability(signals) > 0.5
    ]


def test_right_is_right_in_span_and_type(tagger: Tagger) -> None:
    rows = data(
        "Anna/B-PER left/O Bern/B-LOC",
        "Anna/B-LOC left/O",
        "Anna/B-PER Weber/I-PER left/O",
        "Bern/O left/O",
    )
    assert rights(tagger, rows) == [True, True, False, False, False]


def test_types_that_the_data_does_not_annotate_are_not_judged(tagger: Tagger) -> None:
    assert rights(tagger, data("Anna/B-PER left/O Bern/O")) == [True]


def test_data_of_other_types_is_refused(tagger: Tagger) -> None:
    with pytest.raises(TrainingError) as caught:
        examples_of(tagger, data("Anna/B-person left/O"), "dev.iob2")
    assert str(caught.value) == (
        "dev.iob2: has no entity of the model's types, LOC, PER. "
        "Rename its types with --map-label OLD=NEW"
    )


def test_progress(tagger: Tagger) -> None:
    told: list[int] = []
    examples_of(tagger, data("Anna/B-PER", "Bern/B-LOC"), "dev.iob2", told.append)
    assert told == [2]
