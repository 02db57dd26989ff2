"""The page to try a model on: it shows what was found, escapes it, and answers locally."""

from functools import partial
from html import unescape

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config.colors import FAMILIAR
from ml_backend.demo.try_page import MOST_BYTES, TextPiece, create_page, marks, projected, tagged
from projection.pipeline.projector import pair
from projection.protocols import Tagging
from projection.records import Entity, Span
from tests.label_studio.examples import Example, FixedProjector

SCRIPT = "<script>alert(1)</script>"
SOURCE, TARGET = "Anna met Siemens in Bonn.", "Anna traf Siemens."


class FixedTagger:
    """Finds the first word and doubts about the second."""

    def tag_with_alternatives(self, texts: list[str], lang: str) -> list[Tagging]:
        assert lang == "zh-TW"
        spans = [[Span(t.index(w), t.index(w) + len(w)) for w in t.split()[:2]] for t in texts]
        return [
            Tagging((Entity(a, "<i>", 0.75),), (Entity(b, "LOC", 0.25), Entity(b, "ORG", 0.01)))
            for a, b in spans
        ]


@pytest.fixture
def tagger() -> FlaskClient:
    return create_page(
        partial(tagged, FixedTagger()), SCRIPT, ["<i>", "LOC"], "de", pair=False
    ).test_client()


@pytest.fixture
def projector() -> FlaskClient:
    name = pair(SOURCE, TARGET, "de").id
    went = (("PER", "Anna", "Anna", 0.9), ("LOC", "Bonn", None, 0.0))
    fixed = FixedProjector(examples={name: Example(name, "de", SOURCE, TARGET, went)})
    return create_page(
        partial(projected, fixed), "mini", fixed.labels, "de", pair=True
    ).test_client()


def test_a_sentence_for_a_tagger(tagger: FlaskClient) -> None:
    shown = tagger.post("/", data={"text": f"{SCRIPT} Babado &c", "lang": "zh_TW"}).text
    assert SCRIPT not in shown
    assert "<i>" not in shown
    assert f"<bdi>{SCRIPT}</bdi>" in unescape(shown)
    assert "75.0 %" in shown
    assert "“Babado” as LOC: 25 %" in shown
    assert "as ORG" not in shown, "too unlikely"
    assert "Babado &amp;c</textarea>" in shown, "what was typed stays"


def test_a_pair_for_a_projector(projector: FlaskClient) -> None:
    sent = {"text": SOURCE, "translation": TARGET, "lang": "de"}
    shown = projector.post("/", data=sent).text
    anna = f'<mark style="--c: {FAMILIAR["PER"]}"><bdi>Anna</bdi><small>1 PER</small></mark>'
    assert shown.count(anna) == 2, "the same number on both sides"
    assert "90.0 %" in shown
    assert "<b>failed mapping</b>“Bonn” (LOC) was not found" in shown


def test_nothing_is_asked_before_something_is_typed(projector: FlaskClient) -> None:
    shown = projector.get("/").text
    assert "English sentence" in shown
    assert "Entities</h2>" not in shown


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param({"text": "x", "lang": "Dutch"}, "Did you mean nl?", id="language"),
        pytest.param({"text": "x" * MOST_BYTES, "lang": "de"}, "Give a sentence", id="length"),
    ],
)
def test_a_mistake_is_a_line_of_the_page(
    sent: dict[str, str], said: str, tagger: FlaskClient
) -> None:
    answer = tagger.post("/", data=sent)
    assert (answer.status_code, said in answer.text) == (200, True)


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8765", 200), ("localhost", 200), ("evil.example:8765", 403), ("192.0.2.1", 403)],
)
def test_only_a_name_of_this_machine_is_answered(
    host: str, status: int, tagger: FlaskClient
) -> None:
    answer = tagger.get("/", headers={"Host": host})
    assert answer.status_code == status
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=30), st.data())
def test_pieces_are_the_whole_text(text: str, data: st.DataObject) -> None:
    ends = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text)))
    spans = data.draw(st.lists(ends.filter(lambda e: e[0] < e[1]).map(lambda e: Span(*e))))
    found = [*marks(text, [(span, "PER", None) for span in spans])]
    assert "".join(piece.text for piece in found) == text
    if spans:
        first = min(spans)
        assert TextPiece(first.of(text), "PER") in found
