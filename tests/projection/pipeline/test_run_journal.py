"""Batches that are whole in a run's files are found again; the rest is cut off and done anew."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from projection.errors import RunError
from projection.io.records_json import encode
from projection.pipeline.run_journal import RunFiles
from projection.pipeline.run_summary import RunRow
from projection.records import ParallelSentence

SENTENCES = [ParallelSentence(str(n), "A", "B", "en", "de", f"a.en:{n}") for n in range(6)]
BATCHES = [SENTENCES[start : start + 2] for start in (0, 2, 4)]


def row(sentence: ParallelSentence) -> RunRow:
    """Every third sentence is dropped."""
    made = encode(sentence)
    if int(sentence.id) % 3 == 2:
        return {**made, "dropped": [{"kind": "empty", "reason": "no text"}]}
    return {"sentence": made}


def files_in(folder: Path) -> RunFiles:
    return RunFiles(folder / "projected.jsonl", folder / "dropped.jsonl")


def resumed(
    folder: Path, batches: Sequence[list[ParallelSentence]] = BATCHES
) -> tuple[list[str], list[str]]:
    """The ids found in the files, and those still to do."""
    found: list[str] = []
    files = files_in(folder)
    to_do = files.resume(
        iter(batches), lambda rows: found.extend(r.get("sentence", r)["id"] for r in rows)
    )
    files.cut()
    return found, [sentence.id for batch in to_do for sentence in batch]


def test_a_new_folder_has_everything_to_do(tmp_path: Path) -> None:
    assert resumed(tmp_path) == ([], list("012345"))


def test_whole_batches_are_found_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    files_in(tmp_path).append([row(sentence) for sentence in SENTENCES[:4]])
    assert resumed(tmp_path) == (list("0123"), list("45"))


def test_a_batch_that_is_partly_there_is_cut_off(tmp_path: Path) -> None:
    files_in(tmp_path).append([row(sentence) for sentence in SENTENCES[:3]])
    kept = (tmp_path / "projected.jsonl").read_bytes()
    assert resumed(tmp_path) == (list("01"), list("2345"))
    assert (tmp_path / "projected.jsonl").read_bytes() == kept
    assert (tmp_path / "dropped.jsonl").read_bytes() == b""


def test_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    files_in(tmp_path).append([row(sentence) for sentence in SENTENCES[:2]])
    whole = (tmp_path / "projected.jsonl").read_bytes()
    (tmp_path / "projected.jsonl").write_bytes(whole + whole[:9])
    assert resumed(tmp_path) == (list("01"), list("2345"))
    assert (tmp_path / "projected.jsonl").read_bytes() == whole


def test_rows_the_corpus_does_not_have_are_not_cut_off(tmp_path: Path) -> None:
    files_in(tmp_path).append([row(sentence) for sentence in SENTENCES])
    before = (tmp_path / "projected.jsonl").read_bytes()
    with pytest.raises(RunError, match=r"has 3 \(and 1 more\), the corpus has not"):
        resumed(tmp_path, BATCHES[:1])
    assert (tmp_path / "projected.jsonl").read_bytes() == before
