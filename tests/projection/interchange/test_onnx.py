"""A tagger as ONNX gives the logits of the original, for other sizes than the example's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from projection.interchange.onnx import INPUTS, OUTPUT, TOLERANCE, write_onnx
from projection.models.tagger import Tagger


def test_logits_are_the_same(word_tagger: Callable[..., Path], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs spanferry[onnx]")
    runtime = pytest.importorskip("onnxruntime", reason="runs what was written")
    tagger = Tagger.from_pretrained(word_tagger({"Anna": "B-PER", "Berlin": "B-LOC"}))
    write_onnx(tagger.model, tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    texts = ["Anna saw Berlin", "Berlin", "Anna Anna Anna in Berlin and Berlin"]
    for chosen in (texts, texts[:1]):
        batch = tagger.tokenizer(chosen, padding=True, return_tensors="pt")
        with torch.inference_mode():
            expected = tagger.model(**batch).logits.numpy()
        given = {name: batch[name].numpy() for name in INPUTS}
        (logits,) = session.run([OUTPUT], given)
        real = given["attention_mask"].astype(bool)
        assert np.abs(logits - expected)[real].max() < TOLERANCE
        assert np.abs(expected).max() > 1
