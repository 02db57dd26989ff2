"""Gold files: entities, tokens and consistency of sentence pairs, or an error with its place."""

import json
from pathlib import Path

import pytest

from projection.errors import CorpusError
from projection.evaluation.scores import score
from projection.io.gold import read_every_gold, read_gold
from projection.records import Span
from tests.projection.evaluation.examples import entities

GOLD = {
    "id": "g1",
    "source": {"text": "Anna left.", "entities": [{"start": 0, "end": 4, "label": "PER"}]},
    "target": {
        "text": "👨‍👩‍👧 安娜走了。",
        "entities": [{"start": 6, "end": 8, "label": "PER", "text": "安娜"}],
    },
    "source_lang": "en",
    "lang": "zh",
}


def write(path: Path, *gold_rows: dict[str, object]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in gold_rows), encoding="utf-8")
    return path


def test_gold_has_entities_on_both_sides(tmp_path: Path) -> None:
    [found] = read_gold(write(tmp_path / "a.jsonl", GOLD))
    assert found.sentence.entities == entities((0, 4, "PER"))
    assert found.target_entities == entities((6, 8, "PER"))
    assert (found.sentence.id, found.sentence.target_lang) == ("g1", "zh")


def test_sides_that_disagree_are_skipped(tmp_path: Path) -> None:
    inconsistent = GOLD | {"id": "g2", "consistent_labels": False}
    consistent = GOLD | {"id": "g3", "consistent_labels": True}
    path = write(tmp_path / "a.jsonl", GOLD, inconsistent, consistent)
    found = read_gold(path)
    assert [sentence.sentence.id for sentence in found] == ["g1", "g3"]
    [skipped] = [each for each in read_every_gold(path) if each not in found]
    assert (skipped.sentence.origin, skipped.consistent) == ("a.jsonl:2", False)


def side(text: str, *tokens: str) -> dict[str, object]:
    return {"text": text, "tokens": list(tokens), "entities": []}


def test_every_sentence_of_a_file_can_be_had(tmp_path: Path) -> None:
    rows = [GOLD, GOLD | {"id": "g2", "consistent_labels": False}]
    found = list(read_every_gold(write(tmp_path / "a.jsonl", *rows)))
    assert [(g.sentence.id, g.consistent) for g in found] == [("g1", True), ("g2", False)]


@pytest.mark.parametrize(
    ("text", "tokens", "spans"),
    [
        pytest.param("Anna left.", ["Anna", "left", "."], [(0, 4), (5, 9), (9, 10)], id="words"),
        pytest.param("don't", ["do", "n't"], [(0, 2), (2, 5)], id="finer than ours"),
        pytest.param("1 000 Euro", ["1 000", "Euro"], [(0, 5), (6, 10)], id="with a space"),
        pytest.param(" \u3000安娜  走 ", ["安娜", "走"], [(2, 4), (6, 7)], id="white space"),
        pytest.param("👨‍👩‍👧 Zoë", ["👨‍👩‍👧", "Zoë"], [(0, 5), (6, 9)], id="emoji"),
        pytest.param("a a a", ["a", "a", "a"], [(0, 1), (2, 3), (4, 5)], id="all alike"),
        pytest.param("", [], [], id="nothing"),
        pytest.param("a b", ["", "a", " ", "b", ""], [(0, 1), (2, 3)], id="empty tokens are none"),
    ],
)
def test_tokens_are_kept_as_spans(
    tmp_path: Path, text: str, tokens: list[str], spans: list[tuple[int, int]]
) -> None:
    row = GOLD | {"source": side(text, *tokens), "target": side("x y", "x", "y")}
    [found] = read_gold(write(tmp_path / "a.jsonl", row))
    assert found.source_words == tuple(Span(*pair) for pair in spans)
    assert found.target_words == (Span(0, 1), Span(2, 3))


def test_without_tokens_our_words_count(tmp_path: Path) -> None:
    plain = GOLD | {"source": "Anna left.", "entities": []}
    one, other = read_gold(write(tmp_path / "a.jsonl", GOLD, plain))
    assert one.source_tokens is one.target_tokens is other.source_tokens is None
    assert one.source_words == other.source_words == (Span(0, 4), Span(5, 9), Span(9, 10))
    assert [span.of(one.sentence.target) for span in one.target_words] == ["👨‍👩‍👧", *"安娜走了。"]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        pytest.param(["Anna"], r"tokens: end before 'left\.'", id="too few"),
        pytest.param(
            ["Anna", "left", ".", "!"], r"tokens\[3\]: '!' where the text has ''", id="too many"
        ),
        pytest.param(["anna", "left", "."], r"\[0\]: 'anna' where .* 'Anna'", id="lower case"),
        pytest.param(["Anna", "le ft", "."], r"\[1\]: 'le ft' where .* 'left\.'", id="a space"),
        pytest.param(["left", "Anna", "."], r"\[0\]: 'left' where .* 'Anna'", id="other order"),
        pytest.param(["Anna", 5], "a list of texts should be", id="a number"),
        pytest.param("Anna left .", "a list should be", id="a text"),
    ],
)
def test_tokens_that_are_not_the_text_are_refused(
    tmp_path: Path, tokens: object, message: str
) -> None:
    row = GOLD | {"source": {"text": "Anna left.", "entities": [], "tokens": tokens}}
    with pytest.raises(CorpusError, match=rf"a\.jsonl:1 source.*{message}"):
        read_gold(write(tmp_path / "a.jsonl", row))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param(
            GOLD | {"source": {"text": "Anna"}}, r"a\.jsonl:1: no gold source", id="source"
        ),
        pytest.param(GOLD | {"target": {"text": "x"}}, "target entities: missing", id="target"),
        pytest.param(
            GOLD | {"target": {"text": "x", "entities": [{"start": 0, "end": 2, "label": "PER"}]}},
            r"a\.jsonl:1 target.entities\[0\]: \[0, 2\) reaches past",
            id="out of range",
        ),
        pytest.param(
            {k: v for k, v in GOLD.items() if k != "lang"}, "lang: missing", id="no language"
        ),
    ],
)
def test_half_gold_is_refused(tmp_path: Path, row: dict[str, object], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_gold(write(tmp_path / "a.jsonl", row))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "kept", "skipped", "ceiling"),
    [
        pytest.param("europarl-ner.en-de", 799, 0, 0.9534, id="sides annotated differently"),
        pytest.param("uner-pud.en-de", 768, 232, 1.0, id="inconsistent ones filtered"),
        pytest.param("xsid-valid.en-zh", 297, 3, 1.0, id="an empty token"),
    ],
)
def test_real_gold(shared_data: Path, name: str, kept: int, skipped: int, ceiling: float) -> None:
    path = shared_data / "projection" / f"{name}.jsonl"
    found = read_gold(path)
    assert (len(found), len(list(read_every_gold(path)))) == (kept, kept + skipped)
    assert score(found, [()] * len(found)).ceiling == pytest.approx(ceiling, abs=1e-4)
