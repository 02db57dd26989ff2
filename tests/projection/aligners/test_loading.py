"""A checkpoint is loaded as the kind of aligner it holds."""

import json
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from projection.aligners.decoding import DEFAULT, JOINT
from projection.aligners.joint import JointAligner
from projection.aligners.joint_network import MODEL_TYPE
from projection.aligners.lexical_evidence import Lexicon
from projection.aligners.loading import load_aligner, trained_languages
from projection.aligners.pair import PairAligner
from projection.errors import ModelError
from projection.models import bundled
from tests.projection.aligners.joint_models import telling_aligner


@pytest.fixture
def folder(word_tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    telling_aligner(word_tokenizer, Lexicon.of({})).save_pretrained(tmp_path / "joint")
    return tmp_path / "joint"


class TestLoadAligner:
    def test_a_joint_one(self, folder: Path) -> None:
        assert json.loads((folder / "config.json").read_text())["model_type"] == MODEL_TYPE
        assert isinstance(load_aligner(folder), JointAligner)
        assert load_aligner(str(folder), DEFAULT).decoding == DEFAULT

    def test_a_pair_aligner(self, copying_aligner: Path) -> None:
        assert isinstance(load_aligner(copying_aligner), PairAligner)
        assert load_aligner(copying_aligner, JOINT).decoding == JOINT

    def test_none(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no checkpoint could be loaded"):
            load_aligner(tmp_path)


class TestTrainedLanguages:
    def test_of_the_bundled_one(self) -> None:
        known = trained_languages(bundled.path("aligner"))
        assert {*bundled.SAMPLE_LANGUAGES} < {*known}
        assert len(known) == 29

    def test_of_a_joint_one(self, folder: Path) -> None:
        aligner = JointAligner.from_pretrained(folder)
        assert aligner.languages == trained_languages(folder) == ()
        aligner.model.config.languages = []
        aligner.add_languages(["it", "de"])
        aligner.save_pretrained(folder)
        assert trained_languages(folder) == aligner.languages == ("de", "it")

    def test_more_do_not_make_unknown_ones_known(self, folder: Path) -> None:
        aligner = JointAligner.from_pretrained(folder)
        aligner.model.config.languages = None  # as an earlier version saved it
        aligner.add_languages(["it"])
        assert aligner.languages == ()

    def test_of_a_pair_aligner(self, copying_aligner: Path, tmp_path: Path) -> None:
        aligner = PairAligner.from_pretrained(copying_aligner)
        assert aligner.languages == trained_languages(copying_aligner) == ()
        aligner.add_languages(["zh"])
        aligner.add_languages(["de", "zh"])
        aligner.save_pretrained(tmp_path / "pair")
        assert trained_languages(tmp_path / "pair") == aligner.languages == ("de", "zh")
