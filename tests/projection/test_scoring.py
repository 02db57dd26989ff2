"""Projection is scored by exact span and label, beside what an oracle could reach."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError
from projection.records import Entity, ParallelSentence, Span
from projection.scoring import GoldSentence, read_gold, score

TEXT = "x" * 20

Mark = tuple[int, int, str]


def entities(*marks: Mark) -> tuple[Entity, ...]:
    return tuple(Entity(Span(start, end), label) for start, end, label in marks)


def gold(source: list[Mark], target: list[Mark]) -> GoldSentence:
    sentence = ParallelSentence("1", TEXT, TEXT, "en", "de", "a:1", entities(*source))
    return GoldSentence(sentence, entities(*target))


@pytest.mark.parametrize(
    ("truth", "guess", "precision", "recall", "f1"),
    [
        pytest.param([(0, 4, "PER")], [(0, 4, "PER")], 1, 1, 1, id="right"),
        pytest.param([(0, 4, "PER")], [(0, 4, "LOC")], 0, 0, 0, id="wrong label"),
        pytest.param([(0, 4, "PER")], [(0, 5, "PER")], 0, 0, 0, id="one character off"),
        pytest.param([(0, 4, "PER")], [], 0, 0, 0, id="missed"),
        pytest.param([], [(0, 4, "PER")], 0, 0, 0, id="invented"),
        pytest.param([], [], 0, 0, 0, id="nothing to find: undefined is 0"),
        pytest.param(
            [(0, 4, "PER"), (5, 6, "LOC")], [(0, 4, "PER")], 1, 0.5, 2 / 3, id="half found"
        ),
        pytest.param(
            [(0, 4, "PER")], [(0, 4, "PER"), (0, 4, "PER")], 0.5, 1, 2 / 3, id="said twice"
        ),
    ],
)
def test_scores(
    truth: list[Mark], guess: list[Mark], precision: float, recall: float, f1: float
) -> None:
    scores = score([gold([], truth)], [entities(*guess)])
    assert (scores.precision, scores.recall) == (precision, recall)
    assert scores.f1 == pytest.approx(f1)


def test_scores_are_counted_over_all_sentences_and_by_label() -> None:
    scores = score(
        [gold([], [(0, 4, "PER"), (5, 6, "LOC")]), gold([], [(0, 1, "LOC")])],
        [entities((0, 4, "PER")), entities((0, 1, "LOC"), (2, 3, "ORG"))],
    )
    assert scores.sentences == 2
    assert (scores.precision, scores.recall) == (2 / 3, 2 / 3)
    assert list(scores.by_type) == ["LOC", "ORG", "PER"]
    assert scores.by_type["LOC"].recall == 0.5
    assert scores.by_type["LOC"].support == 2
    assert scores.by_type["ORG"].support == 0
    assert scores.by_type["PER"].f1 == 1


def test_a_right_span_in_the_wrong_sentence_is_wrong() -> None:
    scores = score([gold([], [(0, 4, "PER")]), gold([], [])], [(), entities((0, 4, "PER"))])
    assert scores.f1 == 0


@pytest.mark.parametrize(
    ("source", "target", "ceiling"),
    [
        pytest.param([(0, 1, "PER")], [(7, 9, "PER")], 1, id="the place does not matter"),
        pytest.param([(0, 1, "PER")], [(7, 9, "LOC")], 0, id="it cannot relabel"),
        pytest.param([], [(7, 9, "LOC")], 0, id="it cannot invent"),
        pytest.param([(0, 1, "PER"), (2, 3, "PER")], [(7, 9, "PER")], 2 / 3, id="one too many"),
        pytest.param(
            [(0, 1, "PER"), (2, 3, "LOC")], [(7, 9, "LOC"), (1, 2, "PER")], 1, id="other order"
        ),
    ],
)
def test_the_ceiling_is_what_the_labels_of_both_sides_allow(
    source: list[Mark], target: list[Mark], ceiling: float
) -> None:
    assert score([gold(source, target)], [()]).ceiling == pytest.approx(ceiling)


def test_scores_as_json_are_fractions() -> None:
    row = score([gold([(0, 1, "PER")], [(0, 4, "PER")])], [entities((0, 4, "PER"))]).to_json()
    perfect = {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert json.loads(json.dumps(row)) == {
        **perfect,
        "by_type": {"PER": {**perfect, "support": 1}},
        "ceiling": 1.0,
        "sentences": 1,
    }


def test_one_prediction_for_each_sentence() -> None:
    with pytest.raises(ValueError, match="shorter"):
        score([gold([], []), gold([], [])], [()])


marks = st.lists(
    st.tuples(st.integers(0, 8), st.integers(9, 20), st.sampled_from(["PER", "LOC"])), max_size=4
)
golds = st.lists(st.builds(gold, marks, marks), max_size=4)


@given(golds)
def test_gold_against_itself_is_perfect(sentences: list[GoldSentence]) -> None:
    scores = score(sentences, [sentence.target_entities for sentence in sentences])
    found = any(sentence.target_entities for sentence in sentences)
    assert scores.precision == scores.recall == scores.f1 == float(found)


@given(golds, st.data())
def test_scores_are_fractions_and_the_kinds_add_up(
    sentences: list[GoldSentence], data: st.DataObject
) -> None:
    predicted = [entities(*data.draw(marks)) for _ in sentences]
    scores = score(sentences, predicted)
    for value in (scores.precision, scores.recall, scores.f1, scores.ceiling):
        assert 0 <= value <= 1
    total = sum(len(sentence.target_entities) for sentence in sentences)
    assert sum(by.support for by in scores.by_type.values()) == total
    hits = sum(by.recall * by.support for by in scores.by_type.values())
    assert scores.recall * total == pytest.approx(hits)


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


def test_sides_that_disagree_are_skipped_and_told(tmp_path: Path) -> None:
    inconsistent = GOLD | {"id": "g2", "consistent_labels": False}
    consistent = GOLD | {"id": "g3", "consistent_labels": True}
    path = write(tmp_path / "a.jsonl", GOLD, inconsistent, consistent)
    skipped: list[str] = []
    found = read_gold(path, on_skip=skipped.append)
    assert [sentence.sentence.id for sentence in found] == ["g1", "g3"]
    assert skipped == ["a.jsonl:2"]
    assert read_gold(path) == found


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
    ],
)
def test_real_gold(shared_data: Path, name: str, kept: int, skipped: int, ceiling: float) -> None:
    places: list[str] = []
    found = read_gold(shared_data / "projection" / f"{name}.jsonl", on_skip=places.append)
    assert (len(found), len(places)) == (kept, skipped)
    assert score(found, [()] * len(found)).ceiling == pytest.approx(ceiling, abs=1e-4)
