"""How the entities of the target sentence look: CSS for the highlights Label Studio draws itself.

Label Studio gives every piece of a region the classes `htx-highlight` and `htx-highlight-<id>-<n>`,
and the last piece `data-label="<index>:<label>"`. The index says nothing to a reader, so the label
is shown with what is known of the region instead: “2 LOC 0.94”. Custom properties carry the number
and the confidence, so that a region drawn by hand shows its label alone, and a relabelled one keeps
its number and loses the confidence, which was about another label.

A region that is proposed while somebody draws comes after these rules were written. So its id says
how sure it is, and which label was asked for, and the rules for that are in the labeling config.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from unicodedata import bidirectional

from projection.records import ParallelSentence

# No label has these by default, and they hold on both themes.
DOUBT, PROPAGATED = "#c08a00", "#7f6ae0"
CAME = "↪"  # stands at what was carried over from other sentences

CSS = """\
.htx-highlight { --sf-came: ""; --sf-number: ""; --sf-sure: ""; --sf-tenths: "";
  --sf-hundredths: ""; --sf-edge: dashed; --sf-doubt: transparent; --sf-lit: transparent; }
.sf-target .htx-highlight { border-radius: 3px; outline: 2px var(--sf-edge) var(--sf-doubt);
  box-shadow: 0 0 0 2px var(--sf-lit); }
.sf-page .htx-highlight[data-label]::after { font-family: inherit; font-size: 11px;
  font-weight: 600; margin: 0 3px; white-space: nowrap; unicode-bidi: isolate; direction: ltr; }
.sf-target .htx-highlight area { display: inline; }
"""

# Label Studio puts an <area> at either end of the selected region, to be dragged; browsers hide
# these unless told to show them. Dragged, they count in UTF-16: where the text has characters of
# two such units, the region would end elsewhere than it was dragged to. So they stay hidden there.
_NO_HANDLES = ".sf-target .htx-highlight area,.sf-page .sf-ends{display:none}"
_LAST_OF_ONE_UNIT = "\uffff"

# Beside a tag that is part of the line, Chromium takes the two ends of a right-to-left name for one
# another when it is selected. Beside a box it does not; but a box may be put on the next line. Nor
# does a selection end where it should in a name that is not kept apart from what is around it.
_BOXED = (
    ".sf-page .htx-highlight[data-label]::after,.sf-page .sf-chip[data-tag]::after"
    "{display:inline-block}.sf-page .sf-chip{unicode-bidi:plaintext}"
)
_SURE = "var(--sf-sure) var(--sf-tenths) var(--sf-hundredths)"
_RIGHT_TO_LEFT = ("R", "AL")  # Unicode's bidirectional classes of letters


@dataclass(frozen=True, slots=True)
class Mark:
    """What one region shows: the number of its source entity and a probability, if it has them.

    A `doubtful` one is what a conflict is about; a `propagated` one was changed as in other
    sentences.
    """

    region_id: str
    number: int | None
    label: str
    score: float | None
    doubtful: bool
    propagated: bool = False


def label_rules(labels: Iterable[str]) -> str:
    """What a highlight shows for each label, whatever its region: for the labeling config."""
    # A label may end as another one does: the longer one comes later, and so prevails.
    return "".join(
        f".sf-page .htx-highlight{_labelled(label)}::after"
        f" {{ content: var(--sf-came) var(--sf-number) {_string(label)} {_SURE}; }}\n"
        for label in sorted(labels, key=len)
    )


def suggestion_id(identity: str, mark: str, label: str, score: float) -> str:
    """The id of a region that is proposed while somebody draws.

    Label Studio overwrites a region whose id it knows. So what is proposed for another mark has
    another id, even if it is the same: a person may have changed the first meanwhile.

    Args:
        identity: of the region, without a hyphen.
        mark: the id of what was drawn.
        label: that was asked for.
        score: in [0, 1].
    """
    units, tenths, hundredths = (int(digit) for digit in f"{score:.2f}".replace(".", ""))
    sure = f"sft{10 * units + tenths}-sfh{hundredths}"
    return f"{identity}-{_hash(mark)}-{_asked(label)}-{sure}"


def base_of(identity: str) -> str:
    """What an id was made of: `suggestion_id` gives back its `identity`."""
    return identity.partition("-")[0]


def suggestion_rules(labels: Iterable[str]) -> str:
    """What a region shows that was proposed while somebody drew: for the labeling config."""
    rules = [f'-sft{n}-"]{{--sf-tenths:" {n / 10:.1f}"}}' for n in range(11)]
    rules += [f'-sfh{n}-"]{{--sf-hundredths:"{n}"}}' for n in range(10)]
    rules += [
        f'-{_asked(label)}-"]:not({_labelled(label)})'
        f'{{--sf-tenths:{_string(f" (asked: {label})")};--sf-hundredths:""}}'
        for label in labels
    ]
    return "".join(f'.htx-highlight[class*="{rule}\n' for rule in rules)


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
    if mark.propagated:
        yield f"{region}{{--sf-edge:dotted;--sf-doubt:{PROPAGATED}}}"
        yield f"{region}{_labelled(mark.label)}{{--sf-came:{_string(CAME + ' ')}}}"
    if mark.doubtful:
        yield f"{region}{{--sf-doubt:{DOUBT}}}"


def _asked(label: str) -> str:
    return f"sfa{_hash(label)}"


def _hash(text: str) -> str:
    """A few letters and digits that a class may have."""
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _labelled(label: str) -> str:
    return f"[data-label$={_string(':' + label)}]"


def _string(text: str) -> str:
    """A CSS string. Written in code points, so that nothing in it can end the string or the sheet,
    nor be changed by Label Studio's sanitizer.
    """
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text) + '"'
