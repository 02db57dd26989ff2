"""Reading packed checkpoints: four bits, and a table that models share on disk and in memory."""

import gc
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForTokenClassification, PreTrainedModel

from projection.errors import ModelError
from projection.models import packed_weights
from projection.models.checkpoints import load_checkpoint
from projection.models.packed_weights import (
    PACKED_WEIGHTS,
    from_four_bits,
    include_shared,
    own_shared,
)
from projection.models.tagger import Tagger
from training.bundled.packing import pack, pack_embeddings


@pytest.fixture
def packed(copying_aligner: Path, tmp_path: Path) -> Path:
    """A model that shares its embeddings, beside them."""
    pack_embeddings(copying_aligner, tmp_path / "embeddings")
    pack(copying_aligner, tmp_path / "model", tmp_path / "embeddings")
    return tmp_path / "model"


def load(folder: Path) -> PreTrainedModel:
    return load_checkpoint(AutoModelForTokenClassification, folder)[0]


def table(model: PreTrainedModel) -> Tensor:
    return model.get_input_embeddings().weight


def change_storage(folder: Path, **entries: object) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["spanferry_storage"] |= entries
    (folder / "config.json").write_text(json.dumps(config), "utf-8")


def test_four_bits_are_counted_from_minus_8_the_first_columns_in_the_lower_halves() -> None:
    halves = torch.tensor([[0xF0, *[0x88] * 15]], dtype=torch.uint8)
    matrix = from_four_bits(halves, torch.tensor([[0.5]], dtype=torch.float16))
    assert matrix.dtype == torch.float32
    assert matrix.tolist() == [[-4.0, *[0.0] * 15, 3.5, *[0.0] * 15]]


def test_version_1_is_read(copying_aligner: Path, tmp_path: Path) -> None:
    pack(copying_aligner, tmp_path / "model")
    (tmp_path / "model" / PACKED_WEIGHTS).rename(tmp_path / "model" / "model.int8.safetensors")
    change_storage(tmp_path / "model", version=1)
    assert torch.allclose(table(load(tmp_path / "model")), table(load(copying_aligner)), atol=0.02)


class TestSharedTable:
    def test_models_compute_with_one_copy(self, packed: Path) -> None:
        other = shutil.copytree(packed, packed.parent / "other")
        first, second = load(packed), load(other)
        assert table(first).data_ptr() == table(second).data_ptr()
        assert table(first) is not table(second)
        assert table(first).requires_grad

    def test_the_copy_goes_with_the_last_model(self, packed: Path) -> None:
        gc.collect()
        before = len(packed_weights._TABLES)
        first, second = load(packed), load(packed)
        assert len(packed_weights._TABLES) == before + 1
        del first
        gc.collect()
        assert len(packed_weights._TABLES) == before + 1
        del second
        gc.collect()
        assert len(packed_weights._TABLES) == before

    def test_another_precision_is_of_one_model_alone(self, packed: Path) -> None:
        first, second = load(packed), load(packed)
        first.half()
        assert table(second).dtype == torch.float32

    def test_a_model_that_owns_its_table_changes_no_other(self, packed: Path) -> None:
        first, second = load(packed), load(packed)
        before = table(second).clone()
        own_shared(first)
        assert torch.equal(table(first), before)
        with torch.no_grad():
            table(first).add_(1.0)
        assert torch.equal(table(second), before)
        assert torch.equal(table(load(packed)), before)

    def test_the_version_is_that_of_the_same_weights_stored_otherwise(
        self, packed: Path, tmp_path: Path
    ) -> None:
        tagger = Tagger.from_pretrained(packed)
        tagger.save_pretrained(tmp_path / "plain")
        assert Tagger.from_pretrained(tmp_path / "plain").version == tagger.version


class TestComplete:
    def test_a_completed_copy_needs_no_other_folder(self, packed: Path, tmp_path: Path) -> None:
        version = Tagger.from_pretrained(packed).version
        copy = shutil.copytree(packed, tmp_path / "elsewhere" / "copy")
        include_shared(copy, packed)
        shutil.rmtree(tmp_path / "embeddings")
        assert Tagger.from_pretrained(copy).version == version

    def test_what_shares_nothing_stays_as_it_is(
        self, copying_aligner: Path, tmp_path: Path
    ) -> None:
        copy = shutil.copytree(copying_aligner, tmp_path / "copy")
        before = {path.name: path.read_bytes() for path in copy.iterdir()}
        include_shared(copy, copying_aligner)
        assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


class TestErrors:
    def test_a_folder_without_its_embeddings(self, packed: Path, tmp_path: Path) -> None:
        copy = shutil.copytree(packed, tmp_path / "elsewhere" / "model")
        with pytest.raises(ModelError) as caught:
            load(copy)
        assert str(caught.value) == (
            f"{copy}: needs the folder {tmp_path}/elsewhere/embeddings, which is missing. Copy "
            "embeddings beside it as well, or load the model and save it with save_pretrained"
        )

    def test_other_embeddings_of_the_same_shape(self, packed: Path, tmp_path: Path) -> None:
        change_storage(tmp_path / "embeddings", identity="0" * 12)
        with pytest.raises(ModelError, match="was packed with other embeddings than those in"):
            load(packed)

    @pytest.mark.parametrize(
        "folder",
        [
            *("/etc", "..", "../", "../..", "../../x", "../x/../../y", "../x/y", "x", "./x", ""),
            *("..\\..\\x", "../..\\x", "../C:x", "../."),
        ],
    )
    def test_only_a_folder_beside_it_is_read(self, packed: Path, folder: str) -> None:
        """A checkpoint may come from strangers."""
        config = json.loads((packed / "config.json").read_text("utf-8"))
        shared = config["spanferry_storage"]["shared"] | {"folder": folder}
        change_storage(packed, shared=shared)
        with pytest.raises(ModelError, match="is no folder beside it") as caught:
            load(packed)
        assert caught.value.where == f"{packed}/config.json spanferry_storage"

    def test_the_table_is_lost(self, packed: Path, tmp_path: Path) -> None:
        file = tmp_path / "embeddings" / PACKED_WEIGHTS
        save_file({"other": torch.zeros(1)}, file)
        with pytest.raises(ModelError, match=r"has no tensor 'word_embeddings\.weight'") as caught:
            load(packed)
        assert caught.value.where == str(file)

    def test_embeddings_are_no_model(self, packed: Path, tmp_path: Path) -> None:
        assert packed.is_dir()
        with pytest.raises(ModelError, match=r"not a model\. Give the folder of a model"):
            load(tmp_path / "embeddings")
