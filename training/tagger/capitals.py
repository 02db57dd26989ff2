"""Names that have lost their capitals: what English counts as an entity and other languages do not.

English writes words derived from names with a capital, and CoNLL-2003 counts them (*Lebanese*,
MISC). Most other languages write them small (*libanés*), and their corpora leave them out: hardly
any name in them is without a capital (docs/reproducing.md has the counts). Pseudo-labels carry the
English view over, so a model learns entities that no test set has. Where the reviewed sentences
have such entities, their annotators see it as English does.
"""

from collections.abc import Iterable, Sequence

from projection.text.iob2 import OUTSIDE, chunks
from training.data.rows import Row

NAMES = frozenset({"PER", "ORG", "LOC", "MISC"})
"""The types of CoNLL. Others, such as dates, may well be written small."""

MEANT_FROM = 0.02  # of all names: more of them in lower case are no slips
LEAST_MEANT = 5


def with_capitals(row: Row) -> Row:
    """Return the row without its entities of `NAMES` that are in lower case.

    A sentence without any capital says nothing about them, and one in a script without case has no
    lower case: both stay as they are.
    """
    if not any(token != token.lower() for token in row.tokens):
        return row
    small = {
        place
        for chunk in chunks(row.tags)
        if chunk.label in NAMES and _is_lower_case(row.tokens[chunk.start : chunk.end])
        for place in range(chunk.start, chunk.end)
    }
    if not small:
        return row
    return row.with_tags(tuple(OUTSIDE if i in small else tag for i, tag in enumerate(row.tags)))


def counted(rows: Sequence[Row]) -> tuple[int, int]:
    """Return how many entities of `NAMES` there are, and how many `with_capitals` takes out."""
    before, after = (
        sum(chunk.label in NAMES for row in each for chunk in chunks(row.tags))
        for each in (rows, [*map(with_capitals, rows)])
    )
    return before, before - after


def lower_case_is_meant(rows: Sequence[Row]) -> bool:
    """Return whether the annotators of these sentences count names in lower case."""
    names, small = counted(rows)
    return small >= LEAST_MEANT and small >= MEANT_FROM * names


def _is_lower_case(tokens: Iterable[str]) -> bool:
    text = " ".join(tokens)
    # Not `upper`: Georgian has capitals for headlines, which no name begins with.
    return text == text.lower() and text != text.title()
