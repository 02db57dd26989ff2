"""A phrase that was corrected once is not proposed wrong again where that is certain."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from label_config.regions import PROPAGATED, meta_of
from label_config.tasks import shown
from ml_backend.propagation.memory import Memories, Memory
from projection.records import ProjectedSentence, ReviewedSentence
from tests.ml_backend.corrections import Marks, add, entities, pair, review

LOC, ORG = [("LOC", "Siemens")], [("ORG", "Siemens")]


def reviewed(text: str, before: Marks, after: Marks, line: int) -> ReviewedSentence:
    """A review of a line of a corpus; twenty lines are a document."""
    said = review(text, before, after)
    return replace(said, sentence=replace(said.sentence, id=str(line), origin=f"news.en:{line}"))


def in_line(line: int, text: str, marks: Marks) -> ProjectedSentence:
    sentence = replace(pair(text), id=str(line), origin=f"news.en:{line}")
    return ProjectedSentence(sentence, entities(text, marks, 0.9), (), (), 0.9, "fixed-1")


def marks_of(memory: Memory, projected: ProjectedSentence) -> list[tuple[str, str]]:
    result = memory.shown(projected).prediction["result"]
    return [(item["value"]["labels"][0], item["value"]["text"]) for item in result]


ONCE = reviewed("Siemens baut.", LOC, ORG, 1)
TWICE = [ONCE, reviewed("Die Siemens.", LOC, ORG, 50)]
SAME = reviewed("Bei Siemens.", LOC, ORG, 2)
KEPT = reviewed("Nach Siemens.", LOC, LOC, 90)


@pytest.mark.parametrize(
    ("reviews", "line", "label"),
    [
        pytest.param([ONCE], 7, "ORG", id="once, in the same document"),
        pytest.param([ONCE], 300, "LOC", id="once is not enough for another document"),
        pytest.param(TWICE, 300, "ORG", id="two documents are"),
        pytest.param([ONCE, SAME], 300, "LOC", id="two sentences of one are not"),
        pytest.param([*TWICE, KEPT], 7, "LOC", id="not where somebody decided otherwise"),
        pytest.param([KEPT], 90, "LOC", id="nothing was corrected"),
    ],
)
def test_a_correction_is_remembered_where_reviewers_agree(
    reviews: Sequence[ReviewedSentence], line: int, label: str
) -> None:
    found = in_line(line, "Hier ist Siemens.", LOC)
    assert marks_of(Memory.of(reviews), found) == [(label, "Siemens")]


@pytest.mark.parametrize(
    ("before", "after", "found", "expected"),
    [
        pytest.param([("PER", "Montag")], [], [("PER", "Montag")], [], id="no entity"),
        pytest.param(
            [("ORG", "der FC Bayern")],
            [("ORG", "FC Bayern")],
            [("ORG", "der FC Bayern")],
            [("ORG", "FC Bayern")],
            id="borders",
        ),
        pytest.param([], [("LOC", "Bonn")], [], [("LOC", "Bonn")], id="overlooked"),
    ],
)
def test_every_kind_of_correction_is_remembered(
    before: Marks, after: Marks, found: Marks, expected: Marks
) -> None:
    memory = Memory.of([reviewed("Am Montag spielt der FC Bayern in Bonn.", before, after, 1)])
    again = in_line(2, "Oft siegt der FC Bayern, am Montag sogar in Bonn.", found)
    assert marks_of(memory, again) == list(expected)


def test_the_prediction_says_that_it_comes_from_a_correction() -> None:
    found = in_line(2, "Hier ist Siemens.", LOC)
    prediction, fields = Memory.of([ONCE]).shown(found)
    (region,) = prediction["result"]
    assert meta_of(region)[PROPAGATED] == "LOC → ORG, as in 1 reviewed sentence"
    assert "score" not in region, "the models' score is of another label"
    assert fields["propagated"] == "Siemens: LOC → ORG"
    assert Memory().shown(found) == shown(found)


def test_a_memory_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    memories = Memories(tmp_path / "memory")
    assert memories.of(5) == memories.of(None) == Memory()
    Memory.of([ONCE]).write(tmp_path / "memory", 5)
    assert memories.of(5) == Memory.of([ONCE])
    assert memories.of(5) is memories.of(5)
    assert memories.of(6) == Memory(), "of another project"
    Memory.of(TWICE).write(tmp_path / "memory", 5)
    assert memories.of(5) == Memory.of(TWICE)
    assert marks_of(memories.of(5), in_line(300, "Hier ist Siemens.", LOC)) == ORG


def test_a_damaged_memory_keeps_nothing_from_being_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "5.json").write_text('{"schema": 1, "corrections": [{"Siemens": 1}]}', "utf-8")
    assert Memories(tmp_path).of(5) == Memory()
    assert "5.json cannot be read" in caplog.text
    assert "Siemens" not in caplog.text


def test_one_character_of_a_language_without_spaces_is_not_remembered() -> None:
    said = review("美国", [], [("LOC", "美")], lang="zh")
    assert add("美", "LOC", "zh") not in {m.correction for m in Memory.of([said]).corrections}
