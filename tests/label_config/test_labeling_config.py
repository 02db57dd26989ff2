"""What an annotator's page is made of, and which keys it answers to."""

import importlib.util
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from label_config.labeling_config import (
    KEYS,
    LABEL_HOTKEYS,
    SOURCE_LABEL_HOTKEYS,
    UNUSABLE_HOTKEY,
    LabelSetError,
    build_config,
    labels_of,
    takes_over,
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
    assert labels_of(config) == labels


@pytest.mark.parametrize("labels", LABEL_SETS)
def test_no_key_means_two_things(labels: tuple[str, ...]) -> None:
    tree = ET.fromstring(build_config(labels))
    keys = [tag.attrib["hotkey"] for tag in tree.iter() if "hotkey" in tag.attrib]
    assert len(keys) == len(set(keys))
    assert UNUSABLE_HOTKEY in keys


@pytest.fixture(scope="module")
def label_studios_keys() -> dict[str, str]:
    """What Label Studio does with which keys, by its own names, from its own files."""
    found = importlib.util.find_spec("label_studio")
    if found is None or found.origin is None:
        pytest.skip("Label Studio is not installed: pip install 'spanferry[label-studio]'")
    scripts = (Path(found.origin).parents[1] / "web" / "dist").rglob("*.js")
    keymap = re.compile(r"JSON\.parse\('(\{\"audio:back\":.*?\})'\)")
    (written,) = [each for path in scripts for each in keymap.findall(path.read_text("utf-8"))]
    actions = json.loads(written.replace("\\\\", "\\"))
    return {name: action["key"].lower() for name, action in actions.items()}


def test_no_key_is_one_label_studio_uses_itself(label_studios_keys: dict[str, str]) -> None:
    # Its tools draw on pictures.
    taken = {key for name, key in label_studios_keys.items() if not name.startswith("tool:")}
    assert "u" in taken
    assert not {*LABEL_HOTKEYS, *SOURCE_LABEL_HOTKEYS, UNUSABLE_HOTKEY} & taken


def test_the_keys_that_are_named_do_what_is_said(label_studios_keys: dict[str, str]) -> None:
    said = {meaning: key.lower() for key, meaning in KEYS}
    actions = {
        "next span, those in a conflict first": "region:cycle",
        "delete it": "region:delete",
        "unselect it": "region:unselect",
        "submit": "annotation:submit",
        "skip": "annotation:skip",
        "undo": "annotation:undo",
    }
    assert said == {meaning: label_studios_keys[name] for meaning, name in actions.items()}


@pytest.mark.parametrize(
    ("name", "keys"), [("entities", LABEL_HOTKEYS), ("source_entities", SOURCE_LABEL_HOTKEYS)]
)
def test_labels_past_the_last_key_have_none(name: str, keys: tuple[str, ...]) -> None:
    (labels,) = (c for c in ET.fromstring(build_config(MANY)).iter("Labels") if has(c, name))
    given = [label.get("hotkey") for label in labels]
    assert given == [*keys, *[None] * (len(MANY) - len(keys))]


def keys_of(*labels: str) -> dict[str, str | None]:
    [choice] = ET.fromstring(build_config(labels)).findall(".//Labels[@name='entities']")
    return {label.get("value", ""): label.get("hotkey") for label in choice}


def test_the_usual_labels_have_the_same_keys_in_every_project() -> None:
    assert keys_of("PER", "ORG", "LOC", "MISC") == {"PER": "1", "ORG": "2", "LOC": "3", "MISC": "4"}
    assert keys_of("PER", "LOC", "EVENT") == {"PER": "1", "LOC": "3", "EVENT": "5"}
    assert keys_of("EVENT", "PER") == {"EVENT": "1", "PER": "2"}


@pytest.mark.parametrize("labels", [("PER", "LOC", "EVENT", "ORG", "WORK"), ("A", "PER", "B")])
def test_labels_added_at_the_end_change_no_key(labels: tuple[str, ...]) -> None:
    for n in range(1, len(labels)):
        assert keys_of(*labels[:n]).items() <= keys_of(*labels).items()


def test_the_key_of_a_source_label_lies_below_that_of_the_target_label() -> None:
    found = {
        name: [label.get("hotkey") for label in labels]
        for labels in ET.fromstring(build_config(NEWS)).iter("Labels")
        if (name := labels.get("name"))
    }
    assert found == {"source_entities": ["q", "w", "e", "r"], "entities": ["1", "2", "3", "4"]}


def has(tag: ET.Element, name: str) -> bool:
    return tag.get("name") == name


@pytest.mark.parametrize("name", ["source", "target"])
def test_a_drag_marks_exactly_what_it_covers_and_says_what_that_was(name: str) -> None:
    (text,) = (tag for tag in ET.fromstring(build_config(NEWS)).iter() if has(tag, name))
    assert (text.get("granularity"), text.get("saveTextResult")) == ("symbol", "yes")
    assert text.get("showLabels") == "true"
    assert text.get("selectionEnabled", "true") == "true"


def test_doubts_cannot_be_labelled() -> None:
    (doubts,) = (tag for tag in ET.fromstring(build_config(NEWS)).iter() if has(tag, "conflicts"))
    assert (doubts.get("value"), doubts.get("selectionEnabled")) == ("$conflicts_html", "false")


def test_source_and_doubts_share_the_style_sheet_and_theme_of_the_page() -> None:
    htmls = list(ET.fromstring(build_config(NEWS)).iter("HyperText"))
    assert [html.get("inline") for html in htmls] == ["true", "true"]


def test_labels_of_both_sentences_ask_the_backend_while_annotating() -> None:
    labels = list(ET.fromstring(build_config(NEWS)).iter("Labels"))
    assert [(each.get("toName"), each.get("smart")) for each in labels] == [
        ("source", "true"),
        ("target", "true"),
    ]


def test_the_view_names_its_keys_and_how_to_mark_what_was_missed() -> None:
    headers = [h.get("value", "") for h in ET.fromstring(build_config(NEWS)).iter("Header")]
    assert headers[-12::2] == ["Alt+.", "Backspace", "U", "Ctrl+Enter", "Ctrl+Space", "Ctrl+Z"]
    assert any("drag over it here: the backend marks it below" in header for header in headers)


def test_label_studio_lets_the_style_sheet_through_unchanged() -> None:
    """Its sanitizer writes these characters as entities, which mean nothing in a style sheet."""
    (style,) = ET.fromstring(build_config(AWKWARD)).iter("Style")
    assert style.text
    assert not set("<>&") & set(style.text)


def test_an_answer_that_is_not_offered_any_more_is_still_known() -> None:
    """Label Studio refuses a labeling config without what stands in annotations."""
    config = build_config(NEWS)
    review, settled = (tag for tag in ET.fromstring(config).iter("Choices"))
    offered = {c.get("value"): (c.get("hotkey"), c.get("style")) for c in review.iter("Choice")}
    assert offered == {"ok": ("f19", "display: none"), "unusable": ("x", None)}
    assert [c.get("hotkey") for c in settled.iter("Choice")] == [
        *("shift+1", "shift+2", "shift+3", "shift+0")
    ]


def test_a_project_without_labels_for_the_source_can_still_be_read() -> None:
    old = (
        '<View><HyperText name="source" value="$source_html"/>'
        '<Labels name="entities" toName="target"><Label value="PER"/></Labels>'
        '<Text name="target" value="$target"/>'
        '<Choices name="review" toName="target"><Choice value="ok"/><Choice value="unusable"/>'
        "</Choices></View>"
    )
    assert labels_of(old) == ("PER",)


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
    assert "spanferry builds" in caught.value.fix


@pytest.mark.parametrize(
    ("new", "old", "taken"),
    [
        pytest.param(build_config(NEWS), build_config(NEWS), True, id="the same"),
        pytest.param(build_config((*NEWS, "EVENT")), build_config(NEWS), True, id="one label more"),
        pytest.param(build_config(NEWS), build_config((*NEWS, "EVENT")), False, id="one less"),
        pytest.param(
            build_config(NEWS).replace('hotkey="x"', 'hotkey="p"'),
            build_config(NEWS),
            True,
            id="keys",
        ),
        pytest.param(
            build_config(NEWS),
            build_config(NEWS).replace("$conflicts_html", "$source_html"),
            False,
            id="another field of the task",
        ),
    ],
)
def test_a_config_takes_over_what_it_can_still_show(new: str, old: str, taken: bool) -> None:
    assert takes_over(new, old) is taken
