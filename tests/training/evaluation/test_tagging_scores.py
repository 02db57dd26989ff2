import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError, ModelError, TrainingError
from projection.text.iob2 import chunks
from training.data.rows import LabelMap, Row, Rows
from training.evaluation.tagging_scores import evaluate, score, source_side
from training.tagger.finetune import FineTune, fine_tune
from training.trainer.settings import LossName


class TestScore:
    def test_counted_by_hand(self) -> None:
        """Four gold entities; five predicted, two of them right."""
        scores = score(
            [
                ["B-PER", "I-PER", "O", "B-LOC"],
                ["B-ORG", "I-ORG", "O", "O"],
                ["O", "B-LOC", "O", "O"],
            ],
            [
                ["B-PER", "I-PER", "O", "B-LOC"],  # both right
                ["B-ORG", "O", "O", "B-LOC"],  # too short; invented
                ["O", "B-PER", "O", "O"],  # wrong type
            ],
        )
        assert (scores.precision, scores.recall) == (2 / 5, 2 / 4)
        assert scores.f1 == pytest.approx(2 * 0.4 * 0.5 / 0.9)
        assert (scores.support, scores.sentences) == (4, 3)
        by_type = {k: (v.precision, v.recall, v.support) for k, v in scores.by_type.items()}
        assert by_type == {"LOC": (0.5, 0.5, 2), "ORG": (0, 0, 1), "PER": (0.5, 1, 1)}

    def test_an_i_without_its_b_is_wrong_and_counted(self) -> None:
        scores = score([["B-PER", "I-PER"]], [["I-PER", "I-PER"]])
        assert (scores.f1, scores.stray_tags) == (0, 1)

    def test_an_i_of_another_type_does_not_continue(self) -> None:
        scores = score([["B-PER", "O"]], [["B-PER", "I-LOC"]])
        assert (scores.f1, scores.stray_tags) == (1, 1)

    @pytest.mark.parametrize(
        ("gold", "predicted"),
        [
            pytest.param(["O"], ["O"], id="nothing to find, nothing found"),
            pytest.param(["B-PER"], ["O"], id="nothing found"),
            pytest.param(["O"], ["B-PER"], id="nothing to find"),
        ],
    )
    def test_dividing_by_nothing_gives_zero_in_silence(
        self, gold: list[str], predicted: list[str]
    ) -> None:
        assert score([gold], [predicted]).f1 == 0

    @given(st.data())
    def test_agrees_with_counting_spans(self, data: st.DataObject) -> None:
        tag = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
        gold, predicted = (data.draw(st.lists(tag, min_size=8, max_size=8)) for _ in "ab")
        right = len({*chunks(gold)} & {*chunks(predicted)})
        scores = score([gold], [predicted])
        assert scores.precision == pytest.approx(right / max(1, len(chunks(predicted))))
        assert scores.recall == pytest.approx(right / max(1, len(chunks(gold))))


