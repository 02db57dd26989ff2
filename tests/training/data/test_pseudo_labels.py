"""Projected sentences as data to train on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from datasets import Dataset

from projection.errors import CorpusError, RunError
from projection.io.files import json_line
from projection.io.records_json import encode
from projection.pipeline.conflicts import Policy
from projection.pipeline.run import project_corpus
from projection.records import (
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from training.data.dataset import (
    Row,
    dataset_of,
    load_all,
    parse_label_map,
    rows_of,
    tag_names_of,
)
from training.data.pseudo_labels import (
    by_trust,
    decided_in,
    load_projected,
    projected_dataset,
    read_text,
    together,
    without,
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
        assert row.confidence == pytest.approx((0.72, 0.72, 1.0, 1.0, 0.5))
        assert (row.status, row.lang, row.origin) == ("projected", "nl", "a.en:1")

    def test_a_gold_source_entity_is_right(self) -> None:
        assert rows_of(projected_dataset([projected(teacher=None)]))[0].confidence[0] == 0.8

    def test_what_no_projection_stands_behind_has_its_own_score(self) -> None:
        sentence = projected().sentence
        offered = Entity(Span(0, 10), "PER", 0.99)
        found = ProjectedSentence(sentence, (offered,), (), (), 0.99, "v1")
        assert rows_of(projected_dataset([found]))[0].confidence == (0.99, 0.99, 1.0, 1.0, 1.0)

    def test_no_sentence_at_all(self) -> None:
        assert len(projected_dataset([])) == 0

    def test_a_sentence_without_words_is_passed_over(self) -> None:
        empty = ParallelSentence("1", "x", " ", "en", "nl", "a.en:1")
        assert len(projected_dataset([ProjectedSentence(empty, (), (), (), 1.0, "v1")])) == 0


class SamePlaces:
    """Projects the one sentence of these tests."""

    model_version = "v1"
    labels = ("LOC", "PER")

    def __init__(self, margin: float | None = None) -> None:
        self.margin = margin

    def fits(self, sentence: ParallelSentence) -> bool:
        return True

    def project(self, sentences: list[ParallelSentence]) -> list[ProjectedSentence]:
        found = [projected(int(each.id)) for each in sentences]
        return [replace(p, sentence=replace(p.sentence, margin=self.margin)) for p in found]


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
    # What is no entity any more is not doubted either.
    assert rows_of(dataset)[0].confidence == pytest.approx((0.72, 0.72, 1.0, 1.0, 1.0))
    with pytest.raises(RunError, match="not a run folder"):
        load_projected([tmp_path])


def test_how_parallel_a_pair_is_stays_with_it(tmp_path: Path) -> None:
    sentence = replace(projected().sentence, margin=1.04)
    project_corpus(
        [sentence],
        SamePlaces(margin=1.04),
        tmp_path / "run",
        policy=Policy.FLAG,
        settings={},
        on_progress=lambda _: None,
    )
    renamed = load_projected([tmp_path / "run"], parse_label_map(["PER=MENS"], []))
    assert [row.margin for row in rows_of(renamed)] == [1.04]
    # A dataset that was saved is read by the same functions as any other.
    renamed.save_to_disk(tmp_path / "saved")
    assert [row.margin for row in rows_of(load_all([tmp_path / "saved"]))] == [1.04]


class TestDecided:
    @pytest.fixture
    def export(self, tmp_path: Path) -> Path:
        """Two sentences, one decided by two people in two ways, and one that was skipped."""
        statuses = [(1, "unusable"), (1, "corrected"), (2, "skipped"), (3, "accepted")]
        reviews = [
            ReviewedSentence(
                sentence=projected(number).sentence,
                entities=(),
                status=ReviewStatus(status),
                annotator=str(place),
                lead_time=None,
                predicted=None,
                conflicts=(),
                model_version=None,
            )
            for place, (number, status) in enumerate(statuses)
        ]
        text = "".join(json_line(encode(review)) for review in reviews)
        (tmp_path / "reviewed.jsonl").write_text(text, "utf-8")
        return tmp_path

    def test_what_somebody_decided_is_no_guess(self, export: Path) -> None:
        expected = {("1", "a.en:1"), ("3", "a.en:3")}
        assert decided_in([export]) == decided_in([export / "reviewed.jsonl"]) == expected
        assert decided_in([export / "data.iob2", export / "missing"]) == set()

    def test_is_left_out_by_place_and_by_text(self, export: Path) -> None:
        dataset = projected_dataset(map(projected, (1, 2, 3, 4)))
        assert without(dataset, decided_in([export]), ())["id"][:] == ["2", "4"]
        assert len(without(dataset, (), {tuple(DUTCH.split())})) == 0
        assert without(dataset, (), ()) is dataset


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
        assert rows_of(whole)[0].confidence == ()
        assert rows_of(whole)[3].confidence[0] == pytest.approx(0.72)

    def test_nothing_and_one(self, made_data: Callable[[int, int], Dataset]) -> None:
        one = made_data(3, 1)
        assert together(None, None) is None
        assert together(None, one) is one
