"""`spanferry project` in several processes."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from ml_backend.cli.engines import CHECKS_UNDER
from projection.pipeline.conflicts import PAPER_CHECKS, Policy
from tests.ml_backend.cli.conftest import Spanferry


def test_what_the_paper_does_not_doubt_is_not_dropped() -> None:
    assert CHECKS_UNDER[Policy.DROP] == PAPER_CHECKS
    assert set(CHECKS_UNDER[Policy.FLAG]) > set(CHECKS_UNDER[Policy.DROP])


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_nothing_is_begun(spanferry: Spanferry, tmp_path: Path) -> None:
    options = ["--tsv", tmp_path / "none.tsv", "--out", tmp_path / "run", "--engine", "ray"]
    said = "--engine ray: Ray is not installed. pip install 'spanferry[ray]'"
    assert spanferry("project", *options).mistake == said


def test_workers_write_what_this_process_does(
    spanferry: Spanferry,
    word_tagger: Callable[[Mapping[str, str]], Path],
    copying_aligner: Path,
    tmp_path: Path,
) -> None:
    teacher = word_tagger({"Anna": "B-PER", "Bern": "B-LOC"})
    corpus = tmp_path / "pairs.tsv"
    corpus.write_text("Anna left Bern\tAnna verließ Bern\n" * 3, "utf-8")
    options = ["--tsv", corpus, "--target-lang", "de", "--teacher", teacher]
    written = []
    for count in (1, 2):
        out = tmp_path / f"run-{count}"
        outcome = spanferry(
            "project", *options, "--aligner", copying_aligner, "--out", out, "--workers", count
        )
        assert outcome.status == 0
        written.append((out / "projected.jsonl").read_bytes())
    assert written[0] == written[1]
