"""The Data Manager tabs, as data."""

import re

from label_config.tasks import RANK, to_task
from ml_backend.label_studio.tabs import (
    AUDIT_SAMPLE,
    DISAGREEMENTS,
    PROPAGATED,
    REVIEW_QUEUE,
    annotator_tab,
    review_tabs,
)
from projection.records import ConflictKind, ProjectedSentence
from tests.ml_backend.conftest import SENTENCE


def test_every_conflict_kind_has_a_tab_between_the_queue_and_what_is_to_be_looked_at_again() -> (
    None
):
    kinds = ["Failed", "Overlap", "One-to-many", "Low conf.", "Type unsure", "Target only"]
    again = [tab.title for tab in (PROPAGATED, AUDIT_SAMPLE, DISAGREEMENTS)]

    titles = [tab.title for tab in review_tabs()]

    assert titles == [REVIEW_QUEUE.title, *kinds, *again, "Done", "Unusable", "Skipped"]
    assert len(set(titles)) == len(titles), "tabs are told apart by their titles"
    ours = [title for title in titles if title not in kinds]
    assert max(map(len, ours)) <= 11, "Label Studio cuts off what is longer"
    # Conflicts keep their one name; what Label Studio shows of it still tells them apart.
    assert len({title[:10] for title in titles}) == len(titles)


def test_each_of_some_languages_has_a_tab_after_the_queue() -> None:
    titles = [tab.title for tab in review_tabs(["nl", "de"])]
    assert titles[:3] == ["Queue", "de", "nl"]
    assert titles[3:] == [tab.title for tab in review_tabs()][1:]
    assert [*review_tabs(["de"])] == [*review_tabs()], "one needs none"
    assert [*review_tabs([f"l{n}" for n in range(7)])] == [*review_tabs()]


def test_each_annotator_has_a_tab_that_no_longer_address_is_in() -> None:
    anna, joanna = "anna@example.org", "joanna@example.org"
    titles = [tab.title for tab in review_tabs(["nl", "de"], [anna, joanna])]
    assert titles[:5] == ["Queue", anna, joanna, "de", "nl"]
    pattern = str(annotator_tab(anna).filters[-1]["value"])
    for names in (anna, f"{joanna}, {anna}", f"{anna}, {joanna}"):
        assert re.search(pattern, names)
    assert not any(re.search(pattern, name) for name in (joanna, f"{anna}.uk"))


def test_every_field_of_a_task_is_either_shown_or_hidden() -> None:
    data = to_task(ProjectedSentence(SENTENCE, (), (), (), 1.0, "v"))["data"]

    for tab in review_tabs():
        hidden = tab.as_json()["hiddenColumns"]
        assert isinstance(hidden, dict)
        for key in data:
            shown = f"data.{key}" in tab.shown
            assert (f"tasks:data.{key}" in hidden["explore"]) is not shown


def test_open_tasks_follow_the_order_of_reviews() -> None:
    column = f"tasks:data.{RANK}"
    assert {tab.title for tab in review_tabs(["de", "nl"]) if tab.order == column} == {
        *("Queue", "de", "nl", "Failed", "Overlap", "One-to-many", "Low conf.", "Type unsure"),
        *("Target only", "Propagated", "Skipped"),
    }


def test_no_kind_of_conflict_is_part_of_another() -> None:
    # The tabs look for a kind within the text "overlap, failed_mapping".
    assert not [(a, b) for a in ConflictKind for b in ConflictKind if a is not b and a in b]


def test_a_tab_that_goes_by_a_field_shows_it() -> None:
    by_field = zip(
        (PROPAGATED, AUDIT_SAMPLE, DISAGREEMENTS),
        ("propagated", "audit", "disagreement"),
        strict=True,
    )

    for tab, field in by_field:
        assert f"data.{field}" in tab.shown
        assert f"filter:tasks:data.{field}" in [condition["filter"] for condition in tab.filters]
