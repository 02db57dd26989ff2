"""What a task says after corrections of other sentences changed its prediction."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from label_config.carried import told_anew
from label_config.tasks import conflicts_of, to_prediction, to_task
from projection.errors import ReviewError
from projection.pipeline.conflicts import PAPER_CHECKS, find_conflicts, low_confidence
from projection.pipeline.projector import unprojected
from projection.records import ConflictKind, Entity, ProjectedSentence, Span
from tests.label_config.test_round_trip import projected_sentences
from tests.label_config.test_source_html import Page

BANCO, PORTUGAL, EXTRA = 0, 1, 2  # the regions of `doubtful`, in their order


@pytest.fixture
def doubtful(overlapping: ProjectedSentence) -> ProjectedSentence:
    """Every kind of doubt but one, and a region that has no source."""
    bank, country, city = overlapping.projections
    found = (replace(bank, alternatives=(Span(24, 27),)), country, city)
    extra = Entity(Span(0, 2), "MISC", 0.99)
    conflicts = (
        *find_conflicts(overlapping.sentence, found, (*PAPER_CHECKS, low_confidence(0.7))),
        *unprojected(overlapping.sentence, [extra]),
    )
    entities = (extra, *overlapping.entities)
    return replace(overlapping, entities=entities, projections=found, conflicts=conflicts)


def result_of(projected: ProjectedSentence) -> list[dict[str, Any]]:
    """The result of the prediction, in reading order of the region's labels."""
    regions: list[dict[str, Any]] = json.loads(json.dumps(to_prediction(projected)["result"]))
    return sorted(regions, key=lambda r: ("ORG", "LOC", "MISC").index(r["value"]["labels"][0]))


def data_of(projected: ProjectedSentence) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(to_task(projected)["data"]))
    return data


def carried(region: dict[str, Any], **value: Any) -> dict[str, Any]:
    """The region as a correction leaves it."""
    changed = {**region, "value": {**region["value"], **value}}
    changed["meta"] = {**region["meta"], "propagated": "as elsewhere"}
    del changed["score"]
    return changed


def doubts(fields: dict[str, Any]) -> list[str]:
    return [line.split(" — ")[0] for line in Page(fields["doubts_html"]).lines("li")]


def declared(fields: dict[str, Any], identity: str) -> set[str]:
    """The properties that the rules of a task give one region, hovering aside."""
    mine = f'.htx-highlight[class*="htx-highlight-{identity}-"]'
    rules = [rule for rule in Page(fields["doubts_html"]).rules() if rule.startswith(mine)]
    return {name for rule in rules for name in re.findall(r"(--sf-\w+):", rule)}


def chips(fields: dict[str, Any]) -> list[str]:
    return Page(fields["source_html"]).chip_tags()


def test_without_a_change_the_page_stays_as_it_is(doubtful: ProjectedSentence) -> None:
    data, result = data_of(doubtful), result_of(doubtful)
    fields = told_anew(data, result, result, "task 3")
    for projection in fields["projections"]:
        assert projection.pop("gone") is False
    same = set(fields) - {"doubts_html"}  # which has the rules of the regions in another order
    assert {key: fields[key] for key in same} == {key: data[key] for key in same}
    assert doubts(fields) == doubts(data)
    assert Page(fields["doubts_html"]).rules() == Page(data["doubts_html"]).rules()


def test_another_label_ends_the_doubt_whether_it_was_right(doubtful: ProjectedSentence) -> None:
    result = result_of(doubtful)
    after = [result[BANCO], carried(result[PORTUGAL], labels=["MISC"]), result[EXTRA]]

    fields = told_anew(data_of(doubtful), result, after, "task 3")

    assert chips(fields) == ["1 ORG 0.66", "2 LOC ↪ MISC", "3 LOC failed mapping"]
    assert doubts(fields) == [
        "⚠ failed mapping 3",
        "⚠ overlap 1, 2",
        "⚠ one-to-many 1",
        "⚠ low confidence 1",
        "⚠ target only",
    ]
    assert fields["conflict"].startswith("failed_mapping, overlap")
    mine = declared(fields, result[PORTUGAL]["id"])
    assert {"--sf-number", "--sf-came"} <= mine
    assert "--sf-sure" not in mine, "0.41 was about another label"
    assert "0.41" not in Page(fields["doubts_html"]).text


