"""SimAlign on a file, which its package has no command for. Needs nothing of this project.

python simalign_file.py FOLDER {pairs} {links}
"""

import sys
from pathlib import Path

from simalign import SentenceAligner


def main(model: str, pairs: str, links: str) -> None:
    """Align `source ||| target` lines with the method that it calls "itermax"."""
    aligner = SentenceAligner(model=model, token_type="bpe", matching_methods="i", layer=7)
    found = []
    for line in Path(pairs).read_text("utf-8").splitlines():
        source, target = line.split(" ||| ")
        aligned = aligner.get_word_aligns(source.split(), target.split())["itermax"]
        found.append(" ".join(f"{i}-{j}" for i, j in aligned))
    Path(links).write_text("\n".join(found), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
