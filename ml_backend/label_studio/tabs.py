"""The Data Manager tabs a reviewer works from, as data.

A tab is a filter, an order and the columns to show, in the form Label Studio's `/api/dm/views`
takes. Column names are `tasks:` and a task's property, or `tasks:data.` and a key of its data.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from label_config.labeling_config import UNUSABLE
from label_config.source_html import PLAIN
from projection.records import ConflictKind

SHOWN = ("predictions_score", "data.lang", "data.source", "data.target", "data.doubts")
SHOWN_WHEN_REVIEWED = (*SHOWN, "annotators")
SHOWN_BESIDE_A_TASK = ("data.target",)

# Every column Label Studio 1.23 has, and every key a task of ours has: what is not shown must be
# hidden by name, or it appears.
_OF_LABEL_STUDIO = (
    "id",
    "inner_id",
    "completed_at",
    "total_annotations",
    "cancelled_annotations",
    "total_predictions",
    "annotators",
    "annotations_results",
    "annotations_ids",
    "predictions_score",
    "predictions_model_versions",
    "predictions_results",
    "file_upload",
    "storage_filename",
    "created_at",
    "updated_at",
    "updated_by",
    "avg_lead_time",
    "draft_exists",
)
_OF_A_TASK = (
    "data.record",
    "data.pair_id",
    "data.lang",
    "data.source_lang",
    "data.source",
    "data.target",
    "data.origin",
    "data.source_html",
    "data.doubts_html",
    "data.conflict",
    "data.doubts",
    "data.n_conflicts",
    "data.min_confidence",
    "data.n_entities",
    "data.propagated",
    "data.audit",
    "data.audit_stratum",
    "data.audit_stratum_size",
    "data.audit_model_version",
    "data.audit_threshold",
    "data.disagreement",
)
_WIDTHS = {
    "predictions_score": 130,
    "data.lang": 90,
    "data.source": 340,
    "data.target": 340,
    "data.doubts": 190,
    "data.propagated": 260,
    "data.audit": 160,
    "data.disagreement": 260,
}

LEAST_SURE_FIRST = "tasks:predictions_score"
LAST_REVIEWED_FIRST = "-tasks:completed_at"
AS_PUSHED = "tasks:id"


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a column: `operator` and `type` are Label Studio's words."""

    column: str
    operator: str
    type: str
    value: str | int

    def as_json(self) -> dict[str, object]:
        """The condition as a view states it."""
        return {
            "filter": f"filter:tasks:{self.column}",
            "operator": self.operator,
            "type": self.type,
            "value": self.value,
        }


@dataclass(frozen=True, slots=True)
class Tab:
    """A named list of tasks: all filters hold, in this order, with these columns."""

    title: str
    filters: tuple[Filter, ...]
    order: str = LEAST_SURE_FIRST
    shown: tuple[str, ...] = SHOWN

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
                "labeling": _all_but(SHOWN_BESIDE_A_TASK),
            },
            "filters": {"conjunction": "and", "items": [f.as_json() for f in self.filters]},
            "ordering": [self.order],
        }


# A skipped task counts as not annotated; it has been looked at, so it leaves the queue.
_OPEN = (
    Filter("total_annotations", "equal", "Number", 0),
    Filter("cancelled_annotations", "equal", "Number", 0),
)
_REVIEWED = Filter("total_annotations", "greater", "Number", 0)
# With its quotes, because that is how a choice stands in an annotation's JSON.
_MARKED_UNUSABLE = Filter("annotations_results", "contains", "String", f'"{UNUSABLE}"')


def _says_something(column: str) -> Filter:
    # Not Label Studio's `empty`: whether that takes "" for empty depends on the type the field has
    # in the first task of the project, which an older spanferry may have pushed without it.
    return Filter(column, "regex", "String", ".")


# Of a title Label Studio shows about eleven letters, where there are as many tabs as these.
_SHORT = {ConflictKind.FAILED_MAPPING: "Failed", ConflictKind.LOW_CONFIDENCE: "Low conf."}
REVIEW_QUEUE = Tab("Queue", _OPEN)
PROPAGATED = Tab(
    "Propagated",
    (*_OPEN, _says_something("data.propagated")),
    shown=(*SHOWN, "data.propagated"),
)
# By no order that tells what the models thought of them.
AUDIT_SAMPLE = Tab(
    "Audit",
    (_says_something("data.audit"),),
    AS_PUSHED,
    (*SHOWN_WHEN_REVIEWED, "data.audit"),
)
DISAGREEMENTS = Tab(
    "Disputed",
    (_says_something("data.disagreement"),),
    LAST_REVIEWED_FIRST,
    (*SHOWN_WHEN_REVIEWED, "data.disagreement"),
)


def review_tabs() -> Iterator[Tab]:
    """The queue, one tab a conflict kind and what was carried over (both still open ones only),
    what is to be looked at again, then what has been decided.
    """
    yield REVIEW_QUEUE
    for kind in ConflictKind:
        of_kind = Filter("data.conflict", "contains", "String", kind.value)
        yield Tab(_SHORT.get(kind, PLAIN[kind].capitalize()), (*_OPEN, of_kind))
    yield from (PROPAGATED, AUDIT_SAMPLE, DISAGREEMENTS)
    yield Tab("Done", (_REVIEWED,), LAST_REVIEWED_FIRST, SHOWN_WHEN_REVIEWED)
    yield Tab("Unusable", (_MARKED_UNUSABLE,), LAST_REVIEWED_FIRST, SHOWN_WHEN_REVIEWED)
    skipped = Filter("cancelled_annotations", "greater", "Number", 0)
    yield Tab("Skipped", (skipped,), LEAST_SURE_FIRST, SHOWN_WHEN_REVIEWED)


def _all_but(shown: tuple[str, ...]) -> list[str]:
    return [f"tasks:{column}" for column in _OF_LABEL_STUDIO + _OF_A_TASK if column not in shown]
