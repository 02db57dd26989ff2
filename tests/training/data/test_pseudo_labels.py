"""Projected sentences as data to train on."""

from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from projection.addresses import path_or_address
from projection.errors import CorpusError, RunError
from projection.io.corpus import corpus_id
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
from training.data.dataset import read_all, to_dataset
from training.data.pseudo_labels import (
    confidences_of,
    decided_in,
    identity,
    projected_rows,
    read_projected,
    read_text,
)
from training.data.rows import LabelMap

ENGLISH, DUTCH = "Anna Weber saw 😀 Bern", "Anna Weber zag 😀 Bern"


def projected(
    number: int = 1, teacher: float | None = 0.9, score: float = 0.72
) -> ProjectedSentence:
    sentence = ParallelSentence(f"{number}", ENGLISH, DUTCH, "en", "nl", f"a.en:{number}")
    name, place = Span(0, 10), Span(17, 21)
    projections = (
        Projection(Entity(name, "PER", teacher), name, score),
        Projection(Entity(Span(17, 21), "LOC", 1.0), place, 0.5),
    )
    entities = tuple(p.entity for p in projections if p.entity is not None)
    return ProjectedSentence(sentence, entities, projections, (), 0.5, "v1")


class TestConfidence:
    def test_is_that_of_the_projection(self) -> None:
        (row,) = projected_rows([projected()])
        assert row.tags == ("B-PER", "I-PER", "O", "O", "B-LOC")
        assert row.confidence == pytest.approx((0.72, 0.72, 1.0, 1.0, 0.5))
        assert (row.status, row.lang, row.origin) == ("projected", "nl", "a.en:1")

    def test_a_gold_source_entity_is_right(self) -> None:
        assert projected_rows([projected(teacher=None)]).rows[0].confidence[0] == 0.72

    def test_what_no_projection_stands_behind_has_its_own_score(self) -> None:
        sentence = projected().sentence
        offered = Entity(Span(0, 10), "PER", 0.99)
        found = ProjectedSentence(sentence, (offered,), (), (), 0.99, "v1")
        assert projected_rows([found]).rows[0].confidence == (0.99, 0.99, 1.0, 1.0, 1.0)

    def test_two_labels_on_one_span_have_their_own(self) -> None:
        pair, place = projected().sentence, Span(17, 21)
        projections = (
            Projection(Entity(place, "LOC", 0.9), place, 0.9),
            Projection(Entity(place, "ORG", 0.2), place, 0.2),
        )
        entities = (Entity(place, "LOC", 0.8), Entity(place, "ORG", 0.8))
        both = ProjectedSentence(pair, entities, projections, (), 0.5, "v1")
        assert confidences_of(both) == [0.9, 0.2]
        (row,) = projected_rows([both])
        assert (row.tags[4], row.confidence[4]) == ("B-LOC", 0.9)

    def test_no_sentence_at_all(self) -> None:
        assert len(projected_rows([])) == 0

    def test_a_sentence_without_words_is_passed_over(self) -> None:
        empty = ParallelSentence("1", "x", " ", "en", "nl", "a.en:1")
        assert len(projected_rows([ProjectedSentence(empty, (), (), (), 1.0, "v1")])) == 0


class SamePlaces:
    """Projects the one sentence of these tests."""

    model_version = "v1"
    labels = ("LOC", "PER")
    languages: tuple[str, ...] = ()

    def __init__(self, margin: float | None = None) -> None:
        self.margin = margin

    def fits(self, sentence: ParallelSentence) -> bool:
        return True

    def needs_windows(self, *texts: str) -> bool:
        return False

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
    labels = LabelMap.parse(["PER=MENS"], ["LOC"])
    rows = read_projected([tmp_path / "a", tmp_path / "b"], labels)
    assert len(rows) == 4
    assert rows.labels == ("MENS",)
    # What is no entity any more is not doubted either.
    assert rows.rows[0].confidence == pytest.approx((0.72, 0.72, 1.0, 1.0, 1.0))
    with pytest.raises(RunError, match="not a run folder"):
        read_projected([tmp_path])


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
    renamed = read_projected([tmp_path / "run"], LabelMap.parse(["PER=MENS"], []))
    assert [row.margin for row in renamed] == [1.04]
    # A dataset that was saved is read by the same functions as any other.
    to_dataset(renamed).save_to_disk(tmp_path / "saved")
    assert [row.margin for row in read_all([tmp_path / "saved"])] == [1.04]


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
        decided = [projected(number).sentence for number in (1, 3)]
        texts = ["".join(pair.target.split()) for pair in decided]
        named = list(zip(decided, texts, strict=True))
        expected = {(pair.id, pair.origin, text) for pair, text in named}
        # The same corpus may since have been projected with ids that hold a hash of the texts.
        expected |= {(corpus_id(p.id, p.source, p.target), p.origin, text) for p, text in named}
        assert decided_in([export]) == decided_in([export / "reviewed.jsonl"]) == expected
        assert decided_in([export / "data.iob2", export / "missing"]) == set()
        fsspec.filesystem("memory").pipe(
            "/reviews/reviewed.jsonl", (export / "reviewed.jsonl").read_bytes()
        )
        assert decided_in([path_or_address("memory://reviews/reviewed.jsonl")]) == expected

    def test_a_sentence_of_another_corpus_with_that_id_and_place_is_not_decided(
        self, export: Path
    ) -> None:
        same = projected(1)
        other = replace(same, sentence=replace(same.sentence, target="Ganz anders"), entities=())
        rows = projected_rows([same, replace(other, projections=(), conflicts=())])
        assert [identity(row) in decided_in([export]) for row in rows] == [True, False]


class TestText:
    def test_a_sentence_a_line(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        path.write_text("Anna zag Bern.\n\n \n安娜去伯尔尼\n", encoding="utf-8")
        rows = read_text([path], "nl").rows
        assert rows[0].tokens == ("Anna", "zag", "Bern", ".")
        assert [row.origin for row in rows] == ["text.txt:1", "text.txt:4"]
        assert {tag for row in rows for tag in row.tags} == {"O"}

    def test_what_is_not_utf_8_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "text.txt").write_bytes(b"gut\n\xff\n")
        with pytest.raises(CorpusError, match=r"text\.txt:2: not UTF-8"):
            read_text([tmp_path / "text.txt"], "de")
