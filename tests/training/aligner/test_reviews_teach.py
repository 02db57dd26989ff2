"""Corrections improve projection: an aligner is trained on an export, from the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ml_backend.cli import app
from projection.aligners.joint import JointAligner
from projection.records import (
    Entity,
    LabelOrigin,
    ParallelSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
)
from tests.training.aligner.test_joint import (  # noqa: F401  # base is a fixture
    NO_LEXICON,
    UNSEEN,
    base,
    made,
    right,
)
from training.export.export import write_export


def review(number: int) -> ReviewedSentence:
    """Two names of one type, none spelt as its translation: only provenance tells which is which.

    The corpus knew of no entities.
    """
    silver = made(number)
    return ReviewedSentence(
        ParallelSentence(f"s{number}", silver.source, silver.target, "en", "de", f"a.en:{number}"),
        tuple(Entity(target, "PER") for _, target in silver.phrases),
        ReviewStatus.CORRECTED,
        annotator="1",
        provenance=tuple(Provenance(LabelOrigin.CHANGED, source) for source, _ in silver.phrases),
    )


@pytest.fixture
def export(tmp_path: Path) -> Path:
    write_export([review(number) for number in range(400)], tmp_path / "export", title="Names")
    return tmp_path / "export"


def train(base: Path, export: Path, out: Path, *options: str) -> None:  # noqa: F811
    command = ["aligner", "train", str(export), "--base", str(base), "--out", str(out), *options]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_an_aligner_learns_from_an_export_alone(
    base: Path,  # noqa: F811
    export: Path,
    tmp_path: Path,
) -> None:
    assert right(JointAligner.from_encoder(base, NO_LEXICON, apart=True), UNSEEN) < 0.3

    options = ["--max-steps=200", "--batch-size=16", "--learning-rate=5e-3", "--no-bf16"]
    options += ["--freeze=0"]  # it has one layer
    train(base, export, tmp_path / "aligner", *options)

    assert right(JointAligner.from_pretrained(tmp_path / "aligner"), UNSEEN) > 0.8


def test_so_does_the_published_one(
    base: Path,  # noqa: F811
    export: Path,
    tmp_path: Path,
) -> None:
    train(base, export, tmp_path / "aligner", "--preset=paper-pair", "--max-steps=2", "--no-bf16")
    assert (tmp_path / "aligner" / "training.json").is_file()
