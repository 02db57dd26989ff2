"""The figures of a report, counted by hand."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ml_backend.report.acceptance import Acceptance, Group, calibration_of, with_entries
from ml_backend.report.corrections import most_added, most_corrected
from ml_backend.report.figures import Report
from ml_backend.report.filters import Filters, Reason
from ml_backend.report.progress import Progress
from ml_backend.report.shares import Share
from ml_backend.report.source import Reviews, read_export
from ml_backend.report.timing import FEWEST, Drawing, Saving, Times, measure_drawing
from projection.errors import CorpusError, RunError, TrainingError
from projection.io.files import json_line
from projection.io.records_json import encode
from projection.pipeline.conflicts import Policy
from projection.pipeline.run import project_corpus
from projection.records import ConflictKind, Entity, ReviewedSentence, ReviewStatus, Span
from tests.label_studio.examples import BY_ID, FixedProjector
from tests.ml_backend.reviews import (
    ALL,
    ANNA,
    BERN,
    RIGHT,
    SIEMENS,
    SIEMENS_ORG,
    UGLY,
    WEBER,
    by_person,
    review,
    reviews,
)

# Shares


def test_wilson_by_hand() -> None:
    """Wilson (1927) for 8 of 10, as any table has it."""
    low, high = Share(8, 10).interval or (0, 0)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_nothing_of_nothing_has_no_value() -> None:
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_around_the_share(counts: tuple[int, int]) -> None:
    share = Share(*counts)
    low, high = share.interval or (1, 0)
    assert share.value is not None
    assert 0 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert Share(*counts).interval == pytest.approx((expected.low, expected.high), abs=1e-6)


# Progress


def test_progress_counts_each_sentence_once_by_language() -> None:
    progress = Progress.of(
        reviews(
            review(ALL, ALL, at="2026-03-01T10:00:00Z"),
            review(ALL, RIGHT, annotator="2", at="2026-03-02T10:00:00Z"),
            review(ALL, (), number=2, status=ReviewStatus.SKIPPED),
            review(ALL, ALL, number=3, lang="es", status=ReviewStatus.UNUSABLE),
            review(ALL, ALL, number=4, status=ReviewStatus.UNSEEN, annotator="", at=None),
            waiting={"de": 5, "nl": 1},
        )
    )
    assert dict(progress.overall.decided) == {
        "corrected": 1, "skipped": 1, "unusable": 1, "unseen": 1,
    }  # fmt: skip
    assert (progress.overall.done, progress.overall.waiting, progress.overall.total) == (1, 6, 10)
    assert [(p.name, p.done, p.waiting, p.total) for p in progress.by_language] == [
        ("de", 1, 5, 8),
        ("es", 0, 0, 1),
        ("nl", 0, 1, 1),
    ]
    assert (progress.annotations, progress.undated) == (4, 0)
    assert {day.isoformat(): dict(n) for day, n in progress.by_day.items()} == {
        "2026-03-01": {"accepted": 1},
        "2026-03-02": {"corrected": 1, "skipped": 1, "unusable": 1},
    }


def test_days_are_those_of_utc() -> None:
    late = review(ALL, ALL, at="2026-03-01T23:30:00-05:00")
    assert [day.isoformat() for day in Progress.of(reviews(late)).by_day] == ["2026-03-02"]


def test_without_a_project_nobody_knows_what_waits() -> None:
    progress = Progress.of(reviews(review(ALL, ALL)))
    assert (progress.overall.waiting, progress.by_language[0].waiting) == (None, None)
    assert progress.to_json()["waiting"] is None


def test_a_time_that_is_none_is_named() -> None:
    with pytest.raises(TrainingError, match="'yesterday' is not an ISO 8601 time"):
        Progress.of(reviews(review(ALL, ALL, at="yesterday")))


# Acceptance


def accepted(*reviewed: ReviewedSentence) -> Acceptance:
    return Acceptance.of(with_entries(reviewed))


def shares(groups: Sequence[Group]) -> dict[str, tuple[Share | None, Share]]:
    return {group.name: (group.accepted, group.kept) for group in groups}


LOW, LOST = ConflictKind.LOW_CONFIDENCE, ConflictKind.FAILED_MAPPING


def test_acceptance_by_doubt_counts_a_sentence_under_each_of_its_kinds() -> None:
    found = accepted(
        review(ALL, ALL),
        review(ALL, RIGHT, number=2, conflicts=(LOST, LOW)),
        review(ALL, ALL, number=3, conflicts=(LOW,)),
    )
    assert shares(found.by_conflict) == {
        "none": (Share(1, 1), Share(3, 3)),
        "failed_mapping": (Share(0, 1), Share(2, 3)),
        "low_confidence": (Share(1, 2), Share(5, 6)),
    }
    assert [group.name for group in found.by_conflict] == [
        "none",
        "failed_mapping",
        "low_confidence",
    ]
    assert (found.overall.accepted, found.overall.corrected) == (Share(2, 3), Share(1, 3))


def test_by_language_and_by_model() -> None:
    found = accepted(review(ALL, ALL), review(ALL, RIGHT, number=2, lang="nl"))
    assert shares(found.by_language) == {
        "de": (Share(1, 1), Share(3, 3)),
        "nl": (Share(0, 1), Share(2, 3)),
    }
    assert shares(found.by_model) == {"spanferry-1": (Share(1, 2), Share(5, 6))}


def test_by_type_what_was_added_counts_under_its_own() -> None:
    found = accepted(review([SIEMENS, WEBER], [SIEMENS_ORG, ANNA, BERN]))
    assert {group.name: dict(group.changes) for group in found.by_type} == {
        "LOC": {"relabelled": 1, "added": 1},
        "PER": {"border_moved": 1},
    }
    assert shares(found.by_type)["LOC"] == (None, Share(0, 1))


def test_by_confidence_borders_open_a_band() -> None:
    places = [Entity(Span(i, i + 1), "LOC", score) for i, score in enumerate((0.5, 0.49, 1.0))]
    unsure = Entity(Span(9, 10), "LOC")
    found = accepted(review([*places, unsure], [places[0]]))
    assert [(group.name, group.kept) for group in found.by_confidence] == [
        ("below 50 %", Share(0, 1)),
        ("50 to 80 %", Share(1, 1)),
        ("99 % and above", Share(0, 1)),
        ("no confidence given", Share(0, 1)),
    ]


@pytest.mark.parametrize(
    "nothing",
    [
        pytest.param(review(ALL, (), status=ReviewStatus.SKIPPED), id="skipped"),
        pytest.param(review(ALL, ALL, status=ReviewStatus.UNUSABLE), id="unusable"),
        pytest.param(review(ALL, ALL, status=ReviewStatus.UNSEEN, annotator=""), id="unseen"),
        pytest.param(review(None, RIGHT), id="no prediction"),
    ],
)
def test_where_no_proposal_was_decided_nothing_is_accepted_nor_rejected(
    nothing: ReviewedSentence,
) -> None:
    found = accepted(nothing, review(ALL, ALL, number=2))
    assert (found.overall.accepted, found.overall.kept) == (Share(1, 1), Share(3, 3))
    assert found.unaided == (nothing.predicted is None)


def test_calibration_compares_confidence_with_what_was_kept() -> None:
    figures = calibration_of(with_entries([review([ANNA, SIEMENS], [ANNA, SIEMENS_ORG])]))
    assert figures is not None
    assert [(b.n, b.confidence, b.right) for b in figures.bins] == [
        (1, 0.55, 0.0),
        (1, 0.97, 1.0),
    ]


def test_without_confidences_there_is_no_calibration() -> None:
    assert calibration_of(with_entries([review(by_person(*ALL), ALL)])) is None


# Time


def test_times_have_median_and_quartiles_and_say_what_is_set_aside() -> None:
    seconds: list[float | None] = [4.0, 6.0, 8.0, 10.0, 600.0, 600.1, None, 0.0, -1.0]
    times = Times.of(
        with_entries([review(ALL, ALL, number=n, seconds=s) for n, s in enumerate(seconds)])
    )
    assert times.overall is not None
    spread = times.overall
    assert (spread.n, spread.lower, spread.median, spread.upper) == (5, 6.0, 8.0, 10.0)
    assert (times.idle, times.untimed, times.seconds) == (1, 3, 628.0)


def test_times_are_cut_by_decision_doubt_and_language() -> None:
    times = Times.of(
        with_entries(
            [
                review(ALL, ALL, seconds=3),
                review(ALL, RIGHT, seconds=9, conflicts=(LOW, LOST), lang="nl"),
                review(ALL, RIGHT, seconds=5, status=ReviewStatus.UNUSABLE),
                review(ALL, RIGHT, seconds=7, status=ReviewStatus.SKIPPED),
            ]
        )
    )
    assert [(s.name, s.median) for s in times.by_decision] == [
        ("accepted", 3), ("corrected", 9), ("unusable", 5),
    ]  # fmt: skip
    assert [(s.name, s.median) for s in times.by_conflict] == [
        ("none", 4), ("failed_mapping", 9), ("low_confidence", 9),
    ]  # fmt: skip
    assert [(s.name, s.median) for s in times.by_language] == [("de", 4), ("nl", 9)]


def timed(count: int, base: float, each: float) -> list[ReviewedSentence]:
    """So many accepted in `base` seconds, and as many with two entities drawn at `each` more."""
    return [
        *(review([ANNA], [ANNA], number=n, seconds=base) for n in range(count)),
        *(
            review([ANNA], [ANNA, SIEMENS_ORG, BERN], number=n, seconds=base + 2 * each)
            for n in range(count, 2 * count)
        ),
    ]


def test_seconds_for_drawing_are_what_drawing_adds() -> None:
    drawing = measure_drawing(with_entries(timed(FEWEST, base=6, each=3.5)))
    assert (drawing.seconds, drawing.interval) == (3.5, (3.5, 3.5))
    assert (drawing.accepted, drawing.accepted_seconds, drawing.sentences) == (FEWEST, 6, FEWEST)


def test_sentences_with_other_changes_do_not_tell_how_long_drawing_takes() -> None:
    other = [review(ALL, [SIEMENS_ORG, WEBER, BERN], number=n, seconds=500) for n in range(50, 80)]
    drawing = measure_drawing(with_entries([*timed(FEWEST, 6, 3.5), *other]))
    assert (drawing.seconds, drawing.sentences) == (3.5, FEWEST)


def test_sentences_without_a_prediction_do() -> None:
    drawn = [review(None, [ANNA, BERN], number=n, seconds=10) for n in range(FEWEST)]
    right = [review(ALL, ALL, number=n, seconds=4) for n in range(FEWEST)]
    assert measure_drawing(with_entries([*drawn, *right])).seconds == 3.0


def test_too_few_measurements_are_none() -> None:
    drawing = measure_drawing(with_entries(timed(FEWEST - 1, 6, 3.5)))
    assert drawing.seconds is None
    assert f"and {FEWEST - 1} only drew entities; {FEWEST} of each" in drawing.reason


def test_drawing_that_takes_no_time_is_not_believed() -> None:
    drawing = measure_drawing(with_entries(timed(FEWEST, 6, -1)))
    assert (drawing.seconds, drawing.interval) == (None, None)
    assert "took no longer" in drawing.reason


def test_the_saving_is_its_formula() -> None:
    made = with_entries([review([ANNA, SIEMENS, BERN, WEBER], [ANNA, SIEMENS_ORG, BERN])])
    saving = Saving.of(made, Drawing(5.0, interval=(4.0, 7.0)))
    assert (saving.kept, saving.deleted, saving.border_moved) == (2, 1, 0)
    assert (saving.seconds, saving.interval) == (5.0, (4.0, 7.0))


def test_bad_proposals_cost_time() -> None:
    made = with_entries([review([WEBER, BERN], [ANNA])])
    saving = Saving.of(made, Drawing(5.0, interval=(4.0, 7.0)))
    assert (saving.seconds, saving.interval) == (-10.0, (-14.0, -8.0))


def test_without_seconds_for_drawing_nothing_is_claimed() -> None:
    saving = Saving.of(with_entries([review(ALL, ALL)]), Drawing(None, reason="too few"))
    assert (saving.seconds, saving.interval) == (None, None)


def test_an_assumption_replaces_what_could_be_measured() -> None:
    found = Report.of(reviews(*timed(FEWEST, 6, 3.5)), seconds_per_entity=2.0)
    assert found.saving.drawing == Drawing(2.0, given=True)
    assert found.saving.seconds == 2.0 * 2 * FEWEST
    assert found.saving.interval is None


# What is corrected


def test_phrases_are_counted_with_what_they_became() -> None:
    made = with_entries(
        [
            review(ALL, RIGHT),
            review(ALL, RIGHT, number=2),
            review(ALL, [ANNA, BERN], number=3),
            review(ALL, ALL, number=4),
            review([WEBER], [ANNA], number=5),
        ]
    )
    siemens, weber = most_corrected(made)
    assert siemens.phrase == ("Siemens", "LOC", "de")
    assert (siemens.proposed, siemens.corrected) == (4, 3)
    assert siemens.became == (("relabelled", "Siemens", "ORG", 2), ("deleted", "", "", 1))
    assert weber.phrase.text == "Weber"
    assert weber.became == (("border_moved", "Anna Weber", "PER", 1),)
    assert most_corrected(made, most=1) == (siemens,)


def test_phrases_are_the_same_in_every_normal_form() -> None:
    one = review([Entity(Span(0, 3), "LOC", 0.5)], [], target="Köl")
    other = review([Entity(Span(0, 4), "LOC", 0.5)], [], target="Ko\u0308l", number=2)
    [found] = most_corrected(with_entries([one, other]))
    assert found.corrected == 2


def test_what_was_added_where_nothing_was_proposed() -> None:
    made = with_entries([review([], [BERN]), review([], [BERN], number=2), review(None, [ANNA])])
    [found] = most_added(made)
    assert (found.phrase, found.count) == (("Bern", "LOC", "de"), 2)


# The run


def run_of(folder: Path, policy: Policy) -> Path:
    examples = [BY_ID[name].sentence for name in ("plain", "overlap", "none")]
    project_corpus(
        examples, FixedProjector(), folder, policy=policy, settings={}, on_progress=lambda _: None
    )
    return folder


def test_what_the_filters_dropped_and_why(tmp_path: Path) -> None:
    filters = Filters.of_run(run_of(tmp_path / "run", Policy.DROP))
    assert (filters.read, filters.kept, filters.flagged, filters.dropped) == (3, 2, 0, 1)
    assert Reason("failed_mapping", 0, 1, filters.reasons[0].example) == filters.reasons[0]
    assert "was not found in the translation" in filters.reasons[0].example


def test_what_they_flagged(tmp_path: Path) -> None:
    filters = Filters.of_run(run_of(tmp_path / "run", Policy.FLAG))
    assert (filters.flagged, filters.dropped) == (1, 0)
    assert {(reason.kind, reason.flagged, reason.example) for reason in filters.reasons} >= {
        ("failed_mapping", 1, "")
    }


def test_a_run_that_is_none_or_not_done_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        Filters.of_run(tmp_path)
    (run_of(tmp_path / "run", Policy.DROP) / "summary.json").unlink()
    with pytest.raises(RunError, match=r"not done \(no summary.json\)"):
        Filters.of_run(tmp_path / "run")


# All together


@pytest.mark.parametrize("these", UGLY.values(), ids=UGLY)
def test_ugly_reviews_have_figures_json_can_hold(these: Reviews) -> None:
    told: dict[str, Any] = json.loads(json.dumps(Report.of(these).to_json(), allow_nan=False))
    assert told["schema"] == 1
    assert told["acceptance"]["overall"]["kept"]["whole"] >= 0


def test_a_report_names_annotators_and_versions() -> None:
    found = Report.of(
        reviews(review(ALL, ALL), review(ALL, RIGHT, annotator="2"), review(None, (), number=2))
    )
    assert (found.annotators, found.model_versions) == (("1", "2"), ("spanferry-1",))
    [pair] = found.agreement.pairs
    assert (pair.annotators, pair.sentences) == (("1", "2"), 1)
    assert pair.f1 == pytest.approx(2 / 3)


def test_a_decision_that_was_changed_afterwards_counts_as_it_is_now() -> None:
    """Each person has one voice a sentence: figures are of decisions, not of annotations."""
    first = review(ALL, [ANNA], at="2026-03-02T09:00:00Z", seconds=30)
    found = Report.of(reviews(first, review(ALL, ALL), review(ALL, RIGHT, annotator="2")))
    assert found.progress.annotations == 3
    assert found.acceptance.overall.accepted == Share(1, 2)
    assert found.acceptance.overall.changes == {"kept": 5, "relabelled": 1}
    assert found.calibration is not None
    assert found.calibration.n == 6
    assert (found.saving.kept, found.saving.deleted) == (5, 0)
    assert found.times.overall is not None
    assert found.times.overall.n == 2


def test_skipping_afterwards_takes_no_decision_back() -> None:
    later = review(ALL, (), status=ReviewStatus.SKIPPED, at="2026-03-03T10:00:00Z")
    assert Report.of(reviews(review(ALL, ALL), later)).acceptance.overall.accepted == Share(1, 1)


def write_export(folder: Path, *reviewed: ReviewedSentence, title: str = "News de") -> Path:
    folder.mkdir()
    (folder / "reviewed.jsonl").write_text("".join(json_line(encode(r)) for r in reviewed), "utf-8")
    (folder / "summary.json").write_text(json.dumps({"title": title}), "utf-8")
    return folder


def test_an_export_is_read_as_it_was_written(tmp_path: Path) -> None:
    decided = (review(ALL, RIGHT), review(ALL, (), number=2, status=ReviewStatus.SKIPPED))
    found = read_export(write_export(tmp_path / "export", *decided))
    assert (found.title, tuple(found.reviewed), found.waiting) == ("News de", decided, None)


def test_a_folder_that_is_no_export_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is not an export folder"):
        read_export(tmp_path)
