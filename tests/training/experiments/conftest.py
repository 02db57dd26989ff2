"""Data and options of a tiny tagger experiment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from projection.io.conll import write_iob2
from projection.io.files import json_line
from tests.training.experiments.test_config import config_of
from training.data.rows import Rows
from training.experiments.config import DataConfig
from training.experiments.definition import ExperimentOptions

Data = Callable[[int, int], Rows]
Base = Callable[[str], Path]

QUICK = {
    "learning_rate": "3e-3",
    "batch_size": "8",
    "target.epochs": "1",
    "max_length": "64",
    "freeze": "0",
}


@pytest.fixture(scope="module")
def bench(
    base: Base, made_data: Data, tmp_path_factory: pytest.TempPathFactory
) -> tuple[DataConfig, ExperimentOptions]:
    """Data in the small language, English included, and settings that take seconds."""
    folder = tmp_path_factory.mktemp("data")
    sizes = {"english": 24, "news": 24, "talks": 16, "test": 12}
    for seed, (name, size) in enumerate(sizes.items()):
        write_iob2([row.tagged for row in made_data(size, seed)], folder / f"{name}.iob2")
    gold = [
        {
            "id": str(n),
            "source_lang": "en",
            "lang": "de",
            "source": {"text": f"{name} went to Berlin .", "entities": []},
            "target": {
                "text": f"{name} ging nach Berlin .",
                "entities": [{"start": 0, "end": len(name), "label": "PER"}],
            },
        }
        for n, name in enumerate(("Anna", "Otto", "Zoë", "Max", "Eva", "Jan", "Ida", "Tom"))
    ]
    (folder / "gold.jsonl").write_text("".join(map(json_line, gold)), "utf-8")
    config = config_of(
        folder,
        """
        english = "english.iob2"
        [languages.de]
        test = "test.iob2"
        reviews = "gold.jsonl"
        reviews_held_out = 0.3
        [languages.de.corpora]
        news = "news.iob2"
        talks = "talks.iob2"
        [languages.de.teachers]
        monolingual = "news.iob2"
        multilingual = "talks.iob2"
        [languages.nl]
        test = "test.iob2"
        corpora = { news = "news.iob2" }
        """,
    )
    settings = ExperimentOptions(
        seeds=(0, 1), base=str(base("electra")), sentences=16, set=QUICK, columns=("de",)
    )
    return config, settings
