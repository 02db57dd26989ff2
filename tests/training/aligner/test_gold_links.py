"""Silver sentences of word links that people made."""

import json
from pathlib import Path

import pytest

from projection.errors import CorpusError
from projection.records import Span
from training.aligner.gold_links import WEIGHT, read_gold_links


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


ROW = {
    "source": ["yes", "Anna", "Weber", "left"],
    "target": ["ja", "Anna", "Weber", "ging"],
    "sure": [[0, 0], [1, 1], [2, 2]],
    "possible": [[3, 3], [0, 0]],
}


def test_links_become_words_and_names_become_phrases(tmp_path: Path) -> None:
    (silver,) = read_gold_links(write(tmp_path / "links.jsonl", ROW), "de", seed=0)
    assert (silver.source, silver.target) == ("yes Anna Weber left", "ja Anna Weber ging")
    assert silver.sure == {(0, 0), (1, 1), (2, 2)}
    assert silver.possible == {(3, 3)}
    assert (Span(4, 14), Span(3, 13)) in silver.phrases
    assert silver.weight == WEIGHT > 1


def test_in_chinese_a_token_is_all_of_its_characters(tmp_path: Path) -> None:
    row = {"source": ["in", "Beijing"], "target": ["在", "北京"], "sure": [[0, 0], [1, 1]]}
    (silver,) = read_gold_links(write(tmp_path / "links.jsonl", row), "zh", seed=0)
    assert silver.target == "在北京"
    assert silver.sure == {(0, 0), (1, 1), (1, 2)}
    assert (Span(3, 10), Span(1, 3)) in silver.phrases


def test_pairs_without_a_sure_link_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "links.jsonl", {**ROW, "sure": []}, ROW)
    assert len(list(read_gold_links(path, "de", seed=0))) == 1


def test_one_seed_draws_the_same_phrases(tmp_path: Path) -> None:
    words = [f"house{letter}" for letter in "abcdefghijkl"]
    row = {"source": words, "target": words, "sure": [[n, n] for n in range(12)]}
    path = write(tmp_path / "links.jsonl", row)
    first, again, other = (list(read_gold_links(path, "de", seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "links.jsonl", ROW, {"source": ["a"]})
    with pytest.raises(CorpusError, match=r"links\.jsonl:2"):
        list(read_gold_links(path, "de", seed=0))
