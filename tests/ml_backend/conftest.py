"""A projector without a model, the application around it, and bodies as Label Studio sends them.

`fixed_loader` is also what the server process of test_serve.py loads.
"""

import atexit
import json
import shutil
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from label_config.tasks import to_task
from ml_backend.api.app import create_app
from ml_backend.serving.engine import Engine, Load
from ml_backend.serving.model_store import ModelStore
from ml_backend.settings import Settings
from projection.errors import ModelError
from projection.protocols import Link
from projection.records import Entity, ParallelSentence, ProjectedSentence, Projection, Span

if TYPE_CHECKING:  # label-studio-sdk takes seconds to import, which most tests do not need
    from ml_backend.label_studio.client import ReviewServer
    from tests.ml_backend.label_studio.studio import Studio

BUNDLED_VERSION = "fixed-bundled"
LONGEST = 500


class FixedProjector:
    """Carries a source entity to the same words in the target: the real interface, no torch."""

    labels = ("PER", "ORG", "LOC", "MISC")
    languages: tuple[str, ...] = ()

    score = 1.0  # of a sentence without entities
    crashes = False

    def __init__(self, version: str = BUNDLED_VERSION, seconds: float = 0.0) -> None:
        self.model_version, self.seconds = version, seconds
        self.turns: list[tuple[str, ...]] = []
        self._busy = threading.Lock()

    def fits(self, sentence: ParallelSentence) -> bool:
        with self._alone():
            return len(sentence.source) <= LONGEST

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        with self._alone():
            time.sleep(self.seconds)
            if self.crashes:
                raise RuntimeError("size mismatch")
            self.turns.append(tuple(sentence.id for sentence in sentences))
            return [self._one(sentence) for sentence in sentences]

    def suggest(
        self, sentence: ParallelSentence, marked: Sequence[Entity]
    ) -> list[tuple[Projection, ...]]:
        with self._alone():
            found = self._one(replace(sentence, entities=tuple(marked))).projections
        return [tuple(p for p in found if p.source == mark and p.target) for mark in marked]

    def link(self, sentence: ParallelSentence, marked: Sequence[Span]) -> list[Link | None]:
        with self._alone():
            starts = [sentence.source.find(span.of(sentence.target)) for span in marked]
        return [
            None if start < 0 else Link(Span(start, start + span.end - span.start), 0.5)
            for start, span in zip(starts, marked, strict=True)
        ]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Tokenizers are not thread-safe."""
        assert self._busy.acquire(blocking=False), "the model is used by two requests at once"
        try:
            yield
        finally:
            self._busy.release()

    def _one(self, sentence: ParallelSentence) -> ProjectedSentence:
        found = []
        for entity in sentence.entities or ():
            phrase = entity.span.of(sentence.source)
            start = sentence.target.find(phrase)
            target = None if start < 0 else Span(start, start + len(phrase))
            found.append(Projection(entity, target, 0.75 if target else 0.0))
        entities = tuple(each.entity for each in found if each.entity is not None)
        score = min((each.score for each in found), default=self.score)
        return ProjectedSentence(
            sentence, entities, tuple(found), (), score, model_version=self.model_version
        )


def fixed_loader(settings: Settings) -> Load:
    """Loads what a config.json describes: version, seconds to load, or that it is broken."""

    def load(target: Path | None) -> FixedProjector:
        path = settings.data_dir / "bundled.json" if target is None else target / "config.json"
        told = json.loads(path.read_text("utf-8")) if path.exists() else {}
        time.sleep(told.get("load_seconds", 0))
        if told.get("broken"):
            raise ModelError(str(path), "the weights are for another task", "Train it again")
        projector = FixedProjector(told.get("version", BUNDLED_VERSION), told.get("seconds", 0.0))
        projector.score, projector.crashes = float(told.get("score", 1)), told.get("crashes", False)
        return projector

    return load


def metric(client: FlaskClient, sample: str) -> float:
    """The value of one sample in /metrics."""
    lines = client.get("/metrics").get_data(as_text=True).splitlines()
    found = [line.rsplit(" ", 1)[1] for line in lines if line.rsplit(" ", 1)[0] == sample]
    assert len(found) == 1, f"{sample} in {lines}"
    return float(found[0])


def wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Fails unless `true()` becomes true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.005)


@cache
def _checkpoint() -> Path:
    """A real checkpoint of a tagger with hardly any weights."""
    # Tests that store no model should not wait for these.
    from tokenizers import Tokenizer, models  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        BertConfig,
        BertForTokenClassification,
        PreTrainedTokenizerFast,
    )

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"[UNK]": 0, "Berlin": 1}, "[UNK]")),
        model_max_length=32,
        unk_token="[UNK]",
        pad_token="[UNK]",
    ).save_pretrained(folder)
    config = BertConfig(
        vocab_size=2,
        hidden_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=4,
        max_position_embeddings=32,
        id2label={0: "O", 1: "B-PER", 2: "I-PER"},
    )
    BertForTokenClassification(config).save_pretrained(folder)
    return folder


def model_folder(folder: Path, **told: object) -> Path:
    """A saved model, another one for whatever else is told; `fixed_loader` reads its config."""
    from safetensors.numpy import load_file, save_file  # noqa: PLC0415

    shutil.copytree(_checkpoint(), folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **told}), "utf-8")
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][:] = zlib.crc32(repr(told).encode()) % 1000 / 8
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


SENTENCE = ParallelSentence(
    id="news-1",
    source="😀 Ada Lovelace visited Berlin",
    target="😀 Ada Lovelace besuchte Berlin",
    source_lang="en",
    target_lang="de",
    origin="news.en:1",
    entities=(Entity(Span(2, 14), "PER"), Entity(Span(23, 29), "LOC")),
)


def make_task(number: int = 1, **changed: Any) -> dict[str, Any]:
    """A task as Label Studio 1.23 sends it. `changed` are fields of its record's sentence."""
    sentence = replace(SENTENCE, id=f"news-{number}", origin=f"news.en:{number}")
    data = to_task(ProjectedSentence(sentence, (), (), (), 1.0, "imported"))["data"]
    data["record"]["sentence"].update(changed)
    return {
        "id": 100 + number,
        "data": {**data, **{key: changed[key] for key in ("source", "target") if key in changed}},
        "meta": {},
        "created_at": "2026-01-05T10:00:00.000000Z",
        "updated_at": "2026-01-05T10:00:00.000000Z",
        "is_labeled": False,
        "overlap": 1,
        "inner_id": number,
        "total_annotations": 0,
        "cancelled_annotations": 0,
        "total_predictions": 0,
        "project": 5,
        "file_upload": None,
        "comment_authors": [],
        "annotations": [],
        "predictions": [],
    }


