"""The Data Manager tabs of a reviewer, as data for Label Studio's `/api/dm/views`.

Column names are `tasks:` and a task's property, or `tasks:data.` and a key of its data.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from label_config.labeling_config import UNUSABLE
from projection.records import ConflictKind
from projection.text.wording import CONFLICT_NAMES

_SHOWN = ("predictions_score", "data.lang", "data.source", "data.target", "data.conflicts")
_SHOWN_WHEN_REVIEWED = (*_SHOWN, "annotators")

# All columns of Label Studio 1.23, and all keys of our tasks: a column is shown unless it is hidden
# by name.
_OF_LABEL_STUDIO = (
    *("id", "inner_id", "completed_at", "created_at", "updated_at", "updated_by"),
    *("total_annotations", "cancelled_annotations", "total_predictions", "annotators"),
    *("annotations_results", "annotations_ids", "avg_lead_time", "draft_exists"),
    *("predictions_score", "predictions_model_versions", "predictions_results"),
    *("file_upload", "storage_filename"),
)
_OF_A_TASK = (
    *("data.record", "data.pair_id", "data.lang", "data.source_lang", "data.source", "data.target"),
    *("data.origin", "data.source_html", "data.conflicts_html", "data.conflict", "data.conflicts"),
    *("data.n_conflicts", "data.min_confidence", "data.n_entities", "data.propagated"),
    *("data.audit", "data.audit_stratum", "data.audit_stratum_size", "data.audit_model_version"),
    *("data.audit_threshold", "data.disagreement", "data.versions", "data.assigned", "data.rank"),
)
_WIDTHS = {
    "predictions_score": 130,
    "data.lang": 90,
    "data.source": 340,
    "data.target": 340,
    "data.conflicts": 190,
    "data.propagated": 260,
    "data.audit": 160,
    "data.disagreement": 260,
}

_BY_RANK = "tasks:data.rank"
_LAST_REVIEWED_FIRST = "-tasks:completed_at"
_AS_PUSHED = "tasks:id"

_Filter = dict[str, str | int]


def column_filter(column: str, operator: str, kind: str, value: str | int) -> _Filter:
    """Return a condition on a column; `operator` and `kind` are Label Studio's words."""
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


@dataclass(frozen=True, slots=True)
class Tab:
    """A list of the tasks for which all filters hold. `formerly` is its title in older versions."""

    title: str
    filters: tuple[_Filter, ...]
    order: str = _BY_RANK
    shown: tuple[str, ...] = _SHOWN
    formerly: str = ""

    def as_json(self) -> dict[str, object]:
        """The `data` of a view."""
        return {
            "title": self.title,
            "type": "list",
            "target": "tasks",
            "gridWidth": 4,
            "columnsWidth": {f"tasks:{column}": width for column, width in _WIDTHS.items()},
            "columnsDisplayType": {},
            "hiddenColumns": {
                "explore": _all_but(self.shown),
                "labeling": _all_but(("data.target",)),  # beside an open task
            },
            "filters": {"conjunction": "and", "items": [*self.filters]},
            "ordering": [self.order],
        }


# Tasks that as many people have annotated as shall (`ProjectCalls.set_overlap`) are completed. A
# skipped task is not, but leaves the queue.
_OPEN = (
    column_filter("completed_at", "empty", "Datetime", "True"),
    column_filter("cancelled_annotations", "equal", "Number", 0),
)


def _has_text(column: str) -> _Filter:
    # Not Label Studio's `empty`: whether "" is empty depends on the type of the field in the first
    # task of the project, which an older spanferry may have pushed without it.
    return column_filter(column, "regex", "String", ".")


# Label Studio shows about eleven letters of a title, where there are as many tabs as these.
_SHORT = {ConflictKind.FAILED_MAPPING: "Failed", ConflictKind.LOW_CONFIDENCE: "Low conf."}
MOST_LANGUAGES = 6
REVIEW_QUEUE = Tab("Queue", _OPEN)
PROPAGATED = Tab(
    "Propagated", (*_OPEN, _has_text("data.propagated")), shown=(*_SHOWN, "data.propagated")
)
# In an order that says nothing about the predictions.
AUDIT_SAMPLE = Tab(
    "Audit", (_has_text("data.audit"),), _AS_PUSHED, (*_SHOWN_WHEN_REVIEWED, "data.audit")
)
DISAGREEMENTS = Tab(
    "Disagreed",
    (_has_text("data.disagreement"),),
    _LAST_REVIEWED_FIRST,
    (*_SHOWN_WHEN_REVIEWED, "data.disagreement"),
    formerly="Disputed",
)


SHARED = column_filter("data.assigned", "contains", "String", ", ")


def annotator_tab(email: str) -> Tab:
    """Return the tab of the open tasks that are assigned to a user."""
    # Not `contains`: anna@example.org is in joanna@example.org.
    theirs = column_filter("data.assigned", "regex", "String", f"(^| ){re.escape(email)}(,|$)")
    return Tab(email, (*_OPEN, theirs))


def review_tabs(langs: Collection[str] = (), annotators: Collection[str] = ()) -> Iterator[Tab]:
    """Yield the queue, tabs of open tasks for each kind of conflict, and the other tabs.

    Of several target languages each has a tab of its open tasks, too, unless there are so many that
    no title could be read any more. So has each of the annotators, by e-mail address.
    """
    yield REVIEW_QUEUE
    yield from map(annotator_tab, annotators)
    for lang in sorted(langs) if 1 < len(langs) <= MOST_LANGUAGES else ():
        yield Tab(lang, (*_OPEN, column_filter("data.lang", "equal", "String", lang)))
    for kind in ConflictKind:
        of_kind = column_filter("data.conflict", "contains", "String", kind.value)
        yield Tab(_SHORT.get(kind, CONFLICT_NAMES[kind].capitalize()), (*_OPEN, of_kind))
    yield from (PROPAGATED, AUDIT_SAMPLE, DISAGREEMENTS)
    reviewed = column_filter("total_annotations", "greater", "Number", 0)
    yield Tab("Done", (reviewed,), _LAST_REVIEWED_FIRST, _SHOWN_WHEN_REVIEWED)
    # With quotes, as a choice stands in an annotation's JSON.
    unusable = column_filter("annotations_results", "contains", "String", f'"{UNUSABLE}"')
    yield Tab("Unusable", (unusable,), _LAST_REVIEWED_FIRST, _SHOWN_WHEN_REVIEWED)
    skipped = column_filter("cancelled_annotations", "greater", "Number", 0)
    yield Tab("Skipped", (skipped,), _BY_RANK, _SHOWN_WHEN_REVIEWED)


def _all_but(shown: tuple[str, ...]) -> list[str]:
    return [f"tasks:{column}" for column in _OF_LABEL_STUDIO + _OF_A_TASK if column not in shown]
