"""What counts as one document."""

import pytest

from projection.records import ParallelSentence
from projection.text.documents import BLOCK, document_of


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(("a", "news.en:0"), ("b", f"news.en:{BLOCK - 1}"), True, id="one block"),
        pytest.param(("a", "news.en:0"), ("b", f"news.en:{BLOCK}"), False, id="the next"),
        pytest.param(("a", "news.en:1"), ("a", "talks.en:1"), False, id="ids that clash"),
        pytest.param(("m.tmx:tu1", "m.tmx:1"), ("m.tmx:tu99", "m.tmx:1"), False, id="one line"),
        pytest.param(("m.tmx:tu1", "m.tmx:9"), ("m.tmx:tu2", "m.tmx:99"), True, id="TMX units"),
        pytest.param(
            ("m.tmx:tu1-9f86d081", "m.tmx:1"), ("m.tmx:tu2", "m.tmx:1"), True, id="TMX, hashed"
        ),
        pytest.param(("a", "speech of May"), ("b", "speech of May"), True, id="no line"),
        pytest.param(("a", ""), ("b", ""), False, id="no origin"),
        pytest.param(("a", "شعر:3"), ("b", "شعر:4"), True, id="right to left"),
    ],
)
def test_blocks_of_lines(
    one: tuple[str, str],
    other: tuple[str, str],
    same: bool,
) -> None:
    first, second = (
        ParallelSentence(name, "", "", "en", "de", origin) for name, origin in (one, other)
    )
    assert (document_of(first) == document_of(second)) is same