@pytest.fixture(scope="module")
def model(
    base: Callable[[str], Path],
    made_data: Callable[[int, int], Rows],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A model of the small language that has seen no name of two words."""
    out = tmp_path_factory.mktemp("scored") / "model"
    settings = FineTune(str(base("bert")), loss=LossName.CE, epochs=6, learning_rate=5e-3)
    one_word_names = [row for row in made_data(500, 1) if "I-" not in str(row.tags)]
    fine_tune(Rows.of(one_word_names), settings, out)
    return out


def sentence(*pairs: tuple[str, str]) -> Row:
    tokens, tags = zip(*pairs, strict=True)
    return Row("1", tokens, tags)


BABADO = ("Babado", "B-PER")  # the small language's names of people begin with Ba


class TestEvaluate:
    def test_scores_a_file_and_says_it_in_json_and_in_words(
        self, model: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "gold.iob2"
        path.write_text("heute\tO\nBabado\tB-PER\n\nund\tO\nKumoku\tB-PER\n")
        scores = evaluate(model, path)
        assert scores.to_json() == {
            "schema": 1,
            "precision": 0.5,
            "recall": 0.5,
            "f1": 0.5,
            "support": 2,
            "by_type": {
                "LOC": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0},
                "PER": {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2},
            },
            "sentences": 2,
            "truncated": 0,
            "unread_tokens": 0,
            "stray_tags": 0,
            "only_in_data": [],
            "only_in_model": ["LOC", "ORG"],
        }
        assert str(scores).splitlines()[2:] == [
            "PER             100.00     50.00     66.67         2",
            "all              50.00     50.00     50.00         2",
            "only in the model, wrong wherever predicted: LOC, ORG",
        ]

    def test_what_is_longer_than_the_model_reads_is_tagged_all_the_same(self, model: Path) -> None:
        """The model reads 64 subwords; here are 30 names of 4 or more."""
        long = sentence(*[pair for _ in range(30) for pair in (("und", "O"), BABADO)])
        scores = evaluate(model, Rows.of([long, sentence(BABADO)]))
        assert scores.truncated == 1
        assert scores.recall > 0.9
        assert "1 of 2 sentences read in windows" in str(scores)

    def test_types_the_model_does_not_know_cost_recall_and_are_named(self, model: Path) -> None:
        scores = evaluate(model, Rows.of([sentence(BABADO, ("und", "O"), ("kam", "B-EVT"))]))
        assert scores.only_in_data == ("EVT",)
        assert scores.by_type["EVT"].support == 1
        assert "only in the data, never predicted: EVT" in str(scores)

    def test_renaming_and_ignoring_make_two_sets_of_types_comparable(self, model: Path) -> None:
        foreign = sentence(
            ("und", "O"), ("Babado", "B-person"), ("und", "O"), ("Kumoku", "B-LOCderiv")
        )
        mapping = LabelMap({"person": "PER"}, ("LOC*", "ORG"))
        scores = evaluate(model, Rows.of([foreign]), labels=mapping)
        assert (scores.f1, scores.only_in_data, scores.only_in_model) == (1, (), ())

    def test_what_nobody_looked_for_is_not_scored(self, model: Path) -> None:
        """The model finds all three names; Kumoku is a place, and Babado is masked once."""
        kumoku, und = ("Kumoku", "O"), ("und", "O")
        row = sentence(und, BABADO, und, kumoku, und, ("Babado", "_"))
        assert evaluate(model, Rows.of([row])).precision < 1
        scores = evaluate(model, Rows.of([replace(row, types=("PER",))]))
        assert (scores.f1, scores.support, scores.sentences) == (1, 1, 1)

    def test_tokens_that_leave_no_subword_are_counted(self, model: Path) -> None:
        scores = evaluate(model, Rows.of([sentence(("\u200b", "O"), BABADO)]))
        assert (scores.unread_tokens, scores.recall) == (1, 1)

    def test_progress_is_counted_in_sentences(self, model: Path) -> None:
        steps: list[int] = []
        evaluate(model, Rows.of([sentence(BABADO)] * 600), on_progress=steps.append)
        assert (sum(steps), len(steps)) == (600, 3)

    def test_nothing_to_score_is_an_error(self, model: Path) -> None:
        with pytest.raises(TrainingError, match="has no sentence"):
            evaluate(model, Rows.of([]))

    def test_a_bare_encoder_is_refused(self, base: Callable[[str], Path]) -> None:
        with pytest.raises(ModelError, match="LABEL_0, LABEL_1"):
            evaluate(base("bert"), Rows.of([sentence(BABADO)]))

    def test_a_missing_model_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="nowhere"):
            evaluate(tmp_path / "nowhere", Rows.of([sentence(BABADO)]))


class TestSourceSide:
    @staticmethod
    def line(text: str, *entities: tuple[int, int, str], **more: object) -> str:
        source = {
            "text": text,
            "entities": [{"start": a, "end": b, "label": label} for a, b, label in entities],
        }
        target = {"text": "Anna", "entities": []}
        sides = {"source": source, "target": target, "source_lang": "en", "lang": "de"}
        return json.dumps({**sides, **more}) + "\n"

    def test_sentences_in_words_with_their_gold(self, tmp_path: Path) -> None:
        for name, text in (
            ("a.jsonl", self.line("J. Weber left.", (0, 8, "PER"), id="one") + self.line("Left.")),
            ("b.jsonl", self.line("In Bern", (3, 7, "LOC"))),
        ):
            (tmp_path / name).write_text(text, encoding="utf-8")
        rows = source_side([tmp_path / "a.jsonl", tmp_path / "b.jsonl"]).rows
        assert [(row.tokens, row.tags) for row in rows] == [
            (("J", ".", "Weber", "left", "."), ("B-PER", "I-PER", "I-PER", "O", "O")),
            (("Left", "."), ("O", "O")),
            (("In", "Bern"), ("O", "B-LOC")),
        ]
        assert (rows[0].id, rows[0].lang) == ("one", "en")

    def test_sides_that_disagree_with_each_other_count(self, tmp_path: Path) -> None:
        """What the translation's annotator thought does not make the source any less gold."""
        path = tmp_path / "gold.jsonl"
        line = self.line("In Bern", (3, 7, "LOC"), consistent_labels=False)
        path.write_text(line, encoding="utf-8")
        assert len(source_side([path])) == 1

    def test_a_line_without_gold_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "plain.jsonl"
        plain = {"source": "In Bern", "target": "In Bern", "source_lang": "en", "lang": "de"}
        path.write_text(json.dumps(plain), encoding="utf-8")
        with pytest.raises(CorpusError, match=r"plain\.jsonl:1"):
            source_side([path])
