"""How many names of gold files are in lower case, for docs/reproducing.md.

    python -m tests.training.tagger.lower_case DATA/ner/*/*.iob2

prints for each file how many of its entities of PER, ORG, LOC and MISC `with_capitals` takes out.
"""

import sys
from pathlib import Path

from training.data.dataset import read_rows
from training.tagger.capitals import counted

if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        names, small = counted(read_rows(path).rows)
        if names:
            place = f"{path.parent.name}/{path.name}"
            sys.stdout.write(f"{place}: {small} of {names} ({small / names:.1%})\n")
