"""The commands of the README, in their order and word for word, on 60 sentences.

But for the port, and one seed instead of three, each of which takes a dozen seconds.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from label_config.annotations import annotation_of
from ml_backend.cli import app
from ml_backend.demo.label_studio_server import LabelStudioServer, free_port
from ml_backend.label_studio.client import ReviewServer
from ml_backend.serving.model_store import ModelStore
from projection.io.gold import GoldSentence, read_gold
from projection.models import bundled
from projection.records import ReviewStatus
from tests.ml_backend.conftest import wait_until
from tests.test_docs import README

pytestmark = pytest.mark.label_studio

SENTENCES, REVIEWED = 60, 44
STAYS = {"try"}  # until Ctrl-C: tests/ml_backend/cli/test_try_.py
QUICKER = {"--seeds 3": "--seeds 1"}


def commands() -> list[list[str]]:
    """What follows `spanferry` in each line of the section's code, without comments."""
    section = README.partition("## Your own corpus\n")[2].partition("\n## ")[0]
    for words, quicker in QUICKER.items():
        assert words in section
        section = section.replace(words, quicker)
    lines = re.findall(r"(?m)^ {4}(?:\.venv/bin/)?spanferry (.*)", section)
    return [shlex.split(line, comments=True) for line in lines]


@contextmanager
def serving(words: list[str], log: Path) -> Iterator[None]:
    code = "from ml_backend.cli import main; main()"
    with log.open("wb") as said:
        backend = subprocess.Popen([sys.executable, "-c", code, *words], stdout=said, stderr=said)
        try:
            yield
        finally:
            backend.send_signal(signal.SIGTERM)
            assert backend.wait(30) == 0, log.read_text("utf-8")


def review(server: ReviewServer, gold: dict[str, GoldSentence]) -> None:
    """Decide as a careful annotator would."""
    for task in server.tasks(server.existing_project("News de"))[:REVIEWED]:
        entities = gold[task["data"]["target"]].target_entities
        result = annotation_of(entities, task["data"]["target"], ReviewStatus.ACCEPTED)
        server.annotate(task["id"], result, lead_time=9.0)


def test_its_path_leads_from_a_corpus_to_a_better_model(
    label_studio: LabelStudioServer,
    server: ReviewServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = read_gold(bundled.sample_path("de"))[:SENTENCES]
    for side in ("source", "target"):
        lines = "".join(f"{getattr(each.sentence, side)}\n" for each in sample)
        (tmp_path / f"news.{'en' if side == 'source' else 'de'}").write_text(lines, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.account.token)
    monkeypatch.setenv("SPANFERRY_DATA_DIR", str(tmp_path / "data"))
    port = str(free_port())  # the usual one may be taken
    called = [[word.replace("9090", port) for word in words] for words in commands()]
    backend = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)

    def spanferry(words: list[str]) -> str:
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, f"spanferry {shlex.join(words)}: {result.output}"
        return result.stdout

    def is_ready() -> bool:
        try:
            return backend.get("/ready").is_success
        except httpx.ConnectError:
            return False

    assert [words[0] for words in called[:2]] == ["project", "serve"]
    spanferry(called[0])
    with serving(called[1], tmp_path / "serve.log"), backend:
        wait_until(is_ready, 120)
        said = {}
        for words in called[2:]:
            if words[0] not in STAYS:
                said[words[0]] = spanferry(words)
            if words[0] == "doctor":
                review(server, {each.sentence.target: each for each in sample})
        version = server.existing_project("News de").model_version
        wait_until(lambda: backend.get("/health").json()["model_version"] == version, 60)

    assert f"{SENTENCES} added" in said["push"]
    assert "✗" not in said["doctor"]
    assert re.search(rf"sentences for training +{REVIEWED}\b", said["export"])
    store = ModelStore(tmp_path / "data" / "models")
    assert version.endswith(f"-{store.active_version()}")
    assert f"{SENTENCES - REVIEWED} " in said["repredict"]
    for made in ("report/index.html", "evaluation", "models/de/seed-0", "reviewed/parquet"):
        assert (tmp_path / made).exists(), made
