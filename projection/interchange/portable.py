"""Saved checkpoints that plain transformers reads, 4 and 5 alike: no class or key of ours in them.

transformers 5 names a tokenizer class that 4 does not have. And the tokenizers of sentence pieces
count the blank before a word to the word, so that a pipeline finds " Bonn" instead of "Bonn".
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from projection.io.files import parse_object

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_CLASS = "PreTrainedTokenizerFast"  # in 4 and 5 the one that is all in tokenizer.json
_OF_VERSION_5 = ("TokenizersBackend", "TokenizersBackendFast")
_LOCAL = ("backend", "is_local", "local_files_only")


def make_portable(folder: Path) -> None:
    """Rewrite the tokenizer files of a folder written by save_pretrained; its ids stay the same."""
    config = _read(folder / "tokenizer_config.json")
    for key in _LOCAL:
        config.pop(key, None)
    if config.get("tokenizer_class") in _OF_VERSION_5:
        config["tokenizer_class"] = _CLASS
    if isinstance(config.get("extra_special_tokens"), list):  # a table in version 4
        config["additional_special_tokens"] = config.pop("extra_special_tokens")
    _write(folder / "tokenizer_config.json", json.dumps(config, indent=2) + "\n")
    if (backend := folder / "tokenizer.json").is_file():
        rules = {**without_blanks(_read(backend)), "truncation": None, "padding": None}
        # Indentation is a third of a vocabulary's size.
        _write(backend, json.dumps(rules, ensure_ascii=False, separators=(",", ":")))


def saved_tokenizer(folder: Path) -> str | None:
    """A hash of the tokenizer in a folder; None unless `make_portable` wrote it."""
    config, rules = folder / "tokenizer_config.json", folder / "tokenizer.json"
    others = [folder / name for name in ("special_tokens_map.json", "added_tokens.json")]
    if not (config.is_file() and rules.is_file()) or any(file.exists() for file in others):
        return None
    settings = config.read_bytes()
    if f'"tokenizer_class": "{_CLASS}"'.encode() not in settings:
        return None  # the class may depend on the model
    return hashlib.sha256(settings + rules.read_bytes()).hexdigest()


def without_blanks(rules: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of a tokenizer.json so that no token begins with a blank of the text.

    Words are parted at blanks first, as in the tokenizer of XLM-R.
    """
    before = rules.get("pre_tokenizer") or {}
    marks_words = before.get("type") == "Metaspace" and before.get("prepend_scheme") == "always"
    if not (marks_words and before.get("split")):
        return {**rules}
    steps = [{"type": "WhitespaceSplit"}, before]
    return {**rules, "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps}}


def push_folder(model: Path, repository: str, hub: "HfApi | None" = None) -> None:
    """Upload a model folder, with its card and record, to the hub."""
    from huggingface_hub import HfApi  # noqa: PLC0415  takes long, and is needed here only

    hub = HfApi() if hub is None else hub
    hub.create_repo(repository, exist_ok=True)
    hub.upload_folder(repo_id=repository, folder_path=model)


def _read(path: Path) -> dict[str, Any]:
    return parse_object(path.read_text("utf-8"), str(path))


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
