"""The labeling config: the parts of the annotation page and their names.

From top to bottom: the source sentence with a chip per entity, the conflicts in plain words, the
target sentence with its labels, the decision on the sentence, and the keys.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from label_config.colors import FAMILIAR, colors_of
from label_config.source_html import CSS as CHIPS
from label_config.target_css import CSS as MARKS
from label_config.target_css import chip_rules, label_rules, suggestion_rules
from projection.errors import ReviewError, SpanferryError

if TYPE_CHECKING:
    from label_studio_sdk.label_interface.interface import LabelInterface

SOURCE, TARGET, CONFLICTS = (
    "source",
    "target",
    "conflicts",
)  # the two texts, and what is between them
SOURCE_ENTITIES, ENTITIES = "source_entities", "entities"  # the labels of each text
REVIEW = "review"  # the decision about the sentence
SETTLED = "settled"  # the decision about what annotators disagree on, shown only there
# The answers to REVIEW. `ok` means nothing and is hidden; but Label Studio refuses a labeling
# config without what stands in annotations.
OK, UNUSABLE = "ok", "unusable"

# The answers to SETTLED: one of the versions that the task lists, or the annotation itself.
VERSIONS, AS_MARKED = ("version 1", "version 2", "version 3"), "as marked here"
VERSION_HOTKEYS, AS_MARKED_HOTKEY = ("shift+1", "shift+2", "shift+3"), "shift+0"

# Without a key of its own the hidden answer would get a free one: no keyboard has F19.
OK_HOTKEY, UNUSABLE_HOTKEY = "f19", "x"
# Digits for the target, the letters below them for the source; labels past the last key have none.
# x answers REVIEW, u unselects a region. The usual labels have the first ones.
LABEL_HOTKEYS = tuple("1234567890yiopjklnm")
SOURCE_LABEL_HOTKEYS = tuple("qwertasdfgzcvb")

# Label Studio's own keys, as it ships them.
KEYS = (
    ("Alt+.", "next span, those in a conflict first"),
    ("Backspace", "delete it"),
    ("U", "unselect it"),
    ("Ctrl+Enter", "submit"),
    ("Ctrl+Space", "skip"),
    ("Ctrl+Z", "undo"),
)
MISSED = "Missed something? Press a label's key and drag over it here: the backend marks it below"
WAITING = "looking for its place …"
DRAG = "Press a label's key, then drag over the words · the key changes a selected span's label"
ENDS = "· its ends can be dragged"  # where Label Studio counts right

# Label Studio's own classes appear here only for looks: where one is renamed, nothing breaks.
_LAYOUT = """\
.sf-box { border: 1px solid color-mix(in srgb, currentColor 25%, transparent);
  border-radius: 6px; padding: 3px 10px; margin-bottom: 3px; position: relative; }
.sf-page h4 { font-size: 12px; font-weight: 400; line-height: 1.5; }
.sf-from, .sf-target, .sf-review, .sf-keys { display: flex; flex-wrap: wrap; align-items: baseline;
  column-gap: 10px; row-gap: 2px; }
.sf-from [class*="object"], .sf-target [class*="object"] { flex: 1 0 100%; }
.sf-from [class*="-labels"], .sf-target [class*="-labels"] { display: contents; }
.sf-from [class*="label_margins"], .sf-target [class*="label_margins"] { margin: 0 0 2px; }
.sf-target [class*="htx-richtext"] { white-space: pre-wrap; overflow-wrap: anywhere;
  font-size: clamp(16px, 7px + 0.65vw, 20px); line-height: 1.8; }
.sf-missed { opacity: 0.8; }
.sf-wait { display: none; position: absolute; top: -10px; right: 12px; padding: 0 8px;
  border: 1px solid currentColor; border-radius: 9px;
  background: var(--color-neutral-background, Canvas); }
