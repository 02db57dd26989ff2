"""CSS for the entities of the target sentence, whose highlights Label Studio draws itself.

Label Studio gives every piece of a region the classes `htx-highlight` and `htx-highlight-<id>-<n>`,
and the last piece `data-label="<index>:<label>"`. Instead of the index the page shows number, label
and, below `SURE`, confidence: “2 LOC 0.66”. Number and confidence are custom properties, so that a
region drawn by hand shows its label alone, and a relabelled one loses the confidence of the other
label.

An interactive proposal comes after these rules were written: its id has its confidence and the
label that was asked for, which rules in the labeling config show.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from unicodedata import bidirectional

from label_config.colors import colors_of
from projection.records import ParallelSentence

# No label has these by default, and they hold on both themes.
CONFLICT, PROPAGATED = "#c08a00", "#7f6ae0"
SURE = 0.9
CAME = "↪"  # marks what was propagated from other sentences

CSS = """\
.htx-highlight { --sf-came: ""; --sf-number: ""; --sf-sure: ""; --sf-tenths: "";
  --sf-hundredths: ""; --sf-edge: dashed; --sf-conflict: transparent; --sf-lit: transparent; }
.sf-target .htx-highlight { border-radius: 3px; outline: 2px var(--sf-edge) var(--sf-conflict);
  box-shadow: 0 0 0 2px var(--sf-lit); }
.sf-page .htx-highlight[data-label]::after { font-family: inherit; font-size: 11px;
  font-weight: 600; margin: 0 3px; white-space: nowrap; unicode-bidi: isolate; direction: ltr; }
.sf-target .htx-highlight area { display: inline; }
"""

# Label Studio puts an <area> at either end of the selected region, to be dragged. They count in
# UTF-16, so they stay hidden where the text has characters of two such units.
_NO_HANDLES = ".sf-target .htx-highlight area,.sf-page .sf-ends{display:none}"
_LAST_OF_ONE_UNIT = "\uffff"

# Beside an inline tag, Chromium swaps the ends of a selected right-to-left name; beside a box, and
# if the name is isolated, it does not.
_BOXED = (
    ".sf-page .htx-highlight[data-label]::after,.sf-page .sf-chip[data-tag]::after"
    "{display:inline-block}.sf-page .sf-chip{unicode-bidi:plaintext}"
)
_SURE = "var(--sf-sure) var(--sf-tenths) var(--sf-hundredths)"
_RIGHT_TO_LEFT = ("R", "AL")  # Unicode's bidirectional classes of letters


# A line does not end before the tag of a region: U+2060 joins words.
_JOINED = '"\\2060"'


class Mark(NamedTuple):
    """The look of one region: the number of its source entity and a probability, if it has them.

    `in_conflict`: a conflict is about it; `propagated`: it was corrected as in other sentences.
    """

    region_id: str
    number: int | None
    label: str
    score: float | None
    in_conflict: bool
    propagated: bool = False


def chip_rules(labels: Sequence[str]) -> str:
    """Return the rules for the colours of chips, for the labeling config."""
    return "".join(
        f".sf-chip[data-type={_string(label)}] {{ --sf: {color}; }}\n"
        for label, color in colors_of(labels).items()
    )


def label_rules(labels: Iterable[str]) -> str:
    """Return the rules for the label of every highlight, for the labeling config."""
    # A label may end as another one does: the longer one comes later, and so prevails.
    return "".join(
        f".sf-page .htx-highlight{_labelled(label)}::after"
        f" {{ content: {_JOINED} var(--sf-came) var(--sf-number) {_string(label)} {_SURE}; }}\n"
        for label in sorted(labels, key=len)
    )


def score_tag(score: float) -> str:
    """Return what a tag says of a probability: nothing from `SURE` on."""
    return f"{score:.2f}" if round(score, 2) < SURE else ""


def suggestion_id(identity: str, mark: str, label: str, score: float) -> str:
    """Return the id of an interactive proposal: `identity`, which has no hyphen, and a suffix.

    Label Studio overwrites a region whose id it knows, and a person may have changed that: so the
    id depends on `mark`, the id of what was drawn. The suffix has `label` and `score` in [0, 1].
    """
    parts = [identity, _hash(mark), _asked(label)]
    if tag := score_tag(score):
        parts += [f"sft{tag[2]}", f"sfh{tag[3]}"]
    return "-".join(parts)


def base_of(identity: str) -> str:
    """Return the `identity` that an id was made of."""
    return identity.partition("-")[0]


def suggestion_rules(labels: Iterable[str]) -> str:
    """Return the rules for interactive proposals, for the labeling config."""
    rules = [f'-sft{n}-"]{{--sf-tenths:" 0.{n}"}}' for n in range(9)]
    rules += [f'-sfh{n}-"]{{--sf-hundredths:"{n}"}}' for n in range(10)]
    rules += [
        f'-{_asked(label)}-"]:not({_labelled(label)})'
        f'{{--sf-tenths:{_string(f" (asked: {label})")};--sf-hundredths:""}}'
        for label in labels
    ]
    return "".join(f'.htx-highlight[class*="{rule}\n' for rule in rules)


def task_rules(sentence: ParallelSentence, marks: Iterable[Mark]) -> str:
    """Return the rules for the regions of one task, and those its characters need."""
    rules = [rule for mark in marks for rule in _rules(mark)]
    if max(sentence.target, default="") > _LAST_OF_ONE_UNIT:
        rules.append(_NO_HANDLES)
    if any(bidirectional(c) in _RIGHT_TO_LEFT for c in {*sentence.source, *sentence.target}):
        rules.append(_BOXED)
    return "".join(rules)


def drawn_rule(marks: Iterable[Mark], rule: str) -> str:
    """Return `rule` for as long as a person's region, none of `marks`, is in the target."""
    known = "".join(f':not([class*="htx-highlight-{mark.region_id}-"])' for mark in marks)
    return f'.sf-page:has(.sf-target .htx-highlight[data-label]:not([class*="-sfa"]){known}) {rule}'


def _rules(mark: Mark) -> Iterable[str]:
    region = f'.htx-highlight[class*="htx-highlight-{mark.region_id}-"]'
    if mark.number is not None:
        chip = f".sf-source .sf-n{mark.number}"
        yield f'{region}{{--sf-number:"{mark.number} "}}'
        # Pointing at one of the two, or selecting it, highlights the other.
        yield f".sf-page:has({region}:is(:hover,.__active)) {chip}{{--sf-lit:currentColor}}"
        yield f".sf-page:has({chip}:hover) {region}{{--sf-lit:currentColor}}"
    if mark.score is not None and (tag := score_tag(mark.score)):
        yield f'{region}{_labelled(mark.label)}{{--sf-sure:" {tag}"}}'
    if mark.propagated:
        yield f"{region}{{--sf-edge:dotted;--sf-conflict:{PROPAGATED}}}"
        yield f"{region}{_labelled(mark.label)}{{--sf-came:{_string(CAME + ' ')}}}"
    if mark.in_conflict:
        yield f"{region}{{--sf-conflict:{CONFLICT}}}"


def _asked(label: str) -> str:
    return f"sfa{_hash(label)}"


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _labelled(label: str) -> str:
    return f"[data-label$={_string(':' + label)}]"


def _string(text: str) -> str:
    """Return a CSS string, escaped against ending it and against Label Studio's sanitizer."""
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text) + '"'
