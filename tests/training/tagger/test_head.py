"""The head of a token classifier: rows kept by name, new and dropped."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForTokenClassification

from projection.models.calibration import CALIBRATION
from projection.models.readings import TaggerCalibration
from projection.models.tagger import Tagger
from tests.training.tagger.test_finetune import QUICK, Base, Data
from training.data.rows import Row, Rows
from training.tagger.finetune import fine_tune
from training.tagger.head import load_for_training


class TestHead:
    @pytest.fixture
    def trained(self, base: Base, made_data: Data, tmp_path: Path) -> Path:
        fine_tune(made_data(40, 1), replace(QUICK, base=str(base("bert"))), tmp_path / "trained")
        return tmp_path / "trained"

    def test_tags_of_the_base_are_kept_by_name(self, trained: Path, tmp_path: Path) -> None:
        """A learning rate next to nothing shows where training began."""
        data = Rows.of([Row("1", ("Kumoku", "und", "Babado"), ("B-LOC", "O", "B-EVT"))])
        settings = replace(QUICK, base=str(trained), learning_rate=1e-12)
        result = fine_tune(data, settings, tmp_path / "next")
        assert result["head"]["kept"] == ["O", "B-LOC", "I-LOC"]
        assert result["head"]["new"] == ["B-EVT", "I-EVT"]
        assert result["head"]["dropped"] == ["B-ORG", "I-ORG", "B-PER", "I-PER"]
        old, new = (
            AutoModelForTokenClassification.from_pretrained(path)
            for path in (trained, tmp_path / "next")
        )
        for tag in result["head"]["kept"]:
            torch.testing.assert_close(
                new.classifier.weight[new.config.label2id[tag]],
                old.classifier.weight[old.config.label2id[tag]],
            )
        assert [*new.config.id2label.values()] == ["O", "B-EVT", "I-EVT", "B-LOC", "I-LOC"]

    def test_an_encoder_without_a_head_gets_a_new_one(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        settings = replace(QUICK, base=str(base("electra")))
        result = fine_tune(made_data(8, 1), settings, tmp_path / "model")
        assert result["head"]["kept"] == []

    def test_a_calibration_does_not_outlive_its_weights(self, trained: Path) -> None:
        tagger = Tagger.from_pretrained(trained)
        tagger.calibration = TaggerCalibration((0.5, 0.2, -0.1), -1.0)
        tagger.save_pretrained(trained)
        model, _, _ = load_for_training(trained, tagger.tags, 1)
        assert not hasattr(model.config, CALIBRATION)

    def test_new_rows_depend_on_the_seed_alone(self, base: Base) -> None:
        one, again, other = (
            load_for_training(base("bert"), ["O", "B-PER"], seed)[0].classifier.weight
            for seed in (1, 1, 2)
        )
        assert torch.equal(one, again)
        assert not torch.equal(one, other)
