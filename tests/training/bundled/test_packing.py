"""Packing: matrices in eight bits, embeddings once, everything else as it was."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForTokenClassification,
    ElectraConfig,
    ElectraForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from projection.aligners.joint import JointAligner
from projection.aligners.lexical_evidence import NO_LEXICON
from projection.errors import ModelError
from projection.models.checkpoints import load_checkpoint
from projection.models.packed_weights import from_four_bits
from projection.models.tagger import Tagger
from training.bundled import packing
from training.bundled.packing import EMBEDDINGS, pack, pack_embeddings
from training.tagger.head import load_for_training
from training.trainer import trainer
from training.trainer.settings import Schedule

TAGS = ["O", "B-PER", "I-PER"]
STEPS = 127


@pytest.fixture(autouse=True)
def every_matrix_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny models have tiny matrices."""
    monkeypatch.setattr(packing, "SMALLEST", 512)


@pytest.fixture(scope="module")
def tagger(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ELECTRA of two layers with a head of three tags."""
    folder = tmp_path_factory.mktemp("tagger")
    torch.manual_seed(1)
    config = ElectraConfig(
        vocab_size=len(tokenizer),
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        id2label=dict(enumerate(TAGS)),
        label2id={tag: i for i, tag in enumerate(TAGS)},
    )
    ElectraForTokenClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text("# A tagger\n", "utf-8")
    (folder / "training_args.bin").write_bytes(b"left behind")
    return folder


@pytest.fixture
def packed(tagger: Path, tmp_path: Path) -> Path:
    pack(tagger, tmp_path / "packed")
    return tmp_path / "packed"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    model, _ = load_checkpoint(AutoModelForTokenClassification, folder)
    return model.state_dict()


def versions_elsewhere(*names: str | Path, environment: dict[str, str]) -> list[str]:
    """What another process says of taggers."""
    code = (
        "import sys; from projection.models.tagger import Tagger; "
        "[print(Tagger.from_pretrained(name).version) for name in sys.argv[1:]]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


class TestWhatIsWritten:
    def test_matrices_take_eight_bits(self, packed: Path) -> None:
        stored = load_file(packed / "model.packed.safetensors")
        query = "electra.encoder.layer.0.attention.self.query"
        assert stored[f"{query}.weight"].dtype == torch.int8
        assert stored[f"{query}.weight.scale"].shape == (32, 1)
        assert stored[f"{query}.bias"].dtype == torch.float32
        assert stored["classifier.weight"].dtype == torch.float32, "too small to be worth it"

    def test_nothing_of_the_training_and_readable_by_all(self, tagger: Path, packed: Path) -> None:
        assert {path.name for path in packed.iterdir()} == {
            "README.md",
            "config.json",
            "model.packed.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        }
        assert {stat.S_IMODE(path.stat().st_mode) for path in packed.iterdir()} == {0o644}
        assert (packed / "README.md").read_text("utf-8") == "# A tagger\n"
        smaller, whole = (f / "tokenizer.json" for f in (packed, tagger))
        assert smaller.stat().st_size < whole.stat().st_size
        assert json.loads(smaller.read_text("utf-8")) == json.loads(whole.read_text("utf-8"))

    def test_it_says_how_large_it_is_and_replaces_an_older_copy(
        self, tagger: Path, packed: Path
    ) -> None:
        (packed / "old").touch()
        size = pack(tagger, packed)
        assert not (packed / "old").exists()
        assert size == sum(path.stat().st_size for path in packed.iterdir())
        assert size < 0.6 * sum(path.stat().st_size for path in tagger.iterdir())

    def test_transformers_alone_refuses_rather_than_take_integers_for_weights(
        self, packed: Path
    ) -> None:
        with pytest.raises(OSError, match=r"model\.safetensors"):
            AutoModelForTokenClassification.from_pretrained(packed)


class TestLoading:
    def test_every_value_comes_back_within_half_a_step(self, tagger: Path, packed: Path) -> None:
        before, after = weights(tagger), weights(packed)
        assert before.keys() == after.keys()
        changed = 0
        for name, values in before.items():
            assert after[name].dtype == torch.float32
            if torch.equal(after[name], values):
                continue
            changed += 1
            blocks = values.reshape(-1, 16 if values.shape[1] == 16 else values.shape[1])
            step = blocks.abs().amax(1, keepdim=True) / STEPS
            assert ((after[name].reshape(blocks.shape) - blocks).abs() <= 0.501 * step).all()
        assert changed > 10

    def test_it_tags_as_before(self, tagger: Path, packed: Path) -> None:
        sentence = [["Babado", "kam", "und", "sah", "Kumoku"]]
        one, other = (Tagger.from_pretrained(f).tag_words(sentence)[0] for f in (tagger, packed))
        assert [word.score for word in other] == pytest.approx([w.score for w in one], abs=2e-3)

    def test_the_version_is_the_same_in_every_process_and_from_the_hub(
        self, packed: Path, tmp_path: Path
    ) -> None:
        """In a folder, and as it lies in the hub's cache once it was downloaded."""
        commit = "0123456789" * 4
        model = tmp_path / "cache" / "models--someone--packed"
        shutil.copytree(packed, model / "snapshots" / commit)
        (model / "refs").mkdir()
        (model / "refs" / "main").write_text(commit)
        hub = {"HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
        here = Tagger.from_pretrained(packed).version
        assert versions_elsewhere(packed, "someone/packed", environment=hub) == [here, here]

    def test_packing_again_changes_nothing(self, packed: Path, tmp_path: Path) -> None:
        pack(packed, tmp_path / "again")
        once, twice = weights(packed), weights(tmp_path / "again")
        assert all(torch.allclose(once[name], twice[name], rtol=1e-6, atol=0) for name in once)
        stored = (load_file(f / "model.packed.safetensors") for f in (packed, tmp_path / "again"))
        first, second = stored
        assert all(
            torch.equal(first[name], second[name])
            for name in first
            if first[name].dtype.itemsize == 1
        )

    def test_saved_again_it_is_an_ordinary_checkpoint(self, packed: Path, tmp_path: Path) -> None:
        Tagger.from_pretrained(packed).save_pretrained(tmp_path / "plain")
        config = json.loads((tmp_path / "plain" / "config.json").read_text("utf-8"))
        assert "spanferry_storage" not in config
        assert config["dtype"] == "float32"
        plain = AutoModelForTokenClassification.from_pretrained(tmp_path / "plain").state_dict()
        assert all(torch.equal(plain[name], values) for name, values in weights(packed).items())

    def test_a_training_can_start_from_it(self, packed: Path) -> None:
        model, _, change = load_for_training(packed, ["O", "B-LOC", "B-PER"], seed=0)
        assert (change["kept"], change["new"]) == (["O", "B-PER"], ["B-LOC"])
        assert torch.equal(model.classifier.weight[2], weights(packed)["classifier.weight"][1])

    @pytest.mark.parametrize("kind", ["bert", "electra", "roberta", "distilbert"])
    def test_an_encoder_gets_its_head_when_it_loads(
        self, base: Callable[[str], Path], kind: str, tmp_path: Path
    ) -> None:
        """The names of an encoder's weights lack the prefix they have below a head."""
        pack(base(kind), tmp_path / "packed")
        table = {0: "O", 1: "B-PER"}
        model, _ = load_checkpoint(
            AutoModelForTokenClassification, tmp_path / "packed", num_labels=2, id2label=table
        )
        encoder, _ = load_checkpoint(AutoModel, tmp_path / "packed")
        assert model.config.id2label == table
        for name, values in encoder.state_dict().items():
            if "pooler" not in name:
                assert torch.equal(model.base_model.state_dict()[name], values)

    def test_tied_weights_stay_tied(
        self, base: Callable[[str], Path], tokenizer: PreTrainedTokenizerFast, tmp_path: Path
    ) -> None:
        """The file holds a tied matrix once. In a process of its own: where two threads have loaded
        models at once, transformers may leave the tying of weights switched off.
        """
        tokenizer.save_pretrained(tmp_path / "lm")
        code = (
            "import sys\n"
            "from pathlib import Path\n"
            "from transformers import AutoConfig, AutoModelForMaskedLM\n"
            "from projection.models.checkpoints import load_checkpoint\n"
            "from training.bundled.packing import pack\n"
            "base, folder = map(Path, sys.argv[1:])\n"
            "model = AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(base))\n"
            "model.save_pretrained(folder / 'lm')\n"
            "pack(folder / 'lm', folder / 'packed')\n"
            "again, _ = load_checkpoint(AutoModelForMaskedLM, folder / 'packed')\n"
            "assert again.get_output_embeddings().weight is again.get_input_embeddings().weight\n"
        )
        command = [sys.executable, "-c", code, str(base("bert")), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_from_any_precision(self, tagger: Path, tmp_path: Path, dtype: torch.dtype) -> None:
        shutil.copytree(tagger, tmp_path / "model")
        file = tmp_path / "model" / "model.safetensors"
        save_file({k: v.to(dtype) for k, v in load_file(file).items()}, file, {"format": "pt"})
        pack(tmp_path / "model", tmp_path / "packed")
        before, after = weights(tmp_path / "model"), weights(tmp_path / "packed")
        assert all(
            torch.allclose(after[k], v, atol=0.01 * v.abs().max()) for k, v in before.items()
        )

    def test_from_several_files(self, tagger: Path, packed: Path, tmp_path: Path) -> None:
        whole = Tagger.from_pretrained(tagger)
        whole.model.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
        whole.tokenizer.save_pretrained(tmp_path / "parts")
        parts = sorted((tmp_path / "parts").glob("model-*.safetensors"))
        assert len(parts) > 1
        pack(tmp_path / "parts", tmp_path / "whole")
        one, other = weights(packed), weights(tmp_path / "whole")
        assert all(torch.equal(one[name], other[name]) for name in one)
        parts[0].unlink()
        with pytest.raises(ModelError, match=rf"{parts[0].name}: cannot be read .*save_pretrained"):
            pack(tmp_path / "parts", tmp_path / "whole")


class OddConfig(PreTrainedConfig):
    """A model of one's own: counts, flags, a kernel and a buffer nobody saves."""

    model_type = "spanferry-test-odd"

    def __init__(self, width: int = 48, **rest: object) -> None:
        self.width = width
        super().__init__(**rest)


class OddModel(PreTrainedModel):
    """It computes nothing: its weights are what is looked at."""

    config_class = OddConfig

    def __init__(self, config: OddConfig) -> None:
        super().__init__(config)
        self.matrix = torch.nn.Linear(config.width, 32)
        self.prime = torch.nn.Linear(37, 32)
        self.kernel = torch.nn.Conv2d(8, 8, 5)
        self.register_buffer("counts", torch.zeros(1000, dtype=torch.int64))
        self.register_buffer("bytes", torch.zeros(64, 16, dtype=torch.int8))
        self.register_buffer("flags", torch.zeros(4, dtype=torch.bool))
        self.register_buffer("scratch", torch.ones(64, 64), persistent=False)
        self.post_init()


AutoConfig.register(OddConfig.model_type, OddConfig)
AutoModel.register(OddConfig, OddModel)


@pytest.mark.parametrize("auto_class", [AutoModel, OddModel])
def test_a_model_of_ones_own(
    auto_class: type, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    model = OddModel(OddConfig())
    with torch.no_grad():
        model.matrix.weight[0] = 0.0
        model.matrix.weight[1, :16] = 1e-30
        model.matrix.weight[2, 0] = 1e30
    model.counts.random_(-(2**60), 2**60)
    model.bytes.random_(-128, 128)
    model.flags[1] = True
    model.save_pretrained(tmp_path / "odd")
    tokenizer.save_pretrained(tmp_path / "odd")
    pack(tmp_path / "odd", tmp_path / "packed")
    again, _ = load_checkpoint(auto_class, tmp_path / "packed")
    assert isinstance(again, OddModel)
    for name in ("counts", "bytes", "flags", "kernel.weight", "matrix.bias"):
        assert torch.equal(again.state_dict()[name], model.state_dict()[name]), name
        assert again.state_dict()[name].dtype == model.state_dict()[name].dtype
    largest = model.matrix.weight.abs().amax(1, keepdim=True)
    assert ((again.matrix.weight - model.matrix.weight).abs() <= 0.501 / STEPS * largest).all()
    assert torch.allclose(again.prime.weight, model.prime.weight, atol=2e-3)


@given(
    st.lists(st.floats(-(2.0**126), 2.0**126, width=32), min_size=64, max_size=64),
    st.sampled_from([1, 2, 4]),
)
def test_no_block_loses_more_than_half_a_step(values: list[float], rows: int) -> None:
    matrix = torch.tensor(values).reshape(rows, -1)
    integers, scale = packing._in_eight_bits(matrix)
    assert integers.abs().amax() <= STEPS
    blocks = matrix.reshape(rows, scale.shape[1], -1)
    error = (integers.reshape(blocks.shape) * scale[..., None] - blocks).abs()
    least = torch.finfo(torch.float32).tiny
    assert (error <= 0.501 * scale[..., None].clamp(min=least)).all()


def in_q4_0(integers: list[int], scale: float) -> torch.Tensor:
    """A row of one block, as Q4_0 gives it back."""
    half = torch.tensor(scale, dtype=torch.float16).float()
    return torch.tensor([[integer - 8 for integer in integers]]) * half


class TestFourBits:
    def test_the_value_of_largest_magnitude_is_minus_8_times_the_scale(self) -> None:
        row = torch.tensor([[0.1, *[0.0] * 15, 4.0, -3.9, *[0.0] * 14]])
        halves, scale = packing._in_four_bits(row)
        assert scale.tolist() == [[-0.5]]
        assert halves[0, :2].tolist() == [0x08, 0xF8]
        assert from_four_bits(halves, scale)[0, [0, 16, 17]].tolist() == [0.0, 4.0, -3.5]

    @pytest.mark.parametrize("value", [0.0, 1e-9, -1e-9])
    def test_a_block_too_small_for_a_scale_is_zero(self, value: float) -> None:
        halves, scale = packing._in_four_bits(torch.full((1, 32), value))
        assert not from_four_bits(halves, scale).any()

    @given(
        st.lists(st.integers(0, 15), min_size=31, max_size=31),
        st.integers(0, 31),
        st.floats(-1000, 1000, width=16).filter(bool),
    )
    def test_what_was_in_q4_0_keeps_every_value(
        self, others: list[int], at: int, scale: float
    ) -> None:
        row = in_q4_0([*others[:at], 0, *others[at:]], scale)
        halves, found = packing._in_four_bits(row)
        assert found.item() == scale
        assert torch.equal(from_four_bits(halves, found), row)

    @given(st.lists(st.floats(-1000, 1000, width=32), min_size=64, max_size=64))
    def test_rounding_again_changes_nothing(self, values: list[float]) -> None:
        """So that a model whose table was never rounded can share the rounded one."""
        once = from_four_bits(*packing._in_four_bits(torch.tensor([values])))
        assert torch.equal(from_four_bits(*packing._in_four_bits(once)), once)


@pytest.fixture
def encoder(base: Callable[[str], Path]) -> Path:
    """A BERT of 32 columns."""
    folder = base("bert")
    (folder / "README.md").write_text("# An encoder\n", "utf-8")
    return folder


@pytest.fixture
def embeddings(encoder: Path, tmp_path: Path) -> Path:
    pack_embeddings(encoder, tmp_path / "packed" / "embeddings")
    return tmp_path / "packed" / "embeddings"


@pytest.fixture
def on_encoder(encoder: Path, tmp_path: Path) -> Path:
    """A tagger with the encoder's embeddings, at full precision."""
    load = Tagger(*load_for_training(encoder, TAGS, seed=0)[:2])
    load.save_pretrained(tmp_path / "tagger")
    return tmp_path / "tagger"


class TestSharedEmbeddings:
    def test_table_and_tokenizer_lie_in_one_folder(
        self, embeddings: Path, on_encoder: Path
    ) -> None:
        size = pack(on_encoder, embeddings.parent / "tagger", embeddings)
        packed = embeddings.parent / "tagger"
        assert {path.name for path in packed.iterdir()} == {
            "config.json",
            "model.packed.safetensors",
        }
        assert {path.name for path in embeddings.iterdir()} == {
            *("README.md", "config.json", "model.packed.safetensors"),
            *("tokenizer.json", "tokenizer_config.json"),
        }
        stored = load_file(embeddings / "model.packed.safetensors")
        rows = len(stored[EMBEDDINGS])
        assert stored[EMBEDDINGS].dtype == torch.uint8
        assert (*stored[EMBEDDINGS].shape, *stored[f"{EMBEDDINGS}.scale"].shape) == (
            rows,
            16,
            rows,
            1,
        )
        assert size == sum(path.stat().st_size for path in packed.iterdir())
        shared = json.loads((packed / "config.json").read_text("utf-8"))["spanferry_storage"][
            "shared"
        ]
        assert shared["folder"] == "../embeddings"
        assert shared["tensors"] == {"bert.embeddings.word_embeddings.weight": EMBEDDINGS}

    def test_it_tags_as_before(self, embeddings: Path, on_encoder: Path) -> None:
        pack(on_encoder, embeddings.parent / "tagger", embeddings)
        sentence = [["Babado", "kam", "und", "sah", "Kumoku"]]
        folders = on_encoder, embeddings.parent / "tagger"
        one, other = (Tagger.from_pretrained(f).tag_words(sentence)[0] for f in folders)
        assert [word.score for word in other] == pytest.approx([w.score for w in one], abs=2e-2)

    def test_packed_again_it_is_the_same(self, embeddings: Path, on_encoder: Path) -> None:
        pack(on_encoder, embeddings.parent / "tagger", embeddings)
        pack(embeddings.parent / "tagger", embeddings.parent / "again", embeddings)
        once, twice = (weights(embeddings.parent / name) for name in ("tagger", "again"))
        assert all(torch.allclose(once[name], twice[name], rtol=1e-6, atol=0) for name in once)

    def test_a_joint_aligner(self, encoder: Path, embeddings: Path, tmp_path: Path) -> None:
        fresh = JointAligner.from_encoder(encoder, NO_LEXICON, apart=True)
        fresh.save_pretrained(tmp_path / "aligner")
        pack(tmp_path / "aligner", embeddings.parent / "aligner", embeddings)
        again = JointAligner.from_pretrained(embeddings.parent / "aligner")
        table = again.model.encoder.get_input_embeddings().weight
        assert torch.allclose(table, fresh.model.encoder.get_input_embeddings().weight, atol=0.01)

    def test_a_tied_head_stays_tied(
        self, encoder: Path, embeddings: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
    ) -> None:
        """Also where the file holds the matrix of the head, too."""
        model, _ = load_checkpoint(AutoModelForMaskedLM, encoder)
        model.save_pretrained(tmp_path / "lm")
        tokenizer.save_pretrained(tmp_path / "lm")
        file = tmp_path / "lm" / "model.safetensors"
        stored = load_file(file)
        table = stored["bert.embeddings.word_embeddings.weight"]
        stored["cls.predictions.decoder.weight"] = table.clone()
        save_file(stored, file, {"format": "pt"})
        pack(tmp_path / "lm", embeddings.parent / "lm", embeddings)
        again, _ = load_checkpoint(AutoModelForMaskedLM, embeddings.parent / "lm")
        assert again.get_output_embeddings().weight is again.get_input_embeddings().weight

    def test_a_training_changes_no_other_model(
        self, embeddings: Path, on_encoder: Path, tmp_path: Path
    ) -> None:
        packed = embeddings.parent / "tagger"
        pack(on_encoder, packed, embeddings)
        served, (model, tokenizer, _) = weights(packed), load_for_training(packed, TAGS, seed=0)
        name = "bert.embeddings.word_embeddings.weight"
        assert served[name].data_ptr() == model.state_dict()[name].data_ptr()
        before = served[name].clone()
        inputs = tokenizer("Babado kam")
        feature = {**inputs, "labels": [0] * len(inputs["input_ids"])}
        schedule = Schedule(epochs=1, batch_size=2, learning_rate=0.1, warmup=0, seed=0)
        trainer.run(model, tokenizer, [feature, feature], schedule, tmp_path / "checkpoints")
        assert not torch.equal(model.state_dict()[name], before)
        assert torch.equal(served[name], before)

    def test_trained_embeddings_cannot_be_shared(self, embeddings: Path, on_encoder: Path) -> None:
        tagger = Tagger.from_pretrained(on_encoder)
        with torch.no_grad():
            tagger.model.get_input_embeddings().weight[7] += 0.5
        tagger.save_pretrained(on_encoder)
        with pytest.raises(ModelError, match="embeddings were trained, and cannot be shared"):
            pack(on_encoder, embeddings.parent / "tagger", embeddings)
        assert not (embeddings.parent / "tagger").exists()

    def test_another_tokenizer_cannot_be_shared(self, embeddings: Path, on_encoder: Path) -> None:
        file = on_encoder / "tokenizer.json"
        backend = json.loads(file.read_text("utf-8"))
        backend["normalizer"]["lowercase"] = True
        file.write_text(json.dumps(backend), "utf-8")
        with pytest.raises(ModelError, match="its tokenizer is not the one in"):
            pack(on_encoder, embeddings.parent / "tagger", embeddings)

    def test_what_holds_no_embeddings(self, on_encoder: Path, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"holds no embeddings to share.*--only-embeddings"):
            pack(on_encoder, tmp_path / "out", on_encoder)

    def test_they_must_lie_beside_the_model(
        self, embeddings: Path, on_encoder: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ModelError, match="is not beside"):
            pack(on_encoder, tmp_path / "elsewhere" / "out", embeddings)

    def test_columns_that_make_no_blocks(self, base: Callable[[str], Path], tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="embeddings of 16 columns do not divide into blocks"):
            pack_embeddings(base("electra"), tmp_path / "embeddings")


class TestWhatCannotBePacked:
    @pytest.mark.parametrize(
        ("file", "content", "message"),
        [
            ("config.json", None, r"config.json: cannot be read \(.*No such file"),
            ("config.json", "{", r"config.json: cannot be read \(Expecting"),
            ("model.safetensors", None, r"model.safetensors: cannot be read \(No such file"),
            ("model.safetensors", "torn", r"model.safetensors: cannot be read \(.*header"),
            ("tokenizer.json", "{", r"model: no checkpoint could be loaded"),
        ],
    )
    def test_a_damaged_checkpoint(
        self, tagger: Path, tmp_path: Path, file: str, content: str | None, message: str
    ) -> None:
        folder = shutil.copytree(tagger, tmp_path / "model")
        (folder / file).unlink()
        if content is not None:
            (folder / file).write_text(content)
        with pytest.raises(ModelError, match=message) as caught:
            pack(folder, tmp_path / "packed")
        assert caught.value.fix.startswith("Give a folder written by save_pretrained")
        assert not (tmp_path / "packed").exists()

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_weights_that_are_no_numbers(self, tagger: Path, tmp_path: Path, value: float) -> None:
        model = Tagger.from_pretrained(tagger)
        with torch.no_grad():
            model.model.classifier.weight[0, 0] = value
        model.save_pretrained(tmp_path / "model")
        with pytest.raises(ModelError, match=r"model classifier\.weight: holds values that are no"):
            pack(tmp_path / "model", tmp_path / "packed")


class TestDamage:
    """A packed checkpoint that is not whole is named with the file and the fix."""

    @pytest.mark.parametrize(
        ("kept", "message"),
        [
            pytest.param(0, "damaged", id="empty"),
            pytest.param(100, "damaged", id="in the header"),
            pytest.param(-1, "damaged", id="a byte short"),
        ],
    )
    def test_cut_short(self, packed: Path, kept: int, message: str) -> None:
        file = packed / "model.packed.safetensors"
        file.write_bytes(file.read_bytes()[:kept])
        with pytest.raises(ModelError, match=message) as caught:
            Tagger.from_pretrained(packed)
        assert caught.value.where == str(file)
        assert caught.value.fix == "Copy or download the whole folder again"

    def test_no_weights(self, packed: Path) -> None:
        (packed / "model.packed.safetensors").unlink()
        with pytest.raises(ModelError, match=r"packed: no checkpoint .*model\.packed\.safetensors"):
            Tagger.from_pretrained(packed)

    @pytest.mark.parametrize("lost", ["", ".scale"])
    def test_a_tensor_is_lost(self, packed: Path, lost: str) -> None:
        file = packed / "model.packed.safetensors"
        stored = load_file(file)
        name = f"electra.encoder.layer.1.output.dense.weight{lost}"
        del stored[name]
        save_file(stored, file)
        with pytest.raises(ModelError) as caught:
            Tagger.from_pretrained(packed)
        assert caught.value.what == f"has no tensor '{name}'"

    def test_weights_of_another_model(
        self, packed: Path, base: Callable[[str], Path], tmp_path: Path
    ) -> None:
        pack(base("bert"), tmp_path / "bert")
        shutil.copy(tmp_path / "bert" / "model.packed.safetensors", packed)
        with pytest.raises(ModelError, match="has no tensor 'electra"):
            Tagger.from_pretrained(packed)

    def test_from_a_later_spanferry(self, packed: Path) -> None:
        config = json.loads((packed / "config.json").read_text("utf-8"))
        config["spanferry_storage"]["version"] = 3
        (packed / "config.json").write_text(json.dumps(config))
        with pytest.raises(ModelError) as caught:
            Tagger.from_pretrained(packed)
        assert str(caught.value) == (
            f"{packed}/config.json spanferry_storage: version 3, this spanferry reads up to 2. "
            "Install a newer spanferry"
        )
