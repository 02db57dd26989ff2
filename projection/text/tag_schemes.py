"""Schemes of tags other than IOB2, and their conversion to it.

IOB1 writes `B-` only where an entity touches another of its type (Ramshaw & Marcus 1995). BIOES,
BILOU and the like also mark the last token of an entity, and one that stands alone.
"""

from collections.abc import Iterable, Iterator, Sequence

from projection.text.iob2 import MASKED, OUTSIDE

IOB1, IOB2 = "IOB1", "IOB2"
_LETTERS = {
    IOB2: "BI", IOB1: "BI", "BIOES": "BIES", "BILOU": "BILU", "BMEWO": "BMEW", "BMES": "BMES"
}  # fmt: skip
_BEGINS, _ENDS = "BSUW", "ELSUW"


def is_tag(text: str) -> bool:
    """Return whether `text` is a tag of any of the schemes."""
    return text == OUTSIDE or (len(text) > 2 and text[0] in "BIESLUMW" and text[1] == "-")


def scheme_of(sentences: Iterable[Sequence[str]]) -> str:
    """Return the scheme of the tags of a file; IOB2 if it is none of the others.

    A file is in IOB1 if some entity begins with `I-`, and none with a `B-` that IOB1 does not need.
    """
    letters, begun_inside, needless = set[str](), False, False
    for tags in sentences:
        before = ""  # the type of the token before
        for tag in tags:
            prefix, _, label = tag.partition("-")
            if is_tag(tag):
                letters.add(prefix)
                begun_inside |= prefix == "I" and label != before
                needless |= prefix == "B" and label != before
            before = label
    letters.discard(OUTSIDE)
    if letters <= {"B", "I"}:
        return IOB1 if begun_inside and not needless else IOB2
    return next((name for name, known in _LETTERS.items() if letters <= {*known}), IOB2)


def to_iob2(tags: Iterable[str], scheme: str) -> Iterator[tuple[str, str | None]]:
    """Yield every tag of a sentence in IOB2, and what is wrong with it in its scheme, if anything.

    `MASKED` is a tag of every scheme.
    """
    previous, open_label = OUTSIDE, ""
    for tag in tags:
        prefix, _, label = tag.partition("-")
        made, fault = tag, None
        if tag in (OUTSIDE, MASKED):
            open_label = ""
        elif not label or prefix not in [*_LETTERS[scheme]]:
            fault = f"unknown tag {tag!r:.60}"
        elif prefix in _BEGINS or (scheme == IOB1 and label != open_label):
            made = f"B-{label}"
        elif label == open_label:
            made = f"I-{label}"
        else:
            fault = f"{tag:.60} after {previous:.60} continues nothing"
        if tag not in (OUTSIDE, MASKED):
            open_label = "" if prefix in _ENDS else label
        previous = tag
        yield made, fault
