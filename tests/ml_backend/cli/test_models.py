"""`spanferry models export`: what it writes needs no spanferry."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from projection.models import bundled
from projection.models.tagger import Tagger
from tests.ml_backend.cli.conftest import Spanferry

TEXTS = [
    "Marie Curie was born in Warsaw, and “Angela Merkel” lives in (Berlin).",
    "Volkswagen  opened a plant\tin Chattanooga.",
    "🎉 Marie Curie wohnte in Warschau.",
]
PLAIN = """
import json, sys
for ours in ("projection", "training", "label_config", "ml_backend"):
    sys.modules[ours] = None
from transformers import pipeline
tag = pipeline("token-classification", sys.argv[1], aggregation_strategy="simple")
found = tag(json.loads(sys.argv[2]))
print(json.dumps([[[e["start"], e["end"], e["entity_group"]] for e in each] for each in found]))
"""


def test_plain_transformers_finds_what_ours_does(spanferry: Spanferry, tmp_path: Path) -> None:
    """The bundled tagger: eight bits, with embeddings and a tokenizer that it shares."""
    out = tmp_path / "plain"
    made = spanferry("models", "export", "mini", out, "--json").json
    assert made["labels"] == ["LOC", "MISC", "ORG", "PER"]
    files = {"README.md", "config.json", "model.safetensors"}
    assert {*made["files"]} == files | {"tokenizer.json", "tokenizer_config.json"}
    assert "spanferry_storage" not in (out / "config.json").read_text()
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in out.iterdir())
    arguments = [sys.executable, "-c", PLAIN, str(out), json.dumps(TEXTS)]
    ran = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=tmp_path)
    ours = Tagger.from_pretrained(bundled.path("tagger")).tag(TEXTS, "en")
    expected = [[[e.span.start, e.span.end, e.label] for e in each] for each in ours]
    assert [len(each) for each in expected] == [4, 2, 2]
    assert json.loads(ran.stdout) == expected


def test_an_existing_folder_is_kept(spanferry: Spanferry, tmp_path: Path) -> None:
    mistake = spanferry("models", "export", "mini", tmp_path).mistake
    assert mistake.startswith(f"{tmp_path}: exists already. Choose another folder")


def test_an_aligner_is_none(spanferry: Spanferry, tmp_path: Path) -> None:
    aligner = bundled.path("aligner")
    said = f"{aligner}: is an aligner, which spanferry alone reads. Copy its folder"
    assert spanferry("models", "export", aligner, tmp_path / "plain").mistake == said


@pytest.mark.skipif(find_spec("onnxscript") is not None, reason="the extra is installed")
def test_a_missing_extra_is_named_before_any_work(spanferry: Spanferry, tmp_path: Path) -> None:
    mistake = spanferry("models", "export", "mini", tmp_path / "plain", "--onnx").mistake
    assert mistake == "--onnx: onnxscript is not installed. pip install 'spanferry[onnx]'"
    assert not [*tmp_path.iterdir()]
