"""The labeling config: what the annotation page is made of, and what its parts are called.

Seen from above: the source sentence with a chip an entity, what is doubtful in plain words, the
target sentence with its labels, and the verdict on the sentence with the keys that matter.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from label_config.colors import color_of
from label_config.source_html import CSS as CHIPS
from label_config.target_css import CSS as MARKS
from label_config.target_css import label_rules, suggestion_rules
from projection.errors import ReviewError, SpanferryError

if TYPE_CHECKING:
    from label_studio_sdk.label_interface.interface import LabelInterface

SOURCE, TARGET, DOUBTS = "source", "target", "doubts"  # the two texts, and what is between them
SOURCE_ENTITIES, ENTITIES = "source_entities", "entities"  # the labels of each text
REVIEW = "review"  # what a person decides about the sentence
# The answers to REVIEW. Nothing ever depended on `ok`, and it is not offered any more; but Label
# Studio refuses a labeling config without what stands in annotations, so it is there and hidden.
OK, UNUSABLE = "ok", "unusable"

# Without a key of its own the hidden one would be given one that is free: this one nobody has.
OK_HOTKEY, UNUSABLE_HOTKEY = "f19", "x"
# Digits for the target, the letters below them for the source. Labels past the last key have none,
# and are clicked. Left out are x, which answers REVIEW, and u, which unselects a region.
LABEL_HOTKEYS = tuple("1234567890yiopjklnm")
SOURCE_LABEL_HOTKEYS = tuple("qwertasdfgzcvb")

# What else a person needs without the mouse: Label Studio's own keys, as it ships them.
KEYS = (
    ("Alt+.", "next span, doubtful ones first"),
    ("Backspace", "delete it"),
    ("U", "let go of it"),
    ("Ctrl+Enter", "submit"),
    ("Ctrl+Space", "skip"),
    ("Ctrl+Z", "undo"),
)
MISSED = "Missed something? Press a label's key and drag over it here: the backend marks it below"
WAITING = "looking for its place …"
DRAG = (
    "Press a label's key, then drag over the words · the key changes the label of a selected span"
)
ENDS = "· its ends can be dragged"  # where Label Studio counts right

# Label Studio's own classes appear here only for looks: where one is renamed, nothing breaks.
_LAYOUT = """\
.sf-box { border: 1px solid color-mix(in srgb, currentColor 25%, transparent);
  border-radius: 6px; padding: 3px 10px; margin-bottom: 5px; position: relative; }
.sf-page h4 { font-size: 12px; font-weight: 400; line-height: 1.5; }
.sf-from, .sf-target, .sf-review, .sf-keys { display: flex; flex-wrap: wrap; align-items: baseline;
  column-gap: 10px; row-gap: 2px; }
.sf-from [class*="object"], .sf-target [class*="object"] { flex: 1 0 100%; }
.sf-from [class*="-labels"], .sf-target [class*="-labels"] { display: contents; }
.sf-from [class*="label_margins"], .sf-target [class*="label_margins"] { margin: 0 0 2px; }
.sf-target [class*="htx-richtext"] { white-space: pre-wrap; overflow-wrap: anywhere;
  font-size: 16px; line-height: 1.8; }
.sf-missed { opacity: 0.8; }
.sf-wait { display: none; position: absolute; top: -10px; right: 12px; padding: 0 8px;
  border: 1px solid currentColor; border-radius: 9px;
  background: var(--color-neutral-background, Canvas); }
[class*="requesting"] .sf-wait { display: block; }
.sf-target [class*="richtext__line"] { unicode-bidi: plaintext; width: 100%; padding-left: 0; }
.sf-review [class*="choices"] { margin: 0; }
.sf-review [class*="choice"] { line-height: 1.6; }
.sf-keys { padding: 0 10px; }
.sf-key { display: flex; gap: 5px; }
.sf-key h4:first-child { border: 1px solid currentColor; border-radius: 4px; padding: 0 4px;
  opacity: 0.75; }
