"""`spanferry project` in several processes."""

import pickle
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from ml_backend.cli.engines import CHECKS_UNDER, EngineName, engine_of, load_projector
from projection.pipeline.conflicts import PAPER_CHECKS, Policy
from tests.ml_backend.cli.conftest import Spanferry


def test_what_the_paper_does_not_doubt_is_not_dropped() -> None:
    assert CHECKS_UNDER[Policy.DROP] == PAPER_CHECKS
    assert set(CHECKS_UNDER[Policy.FLAG]) > set(CHECKS_UNDER[Policy.DROP])


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_nothing_is_begun(spanferry: Spanferry, tmp_path: Path) -> None:
    options = ["--tsv", tmp_path / "none.tsv", "--out", tmp_path / "run", "--engine", "ray"]
    said = "--engine ray: Ray is not installed. pip install 'spanferry[ray]'"
    assert spanferry("project", *options).mistake == said


def test_a_worker_loads_the_same_models_with_its_share_of_the_cpus(
    word_tagger: Callable[[Mapping[str, str]], Path], copying_aligner: Path
) -> None:
    """It gets the function through a pipe."""
    models = {"teacher": str(word_tagger({"Anna": "B-PER"})), "aligner": str(copying_aligner)}
    load = partial(
        load_projector, policy=Policy.FLAG, labels={"PER": "HERO"}, suppress=[], types=[], **models
    )
    threads = torch.get_num_threads()
    elsewhere = pickle.loads(pickle.dumps(partial(load, workers=1000)))
    try:
        assert elsewhere().model_version == load().model_version
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)


def test_one_worker_is_this_process() -> None:
    with engine_of(EngineName.LOCAL, 1, partial(load_projector), Policy.FLAG) as engine:
        assert engine is None
