"""Records come back from Parquet as they were, and other tools can look at them."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.io.files import json_line
from projection.io.records_json import encode
from projection.pipeline.run_parquet import COLUMNS, read_parquet, write_parquet
from projection.records import ParallelSentence

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def line_of(source: str, target: str) -> str:
    return json_line(encode(ParallelSentence("a:1", source, target, "en", "zh-TW", "a:1")))


@settings(max_examples=20)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=3))
def test_lines_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    lines = [line_of(*pair) for pair in pairs]
    write_parquet(path, lines)
    assert [f"{line}\n" for line in read_parquet(path)] == lines


def test_the_texts_have_columns(tmp_path: Path) -> None:
    """Of a projected sentence and of a dropped one."""
    dropped = line_of("“Zoë”\r\n👩‍👧", "")
    write_parquet(tmp_path / "a.parquet", [f'{{"sentence": {dropped.strip()}}}', dropped])
    table = pq.read_table(tmp_path / "a.parquet").to_pydict()
    assert list(table) == [*COLUMNS, "record"]
    assert table["source"] == ["“Zoë”\r\n👩‍👧"] * 2
    assert table["target_lang"] == ["zh-TW"] * 2


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="not JSON"):
        write_parquet(tmp_path / "a.parquet", [line_of("A", "B"), "{"])
    assert [*tmp_path.iterdir()] == []