[class*="outliner-item__index"], [class*="detailed-region__index"] { display: none; }
[class*="detailed-region__title"] + span { display: none; }
div[class*="detailed-region__meta-text"] { word-break: normal; overflow-wrap: anywhere; }
"""

# symbol: a drag marks exactly what it covers. saveTextResult: offsets can be checked later.
_EXACT = {"granularity": "symbol", "saveTextResult": "yes", "showLabels": "true"}

_FIX_LAYOUT = "Give the project the labeling config that spanferry builds"


class LabelSetError(SpanferryError):
    """A label set that Label Studio cannot show."""


def build_config(labels: Sequence[str]) -> str:
    """The labeling config for these labels, as XML. The first ones get keys 1, 2, 3, …

    Raises:
        LabelSetError: if there are none, one is given twice, or one cannot be written.
    """
    check_labels(labels)
    view = ET.Element("View", className="sf-page")
    rules = label_rules(labels) + suggestion_rules(labels)
    ET.SubElement(view, "Style").text = CHIPS + MARKS + rules + _LAYOUT
    _add_source(ET.SubElement(view, "View", className="sf-box sf-from"), labels)
    _add_doubts(ET.SubElement(view, "View", className="sf-box"))
    _add_target(ET.SubElement(view, "View", className="sf-box sf-target"), labels)
    _add_review(ET.SubElement(view, "View", className="sf-box sf-review"))
    _add_keys(ET.SubElement(view, "View", className="sf-keys"))
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def check_labels(labels: Collection[str]) -> None:
    """Refuse label sets that would not survive the way through Label Studio.

    Raises:
        LabelSetError: naming the label.
    """
    if not labels:
        raise LabelSetError("labels", "there are none", "Name at least one")
    seen = set()
    for label in labels:
        where = f"label {label!r}"
        if label in seen:
            raise LabelSetError(where, "given twice", "Name each label once")
        if not label.isprintable() or label != label.strip() or not label:
            raise LabelSetError(
                where, "empty, not printable, or has white space around it", "Rename it"
            )
        if label.startswith("$"):
            raise LabelSetError(where, "Label Studio reads $ as a field of the task", "Rename it")
        seen.add(label)


def validate(xml: str, where: str = "labeling config") -> None:
    """Let Label Studio's own rules judge a labeling config.

    Raises:
        ReviewError: with what Label Studio would say.
    """
    _interface(xml, where)


def labels_of(xml: str, where: str = "labeling config") -> tuple[str, ...]:
    """The label set of a project, from its labeling config.

    Raises:
        ReviewError: if it is not XML, not valid, or not laid out as `build_config` does.
    """
    interface = _interface(xml, where)
    parts = {(c.name, c.tag, tuple(c.to_name)) for c in interface.controls}
    parts |= {(o.name, o.tag, o.value) for o in interface.objects}
    needed = {
        (ENTITIES, "Labels", (TARGET,)),
        (REVIEW, "Choices", (TARGET,)),
        (TARGET, "Text", f"${TARGET}"),
    }
    missing = sorted(f"<{tag} name={name!r}>" for name, tag, _ in needed - parts)
    if missing:
        raise ReviewError(where, f"no {', no '.join(missing)}", _FIX_LAYOUT)
    (choice,) = (control for control in interface.controls if control.name == ENTITIES)
    return tuple(choice.labels)


def takes_over(new: str, old: str) -> bool:
    """Whether tasks and annotations made under the config `old` are as good under `new`.

    They are if the texts are the same and no control and no label of `old` is missing; looks, keys
    and hints may differ.

    Raises:
        ReviewError: if one is not a labeling config.
    """
    ours, theirs = (_interface(xml, "labeling config") for xml in (new, old))
    texts = [{(o.name, o.tag, o.value) for o in each.objects} for each in (ours, theirs)]
    labels = [
        {(c.name, c.tag, tuple(c.to_name), label) for c in each.controls for label in c.labels}
        for each in (ours, theirs)
    ]
    return texts[0] == texts[1] and labels[0] >= labels[1]


def _interface(xml: str, where: str) -> "LabelInterface":
    # Imported late because it takes a second, which commands that never validate should not pay.
    from label_studio_sdk.label_interface.interface import LabelInterface  # noqa: PLC0415

    try:
        interface = LabelInterface(xml)
        interface.validate()  # type: ignore[no-untyped-call]  # the SDK left it unannotated
    except Exception as error:  # the SDK raises whatever its XML and schema libraries raise
        raise ReviewError(where, f"not a labeling config: {error}", _FIX_LAYOUT) from error
    return interface


def _add_source(box: ET.Element, labels: Sequence[str]) -> None:
    _add_words(box, "Source · $source_lang")
    _add_labels(box, SOURCE_ENTITIES, SOURCE, labels, SOURCE_LABEL_HOTKEYS)
    _add_html(box, SOURCE, _EXACT)
    _add_words(ET.SubElement(box, "View", className="sf-missed"), MISSED)


def _add_doubts(box: ET.Element) -> None:
    _add_html(box, DOUBTS, {"selectionEnabled": "false"})


def _add_target(box: ET.Element, labels: Sequence[str]) -> None:
    _add_words(box, "Target · $lang")
    _add_labels(box, ENTITIES, TARGET, labels, LABEL_HOTKEYS)
    _add_words(ET.SubElement(box, "View", className="sf-wait"), WAITING)
    ET.SubElement(box, "Text", {"name": TARGET, "value": f"${TARGET}", **_EXACT})


def _add_html(box: ET.Element, name: str, attributes: Mapping[str, str]) -> None:
    # Inline, because the frame it would otherwise get knows neither the theme nor the style sheet.
    shown = {"name": name, "value": f"${name}_html", "inline": "true", "clickableLinks": "false"}
    ET.SubElement(box, "HyperText", {**shown, **attributes})


def _add_labels(
    box: ET.Element, name: str, text: str, labels: Sequence[str], keys: Sequence[str]
) -> None:
    # smartOnly asks the backend at once, without the switch Auto-Annotation.
    attributes = {"showInline": "true", "smart": "true", "smartOnly": "true"}
    choice = ET.SubElement(box, "Labels", {"name": name, "toName": text, **attributes})
    for label, key in zip_longest(labels, keys[: len(labels)]):
        hotkey = {"hotkey": key} if key else {}
        ET.SubElement(choice, "Label", {"value": label, "background": color_of(label), **hotkey})


def _add_review(box: ET.Element) -> None:
    choices = ET.SubElement(
        box, "Choices", name=REVIEW, toName=TARGET, choice="single", showInline="true"
    )
    ET.SubElement(choices, "Choice", value=OK, hotkey=OK_HOTKEY, style="display: none")
    ET.SubElement(choices, "Choice", value=UNUSABLE, hotkey=UNUSABLE_HOTKEY)
    _add_words(box, DRAG)
    _add_words(ET.SubElement(box, "View", className="sf-ends"), ENDS)


def _add_keys(box: ET.Element) -> None:
    for key, meaning in KEYS:
        pair = ET.SubElement(box, "View", className="sf-key")
        _add_words(pair, key)
        _add_words(pair, meaning)


def _add_words(box: ET.Element, words: str) -> None:
    ET.SubElement(box, "Header", value=words, size="5", style="margin: 0")
