"""The teacher learns from corrections, through what their English words are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from projection.models.tagger import Tagger
from projection.protocols import Link
from projection.records import (
    Entity,
    LabelOrigin,
    ParallelSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from training.data.rows import Rows
from training.tagger import teacher
from training.tagger.finetune import fine_tune
from training.tagger.teacher import source_row, source_rows, teach
from training.trainer.settings import FineTune, LossName

SOURCE = "Siemens of Bonn praised Monday ."
TARGET = "Bonns Siemens lobte Montag ."
WORDS = {"Siemens": "Siemens", "Bonns": "Bonn", "Montag": "Monday"}


def in_target(label: str, phrase: str) -> Entity:
    start = TARGET.index(phrase)
    return Entity(Span(start, start + len(phrase)), label)


def in_source(phrase: str) -> Span:
    return Span(SOURCE.index(phrase), SOURCE.index(phrase) + len(phrase))


def review(
    before: Sequence[Entity], after: Sequence[Entity], known: Sequence[tuple[str, str]]
) -> ReviewedSentence:
    """Reviewed; what was as proposed still knows the English words it was projected from."""
    kept = {entity.span for entity in before}
    came_from = [
        Provenance(LabelOrigin.PROJECTED, in_source(WORDS[entity.span.of(TARGET)]))
        if entity.span in kept
        else Provenance(LabelOrigin.PERSON)
        for entity in after
    ]
    return ReviewedSentence(
        ParallelSentence("1", SOURCE, TARGET, "en", "de", "news.en:1"),
        tuple(after),
        ReviewStatus.CORRECTED,
        "1",
        predicted=tuple(before),
        provenance=tuple(came_from),
        teacher_entities=tuple(Entity(in_source(phrase), label) for label, phrase in known),
    )


def linked(_: ParallelSentence, spans: Sequence[Span]) -> list[Link | None]:
    return [Link(in_source(WORDS[span.of(TARGET)]), 0.9) for span in spans]


def linked_to_nothing(_: ParallelSentence, spans: Sequence[Span]) -> list[Link | None]:
    return [None for _ in spans]


SIEMENS, BONN = in_target("LOC", "Siemens"), in_target("LOC", "Bonns")
KNOWN = [("LOC", "Siemens"), ("LOC", "Bonn")]


@pytest.mark.parametrize(
    ("before", "after", "known", "tags"),
    [
        pytest.param(
            [SIEMENS, BONN],
            [in_target("ORG", "Siemens"), BONN],
            KNOWN,
            "B-ORG O B-LOC O O O",
            id="another type",
        ),
        pytest.param([SIEMENS, BONN], [BONN], KNOWN, "O O B-LOC O O O", id="no entity"),
        pytest.param(
            [BONN],
            [in_target("ORG", "Siemens"), BONN],
            [("LOC", "Bonn")],
            "B-ORG O B-LOC O O O",
            id="overlooked: where the aligner links it",
        ),
        pytest.param(
            [BONN],
            [BONN],
            [*KNOWN, ("PER", "Monday")],
            "_ O B-LOC O _ O",
            id="not projected: nothing is known of it",
        ),
    ],
)
def test_labels_are_put_on_the_english_words(
    before: Sequence[Entity], after: Sequence[Entity], known: list[tuple[str, str]], tags: str
) -> None:
    row = source_row(review(before, after, known), linked)
    assert row is not None
    assert list(zip(row.tokens, row.tags, strict=True)) == [
        *zip(SOURCE.split(), tags.split(), strict=True)
    ]


def test_a_sentence_with_a_label_of_unknown_english_words_is_left_out() -> None:
    said = review([], [in_target("PER", "Montag")], [])
    assert source_row(said, linked_to_nothing) is None
    assert len(source_rows([said], ["PER"], linked_to_nothing)) == 0
    chinese = replace(said, sentence=replace(said.sentence, source_lang="zh"))
    assert [len(source_rows([each], ["PER"], linked)) for each in (said, chinese)] == [1, 0]


def test_the_teacher_learns_from_a_correction(
    base: Callable[[str], Path],
    made_data: Callable[[int, int], Rows],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A phrase it labels LOC, and LOC in every review ORG: it does so in other sentences."""
    quick = FineTune(loss=LossName.CE, epochs=4, batch_size=16, learning_rate=5e-3)
    rows = made_data(150, 1)
    fine_tune(rows, replace(quick, base=str(base("bert"))), tmp_path / "old")
    corrected = Rows.of(
        replace(row, tags=tuple(tag.replace("LOC", "ORG") for tag in row.tags)) for row in rows
    )
    monkeypatch.setattr(teacher, "RECIPE", quick)
    new = tmp_path / "new"
    teach(corrected, made_data(1, 2), tmp_path / "old", new, on_progress=lambda *_: None)
    text = "heute kam Kumoku und das haus ."
    found = [
        Tagger.from_pretrained(tmp_path / each).tag([text], "en")[0] for each in ("old", "new")
    ]
    assert [[e.label for e in entities] for entities in found] == [["LOC"], ["ORG"]]
