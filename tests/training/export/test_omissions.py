"""Each annotation and entity that is not in the data as it was left has a line with a reason."""

from pathlib import Path
from typing import Any

from projection.io.files import read_jsonl
from projection.records import Entity, ReviewStatus, Span
from tests.training.export.test_export import ANNA, BONN, balanced, review
from training.data.adjudication import AdjudicationPolicy
from training.data.dataset import read_rows
from training.export.export import ExportSettings, write_export
from training.export.omissions import LossKind


def losses(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(folder / "losses.jsonl")]


class TestLosses:
    def test_sentences(self, tmp_path: Path) -> None:
        reviewed = [
            review(1, status=ReviewStatus.UNUSABLE, annotation=11),
            review(2, status=ReviewStatus.SKIPPED),
            review(3, [], text=" \r\n"),
        ]
        summary = write_export(reviewed, tmp_path / "out", title="Test")
        assert balanced(summary)
        assert [
            (loss["kind"], loss["id"], loss["entity"]) for loss in losses(tmp_path / "out")
        ] == [
            ("unusable", "s1", None),
            ("skipped", "s2", None),
            ("empty", "s3", None),
        ]
        assert losses(tmp_path / "out")[0] == {
            "kind": "unusable",
            "id": "s1",
            "origin": "a.jsonl:1",
            "annotator": "1",
            "task_id": None,
            "annotation_id": 11,
            "entity": None,
            "reason": "marked as not fit for training",
        }

    def test_spans_with_their_text(self, tmp_path: Path) -> None:
        text = "👩‍👩‍👧 שלום Merkels"
        part, blank = Entity(Span(11, 17), "PER"), Entity(Span(5, 6), "LOC")
        whole = Entity(Span(6, 18), "ORG")
        write_export([review(1, [part, whole, blank], text=text)], tmp_path / "out", title="Test")
        found = {loss["kind"]: loss for loss in losses(tmp_path / "out")}
        assert found.keys() == {"overlap", "blank"}
        assert found["overlap"]["entity"] == {
            "start": 11,
            "end": 17,
            "text": "Merkel",
            "label": "PER",
        }
        assert "ORG “שלום Merkels”" in found["overlap"]["reason"]
        assert found["blank"]["entity"]["text"] == " "

    def test_what_others_marked_that_does_not_hold(self, tmp_path: Path) -> None:
        reviewed = [
            review(1, [ANNA, BONN], annotator="1", annotation=1),
            review(1, [BONN], annotator="2", at="2024-05-02T10:00:00Z", annotation=2),
            review(1, [ANNA], annotator="1", at="2024-04-02T10:00:00Z", annotation=3),
        ]
        settings = ExportSettings(policy=AdjudicationPolicy.LATEST)
        summary = write_export(reviewed, tmp_path / "out", title="Test", settings=settings)
        assert balanced(summary)
        assert (summary.disagreements, summary.unsettled) == (1, 0)
        found = [(x["kind"], x["annotation_id"], x["entity"]) for x in losses(tmp_path / "out")]
        anna = {"start": 0, "end": 4, "text": "Anna", "label": "PER"}
        assert found == [
            ("superseded", 1, None),
            ("outvoted", 1, anna),
            ("superseded", 3, None),
            ("outvoted", 3, anna),
        ]
        assert "the decision of annotator 2 holds" in losses(tmp_path / "out")[0]["reason"]

    def test_what_annotators_disagree_on_is_left_out_and_listed(self, tmp_path: Path) -> None:
        reviewed = [
            review(1, [ANNA], annotator="1", annotation=1),
            review(1, [BONN], annotator="2", at="2024-05-02T10:00:00Z", annotation=2),
            review(2, [BONN]),
        ]
        summary = write_export(reviewed, tmp_path / "out", title="Test")
        assert balanced(summary)
        assert (summary.disagreements, summary.unsettled, summary.usable) == (1, 1, 1)
        found = [(x["kind"], x["annotation_id"], x["reason"]) for x in losses(tmp_path / "out")]
        assert found == [
            ("disagreed", 2, "annotators disagree: 1: PER “Anna”; 2: LOC “Bonn”"),
            ("superseded", 1, "annotators disagree"),
        ]
        assert [row.id for row in read_rows(tmp_path / "out").rows] == ["s2"]
        # What reads all annotations leaves it out, too.
        assert [row.id for row in read_rows(tmp_path / "out" / "reviewed.jsonl").rows] == ["s2"]
        assert "| sentences that annotators disagree on | 1 |" in (
            tmp_path / "out" / "README.md"
        ).read_text(encoding="utf-8")

    def test_a_majority_and_a_reviewer_may_decide(self, tmp_path: Path) -> None:
        reviewed = [
            review(1, marks, annotator=who, annotation=int(who), at=f"2024-05-0{who}T10:00:00Z")
            for who, marks in (("1", [ANNA, BONN]), ("2", [ANNA, BONN]), ("3", []))
        ]

        def tags(**how: Any) -> tuple[str, ...]:
            out = tmp_path / "out"
            summary = write_export(reviewed, out, title="Test", settings=ExportSettings(**how))
            assert balanced(summary)
            assert (summary.superseded, summary.unsettled) == (2, 0)
            return read_rows(out).rows[0].tags

        assert set(tags(policy=AdjudicationPolicy.LATEST)) == {"O"}
        assert set(tags(policy=AdjudicationPolicy.MAJORITY)) == {"B-PER", "B-LOC", "O"}
        assert set(tags(policy=AdjudicationPolicy.REVIEWER, reviewer="3")) == {"O"}

    def test_a_decision_put_together_of_several_supersedes_all_but_one(
        self, tmp_path: Path
    ) -> None:
        marks = ([ANNA], [BONN], [ANNA, BONN])
        reviewed = [
            review(1, [*entities, Entity(Span(n, n + 1), "ORG")], annotator=str(n), annotation=n)
            for n, entities in enumerate(marks, start=6)
        ]
        settings = ExportSettings(policy=AdjudicationPolicy.MAJORITY)
        summary = write_export(reviewed, tmp_path / "out", title="Test", settings=settings)
        assert balanced(summary)
        kinds = [(loss.kind, loss.review.annotator) for loss in summary.losses]
        assert kinds.count((LossKind.SUPERSEDED, "8")) == 0
        assert sum(kind is LossKind.SUPERSEDED for kind, _ in kinds) == 2
        assert sum(kind is LossKind.OUTVOTED for kind, _ in kinds) == 3
