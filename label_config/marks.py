"""How the entities of the target sentence look: CSS for the highlights Label Studio draws itself.

Label Studio gives every piece of a region the classes `htx-highlight` and `htx-highlight-<id>-<n>`,
and the last piece `data-label="<index>:<label>"`. The index says nothing to a reader, so the label
is shown with what is known of the region instead: “2 LOC 0.94”. Custom properties carry the number
and the confidence, so that a region drawn by hand shows its label alone, and a relabelled one keeps
its number and loses the confidence, which was about another label.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from unicodedata import bidirectional

from projection.records import ParallelSentence

DOUBT = "#c08a00"  # no label has it by default, and it holds on both themes

CSS = """\
.htx-highlight { --sf-number: ""; --sf-sure: ""; --sf-doubt: transparent; --sf-lit: transparent; }
.sf-target .htx-highlight { border-radius: 3px; outline: 2px dashed var(--sf-doubt);
  box-shadow: 0 0 0 2px var(--sf-lit); }
.sf-page .htx-highlight[data-label]::after { font-family: inherit; font-size: 11px;
  font-weight: 600; margin: 0 3px; white-space: nowrap; unicode-bidi: isolate; direction: ltr; }
.sf-target .htx-highlight area { display: inline; }
"""

# Label Studio puts an <area> at either end of the selected region, to be dragged; browsers hide
# these unless told to show them. Dragged, they count in UTF-16: where the text has characters of
# two such units, the region would end elsewhere than it was dragged to. So they stay hidden there.
_NO_HANDLES = ".sf-target .htx-highlight area{display:none}"
_LAST_OF_ONE_UNIT = "\uffff"

# Beside a tag that is part of the line, Chromium takes the two ends of a right-to-left name for one
# another when it is selected. Beside a box it does not; but a box may be put on the next line. Nor
# does a selection end where it should in a name that is not kept apart from what is around it.
_BOXED = (
    ".sf-page .htx-highlight[data-label]::after,.sf-page .sf-chip[data-tag]::after"
    "{display:inline-block}.sf-page .sf-chip{unicode-bidi:plaintext}"
)
_RIGHT_TO_LEFT = ("R", "AL")  # Unicode's bidirectional classes of letters


@dataclass(frozen=True, slots=True)
class Mark:
    """What one region shows: the number of its source entity and a probability, if it has them.

    A `doubtful` one is what a conflict is about.
    """

    region_id: str
    number: int | None
    label: str
    score: float | None
    doubtful: bool


def label_rules(labels: Iterable[str]) -> str:
    """What a highlight shows for each label, whatever its region: for the labeling config."""
    # A label may end as another one does: the longer one comes later, and so prevails.
    return "".join(
        f".sf-page .htx-highlight{_labelled(label)}::after"
        f" {{ content: var(--sf-number) {_string(label)} var(--sf-sure); }}\n"
        for label in sorted(labels, key=len)
    )


def task_rules(sentence: ParallelSentence, marks: Iterable[Mark]) -> str:
    """What the regions of one task show beside their labels, and what its letters ask for."""
    rules = [rule for mark in marks for rule in _rules(mark)]
    if max(sentence.target, default="") > _LAST_OF_ONE_UNIT:
        rules.append(_NO_HANDLES)
    if any(bidirectional(c) in _RIGHT_TO_LEFT for c in sentence.source + sentence.target):
        rules.append(_BOXED)
    return "".join(rules)


def _rules(mark: Mark) -> Iterable[str]:
    region = f'.htx-highlight[class*="htx-highlight-{mark.region_id}-"]'
    if mark.number is not None:
        chip = f".sf-source .sf-n{mark.number}"
        yield f'{region}{{--sf-number:"{mark.number} "}}'
        # Whichever of the two is pointed at or selected, the other one lights up.
        yield f".sf-page:has({region}:is(:hover,.__active)) {chip}{{--sf-lit:currentColor}}"
        yield f".sf-page:has({chip}:hover) {region}{{--sf-lit:currentColor}}"
    if mark.score is not None:
        yield f'{region}{_labelled(mark.label)}{{--sf-sure:" {mark.score:.2f}"}}'
    if mark.doubtful:
        yield f"{region}{{--sf-doubt:{DOUBT}}}"


def _labelled(label: str) -> str:
    return f"[data-label$={_string(':' + label)}]"


def _string(text: str) -> str:
    """A CSS string. Written in code points, so that nothing in it can end the string or the sheet,
    nor be changed by Label Studio's sanitizer.
    """
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text) + '"'
