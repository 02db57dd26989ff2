"""An aligner is run on gold: its scores, its mistakes, its speed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from projection.aligners.baselines import ExactMatch
from projection.evaluation.matching import Outcome
from projection.evaluation.report import (
    FlagReport,
    ProjectionReport,
    evaluate_aligner,
    evaluate_projector,
)
from projection.evaluation.scores import Interval
from projection.io.gold import GoldSentence, read_gold
from projection.protocols import Link
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)
from tests.projection.evaluation.examples import TEXT, Mark, entities, gold


class FixedAligner:
    """Answers from a table, by id: where each source entity went."""

    version = "fixed"
    languages: tuple[str, ...] = ()

    def __init__(self, places: dict[str, list[Span | None]]) -> None:
        self.places = places
        self.batches: list[list[str]] = []

    def fits(self, sentence: ParallelSentence) -> bool:
        return sentence.id != "long"

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        self.batches.append([sentence.id for sentence in sentences])
        return [
            tuple(
                Projection(entity, place, 0.5 if place else 0.0)
                for entity, place in zip(s.entities or (), self.places[s.id], strict=True)
            )
            for s in sentences
        ]


def named(name: str, source: list[Mark], target: list[Mark]) -> GoldSentence:
    one = gold(source, target)
    return replace(one, sentence=replace(one.sentence, id=name, origin=f"a:{name}"))


class TestEvaluateAligner:
    def evaluate(self) -> ProjectionReport:
        golds = [
            named("1", [(0, 4, "PER")], [(0, 4, "PER")]),
            named("2", [(0, 4, "PER"), (5, 9, "LOC")], [(0, 4, "PER"), (5, 9, "LOC")]),
            named("long", [(0, 4, "PER"), (5, 9, "PER")], [(0, 4, "PER")]),
        ]
        self.aligner = FixedAligner(
            {
                "1": [Span(0, 4)],
                "2": [None, Span(4, 9)],
                "long": [Span(10, 12), Span(13, 15)],
            }
        )
        self.told: list[int] = []
        return evaluate_aligner(self.aligner, golds, batch=2, on_progress=self.told.append)

    def test_the_scores_are_those_of_what_was_projected(self) -> None:
        report = self.evaluate()
        scores = report.scores
        assert (scores.precision, scores.recall) == (1 / 4, 1 / 4)
        assert (scores.relaxed.precision, scores.relaxed.recall) == (2 / 4, 2 / 4)
        assert scores.ceiling == 8 / 9
        assert scores.sentences == 3
        assert 0 <= report.interval.low < scores.f1 < report.interval.high <= 1
        assert report.aligner == "fixed"
        assert report.too_long == 1
        assert report.seconds > 0
        assert report.sentences_per_second == 3 / report.seconds

    def test_sentences_are_handed_over_in_batches(self) -> None:
        self.evaluate()
        assert self.aligner.batches == [["1", "2"], ["long"]]
        assert self.told == [2, 1]

    def test_mistakes_name_the_sentence_and_the_source_entity(self) -> None:
        found = [
            (m.outcome.value, m.sentence.id, m.gold and m.gold.span, m.predicted)
            for m in self.evaluate().mistakes
        ]
        [per, loc] = entities((0, 4, "PER"), (5, 9, "LOC"))
        second = Entity(Span(5, 9), "PER")
        assert found == [
            ("wrong_border", "2", Span(5, 9), Projection(loc, Span(4, 9), 0.5)),
            ("missing", "2", Span(0, 4), None),
            ("wrong_mention", "long", Span(0, 4), Projection(per, Span(10, 12), 0.5)),
            ("spurious", "long", None, Projection(second, Span(13, 15), 0.5)),
        ]

    def test_two_source_entities_at_one_place_are_told_apart(self) -> None:
        golds = [named("1", [(0, 4, "PER"), (5, 9, "PER")], [(0, 4, "PER"), (5, 9, "PER")])]
        aligner = FixedAligner({"1": [Span(0, 4), Span(0, 4)]})
        [mistake] = evaluate_aligner(aligner, golds).mistakes
        assert mistake.outcome is Outcome.WRONG_MENTION
        assert mistake.predicted is not None
        assert mistake.predicted.source.span == Span(5, 9)

    def test_json(self) -> None:
        report = self.evaluate()
        row = json.loads(json.dumps(report.to_json()))
        assert row == {
            **json.loads(json.dumps(report.scores.to_json())),
            "f1_interval": report.interval.to_json(),
            "mistakes": row["mistakes"],
            "aligner": "fixed",
            "too_long": 1,
            "seconds": report.seconds,
            "sentences_per_second": report.sentences_per_second,
            "flags": None,
        }
        counts = {kind: found["count"] for kind, found in row["mistakes"].items()}
        assert counts == {
            "wrong_border": 1,
            "wrong_mention": 1,
            "wrong_label": 0,
            "missing": 1,
            "spurious": 1,
        }
        assert row["mistakes"]["wrong_border"]["examples"] == [
            {
                "id": "2",
                "origin": "a:2",
                "source": TEXT,
                "target": TEXT,
                "gold": {"start": 5, "end": 9, "text": "xxxx", "label": "LOC"},
                "predicted": {"start": 4, "end": 9, "text": "xxxxx", "label": "LOC", "score": 0.5},
                "projected_from": {"start": 5, "end": 9, "text": "xxxx", "label": "LOC"},
            }
        ]
        [missing] = row["mistakes"]["missing"]["examples"]
        assert missing["predicted"] is missing["projected_from"] is None
        [spurious] = row["mistakes"]["spurious"]["examples"]
        assert spurious["gold"] is None

    @pytest.mark.parametrize("examples", [0, 1, 2, 9])
    def test_the_first_examples_of_each_kind(self, examples: int) -> None:
        golds = [named(str(i), [], [(0, 4, "PER")]) for i in range(4)]
        report = evaluate_aligner(FixedAligner({str(i): [] for i in range(4)}), golds)
        missing = report.to_json(examples)["mistakes"]["missing"]  # type: ignore[index]
        assert missing["count"] == 4
        assert [m["id"] for m in missing["examples"]] == ["0", "1", "2", "3"][:examples]

    def test_nothing_to_score(self) -> None:
        report = evaluate_aligner(FixedAligner({}), [])
        assert (report.scores.f1, report.interval) == (0, Interval(0, 0))
        assert (report.mistakes, report.sentences_per_second) == ((), 0)

    def test_one_answer_for_each_sentence(self) -> None:
        class Forgetful(FixedAligner):
            def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
                return super().align(sentences)[1:]

        with pytest.raises(ValueError, match="shorter"):
            evaluate_aligner(Forgetful({"1": []}), [named("1", [], [])])


class FixedProjector:
    """Projects entities from a table, by id; some sentences are in conflict."""

    model_version = "spanferry-fixed"
    labels = ("PER",)

    def __init__(self, found: dict[str, list[Span]], flagged: set[str]) -> None:
        self.found, self.flagged = found, flagged
        self.asked: list[ParallelSentence] = []

    def fits(self, sentence: ParallelSentence) -> bool:
        return True

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        self.asked += sentences
        return [self._one(sentence) for sentence in sentences]

    def _one(self, sentence: ParallelSentence) -> ProjectedSentence:
        entities = tuple(Entity(span, "PER") for span in self.found[sentence.id])
        projections = tuple(Projection(entity, entity.span, 0.5) for entity in entities)
        conflict = Conflict(ConflictKind.TYPE_UNSURE, "unsure")
        conflicts = (conflict,) if sentence.id in self.flagged else ()
        return ProjectedSentence(
            sentence, entities, projections, conflicts, 0.5, self.model_version
        )

    def suggest(
        self, sentence: ParallelSentence, marked: Sequence[Entity]
    ) -> list[tuple[Projection, ...]]:
        return [() for _ in marked]

    def link(self, sentence: ParallelSentence, marked: Sequence[Span]) -> list[Link | None]:
        return [None for _ in marked]


class TestEvaluateProjector:
    GOLD = tuple(named(str(i), [(0, 4, "PER")], [(0, 4, "PER")]) for i in range(5))
    FOUND: ClassVar = {
        "0": [Span(0, 4)], "1": [Span(0, 4)], "2": [Span(0, 3)], "3": [], "4": [Span(5, 9)]
    }  # fmt: skip

    def test_it_counts_what_is_flagged_and_what_is_wrong_without(self) -> None:
        projector = FixedProjector(self.FOUND, flagged={"1", "2"})
        report = evaluate_projector(projector, self.GOLD, batch=2)
        assert report.flags == FlagReport(sentences=5, flagged=2, wrong=3, missed=2)
        assert report.flags.flagged_share == 2 / 5
        assert report.flags.missed_share == 2 / 3
        assert (report.scores.precision, report.scores.recall) == (2 / 4, 2 / 5)
        assert report.aligner == "spanferry-fixed"
        assert report.to_json()["flags"] == {
            "sentences": 5,
            "flagged": 2,
            "wrong": 3,
            "wrong_unflagged": 2,
            "flagged_share": 2 / 5,
            "wrong_unflagged_share": 2 / 3,
        }

    def test_the_gold_of_the_source_is_not_looked_at(self) -> None:
        projector = FixedProjector(self.FOUND, set())
        evaluate_projector(projector, self.GOLD)
        assert [sentence.entities for sentence in projector.asked] == [None] * 5

    def test_no_share_of_nothing(self) -> None:
        flags = evaluate_projector(FixedProjector({}, set()), []).flags
        assert flags is not None
        assert (flags.flagged_share, flags.missed_share) == (0, None)

    def test_an_aligner_flags_nothing(self) -> None:
        report = evaluate_aligner(FixedAligner({}), [])
        assert report.flags is None
        assert report.to_json()["flags"] is None


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "f1"),
    [
        pytest.param("europarl-ner.en-de", 0.336, id="de"),
        pytest.param("uner-pud-first500.en-zh", 0.290, id="zh"),
    ],
)
def test_exact_match_on_real_gold(shared_data: Path, name: str, f1: float) -> None:
    found = read_gold(shared_data / "projection" / f"{name}.jsonl")
    report = evaluate_aligner(ExactMatch(), found)
    assert report.scores.f1 == pytest.approx(f1, abs=1e-3)
    assert report.scores.relaxed.f1 >= report.scores.f1
    assert all(g.source_tokens is not None and g.target_tokens is not None for g in found)