[class*="requesting"] .sf-wait { display: block; }
.sf-target [class*="richtext__line"] { unicode-bidi: plaintext; width: 100%; padding-left: 0; }
.sf-review [class*="choices"] { margin: 0; }
.sf-review [class*="choice"] { line-height: 1.6; }
.sf-settled { display: none; }
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
    """Build the labeling config for these labels, as XML. Labels added at the end change no key.

    LabelSetError if there are none, one is given twice, or Label Studio would change one.
    """
    _check_labels(labels)
    view = ET.Element("View", className="sf-page")
    rules = chip_rules(labels) + label_rules(labels) + suggestion_rules(labels)
    ET.SubElement(view, "Style").text = CHIPS + MARKS + rules + _LAYOUT
    source = _add_box(view, "sf-box sf-from", "Source · $source_lang")
    _add_labels(source, SOURCE_ENTITIES, SOURCE, labels, SOURCE_LABEL_HOTKEYS)
    _add_html(source, SOURCE, _EXACT)
    _add_box(source, "sf-missed", MISSED)
    _add_html(_add_box(view, "sf-box"), CONFLICTS, {"selectionEnabled": "false"})
    target = _add_box(view, "sf-box sf-target", "Target · $lang")
    _add_labels(target, ENTITIES, TARGET, labels, LABEL_HOTKEYS)
    _add_box(target, "sf-wait", WAITING)
    ET.SubElement(target, "Text", {"name": TARGET, "value": f"${TARGET}", **_EXACT})
    _add_review(_add_box(view, "sf-box sf-review"))
    _add_settled(_add_box(view, "sf-box sf-settled"))
    keys = _add_box(view, "sf-keys")
    for key_and_meaning in KEYS:
        _add_box(keys, "sf-key", *key_and_meaning)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def _check_labels(labels: Sequence[str]) -> None:
    if not labels:
        raise LabelSetError("labels", "there are none", "Name at least one")
    for label in labels:
        where = f"label {label!r}"
        if labels.count(label) > 1:
            raise LabelSetError(where, "given twice", "Name each label once")
        if not label.isprintable() or label != label.strip() or not label:
            what = "empty, not printable, or has white space around it"
            raise LabelSetError(where, what, "Rename it")
        if label.startswith("$"):
            raise LabelSetError(where, "Label Studio reads $ as a field of the task", "Rename it")


def labels_of(xml: str, where: str = "labeling config") -> tuple[str, ...]:
    """Read the label set of a project; ReviewError if `xml` is not laid out by `build_config`."""
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
    """Return whether tasks and annotations made with the config `old` are valid with `new`.

    They are if the texts are the same and no control and no label of `old` is missing; style, keys
    and hints may differ. ReviewError if one is not a labeling config.
    """
    interfaces = [_interface(xml, "labeling config") for xml in (new, old)]
    ours, theirs = ({(o.name, o.tag, o.value) for o in each.objects} for each in interfaces)
    offered, needed = (
        {(c.name, c.tag, tuple(c.to_name), label) for c in each.controls for label in c.labels}
        for each in interfaces
    )
    return ours == theirs and offered >= needed


def _interface(xml: str, where: str) -> "LabelInterface":
    # Imported late because it takes a second, which commands that never validate should not pay.
    from label_studio_sdk.label_interface.interface import LabelInterface  # noqa: PLC0415

    try:
        interface = LabelInterface(xml)
        interface.validate()  # type: ignore[no-untyped-call]  # the SDK left it unannotated
    except Exception as error:  # the SDK raises whatever its XML and schema libraries raise
        raise ReviewError(where, f"not a labeling config: {error}", _FIX_LAYOUT) from error
    return interface


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
    keys_of = _keys_of(labels, keys)
    for label, color in colors_of(labels).items():
        hotkey = {"hotkey": keys_of[label]} if label in keys_of else {}
        ET.SubElement(choice, "Label", {"value": label, "background": color, **hotkey})


def _keys_of(labels: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    """Return the key of each label; labels added at the end change no other.

    Where the first label is a usual one, the usual ones have the same keys as in every project.
    """
    usual = dict(zip(FAMILIAR, keys, strict=False)) if labels[0] in FAMILIAR else {}
    further = [label for label in labels if label not in usual]
    own = {label: key for label, key in usual.items() if label in labels}
    return own | dict(zip(further, keys[len(usual) :], strict=False))


def _add_review(box: ET.Element) -> None:
    attributes = {"name": REVIEW, "toName": TARGET, "choice": "single", "showInline": "true"}
    choices = ET.SubElement(box, "Choices", attributes)
    ET.SubElement(choices, "Choice", value=OK, hotkey=OK_HOTKEY, style="display: none")
    ET.SubElement(choices, "Choice", value=UNUSABLE, hotkey=UNUSABLE_HOTKEY)
    _add_box(box, "sf-drag", DRAG)
    _add_box(box, "sf-ends", ENDS)


def _add_settled(box: ET.Element) -> None:
    attributes = {"name": SETTLED, "toName": TARGET, "choice": "single", "showInline": "true"}
    choices = ET.SubElement(box, "Choices", attributes)
    for value, hotkey in zip(VERSIONS, VERSION_HOTKEYS, strict=True):
        ET.SubElement(choices, "Choice", value=value, hotkey=hotkey)
    ET.SubElement(choices, "Choice", value=AS_MARKED, hotkey=AS_MARKED_HOTKEY)


def _add_box(parent: ET.Element, css_class: str, *texts: str) -> ET.Element:
    box = ET.SubElement(parent, "View", className=css_class)
    for text in texts:
        ET.SubElement(box, "Header", value=text, size="5", style="margin: 0")
    return box
