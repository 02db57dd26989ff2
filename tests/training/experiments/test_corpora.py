"""Review orders on a corpus with gold: what reviews and propagation leave right."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from projection.errors import TrainingError
from projection.io.files import json_line
from projection.records import Entity, ProjectedSentence, ReviewedSentence, Span
from tests.training.experiments.test_config import config_of
from training.experiments.config import DataConfig
from training.experiments.definition import ExperimentOptions, ReviewOrder, read_experiment
from training.experiments.results import Results
from training.experiments.runner import run_experiment

NAMES = ("Anna", "Otto", "Max", "Eva", "Jan", "Tom")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    """Sentences whose gold, unlike the teacher, takes the city alone for an entity."""
    folder = tmp_path_factory.mktemp("data")
    lines = [
        {
            "id": name,
            "source_lang": "en",
            "lang": "de",
            "source": {"text": f"{name} went to Berlin .", "entities": []},
            "target": {
                "text": f"Berlin sah {name} .",
                "entities": [{"start": 0, "end": 6, "label": "LOC"}],
            },
        }
        for name in NAMES
    ]
    (folder / "gold.jsonl").write_text("".join(map(json_line, lines)), "utf-8")
    return config_of(folder, "gold = 'gold.jsonl'")


def right(
    reviews: Sequence[ReviewedSentence], unseen: Sequence[ProjectedSentence]
) -> list[ProjectedSentence]:
    """Correct two more for every review."""
    true = (Entity(Span(0, 6), "LOC"),)
    return [
        replace(each, entities=true if n < 2 * len(reviews) else (Entity(Span(0, 6), "PER"),))
        for n, each in enumerate(unseen)
    ]


def run(data: DataConfig, out: Path, **options: object) -> Results:
    settings = replace(ExperimentOptions(seeds=(0, 1), at=(0.15,)), **options)  # type: ignore[arg-type]  # any of its fields
    return run_experiment(
        read_experiment("review-effort-corpus"), data, settings, out, propagate=right
    )


def test_what_is_reviewed_and_what_is_propagated_is_right(data: DataConfig, tmp_path: Path) -> None:
    results = run(data, tmp_path)
    f1 = {cell.row.name: cell.spread().mean for cell in results.cells}
    assert f1["as projected"] == 0
    assert f1["all corrected"] == 1
    for order in ReviewOrder:
        cell = results.cell(f"{order.value}, 0.15 min", "gold")
        assert cell is not None
        assert cell.x == 0.15
        for one in cell.runs.values():
            seen = one["reviews"]["seen"]
            assert 0 < seen <= 2
            assert one["scores"]["f1"] == pytest.approx(seen / 2), "with two propagated of six each"
    assert len(results.comparisons) == 2
    assert results.ceilings == {}


def test_nothing_is_trained(data: DataConfig, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"--set epochs: review-effort-corpus trains nothing"):
        run(data, tmp_path, set={"epochs": "3"})
