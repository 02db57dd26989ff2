"""Encoders in eight bits beside the same ones in single precision."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel, PreTrainedTokenizerFast

from projection.aligners.joint import JointAligner
from projection.io.gold import read_gold
from projection.models import bundled, openvino
from projection.models.openvino import OFF, SWITCH, in_eight_bits, is_in_eight_bits
from projection.models.tagger import Tagger
from tests.projection.models.test_tagger import IOB2, WordTagger

pytest.importorskip(
    "openvino", reason="OpenVINO is not installed: pip install 'spanferry[openvino]'"
)

TEXTS = ["Anna saw the Berlin of Siemens", "left", "Anna and Zoë left Europa and saw Berlin ."]
SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
SHAPE |= {"num_attention_heads": 4, "vocab_size": 400, "max_position_embeddings": 99}
SHAPE |= {"pad_token_id": 0}


@pytest.fixture(autouse=True)
def _on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)


def encoder(kind: str = "bert") -> PreTrainedModel:
    torch.manual_seed(1)
    auto: Any = AutoModel  # whose methods have no types
    model: PreTrainedModel = auto.from_config(AutoConfig.for_model(kind, **SHAPE)).eval()
    return model


@pytest.fixture
def read(word_tokenizer: PreTrainedTokenizerFast) -> dict[str, Tensor]:
    """Pairs of texts, padded."""
    return dict(word_tokenizer(TEXTS, TEXTS[::-1], padding=True, return_tensors="pt"))


def states(model: PreTrainedModel, read: dict[str, Tensor]) -> Tensor:
    """Subwords × hidden, without padding."""
    with torch.inference_mode():
        found: Tensor = model(**read).last_hidden_state[read["attention_mask"] > 0]
    return found


@pytest.mark.parametrize(
    ("kind", "first"), [("bert", 0), ("xlm-roberta", 1), ("distilbert", 0), ("electra", 0)]
)
def test_states_hardly_change(
    kind: str, first: int, word_tokenizer: PreTrainedTokenizerFast, read: dict[str, Tensor]
) -> None:
    model = encoder(kind)
    if kind in ("distilbert", "xlm-roberta"):
        read.pop("token_type_ids", None)
    exact = states(model, read)
    assert in_eight_bits(model, word_tokenizer, first, "models/one")
    assert is_in_eight_bits(model)
    found = states(model, read)
    assert 0 < (found - exact).norm() / exact.norm() < 0.05


def test_only_the_table_of_subwords_stays_in_memory(
    word_tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = encoder()
    assert in_eight_bits(model, word_tokenizer, 0, "models/one")
    kept = [weights for weights in model.parameters() if weights.device.type != "meta"]
    assert kept == [model.get_input_embeddings().weight]
    assert model.device.type == "cpu"


def test_threads_do_not_write_over_each_others_answers(
    word_tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = encoder()
    assert in_eight_bits(model, word_tokenizer, 0, "models/one")
    batches = [dict(word_tokenizer(text, return_tensors="pt")) for text in TEXTS * 20]
    alone = [states(model, batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        beside = pool.map(lambda batch: states(model, batch), batches)
    assert all(map(torch.equal, alone, beside))


def unreadable(*_: object) -> None:
    raise RuntimeError("no such operation")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("find_spec", lambda _name: None, id="not installed"),
        pytest.param("MOST_DIFFERENT", 1e-4, id="answers would differ much"),
        pytest.param("_LARGEST", float("nan"), id="answers would be no numbers"),
        pytest.param("_graph", unreadable, id="OpenVINO cannot read it"),
        pytest.param(None, None, id="switched off"),
    ],
)
def test_it_stays_as_it_is_in_pytorch(
    word_tokenizer: PreTrainedTokenizerFast,
    read: dict[str, Tensor],
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    value: object,
) -> None:
    if name:
        monkeypatch.setattr(openvino, name, value)
    else:
        monkeypatch.setenv(SWITCH, OFF)
    model = encoder()
    exact = states(model, read)
    assert not in_eight_bits(model, word_tokenizer, 0, "models/one")
    assert torch.equal(states(model, read), exact)


def test_what_stays_in_pytorch_is_named_with_the_reason(
    word_tokenizer: PreTrainedTokenizerFast,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(openvino, "MOST_DIFFERENT", 1e-4)
    model = encoder()
    assert not in_eight_bits(model, word_tokenizer, 0, "models/one")
    assert "models/one stays in PyTorch: in eight bits its answers differ by 0.0" in caplog.text


def test_nothing_is_reported_to_the_makers_of_openvino(
    word_tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    telemetry: Any = pytest.importorskip("openvino_telemetry").Telemetry
    monkeypatch.setattr(telemetry, "send_event", lambda *event, **_: sent.append(event))
    assert in_eight_bits(encoder(), word_tokenizer, 0, "models/one")
    assert sent == []


def test_a_tagger_answers_as_before(word_tagger: WordTagger) -> None:
    exact, quick = (Tagger.from_pretrained(word_tagger(IOB2)) for _ in range(2))
    quick.for_answers()
    assert is_in_eight_bits(quick.model.base_model)
    assert quick.version == exact.version
    spans, expected = (
        [[(e.span, e.label) for e in found] for found in tagger.tag(TEXTS, "en")]
        for tagger in (quick, exact)
    )
    assert spans == expected


def test_the_bundled_aligner_finds_what_it_found() -> None:
    gold = read_gold(bundled.sample_path("de"))
    exact, quick = (JointAligner.from_pretrained(bundled.path("aligner")) for _ in range(2))
    quick.for_answers()
    assert is_in_eight_bits(quick.model.encoder)
    expected, found = (
        [p.target for each in aligner.align([g.sentence for g in gold]) for p in each]
        for aligner in (exact, quick)
    )
    same = sum(a == b for a, b in zip(expected, found, strict=True))
    assert same >= 0.99 * len(expected) > 100
