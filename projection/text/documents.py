"""Which sentences of a corpus belong together, by where they come from."""

import re

from projection.records import ParallelSentence

BLOCK = 20  # lines of a corpus file that count as a document

_LINE = re.compile(r"(.*):(\d+)", re.DOTALL)
# A TMX file may be one long line, so its units are counted; earlier versions had no hash in the id.
_TMX_UNIT = re.compile(r"(.*):tu(\d+)(?:-[0-9a-f]{8})?", re.DOTALL)


def document_of(sentence: ParallelSentence, block: int = BLOCK) -> str:
    """Return the `block` lines (units, for TMX) of the corpus file that a sentence is in.

    Other origins are documents themselves; a sentence without origin is a document of its own.
    """
    if unit := _TMX_UNIT.fullmatch(sentence.id):
        return f"{unit[1]}:{int(unit[2]) // block}"
    if line := _LINE.fullmatch(sentence.origin):
        return f"{line[1]}:{int(line[2]) // block}"
    return sentence.origin or sentence.id