def predict_body(*tasks: Any, drawn: list[Any] | None = None) -> dict[str, Any]:
    """The body of /predict. `drawn` makes it an interactive one."""
    return {
        "tasks": list(tasks),
        "project": "5.1767607200",
        "label_config": "<View/>",
        "params": {
            "login": None,
            "password": None,
            "context": None if drawn is None else {"result": drawn},
        },
    }


def region(start: int, end: int, label: str = "ORG", ident: str = "6qSnsLQ-zY") -> dict[str, Any]:
    """A target region as the browser sends it when an annotator has drawn it."""
    return {
        "value": {
            "start": start,
            "end": end,
            "text": SENTENCE.target[start:end],
            "labels": [label],
        },
        "id": ident,
        "from_name": "entities",
        "to_name": "target",
        "type": "labels",
        "origin": "manual",
    }


def source_region(phrase: str, label: str = "ORG", ident: str = "drawn") -> dict[str, Any]:
    """A source region as the browser sends it when an annotator has drawn it over `phrase`."""
    start = SENTENCE.source.index(phrase)
    end = start + len(phrase)
    return {
        "value": {
            # Label Studio counts in a piece of the page's HTML here; we do not look.
            "start": "/div[1]/text()[1]",
            "end": "/div[1]/text()[1]",
            "startOffset": 0,
            "endOffset": len(phrase),
            "globalOffsets": {"start": start, "end": end},
            "text": phrase,
            "labels": [label],
        },
        "id": ident,
        "from_name": "source_entities",
        "to_name": "source",
        "type": "labels",
        "origin": "manual",
    }


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env(
        {
            "SPANFERRY_DATA_DIR": str(tmp_path / "data"),
            "SPANFERRY_BACKEND_USER": "label-studio",
            "SPANFERRY_BACKEND_PASSWORD": "open sesame!",
            "SPANFERRY_BACKEND_POLL_SECONDS": "0.01",
            "SPANFERRY_BACKEND_LOAD_WAIT": "10",
            "SPANFERRY_BACKEND_MAX_BODY_MB": "1",
        }
    )


@pytest.fixture
def store(settings: Settings) -> ModelStore:
    return ModelStore(settings.model_store)


@pytest.fixture
def engine(settings: Settings, store: ModelStore) -> Iterator[Engine]:
    with Engine(fixed_loader(settings), store, poll_seconds=0.01, turn=4) as engine:
        yield engine


@pytest.fixture
def app(settings: Settings, engine: Engine) -> Flask:
    return create_app(settings, engine)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Label Studio, knowing the password."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Basic bGFiZWwtc3R1ZGlvOm9wZW4gc2VzYW1lIQ=="
    return client


@pytest.fixture
def captured() -> Callable[[str], list[dict[str, Any]]]:
    """Requests recorded from a real Label Studio, where they are at hand."""
    folder = Path(__file__).parents[3] / "shared" / "label-studio"

    def read(name: str) -> list[dict[str, Any]]:
        path = folder / name
        if not path.exists():
            pytest.skip(f"there are no recorded requests at {path}")
        recorded = json.loads(path.read_text("utf-8"))
        return recorded if isinstance(recorded, list) else [recorded]

    return read


@pytest.fixture
def studio() -> Iterator["Studio"]:
    """A Label Studio in memory, without projects."""
    from tests.ml_backend.label_studio.studio import running  # noqa: PLC0415  as above

    with running() as server:
        yield server


@pytest.fixture
def server(studio: "Studio") -> Iterator["ReviewServer"]:
    """A client of it that tries nothing twice."""
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415  as above
    from tests.ml_backend.label_studio.studio import KEY  # noqa: PLC0415

    with ReviewServer(studio.url, KEY, pauses=()) as opened:
        yield opened
