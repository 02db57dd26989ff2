"""A saved tokenizer is one of plain transformers, and finds words without the blank before them."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from projection.interchange.portable import make_portable, push_folder, without_blanks
from projection.io.gold import read_gold
from projection.models import bundled
from projection.models.checkpoints import load_tokenizer

METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}


class Hub:
    """Stands in for the hub: remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[str, Path]] = []

    def create_repo(self, repository: str, *, exist_ok: bool) -> None:
        assert exist_ok

    def upload_folder(self, *, repo_id: str, folder_path: Path) -> None:
        self.given.append((repo_id, folder_path))


def test_a_model_is_pushed_with_its_card(tmp_path: Path) -> None:
    hub = Hub()
    push_folder(tmp_path, "me/model", hub)
    assert hub.given == [("me/model", tmp_path)]


def test_ids_stay_the_same_and_no_token_begins_with_a_blank() -> None:
    """Of the bundled tokenizer, on both sides of the sample in all of its languages."""
    rules = json.loads(load_tokenizer(bundled.path("tagger")).backend_tokenizer.to_str())
    old, new = (
        Tokenizer.from_str(json.dumps(each))
        for each in ({**rules, "pre_tokenizer": METASPACE}, rules)
    )
    assert without_blanks({**rules, "pre_tokenizer": METASPACE}) == rules
    blanks = 0
    for lang in bundled.SAMPLE_LANGUAGES:
        for gold in read_gold(bundled.sample_path(lang))[:10]:
            for text in (gold.sentence.source, gold.sentence.target):
                one, other = old.encode(text), new.encode(text)
                assert one.ids == other.ids, text
                assert not [span for span in other.offsets if text[slice(*span)][:1].isspace()]
                blanks += sum(text[slice(*span)][:1].isspace() for span in one.offsets)
    assert blanks > 500, "else there was nothing to do"


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(None, id="none"),
        pytest.param({"type": "BertPreTokenizer"}, id="words"),
        pytest.param({"type": "ByteLevel", "add_prefix_space": True}, id="bytes"),
        pytest.param({**METASPACE, "prepend_scheme": "first"}, id="marks the first word only"),
        pytest.param({"type": "Sequence", "pretokenizers": [METASPACE]}, id="a sequence"),
    ],
)
def test_other_tokenizers_stay_as_they_are(before: object) -> None:
    assert without_blanks({"pre_tokenizer": before, "model": {}}) == {
        "pre_tokenizer": before,
        "model": {},
    }


def test_nothing_of_one_version_or_machine_is_left(tmp_path: Path) -> None:
    config = tmp_path / "tokenizer_config.json"
    saved = {"backend": "tokenizers", "is_local": True, "extra_special_tokens": ["<x>"]}
    config.write_text(json.dumps({**saved, "tokenizer_class": "TokenizersBackend"}))
    rules = {"pre_tokenizer": METASPACE, "truncation": {"max_length": 8}, "padding": None}
    (tmp_path / "tokenizer.json").write_text(json.dumps(rules))
    for _ in range(2):  # again changes nothing
        make_portable(tmp_path)
        assert json.loads(config.read_text()) == {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "additional_special_tokens": ["<x>"],
        }
        made = json.loads((tmp_path / "tokenizer.json").read_text())
        assert made["truncation"] is None
        kinds = [step["type"] for step in made["pre_tokenizer"]["pretokenizers"]]
        assert kinds == ["WhitespaceSplit", "Metaspace"]
