"""Projection is scored by exact span and label, beside what an oracle could reach."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.aligners.baselines import ExactMatch
from projection.errors import CorpusError
from projection.evaluation.matching import EXACT, RELAXED, Outcome, compare, most_pairs
from projection.evaluation.report import ProjectionReport, evaluate_aligner
from projection.evaluation.scores import Interval, bootstrap, score
from projection.io.gold import GoldSentence, read_every_gold, read_gold
from projection.records import Entity, ParallelSentence, Projection, Span

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


@pytest.mark.parametrize(
    ("truth", "guess", "f1"),
    [
        pytest.param([(0, 4, "PER")], [(0, 4, "PER")], 1, id="exact"),
        pytest.param([(0, 4, "PER")], [(3, 9, "PER")], 1, id="one shared character"),
        pytest.param([(0, 4, "PER")], [(4, 9, "PER")], 0, id="touching is not overlapping"),
        pytest.param([(0, 4, "PER")], [(0, 4, "LOC")], 0, id="the label must be right"),
        pytest.param([(0, 9, "PER")], [(0, 4, "PER"), (5, 9, "PER")], 2 / 3, id="gold only once"),
        pytest.param([(0, 4, "PER"), (5, 9, "PER")], [(0, 9, "PER")], 2 / 3, id="guess only once"),
        pytest.param(
            [(0, 4, "PER"), (3, 9, "PER")],
            [(2, 6, "PER"), (0, 1, "PER")],
            1,
            id="as many pairs as possible",
        ),
    ],
)
def test_relaxed_scores(truth: list[Mark], guess: list[Mark], f1: float) -> None:
    scores = score([gold([], truth)], [entities(*guess)]).relaxed
    assert scores.f1 == pytest.approx(f1)
    assert scores.support == len(truth)
    assert scores.by_type["PER"].support == len(truth)


@pytest.mark.parametrize(
    ("truth", "guess", "outcomes"),
    [
        pytest.param([(0, 4, "PER")], [(0, 4, "PER")], {"right": 1}, id="right"),
        pytest.param([(0, 4, "PER")], [(0, 5, "PER")], {"wrong_border": 1}, id="too long"),
        pytest.param([(0, 4, "PER")], [(1, 3, "PER")], {"wrong_border": 1}, id="inside"),
        pytest.param([(0, 4, "PER")], [(9, 12, "PER")], {"wrong_mention": 1}, id="elsewhere"),
        pytest.param([(0, 4, "PER")], [(4, 8, "PER")], {"wrong_mention": 1}, id="beside"),
        pytest.param([(0, 4, "PER")], [(0, 4, "LOC")], {"wrong_label": 1}, id="other label"),
        pytest.param([(0, 4, "PER")], [(3, 8, "LOC")], {"wrong_label": 1}, id="other in all"),
        pytest.param([(0, 4, "PER")], [], {"missing": 1}, id="missing"),
        pytest.param([], [(0, 4, "PER")], {"spurious": 1}, id="spurious"),
        pytest.param(
            [(0, 4, "PER")], [(9, 12, "LOC")], {"missing": 1, "spurious": 1}, id="nothing alike"
        ),
        pytest.param(
            [(0, 4, "PER")],
            [(0, 4, "PER"), (0, 4, "PER")],
            {"right": 1, "spurious": 1},
            id="said twice",
        ),
        pytest.param(
            [(0, 4, "PER")],
            [(0, 4, "PER"), (9, 12, "PER")],
            {"right": 1, "spurious": 1},
            id="one place too many",
        ),
        pytest.param(
            [(0, 4, "PER"), (9, 12, "PER")],
            [(0, 4, "PER"), (0, 4, "PER")],
            {"right": 1, "wrong_mention": 1},
            id="both mentions at the place of one",
        ),
        pytest.param(
            [(0, 4, "PER"), (9, 12, "LOC")],
            [(0, 4, "LOC"), (9, 12, "PER")],
            {"wrong_mention": 2},
            id="each at the other's place",
        ),
        pytest.param(
            [(0, 4, "LOC"), (9, 12, "PER")],
            [(0, 4, "PER")],
            {"wrong_mention": 1, "missing": 1},
            id="a gold entity of its label is what it should have found",
        ),
        pytest.param(
            [(0, 4, "PER"), (5, 9, "PER")],
            [(0, 9, "PER")],
            {"wrong_border": 1, "missing": 1},
            id="two in one",
        ),
        pytest.param(
            [(0, 9, "PER")],
            [(0, 4, "PER"), (5, 9, "PER")],
            {"wrong_border": 1, "spurious": 1},
            id="one in two",
        ),
        pytest.param(
            [(0, 4, "PER"), (2, 6, "PER")],
            [(2, 6, "PER"), (5, 6, "PER")],
            {"right": 1, "wrong_mention": 1},
            id="right comes first, even if it costs an overlap",
        ),
    ],
)
def test_outcomes(truth: list[Mark], guess: list[Mark], outcomes: dict[str, int]) -> None:
    matches = compare(entities(*truth), entities(*guess))
    assert Counter(match.outcome.value for match in matches) == outcomes


def test_matches_say_who_met_whom() -> None:
    truth = entities((0, 4, "PER"), (5, 9, "LOC"), (10, 12, "ORG"))
    guess = entities((15, 16, "MISC"), (6, 9, "LOC"), (0, 4, "PER"))
    assert [(m.outcome.value, m.gold, m.predicted) for m in compare(truth, guess)] == [
        ("right", 0, 2),
        ("wrong_border", 1, 1),
        ("missing", 2, None),
        ("spurious", None, 0),
    ]


@pytest.mark.parametrize(
    ("wanted", "pairs"),
    [
        pytest.param({}, {}, id="none"),
        pytest.param({0: [], 1: [5]}, {1: 5}, id="one wants nothing"),
        pytest.param({0: [1, 2], 1: [1]}, {0: 2, 1: 1}, id="the first moves on"),
        pytest.param({0: [7], 1: [7]}, {0: 7}, id="the earlier key wins"),
        pytest.param({3: [8, 9]}, {3: 8}, id="the earlier value wins"),
        pytest.param({0: [0, 1], 1: [1, 2], 2: [0], 3: [1]}, {0: 1, 1: 2, 2: 0}, id="a chain"),
    ],
)
def test_most_pairs(wanted: dict[int, list[int]], pairs: dict[int, int]) -> None:
    assert most_pairs(wanted) == pairs


@given(
    st.dictionaries(
        st.integers(0, 4), st.lists(st.integers(0, 4), max_size=4, unique=True), max_size=4
    )
)
def test_no_more_pairs_are_possible(wanted: dict[int, list[int]]) -> None:
    """Against every way of handing out five values, or none, to the keys."""
    pairs = most_pairs(wanted)
    assert len(set(pairs.values())) == len(pairs)
    assert all(value in wanted[key] for key, value in pairs.items())
    most = max(
        sum(value in wanted[key] for key, value in zip(wanted, values, strict=False))
        for values in permutations(range(5))
    )
    assert len(pairs) == most


def test_scores_as_json_are_fractions() -> None:
    row = score([gold([(0, 1, "PER")], [(0, 4, "PER")])], [entities((0, 4, "PER"))]).to_json()
    perfect = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}
    by_type = {"by_type": {"PER": perfect}}
    assert json.loads(json.dumps(row)) == {
        **perfect,
        **by_type,
        "relaxed": {**perfect, **by_type},
        "ceiling": 1.0,
        "of_ceiling": 1.0,
        "sentences": 1,
    }


@pytest.mark.parametrize(
    ("source", "target", "guess", "ratio"),
    [
        pytest.param([(0, 1, "PER")], [(0, 4, "PER")], [(0, 4, "PER")], 1, id="all one can do"),
        pytest.param(
            [(0, 1, "PER")] * 2, [(0, 4, "PER")], [(0, 4, "PER"), (5, 6, "PER")], 1, id="as good"
        ),
        pytest.param([(0, 1, "PER")] * 2, [(0, 4, "PER")], [(0, 4, "PER")], 1.5, id="wiser"),
        pytest.param([], [(0, 4, "PER")], [], 0, id="nothing can be reached"),
    ],
)
def test_the_ratio_to_the_ceiling(
    source: list[Mark], target: list[Mark], guess: list[Mark], ratio: float
) -> None:
    assert score([gold(source, target)], [entities(*guess)]).of_ceiling == pytest.approx(ratio)


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


@given(marks, marks)
def test_nothing_is_counted_twice(truth: list[Mark], guess: list[Mark]) -> None:
    """Every gold entity and every prediction has exactly one outcome."""
    matches = compare(entities(*truth), entities(*guess))
    found = [m.gold for m in matches if m.gold is not None]
    used = [m.predicted for m in matches if m.predicted is not None]
    assert sorted(found) == list(range(len(truth)))
    assert sorted(used) == list(range(len(guess)))
    for match in matches:
        assert (match.gold is None) == (match.outcome is Outcome.SPURIOUS)
        assert (match.predicted is None) == (match.outcome is Outcome.MISSING)


@given(marks, marks)
def test_what_lowers_the_scores_is_what_went_wrong(truth: list[Mark], guess: list[Mark]) -> None:
    scores = score([gold([], truth)], [entities(*guess)])
    found = Counter(m.outcome for m in compare(entities(*truth), entities(*guess)))
    exact, relaxed = (sum(found[o] for o in right) for right in (EXACT, RELAXED))
    assert scores.recall * len(truth) == pytest.approx(exact)
    assert scores.precision * len(guess) == pytest.approx(exact)
    assert scores.relaxed.recall * len(truth) == pytest.approx(relaxed)
    assert scores.relaxed.precision * len(guess) == pytest.approx(relaxed)
    assert exact == (Counter(truth) & Counter(guess)).total()


def f1_of(counts: Sequence[tuple[int, int, int]]) -> Interval:
    return bootstrap(np.array(counts, dtype=np.int64).reshape(-1, 3))


class TestBootstrap:
    @pytest.mark.parametrize(
        ("counts", "interval"),
        [
            pytest.param([], Interval(0, 0), id="no sentence"),
            pytest.param([(0, 0, 0)] * 3, Interval(0, 0), id="no entity"),
            pytest.param([(2, 2, 2)] * 5, Interval(1, 1), id="always right"),
            pytest.param([(1, 2, 2)], Interval(0.5, 0.5), id="one sentence"),
        ],
    )
    def test_where_there_is_nothing_to_draw(
        self, counts: list[tuple[int, int, int]], interval: Interval
    ) -> None:
        assert f1_of(counts) == interval

    def test_it_is_the_same_every_time(self) -> None:
        counts = [(i % 3, 2, 1 + i % 2) for i in range(40)]
        assert f1_of(counts) == f1_of(counts)

    def test_it_is_as_wide_as_theory_says(self) -> None:
        """One entity a sentence, right in 80 of 100: a binomial, ± 1.96 standard errors."""
        interval = f1_of([(1, 1, 1)] * 80 + [(0, 1, 1)] * 20)
        error = 1.96 * (0.8 * 0.2 / 100) ** 0.5
        assert interval.low == pytest.approx(0.8 - error, abs=0.015)
        assert interval.high == pytest.approx(0.8 + error, abs=0.015)

    def test_sentences_are_drawn_and_not_entities(self) -> None:
        """The same entities in fewer, fuller sentences say less."""
        many = f1_of([(1, 1, 1)] * 80 + [(0, 1, 1)] * 20)
        few = f1_of([(10, 10, 10)] * 8 + [(0, 10, 10)] * 2)
        assert few.high - few.low > 2 * (many.high - many.low)

    def test_its_json_says_how_it_was_drawn(self) -> None:
        assert f1_of([(1, 1, 1)]).to_json() == {
            "low": 1.0,
            "high": 1.0,
            "level": 0.95,
            "draws": 1000,
            "seed": 0,
        }


class FixedAligner:
    """Answers from a table, by id: where each source entity went."""

    version = "fixed"

    def __init__(self, places: dict[str, list[Span | None]]) -> None:
        self.places = places
        self.batches: list[list[str]] = []

    def fits(self, sentence: ParallelSentence) -> bool:
        return sentence.id != "long"

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        self.batches.append([sentence.id for sentence in sentences])
        return [
            tuple(
                Projection(entity, place, 0.5 if place else 0.0)
                for entity, place in zip(s.entities or (), self.places[s.id], strict=True)
            )
            for s in sentences
        ]


def named(name: str, source: list[Mark], target: list[Mark]) -> GoldSentence:
    one = gold(source, target)
    return replace(one, sentence=replace(one.sentence, id=name, origin=f"a:{name}"))


class TestEvaluateAligner:
    def evaluate(self) -> ProjectionReport:
        golds = [
            named("1", [(0, 4, "PER")], [(0, 4, "PER")]),
            named("2", [(0, 4, "PER"), (5, 9, "LOC")], [(0, 4, "PER"), (5, 9, "LOC")]),
            named("long", [(0, 4, "PER"), (5, 9, "PER")], [(0, 4, "PER")]),
        ]
        self.aligner = FixedAligner(
            {
                "1": [Span(0, 4)],
                "2": [None, Span(4, 9)],
                "long": [Span(10, 12), Span(13, 15)],
            }
        )
        self.told: list[int] = []
        return evaluate_aligner(self.aligner, golds, batch=2, on_progress=self.told.append)

    def test_the_scores_are_those_of_what_was_projected(self) -> None:
        report = self.evaluate()
        scores = report.scores
        assert (scores.precision, scores.recall) == (1 / 4, 1 / 4)
        assert (scores.relaxed.precision, scores.relaxed.recall) == (2 / 4, 2 / 4)
        assert scores.ceiling == 8 / 9
        assert scores.sentences == 3
        assert 0 <= report.interval.low < scores.f1 < report.interval.high <= 1
        assert report.aligner == "fixed"
        assert report.too_long == 1
        assert report.seconds > 0
        assert report.sentences_per_second == 3 / report.seconds

    def test_sentences_are_handed_over_in_batches(self) -> None:
        self.evaluate()
        assert self.aligner.batches == [["1", "2"], ["long"]]
        assert self.told == [2, 1]

    def test_mistakes_name_the_sentence_and_the_source_entity(self) -> None:
        found = [
            (m.outcome.value, m.sentence.id, m.gold and m.gold.span, m.predicted)
            for m in self.evaluate().mistakes
        ]
        [per, loc] = entities((0, 4, "PER"), (5, 9, "LOC"))
        second = Entity(Span(5, 9), "PER")
        assert found == [
            ("wrong_border", "2", Span(5, 9), Projection(loc, Span(4, 9), 0.5)),
            ("missing", "2", Span(0, 4), None),
            ("wrong_mention", "long", Span(0, 4), Projection(per, Span(10, 12), 0.5)),
            ("spurious", "long", None, Projection(second, Span(13, 15), 0.5)),
        ]

    def test_two_source_entities_at_one_place_are_told_apart(self) -> None:
        golds = [named("1", [(0, 4, "PER"), (5, 9, "PER")], [(0, 4, "PER"), (5, 9, "PER")])]
        aligner = FixedAligner({"1": [Span(0, 4), Span(0, 4)]})
        [mistake] = evaluate_aligner(aligner, golds).mistakes
        assert mistake.outcome is Outcome.WRONG_MENTION
        assert mistake.predicted is not None
        assert mistake.predicted.source.span == Span(5, 9)

    def test_json(self) -> None:
        report = self.evaluate()
        row = json.loads(json.dumps(report.to_json()))
        assert row == {
            **json.loads(json.dumps(report.scores.to_json())),
            "f1_interval": report.interval.to_json(),
            "mistakes": row["mistakes"],
            "aligner": "fixed",
            "too_long": 1,
            "seconds": report.seconds,
            "sentences_per_second": report.sentences_per_second,
        }
        counts = {kind: found["count"] for kind, found in row["mistakes"].items()}
        assert counts == {
            "wrong_border": 1,
            "wrong_mention": 1,
            "wrong_label": 0,
            "missing": 1,
            "spurious": 1,
        }
        assert row["mistakes"]["wrong_border"]["examples"] == [
            {
                "id": "2",
                "origin": "a:2",
                "source": TEXT,
                "target": TEXT,
                "gold": {"start": 5, "end": 9, "text": "xxxx", "label": "LOC"},
                "predicted": {"start": 4, "end": 9, "text": "xxxxx", "label": "LOC", "score": 0.5},
                "projected_from": {"start": 5, "end": 9, "text": "xxxx", "label": "LOC"},
            }
        ]
        [missing] = row["mistakes"]["missing"]["examples"]
        assert missing["predicted"] is missing["projected_from"] is None
        [spurious] = row["mistakes"]["spurious"]["examples"]
        assert spurious["gold"] is None

    @pytest.mark.parametrize("examples", [0, 1, 2, 9])
    def test_the_first_examples_of_each_kind(self, examples: int) -> None:
        golds = [named(str(i), [], [(0, 4, "PER")]) for i in range(4)]
        report = evaluate_aligner(FixedAligner({str(i): [] for i in range(4)}), golds)
        missing = report.to_json(examples)["mistakes"]["missing"]  # type: ignore[index]
        assert missing["count"] == 4
        assert [m["id"] for m in missing["examples"]] == ["0", "1", "2", "3"][:examples]

    def test_nothing_to_score(self) -> None:
        report = evaluate_aligner(FixedAligner({}), [])
        assert (report.scores.f1, report.interval) == (0, Interval(0, 0))
        assert (report.mistakes, report.sentences_per_second) == ((), 0)

    def test_one_answer_for_each_sentence(self) -> None:
        class Forgetful(FixedAligner):
            def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
                return super().align(sentences)[1:]

        with pytest.raises(ValueError, match="shorter"):
            evaluate_aligner(Forgetful({"1": []}), [named("1", [], [])])


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
    ("name", "f1"),
    [
        pytest.param("europarl-ner.en-de", 0.336, id="de"),
        pytest.param("uner-pud-first500.en-zh", 0.290, id="zh"),
    ],
)
def test_exact_match_on_real_gold(shared_data: Path, name: str, f1: float) -> None:
    found = read_gold(shared_data / "projection" / f"{name}.jsonl")
    report = evaluate_aligner(ExactMatch(), found)
    assert report.scores.f1 == pytest.approx(f1, abs=1e-3)
    assert report.scores.relaxed.f1 >= report.scores.f1
    assert all(g.source_tokens is not None and g.target_tokens is not None for g in found)


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
    places: list[str] = []
    found = read_gold(shared_data / "projection" / f"{name}.jsonl", on_skip=places.append)
    assert (len(found), len(places)) == (kept, skipped)
    assert score(found, [()] * len(found)).ceiling == pytest.approx(ceiling, abs=1e-4)
