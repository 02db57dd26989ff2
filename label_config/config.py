"""The labeling config: what the annotation page is made of, and what its parts are called.

Seen from above: the source sentence as read-only chips with the conflicts below it, the target
sentence with its labels, and the verdict on the sentence with the keys that matter.
"""

from collections.abc import Collection, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from label_config.chips import CSS
from label_config.colors import color_of
from projection.errors import ReviewError, SpanferryError

if TYPE_CHECKING:
    from label_studio_sdk.label_interface.interface import LabelInterface

SOURCE, TARGET = "source", "target"  # the two texts
ENTITIES, REVIEW = "entities", "review"  # what a person decides about the target
OK, UNUSABLE = "ok", "unusable"  # the answers to REVIEW

REVIEW_HOTKEYS = {OK: "o", UNUSABLE: "x"}
# The order in which Label Studio hands out keys by itself, without the two above. Labels past the
# last key have none, and are clicked.
LABEL_HOTKEYS = tuple("1234567890qwetasdfgzcvbyipjklnm")

HINTS = (
    "Press a label's key, then drag over the words · Backspace deletes the selected span · "
    "Ctrl+Enter submits · Ctrl+Space skips"
)

# Label Studio's own classes appear here only for looks: where one is renamed, nothing breaks.
_LAYOUT = """\
.sf-box { border: 1px solid color-mix(in srgb, currentColor 25%, transparent);
  border-radius: 6px; padding: 6px 10px; margin-bottom: 8px; }
.sf-box h4 { font-size: 12px; font-weight: 400; line-height: 1.5; }
.sf-target [class*="htx-richtext"] { white-space: pre-wrap; overflow-wrap: anywhere;
  font-size: 16px; line-height: 1.7; }
.sf-target [class*="richtext__line"] { unicode-bidi: plaintext; width: 100%; }
.sf-review { display: flex; flex-wrap: wrap; align-items: baseline; column-gap: 20px; }
.sf-review [class*="choices"] { margin: 0; }
"""

_MEND_LAYOUT = "Give the project the labeling config that spanferry builds"


class LabelSetError(SpanferryError):
    """A label set that Label Studio cannot show."""


def build_config(labels: Sequence[str]) -> str:
    """The labeling config for these labels, as XML. The first ones get keys 1, 2, 3, …

    Raises:
        LabelSetError: if there are none, one is given twice, or one cannot be written.
    """
    check_labels(labels)
    view = ET.Element("View")
    ET.SubElement(view, "Style").text = CSS + _LAYOUT
    _add_source(ET.SubElement(view, "View", className="sf-box"))
    _add_target(ET.SubElement(view, "View", className="sf-box sf-target"), labels)
    _add_review(ET.SubElement(view, "View", className="sf-box sf-review"))
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
        raise ReviewError(where, f"no {', no '.join(missing)}", _MEND_LAYOUT)
    (choice,) = (control for control in interface.controls if control.name == ENTITIES)
    return tuple(choice.labels)


def _interface(xml: str, where: str) -> "LabelInterface":
    # Imported late because it takes a second, which commands that never validate should not pay.
    from label_studio_sdk.label_interface.interface import LabelInterface  # noqa: PLC0415

    try:
        interface = LabelInterface(xml)
        interface.validate()  # type: ignore[no-untyped-call]  # the SDK left it unannotated
    except Exception as error:  # the SDK raises whatever its XML and schema libraries raise
        raise ReviewError(where, f"not a labeling config: {error}", _MEND_LAYOUT) from error
    return interface


def _add_source(box: ET.Element) -> None:
    # Inline, because the frame it would otherwise get knows neither the theme nor the style sheet.
    ET.SubElement(
        box,
        "HyperText",
        name=SOURCE,
        value="$source_html",
        inline="true",
        clickableLinks="false",
        selectionEnabled="false",
    )


def _add_target(box: ET.Element, labels: Sequence[str]) -> None:
    ET.SubElement(box, "Header", value="Target · $lang", size="5", style="margin: 0")
    choice = ET.SubElement(
        box, "Labels", name=ENTITIES, toName=TARGET, showInline="true", smart="true"
    )
    for label, key in zip_longest(labels, LABEL_HOTKEYS[: len(labels)]):
        hotkey = {"hotkey": key} if key else {}
        attributes = {"value": label, "background": color_of(label), **hotkey}
        ET.SubElement(choice, "Label", attributes)
    # symbol: a drag marks exactly what it covers. saveTextResult: offsets can be checked later.
    ET.SubElement(
        box,
        "Text",
        name=TARGET,
        value=f"${TARGET}",
        granularity="symbol",
        saveTextResult="yes",
    )


def _add_review(box: ET.Element) -> None:
    choices = ET.SubElement(
        box, "Choices", name=REVIEW, toName=TARGET, choice="single", showInline="true"
    )
    for answer, key in REVIEW_HOTKEYS.items():
        ET.SubElement(choices, "Choice", value=answer, hotkey=key)
    ET.SubElement(box, "Header", value=HINTS, size="5", style="margin: 0")
