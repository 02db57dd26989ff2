from xml.etree import ElementTree as ET

import pytest

from label_config.config import (
    LABEL_HOTKEYS,
    REVIEW_HOTKEYS,
    LabelSetError,
    build_config,
    labels_of,
    validate,
)
from projection.errors import ReviewError

NEWS = ("PER", "ORG", "LOC", "MISC")
ASSISTANT = ("weather/attribute", "datetime", "reminder/todo")
AWKWARD = ('a "quoted" label', "R&D", "<b>", "it's", "地名", 'name="target"', "a,b")
MANY = tuple(f"type-{n}" for n in range(40))

LABEL_SETS = [
    pytest.param(NEWS, id="news"),
    pytest.param(ASSISTANT, id="slashes"),
    pytest.param(AWKWARD, id="quotes, ampersands, tags"),
    pytest.param(MANY, id="more labels than keys"),
    pytest.param(("PER",), id="a single label"),
]


@pytest.mark.parametrize("labels", LABEL_SETS)
def test_label_studio_accepts_the_config_and_gives_the_labels_back(labels: tuple[str, ...]) -> None:
    config = build_config(labels)
    validate(config)
    assert labels_of(config) == labels


@pytest.mark.parametrize("labels", LABEL_SETS)
def test_no_key_means_two_things(labels: tuple[str, ...]) -> None:
    tree = ET.fromstring(build_config(labels))
    keys = [tag.attrib["hotkey"] for tag in tree.iter() if "hotkey" in tag.attrib]
    assert len(keys) == len(set(keys))
    assert set(REVIEW_HOTKEYS.values()) <= set(keys)


def test_labels_past_the_last_key_have_none() -> None:
    labels = list(ET.fromstring(build_config(MANY)).iter("Label"))
    assert [label.get("hotkey") for label in labels] == [
        *LABEL_HOTKEYS,
        *[None] * (len(MANY) - len(LABEL_HOTKEYS)),
    ]


def test_a_drag_marks_exactly_what_it_covers_and_says_what_that_was() -> None:
    (text,) = ET.fromstring(build_config(NEWS)).iter("Text")
    assert (text.get("granularity"), text.get("saveTextResult")) == ("symbol", "yes")


def test_the_source_shares_the_style_sheet_and_theme_of_the_page() -> None:
    (source,) = ET.fromstring(build_config(NEWS)).iter("HyperText")
    assert source.get("inline") == "true"


def test_labels_ask_the_backend_while_annotating() -> None:
    (labels,) = ET.fromstring(build_config(NEWS)).iter("Labels")
    assert labels.get("smart") == "true"


def test_the_view_names_the_keys_it_answers_to() -> None:
    headers = " ".join(h.get("value", "") for h in ET.fromstring(build_config(NEWS)).iter("Header"))
    assert all(key in headers for key in ("Backspace", "Ctrl+Enter", "Ctrl+Space"))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        pytest.param([], "there are none", id="none"),
        pytest.param(["PER", "PER"], "'PER': given twice", id="twice"),
        pytest.param([""], "empty", id="empty"),
        pytest.param([" PER"], "white space", id="space in front"),
        pytest.param(["A\nB"], "not printable", id="line break"),
        pytest.param(["A\x00"], "not printable", id="not expressible in XML"),
        pytest.param(["$lang"], "field of the task", id="read as a variable"),
    ],
)
def test_label_sets_that_would_not_survive_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(LabelSetError, match=message.replace("$", r"\$")):
        build_config(labels)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param("<View>", "not a labeling config", id="not XML"),
        pytest.param("", "not a labeling config", id="nothing"),
        pytest.param(
            '<View><Labels name="entities" toName="gone"><Label value="PER"/></Labels></View>',
            "not a labeling config",
            id="a label set for no text",
        ),
        pytest.param(
            '<View><Labels name="ner" toName="target"><Label value="PER"/></Labels>'
            '<Text name="target" value="$text"/></View>',
            "no <Choices name='review'>, no <Labels name='entities'>, no <Text name='target'>",
            id="somebody else's layout",
        ),
    ],
)
def test_a_project_with_another_layout_is_named(config: str, message: str) -> None:
    with pytest.raises(ReviewError, match=message) as caught:
        labels_of(config, "project 3")
    assert caught.value.where == "project 3"
    assert "spanferry builds" in caught.value.mend