def test_other_borders_end_what_was_doubted_about_the_old_ones(doubtful: ProjectedSentence) -> None:
    result = result_of(doubtful)
    shorter = carried(result[BANCO], end=8, text="Banco")

    fields = told_anew(data_of(doubtful), result, [shorter, *result[1:]], "task 3")

    assert doubts(fields) == ["⚠ failed mapping 3", "⚠ low confidence 2", "⚠ target only"]
    assert chips(fields)[0] == "1 ORG ↪"
    assert (fields["n_conflicts"], fields["doubts"]) == (
        3,
        "failed mapping, low confidence, target only",
    )


def test_what_is_no_entity_is_not_looked_for_in_the_translation(
    doubtful: ProjectedSentence,
) -> None:
    result = result_of(doubtful)
    data = data_of(doubtful)

    fields = told_anew(data, result, [result[PORTUGAL], result[EXTRA]], "task 3")

    assert chips(fields) == ["1 ORG ↪ no entity", "2 LOC 0.41", "3 LOC failed mapping"]
    assert doubts(fields) == ["⚠ failed mapping 3", "⚠ low confidence 2", "⚠ target only"]
    assert fields["n_entities"] == 2
    again = told_anew({**data, **fields}, result[1:], result[1:], "task 3")
    assert again == fields, "what is gone stays gone"
    interrupted = told_anew({**data, **fields}, result, result[1:], "task 3")
    assert interrupted == fields


def test_a_corrected_second_opinion_is_no_opinion(doubtful: ProjectedSentence) -> None:
    result = result_of(doubtful)
    kept = result[:2]

    without = told_anew(data_of(doubtful), result, kept, "task 3")
    relabelled = told_anew(
        data_of(doubtful), result, [*kept, carried(result[EXTRA], labels=["PER"])], "task 3"
    )

    assert "⚠ target only" not in [*doubts(without), *doubts(relabelled)]
    assert conflicts_of(without)[-1] is ConflictKind.LOW_CONFIDENCE


def test_an_added_region_has_no_number(doubtful: ProjectedSentence) -> None:
    result = result_of(doubtful)
    added = carried(result[EXTRA], start=21, end=23, text="se", labels=["ORG"]) | {"id": "0add"}

    fields = told_anew(data_of(doubtful), result, [*result, added], "task 3")

    assert fields["n_entities"] == 4
    assert declared(fields, "0add") == {"--sf-edge", "--sf-doubt", "--sf-came"}


def test_a_kind_that_comes_from_elsewhere_stays(overlapping: ProjectedSentence) -> None:
    """An export has no reasons: what it was doubtful for cannot be checked again."""
    result = result_of(overlapping)
    data = data_of(overlapping)
    data["conflicts"] = [{"kind": "one_to_many", "reason": "doubtful when exported"}]

    fields = told_anew(data, result, [carried(result[0], labels=["PER"]), result[1]], "task 3")

    assert doubts(fields) == ["⚠ one-to-many"]


@pytest.mark.parametrize("made_of", ["another prediction", "an older spanferry"])
def test_a_page_that_was_not_made_of_the_prediction_is_left_alone(
    doubtful: ProjectedSentence, made_of: str
) -> None:
    data, result = data_of(doubtful), result_of(doubtful)
    if made_of == "an older spanferry":
        del data["projections"]
    else:
        result[BANCO]["id"] = "0ther"
    assert told_anew(data, result, result[1:], "task 3") == {}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("source", None, r"\[None\] where spans should be"),
        ("alternatives", [3], "where spans should be"),
        ("region", 7, "7 where text should be"),
    ],
)
def test_what_a_task_was_made_of_is_checked(
    doubtful: ProjectedSentence, key: str, value: object, said: str
) -> None:
    data, result = data_of(doubtful), result_of(doubtful)
    data["projections"][0][key] = value
    with pytest.raises(ReviewError, match=rf"task 3 data\.projections\[0\].*{said}"):
        told_anew(data, result, result, "task 3")


@settings(deadline=None)  # a busy machine is not a failure
@given(projected_sentences())
def test_whatever_was_projected_the_chips_stay_as_they_are(projected: ProjectedSentence) -> None:
    data, result = data_of(projected), to_prediction(projected)["result"]
    fields = told_anew(data, result, result, "task 3")
    assert fields["n_entities"] == data["n_entities"]
    assert len(chips(fields)) == len(chips(data))
