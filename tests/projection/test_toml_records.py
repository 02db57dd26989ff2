"""Records read from TOML: a mistake is named by file and key, with the nearest key there is."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ConfigDict

from projection.errors import CorpusError
from projection.toml_records import ONLY_FIELDS, read_toml, record_of


@dataclass(frozen=True, slots=True)
class Size:
    """A record with a check of its own."""

    __pydantic_config__: ClassVar[ConfigDict] = ONLY_FIELDS
    width: float
    heights: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.width < 0:
            raise ValueError(f"width: {self.width} is below 0")


def read(path: Path, text: str) -> Size:
    path.write_text(text, "utf-8")
    return record_of(Size, read_toml(path, CorpusError, "See a"), "a.toml", CorpusError, "See a")


def test_lists_are_tuples_and_whole_numbers_are_numbers(tmp_path: Path) -> None:
    assert read(tmp_path / "a.toml", "width = 2\nheights = [1, 2]") == Size(2.0, (1, 2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "widht = 2", "a.toml widht: no such key. Did you mean width? See a", id="near"
        ),
        pytest.param("width = 2\ncolor = 1", "a.toml color: no such key. See a", id="far"),
        pytest.param("", "a.toml width: missing. See a", id="missing"),
        pytest.param(
            "width = 2\nheights = [1, 'b']",
            "a.toml heights[1]: 'b': Input should be a valid integer. See a",
            id="other type",
        ),
        pytest.param("width = -1", "a.toml: width: -1.0 is below 0. See a", id="own check"),
    ],
)
def test_a_mistake_is_named_by_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CorpusError) as caught:
        read(tmp_path / "a.toml", text)
    assert str(caught.value) == said


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none\.toml: no such file\. See a"):
        read_toml(tmp_path / "none.toml", CorpusError, "See a")
    with pytest.raises(CorpusError, match=r"b\.toml: is not TOML"):
        read(tmp_path / "b.toml", "width = ")
