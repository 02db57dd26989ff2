"""The figures of a report in the terminal."""

import pytest
from rich.console import Console

from ml_backend.report.figures import Report
from ml_backend.report.source import ReviewedProject
from ml_backend.report.terminal import closing_lines, tables
from projection.records import ConflictKind, ReviewStatus
from tests.ml_backend.reviews import ALL, LOW, RIGHT, UGLY, review, reviews, timed


def shown(these: ReviewedProject) -> str:
    found = Report.of(these)
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        for table in tables(found):
            console.print(table)
    lines = [*captured.get().splitlines(), *closing_lines(found)]
    return "\n".join(" ".join(line.split()) for line in lines)


@pytest.mark.parametrize("these", UGLY.values(), ids=UGLY)
def test_ugly_reviews_are_shown_without_missing_figures(these: ReviewedProject) -> None:
    said = shown(these)
    assert said.startswith("sentences done")
    assert "None" not in said
    assert "nan" not in said.lower().split()


def test_progress_has_a_row_a_language() -> None:
    skipped = review(ALL, (), number=2, lang="nl", status=ReviewStatus.SKIPPED)
    said = shown(reviews(review(ALL, ALL), skipped, waiting={"de": 3}))
    assert "sentences done accepted skipped waiting all" in said
    assert "de 1 1 0 3 4" in said
    assert "nl 0 0 1 0 1" in said


def test_conflicts_have_the_names_of_the_page() -> None:
    kinds = (LOW, ConflictKind.ONE_TO_MANY)
    said = shown(reviews(review(ALL, RIGHT, conflicts=kinds), review(ALL, ALL, number=2)))
    assert "no conflict 100 %" in said
    assert "low confidence 0 %" in said
    assert "one-to-many 0 %" in said


def test_confidence_time_and_agreement_close_the_report() -> None:
    lines = list(closing_lines(Report.of(reviews(*timed(12, 6, 3.5)))))
    assert lines[0].startswith("confidence is off by ")
    assert lines[1] == "time for a decision: 9.5 s, middle half 6.0 s to 13 s"
    assert lines[2] == "One annotator: no agreement to state."
