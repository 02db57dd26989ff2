"""The loader that `spanferry serve` uses unless told otherwise."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from ml_backend.serving.engine import load_function
from ml_backend.serving.model_store import TEACHER
from ml_backend.settings import Settings, SettingsError
from projection.models.tagger import Tagger
from projection.pipeline.projector import Projector
from projection.records import ParallelSentence
from tests.ml_backend.conftest import model_folder

LIGHT = """
import os, sys
from ml_backend.serving.engine import load_function
from ml_backend.settings import Settings
load_function(Settings.from_env({}))
sys.exit("torch" in sys.modules)
"""
SENTENCE = ParallelSentence("1", "Anna saw Bern.", "Anna sah Bern.", "en", "de", "a:1")


def test_the_default_loader_loads_the_bundled_models_with_the_settings(settings: Settings) -> None:
    threads = torch.get_num_threads()
    changes = {"labels": ("PER=PERSON",), "suppress": ("LOC", "MISC", "ORG"), "torch_threads": 1}
    try:
        projector = load_function(settings.model_copy(update=changes))(None)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)

    [found] = projector.project([SENTENCE])
    assert {entity.label for entity in found.entities} == {"PERSON"}
    assert found.model_version == projector.model_version


def test_another_target_model_is_loaded_alone_and_has_the_version_of_a_whole_load(
    settings: Settings,
    tmp_path: Path,
    word_tagger: Callable[[Mapping[str, str]], Path],
    copying_aligner: Path,
) -> None:
    target = model_folder(tmp_path / "mine")
    own = {"teacher": str(word_tagger({"Berlin": "PER"})), "aligner": str(copying_aligner)}
    load = load_function(settings.model_copy(update=own))
    bundled, fine_tuned = load(None), load(target)
    assert isinstance(bundled, Projector)
    assert isinstance(fine_tuned, Projector)
    assert (fine_tuned.teacher, fine_tuned.aligner) == (bundled.teacher, bundled.aligner)
    assert fine_tuned.model_version == Projector.load(**own, target_model=target).model_version
    assert load(None).model_version == bundled.model_version != fine_tuned.model_version


def test_another_teacher_is_loaded_with_the_aligner_in_use(
    settings: Settings,
    tmp_path: Path,
    word_tagger: Callable[[Mapping[str, str]], Path],
    copying_aligner: Path,
) -> None:
    own = {"teacher": str(word_tagger({"Bern": "PER"})), "aligner": str(copying_aligner)}
    better = tmp_path / "better"
    shutil.copytree(word_tagger({"Bern": "LOC"}), better)
    (better / TEACHER).touch()
    load = load_function(settings.model_copy(update={**own, "suppress": ("PER",)}))
    before, after = load(None), load(better)
    assert [e.label for e in before.project([SENTENCE])[0].entities] == []
    assert [e.label for e in after.project([SENTENCE])[0].entities] == ["LOC"]
    version = Tagger.from_pretrained(better).version
    assert after.model_version.endswith(f"-{version}"), "the store finds it by this"
    assert after.model_version != before.model_version


def test_torch_is_imported_only_when_a_model_is_loaded() -> None:
    assert subprocess.run([sys.executable, "-c", LIGHT], check=False).returncode == 0


def test_a_label_table_that_is_none_is_named(settings: Settings) -> None:
    load = load_function(settings.model_copy(update={"labels": ("PER",)}))
    with pytest.raises(SettingsError, match="'PER' is not THEIRS=OURS"):
        load(None)
