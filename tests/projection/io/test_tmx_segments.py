"""A segment's text has a blank where a code parted two words, and none from the file's layout."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.io.tmx import read_units
from tests.projection.io.corpora import tmx, tuv, write


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For properties, which write the same file over and over."""
    return tmp_path_factory.mktemp("segments")


def read(folder: Path, seg: str) -> str:
    path = write(folder / "a.tmx", tmx(tuv("en", seg)))
    [(_, [(_, text)])] = read_units(path)
    return text


@pytest.mark.parametrize(
    ("seg", "text"),
    [
        pytest.param("Merkel<ph>&lt;br/&gt;</ph>Paris", "Merkel Paris", id="a break"),
        pytest.param("Merkel<ph x='1'/>Paris", "Merkel Paris", id="a placeholder"),
        pytest.param("Merkel<it pos='begin'>{\\tab}</it>Paris", "Merkel Paris", id="a tab"),
        pytest.param("Merkel<ut>\\line </ut>Paris", "Merkel Paris", id="an unknown tag, a break"),
        pytest.param("Merkel<ut>{\\b </ut>Paris", "MerkelParis", id="an unknown tag, bold"),
        pytest.param(
            "10<ut>\\~</ut>km<ut>&amp;nbsp;</ut>weit", "10 km weit", id="blanks of RTF, HTML"
        ),
        pytest.param("Merkel<ph type='lb'/>Paris", "Merkel Paris", id="type"),
        pytest.param("Merkel<ph>&amp;lt;br&amp;gt;</ph>Paris", "Merkel Paris", id="escaped twice"),
        pytest.param("Merkel<ph>{0}</ph><ph>{1}</ph>Paris", "Merkel Paris", id="two in a row"),
        pytest.param(
            "Merkel<ept i='1'>&lt;/b&gt;</ept><ph/>Paris", "Merkel Paris", id="and a pair"
        ),
        pytest.param("Merkel.<ph>&lt;br/&gt;</ph>Paris", "Merkel. Paris", id="after a full stop"),
        pytest.param("Merkel<ph>&lt;br/&gt;</ph>, Paris", "Merkel, Paris", id="before a comma"),
        pytest.param("Merkel <ph>&lt;br/&gt;</ph>Paris", "Merkel Paris", id="after a blank"),
        pytest.param("Merkel<ph>&lt;br/&gt;</ph> Paris", "Merkel Paris", id="before a blank"),
        pytest.param("<ph>&lt;br/&gt;</ph>Paris<ph/>", "Paris", id="at the ends"),
        pytest.param("Merkel (<ph>{0}</ph>Paris)", "Merkel (Paris)", id="after a bracket"),
        pytest.param("M<bpt i='1'>&lt;b&gt;</bpt>ü<ept i='1'>&lt;/b&gt;</ept>n", "Mün", id="pair"),
        pytest.param("Par<hi type='bold'>is</hi>", "Paris", id="hi in a word"),
        pytest.param("a<bpt i='1'>&lt;p&gt;</bpt>b<ept i='1'>&lt;/p&gt;</ept>c", "a b c", id="p"),
        pytest.param("Merkel<br/>Paris", "Merkel Paris", id="HTML as XML"),
        pytest.param("<p>Merkel</p><p>Paris</p>", "Merkel Paris", id="paragraphs as XML"),
        pytest.param("<b>M</b>ünchen<x id='1'/>Rom", "München Rom", id="XLIFF's placeholder"),
        pytest.param("Mün<ph>&amp;shy;</ph>chen", "München", id="a soft hyphen"),
        pytest.param("Mün<ph>{\\-}</ph>chen", "München", id="RTF's soft hyphen"),
        pytest.param("Mün<ph>&lt;wbr/&gt;</ph>chen", "München", id="where a line may break"),
        pytest.param("西门子<ph>{0}</ph>北京", "西门子北京", id="no words with blanks"),
        pytest.param("西门子<ph>&lt;br/&gt;</ph>北京", "西门子 北京", id="a break there"),
        pytest.param("हिन्दी<ph>{0}</ph>दिल्ली", "हिन्दी दिल्ली", id="a letter that ends in a mark"),
        pytest.param("Mü<ph>{0}</ph>&#252;n", "Mü ün", id="before a reference"),
        pytest.param("\n    Angela\n    Merkel\n  ", "Angela Merkel", id="layout"),
        pytest.param("\r\n\tAngela\r\n\t<ph/>\r\nMerkel", "Angela Merkel", id="layout and a code"),
        pytest.param(" a  b\t", " a  b\t", id="blanks in a line are text"),
        pytest.param("a\u2028b\u3000c\n\u3000d", "a\u2028b\u3000c \u3000d", id="other white space"),
    ],
)
def test_text_of_a_segment(tmp_path: Path, seg: str, text: str) -> None:
    assert read(tmp_path, seg) == text


PIECES = (
    "Köln", " ", "\n  ", ".", "大", "&amp;", "<ph/>", "<ph>&lt;br/&gt;</ph>", "<hi>x</hi>", "<br/>"
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_codes_and_layout_add_and_take_away_nothing_but_white_space(
    folder: Path, pieces: list[str]
) -> None:
    spelled = {"&amp;": "&", "<hi>x</hi>": "x"}
    visible = "".join(spelled.get(p, "" if p.startswith("<") else p.strip()) for p in pieces)
    text = read(folder, "".join(pieces))
    assert "".join(text.split()) == visible
    assert "\n" not in text
