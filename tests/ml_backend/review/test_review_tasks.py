"""An export as tasks, and those tasks read again, as Label Studio hands them back."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from label_config.labeling_config import build_config
from ml_backend.cli.push import is_export, labels_of_run
from ml_backend.label_studio.client import Project
from ml_backend.review.pull import fetch, reviews_of
from ml_backend.review.push import push_reviews
from projection.errors import ServerError
from projection.records import (
    ConflictKind,
    Entity,
    LabelOrigin,
    ParallelSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from training.export.export import write_export

LABELS = ("PER", "LOC")
PERSON, IMPORTER = 7, 1
SENTENCE = ParallelSentence(
    "s1",
    "😀 Anna lives\r\nin Bonn.",
    "😀 אנה\r\nwohnt in 🇩🇪 Bonn.",
    "en",
    "de",
    "a.en:1",
    (Entity(Span(2, 6), "PER", 0.5),),
)
ANNA, BONN = Entity(Span(2, 5), "PER"), Entity(Span(18, 22), "LOC")
PROPOSED = (replace(ANNA, score=0.91), replace(BONN, score=0.97))
FROM_ANNA, FROM_BONN = Span(2, 6), Span(17, 21)

CORRECTED = ReviewedSentence(
    SENTENCE,
    (ANNA,),
    ReviewStatus.CORRECTED,
    str(PERSON),
    lead_time=12.25,
    predicted=PROPOSED,
    conflicts=(ConflictKind.OVERLAP, ConflictKind.LOW_CONFIDENCE),
    model_version="m1",
    task_id=3,
    annotation_id=9,
    updated_at="2024-05-01T10:00:00.123456Z",
    provenance=(Provenance(LabelOrigin.CHANGED, FROM_ANNA),),
)
UNSEEN = replace(
    CORRECTED,
    entities=PROPOSED,
    status=ReviewStatus.UNSEEN,
    annotator="",
    lead_time=None,
    conflicts=(),
    annotation_id=None,
    updated_at=None,
    provenance=(
        Provenance(LabelOrigin.PROPAGATED, FROM_ANNA),
        Provenance(LabelOrigin.PROJECTED, FROM_BONN),
    ),
)


def of(number: int, review: ReviewedSentence) -> ReviewedSentence:
    return replace(review, sentence=replace(SENTENCE, id=f"s{number}", origin=f"a.en:{number}"))


class FixedServer:
    """Keeps tasks as Label Studio 1.23 was seen to, with two users."""

    def __init__(self) -> None:
        self.held: list[dict[str, Any]] = []
        self.there = Project(1, "Fixed", build_config(LABELS), "", 0, 0, 0)
        self._ids = count(100)

    def users(self) -> dict[int, str]:
        return {IMPORTER: "importer@example.org", PERSON: "person@example.org"}

    def project(self, _: int) -> Project:
        return self.there

    def import_tasks(self, _: Project, tasks: Sequence[dict[str, Any]]) -> list[int]:
        for task in tasks:
            self.held.append(
                {
                    "id": next(self._ids),
                    "data": task["data"],
                    "meta": task.get("meta", {}),
                    "drafts": [],
                    "predictions": [{**p, "id": next(self._ids)} for p in task["predictions"]],
                    "annotations": [self._annotation(a) for a in task["annotations"]],
                }
            )
        self.there = replace(self.there, task_count=len(self.held))
        return []

    def _annotation(self, given: dict[str, Any]) -> dict[str, Any]:
        assert given.get("completed_by", IMPORTER) in self.users(), "the import would be refused"
        return {
            "id": next(self._ids),
            "import_id": given["id"],
            "completed_by": given.get("completed_by", IMPORTER),
            "result": given["result"],
            "was_cancelled": given["was_cancelled"],
            "lead_time": given["lead_time"],
            "updated_at": "2030-01-01T00:00:00Z",
            "updated_by": None,
            "parent_prediction": None,
        }

    def tasks(self, _: Project, **options: bool) -> list[dict[str, Any]]:
        only_annotated = options.get("only_annotated", False)
        return [task for task in self.held if task["annotations"] or not only_annotated]

    def set_model_version(self, _: Project, version: str) -> bool:
        self.there = replace(self.there, model_version=version)
        return True


def there_and_back(
    reviewed: Sequence[ReviewedSentence], above: float | None = None
) -> list[ReviewedSentence]:
    server = FixedServer()
    push_reviews(server, server.there, reviewed)  # type: ignore[arg-type]
    return fetch(server, server.there, above).reviewed  # type: ignore[arg-type]


def without_ids(reviewed: Sequence[ReviewedSentence]) -> list[ReviewedSentence]:
    return [replace(each, task_id=None, annotation_id=None) for each in reviewed]


@pytest.mark.parametrize(
    "reviewed",
    [
        pytest.param([], id="an empty export"),
        pytest.param([CORRECTED], id="corrected"),
        pytest.param(
            [replace(CORRECTED, status=ReviewStatus.UNUSABLE, notes=("a note",))],
            id="unusable only",
        ),
        pytest.param(
            [replace(CORRECTED, status=ReviewStatus.SKIPPED, entities=(), provenance=())],
            id="skipped",
        ),
        pytest.param([replace(CORRECTED, annotator="4711")], id="somebody of another server"),
        pytest.param([replace(CORRECTED, annotator="unknown")], id="somebody who is gone"),
        pytest.param([replace(CORRECTED, annotator="٣")], id="no number of ours"),
        pytest.param([replace(CORRECTED, updated_at=None, lead_time=None)], id="no times"),
        pytest.param([CORRECTED, replace(CORRECTED, annotator="4711")], id="two annotators"),
        pytest.param(
            [replace(CORRECTED, predicted=None, model_version=None)], id="nothing was proposed"
        ),
        pytest.param([replace(CORRECTED, predicted=())], id="nothing was found"),
        pytest.param([of(1, CORRECTED), of(2, CORRECTED)], id="two sentences"),
        pytest.param(
            [
                replace(
                    CORRECTED,
                    entities=(ANNA, ANNA),
                    predicted=(PROPOSED[0], PROPOSED[0]),
                    status=ReviewStatus.ACCEPTED,
                    provenance=(Provenance(LabelOrigin.PROJECTED, FROM_ANNA),) * 2,
                    notes=(
                        "PER “אנה” [2, 5) and PER “אנה” [2, 5) overlap: "
                        "IOB2 can hold only one of them",
                    ),
                )
            ],
            id="the same label twice",
        ),
        pytest.param(
            [
                replace(
                    CORRECTED,
                    entities=(ANNA, BONN),
                    status=ReviewStatus.ACCEPTED,
                    provenance=(
                        Provenance(LabelOrigin.PROJECTED, FROM_ANNA),
                        Provenance(LabelOrigin.PROPAGATED),
                    ),
                ),
                replace(CORRECTED, model_version="m2", predicted=PROPOSED[1:]),
            ],
            id="two models",
        ),
    ],
)
def test_what_was_reviewed_comes_back(reviewed: list[ReviewedSentence]) -> None:
    assert without_ids(there_and_back(reviewed)) == without_ids(reviewed)


def test_what_the_teacher_found_comes_back_with_its_scores() -> None:
    """Also what was not projected, or relabelled since."""
    found = (
        Entity(FROM_ANNA, "PER", 0.8),
        Entity(Span(7, 12), "MISC", 0.4),
        Entity(FROM_BONN, "ORG", 0.7),
    )
    without = replace(SENTENCE, entities=None, margin=1.1)
    accepted = replace(
        CORRECTED,
        sentence=without,
        entities=(ANNA, BONN),
        status=ReviewStatus.ACCEPTED,
        provenance=UNSEEN.provenance,
        teacher_entities=found,
    )
    assert without_ids(there_and_back([accepted])) == without_ids([accepted])


@pytest.mark.parametrize("origin", list(LabelOrigin))
def test_every_origin_of_a_label_comes_back(origin: LabelOrigin) -> None:
    for source in (None, FROM_ANNA):
        review = replace(CORRECTED, provenance=(Provenance(origin, source),))
        [again] = there_and_back([review])
        assert again.provenance == review.provenance


def test_annotations_are_given_to_users_of_the_same_number_only_if_these_are_the_people() -> None:
    for keep, shown in ((False, IMPORTER), (True, PERSON)):
        server = FixedServer()
        reviewed = [CORRECTED, of(2, replace(CORRECTED, annotator="4711"))]
        push_reviews(server, server.there, reviewed, keep_annotators=keep)  # type: ignore[arg-type]
        by = [task["annotations"][0]["completed_by"] for task in server.held]
        assert by == [shown, IMPORTER]
        again = fetch(server, server.there).reviewed  # type: ignore[arg-type]
        assert [review.annotator for review in again] == [str(PERSON), "4711"]


def test_what_a_correction_elsewhere_changed_is_not_accepted_unseen() -> None:
    server = FixedServer()
    push_reviews(server, server.there, [of(1, UNSEEN), of(2, UNSEEN)])  # type: ignore[arg-type]
    server.held[0]["data"]["propagated"] = "“Bonn”: LOC → no entity"

    found = fetch(server, server.there, 0.9)  # type: ignore[arg-type]

    assert [review.sentence.id for review in found.reviewed] == ["s2"]
    assert found.left_open == {"changed by `spanferry propagate`, and not confirmed": 1}


def test_sentences_nobody_saw_are_unseen_again() -> None:
    reviewed = [of(1, UNSEEN), of(2, CORRECTED)]
    again = there_and_back(reviewed, above=0.9)
    assert without_ids(again) == without_ids(reviewed)
    assert there_and_back(reviewed, above=0.92)[0].status is ReviewStatus.CORRECTED


def test_an_old_export_without_provenance_gains_what_can_be_told() -> None:
    accepted = replace(
        CORRECTED, entities=(ANNA, BONN), status=ReviewStatus.ACCEPTED, provenance=()
    )
    [again] = there_and_back([accepted])
    assert [each.origin for each in again.provenance] == [LabelOrigin.PROJECTED] * 2
    assert without_ids([replace(again, provenance=())]) == without_ids([accepted])


def test_the_project_shows_what_the_unseen_were_accepted_for() -> None:
    many = [of(n, replace(CORRECTED, model_version="m2")) for n in range(3)]
    server = FixedServer()
    report = push_reviews(server, server.there, [*many, of(9, UNSEEN)])  # type: ignore[arg-type]
    assert (report.added, report.reviews, report.model_version) == (4, 3, "m1")
    server = FixedServer()
    assert push_reviews(server, server.there, many).model_version == "m2"  # type: ignore[arg-type]


def test_progress_counts_reviews() -> None:
    server, steps = FixedServer(), list[int]()
    reviewed = [CORRECTED, CORRECTED, of(2, CORRECTED)]
    push_reviews(server, server.there, reviewed, on_progress=steps.append)  # type: ignore[arg-type]
    push_reviews(server, server.there, reviewed, on_progress=steps.append)  # type: ignore[arg-type]
    assert steps == [3, 3]


def test_a_failed_import_is_an_error_not_a_silence() -> None:
    class Gone(FixedServer):
        def import_tasks(self, _: Project, tasks: Sequence[dict[str, Any]]) -> list[int]:
            raise ServerError("fixed", "gone")

    server = Gone()
    with pytest.raises(ServerError, match="gone"):
        push_reviews(server, server.there, [CORRECTED])  # type: ignore[arg-type]


def test_an_annotation_made_later_is_its_annotators() -> None:
    server = FixedServer()
    push_reviews(server, server.there, [replace(CORRECTED, annotator="4711")])  # type: ignore[arg-type]
    [task] = server.held
    later = {**task["annotations"][0], "id": 999, "import_id": None, "completed_by": PERSON}
    task["annotations"].append(later)
    found = reviews_of(server.held, "project").reviewed
    assert [review.annotator for review in found] == ["4711", str(PERSON)]
    assert found[1].updated_at == "2030-01-01T00:00:00Z"


class TestFolder:
    def test_an_export_offers_the_labels_of_its_project(self, tmp_path: Path) -> None:
        left_out = replace(
            CORRECTED, entities=(Entity(ANNA.span, "EVENT"),), status=ReviewStatus.UNUSABLE
        )
        write_export([left_out], tmp_path / "out", title="Test", labels=LABELS)
        assert is_export(tmp_path / "out")
        assert labels_of_run(tmp_path / "out") == ("PER", "LOC", "EVENT")

    def test_an_empty_one_the_usual(self, tmp_path: Path) -> None:
        write_export([], tmp_path / "out", title="Test")
        assert labels_of_run(tmp_path / "out") == ("PER", "ORG", "LOC", "MISC")

    def test_a_run_is_no_export(self, tmp_path: Path) -> None:
        write_export([], tmp_path / "out", title="Test")
        (tmp_path / "out" / "run.json").write_text("{}")
        assert not is_export(tmp_path / "out")
        assert not is_export(tmp_path)
