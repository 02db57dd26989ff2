"""How many names of gold files are in lower case, for docs/reproducing.md.

    python -m tests.training.tagger.lower_case DATA/ner/*/*.iob2

prints for each file how many of its entities of PER, ORG, LOC and MISC `with_capitals` takes out.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from projection.text.iob2 import chunks
from training.data.dataset import read_rows
from training.data.rows import Row
from training.tagger.capitals import NAMES, with_capitals


def counted(rows: Sequence[Row]) -> tuple[int, int]:
    """Return how many names there are, and how many of them are in lower case."""
    before, after = (
        sum(chunk.label in NAMES for row in each for chunk in chunks(row.tags))
        for each in (rows, [*map(with_capitals, rows)])
    )
    return before, before - after


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        names, small = counted(read_rows(path).rows)
        if names:
            place = f"{path.parent.name}/{path.name}"
            sys.stdout.write(f"{place}: {small} of {names} ({small / names:.1%})\n")
