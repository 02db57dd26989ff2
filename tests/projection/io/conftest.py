"""Where tests write corpora."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For properties, which write the same files over and over."""
    return tmp_path_factory.mktemp("corpus")
