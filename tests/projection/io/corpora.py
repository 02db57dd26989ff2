"""Corpus files as tests write them."""

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st

from projection.records import ParallelSentence

# What texts really hold, so that hypothesis need not find it by chance.
PIECES = (
    "Köln",
    "e\u0301",
    "👨‍👩‍👧",
    "𠮷野",
    "大西洋",
    "שלום",
    "x\u2028y",
    '"',
    "&lt;",
    "<b>",
    "a\rb",
)
cells = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=5).map(" ".join),
    st.text(
        st.characters(exclude_characters="\n\r\t\ufeff", exclude_categories=["Cs"]), max_size=12
    ),
).filter(lambda text: not text.endswith("\r"))
pairs = st.lists(st.tuples(cells, cells), max_size=6)


def texts(sentences: Iterator[ParallelSentence]) -> list[tuple[str, str]]:
    return [(sentence.source, sentence.target) for sentence in sentences]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def tmx(*units: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    """A TMX file with one unit a line, the first on line 4."""
    start = f'{head}\n<tmx version="1.4">\n<header srclang="en"/><body>\n'
    return start + "\n".join(f"<tu>{unit}</tu>" for unit in units) + "\n</body></tmx>\n"


def tuv(lang: str, seg: str) -> str:
    return f"<tuv xml:lang={quoteattr(lang)}><seg>{seg}</seg></tuv>"


# XML cannot carry control characters, and reads a bare CR as LF.
