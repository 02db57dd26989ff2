"""Projected sentences as data to train on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import Dataset

from projection.conflicts import Policy
from projection.errors import CorpusError, RunError
from projection.records import Entity, ParallelSentence, ProjectedSentence, Projection, Span
from projection.run import project_corpus
from training.dataset import Row, dataset_of, parse_label_map, rows_of, tag_names_of
from training.pseudo import (
    CONFIDENCE,
    by_trust,
    load_projected,
    projected_dataset,
    read_text,
    together,
)

ENGLISH, DUTCH = "Anna Weber saw 😀 Bern", "Anna Weber zag 😀 Bern"


def projected(
    number: int = 1, teacher: float | None = 0.9, aligner: float = 0.8
) -> ProjectedSentence:
    sentence = ParallelSentence(f"{number}", ENGLISH, DUTCH, "en", "nl", f"a.en:{number}")
    name, place = Span(0, 10), Span(17, 21)
    projections = (
        Projection(Entity(name, "PER", teacher), name, aligner),
        Projection(Entity(Span(17, 21), "LOC", 1.0), place, 0.5),
    )
    entities = tuple(p.entity for p in projections if p.entity is not None)
    return ProjectedSentence(sentence, entities, projections, (), 0.5, "v1")


class TestConfidence:
    def test_is_the_teacher_s_times_the_aligner_s(self) -> None:
        dataset = projected_dataset([projected()])
        (row,) = rows_of(dataset)
        assert row.tags == ("B-PER", "I-PER", "O", "O", "B-LOC")
        assert dataset[0][CONFIDENCE] == pytest.approx([0.72, 0.72, 1.0, 1.0, 0.5])
        assert (row.status, row.lang, row.origin) == ("projected", "nl", "a.en:1")

    def test_a_gold_source_entity_is_right(self) -> None:
        assert projected_dataset([projected(teacher=None)])[0][CONFIDENCE][0] == 0.8

    def test_what_no_projection_stands_behind_has_its_own_score(self) -> None:
        sentence = projected().sentence
        offered = Entity(Span(0, 10), "PER", 0.99)
        found = ProjectedSentence(sentence, (offered,), (), (), 0.99, "v1")
        assert projected_dataset([found])[0][CONFIDENCE] == [0.99, 0.99, 1.0, 1.0, 1.0]

    def test_no_sentence_at_all(self) -> None:
        assert len(projected_dataset([])) == 0

    def test_a_sentence_without_words_is_passed_over(self) -> None:
        empty = ParallelSentence("1", "x", " ", "en", "nl", "a.en:1")
        assert len(projected_dataset([ProjectedSentence(empty, (), (), (), 1.0, "v1")])) == 0


class SamePlaces:
    """Projects the one sentence of these tests."""

    model_version = "v1"
    labels = ("LOC", "PER")

    def fits(self, sentence: ParallelSentence) -> bool:
        return True

    def project(self, sentences: list[ParallelSentence]) -> list[ProjectedSentence]:
        return [projected(int(each.id)) for each in sentences]


def test_run_folders_are_read_with_their_types_renamed(tmp_path: Path) -> None:
    sentences = [projected(number).sentence for number in (1, 2)]
    for run in ("a", "b"):
        project_corpus(
            sentences,
            SamePlaces(),
            tmp_path / run,
            policy=Policy.FLAG,
            settings={},
            on_progress=lambda _: None,
        )
    labels = parse_label_map(["PER=MENS"], ["LOC"])
    dataset = load_projected([tmp_path / "a", tmp_path / "b"], labels)
    assert len(dataset) == 4
    assert tag_names_of(dataset) == ["O", "B-MENS", "I-MENS"]
    with pytest.raises(RunError, match="not a run folder"):
        load_projected([tmp_path])


class TestByTrust:
    def test_what_nobody_looked_at_is_apart(self) -> None:
        statuses = ("gold", "accepted", "unseen", "corrected", "projected")
        rows = [Row(s, ("kam",), ("O",), status=s) for s in statuses]
        trusted, doubtful = by_trust(dataset_of(rows))
        assert trusted is not None
        assert doubtful is not None
        assert trusted["id"][:] == ["gold", "accepted", "corrected"]
        assert doubtful["id"][:] == ["unseen", "projected"]

    def test_either_may_be_missing(self) -> None:
        gold = dataset_of([Row("1", ("kam",), ("O",))])
        assert by_trust(gold)[1] is None
        assert by_trust(dataset_of([])) == (None, None)


class TestText:
    def test_a_sentence_a_line(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        path.write_text("Anna zag Bern.\n\n \n安娜去伯尔尼\n", encoding="utf-8")
        rows = rows_of(read_text([path], "nl"))
        assert rows[0].tokens == ("Anna", "zag", "Bern", ".")
        assert [row.origin for row in rows] == ["text.txt:1", "text.txt:4"]
        assert {tag for row in rows for tag in row.tags} == {"O"}

    def test_what_is_not_utf_8_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "text.txt").write_bytes(b"gut\n\xff\n")
        with pytest.raises(CorpusError, match=r"text\.txt:2: not UTF-8"):
            read_text([tmp_path / "text.txt"], "de")


class TestTogether:
    def test_types_and_columns_of_all(self, made_data: Callable[[int, int], Dataset]) -> None:
        whole = together(made_data(3, 1), None, projected_dataset([projected()]))
        assert whole is not None
        assert [row.tags for row in rows_of(whole)][3][0] == "B-PER"
        assert whole[CONFIDENCE][0] is None
        assert whole[CONFIDENCE][3][0] == pytest.approx(0.72)

    def test_nothing_and_one(self, made_data: Callable[[int, int], Dataset]) -> None:
        one = made_data(3, 1)
        assert together(None, None) is None
        assert together(None, one) is one
