"""`spanferry clean` as a shell would call it."""

import json
from itertools import chain
from pathlib import Path

import fsspec
import pytest

from ml_backend.cli.project import open_corpus
from tests.ml_backend.cli.conftest import Spanferry

LINES = "1.2\tMarie left Warsaw.\tMarie verließ Warschau.\n\n1.3\tRain.\t\n0.9\tIt rained.\tNein.\n"
NO_EXTRA = "min_margin = 1.0\nmin_language = 0\nnear_duplicates = 0\n"


@pytest.fixture
def options(tmp_path: Path) -> list[object]:
    """A TSV file with margins, and a recipe that needs no extra."""
    corpus, recipe = tmp_path / "mined.tsv", tmp_path / "recipe.toml"
    corpus.write_text(LINES, "utf-8")
    recipe.write_text(NO_EXTRA, "utf-8")
    return ["--tsv", corpus, "--columns", "2,3,1", "--target-lang", "ger", "--recipe", recipe]


def test_what_is_kept_is_a_corpus_for_project(
    spanferry: Spanferry, options: list[object], tmp_path: Path
) -> None:
    out, dropped = tmp_path / "clean.jsonl", tmp_path / "dropped.jsonl"
    outcome = spanferry("clean", *options, "--out", out, "--dropped", dropped, "--json")
    assert outcome.json == {
        "read": 3,
        "kept": 1,
        "dropped": {"empty": 1, "low_margin": 1},
        "unidentified": [],
    }
    assert "pairs read: 3" in outcome.err
    assert "1 blank line passed over" in outcome.err
    sentences, _ = open_corpus(None, None, None, None, "1,2", out, "en", "de")
    [kept] = sentences
    assert (kept.source, kept.target) == ("Marie left Warsaw.", "Marie verließ Warschau.")
    assert (kept.target_lang, kept.origin, kept.margin) == ("de", "mined.tsv:1", 1.2)
    lines = dropped.read_text("utf-8").splitlines()
    kinds = [json.loads(line)["dropped"][0]["kind"] for line in lines]
    assert kinds == ["empty", "low_margin"]


def test_the_table_names_each_reason(
    spanferry: Spanferry, options: list[object], tmp_path: Path
) -> None:
    outcome = spanferry("clean", *options, "--out", tmp_path / "clean.jsonl")
    assert outcome.status == 0
    assert "empty 1, low margin 1" in " ".join(outcome.out.split())
    assert f"Next: spanferry project --jsonl {tmp_path / 'clean.jsonl'}" in outcome.out


def test_an_address_is_read_and_never_written(
    spanferry: Spanferry, options: list[object], tmp_path: Path
) -> None:
    fsspec.filesystem("memory").pipe("/corpora/mined.tsv", LINES.encode())
    options[1] = "memory://corpora/mined.tsv"
    outcome = spanferry("clean", *options, "--out", tmp_path / "clean.jsonl", "--json")
    assert (outcome.json["read"], outcome.json["kept"]) == (3, 1)
    for written in ("--out", "--dropped"):
        places = {"--out": tmp_path / "a.jsonl", written: "https://me:key@host/a.jsonl"}
        outcome = spanferry("clean", *options, *chain(*places.items()))
        assert outcome.mistake.startswith("https://***@host/a.jsonl: results are written to local")


def test_mistakes_are_one_line_and_leave_no_file(
    spanferry: Spanferry, options: list[object], tmp_path: Path
) -> None:
    out = tmp_path / "clean.jsonl"
    twice = spanferry("clean", *options, "--out", out, "--dropped", tmp_path / "." / "clean.jsonl")
    assert twice.mistake.startswith("--dropped: is --out, too")
    (tmp_path / "recipe.toml").write_text("min_marign = 1.0", "utf-8")
    unknown = spanferry("clean", *options, "--out", out).mistake
    assert unknown.endswith("no such key. Did you mean min_margin? See docs/corpora.md")
    assert "needs exactly one corpus" in spanferry("clean", "--out", out).mistake
    assert not out.exists()
