"""Sentences as model inputs, with what is known of each word at its first subword."""

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from projection.errors import TrainingError
from projection.models.windows import pieces
from training.data.rows import Row
from training.tagger.features import (
    Example,
    TargetCollator,
    example_of,
    features_of,
)
from training.trainer.losses import IGNORED
from training.trainer.trainer import TARGETS

TAGS = ("O", "B-PER", "I-PER")


class TestExampleOf:
    def test_a_token_of_several_words_shares_its_weight_and_doubt(self) -> None:
        row = Row("1", ("J.Smith", "kam"), ("B-PER", "O"), "de")
        found = example_of(row, weights=[0.5, 1.0], doubt=0.3)
        assert found.words == ("J", ".", "Smith", "kam")
        assert found.tags == ("B-PER", "I-PER", "I-PER", "O")
        assert found.weights == (0.5, 0.5, 0.5, 1.0)
        assert found.doubts == (0.3,) * 4
        assert found.entities == [(0, 3)]

    def test_nothing_is_known_beyond_the_tags_by_default(self) -> None:
        found = example_of(Row("1", (), ()))
        assert (found.words, found.weights, found.doubts) == ((), None, None)

    def test_one_weight_a_token(self) -> None:
        with pytest.raises(ValueError, match="argument 2"):
            example_of(Row("1", ("a", "b"), ("O", "O")), weights=[1.0])

    def test_one_of_each_a_word(self) -> None:
        with pytest.raises(TrainingError, match=r"“a b”: 1 of something for 2 words"):
            Example(("a", "b"), ("O", "O"), weights=(1.0,))


@pytest.fixture
def examples() -> list[Example]:
    soft = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]], dtype=np.float32)
    return [
        Example(("kam", "Badofi"), ("O", "B-PER"), weights=(1.0, 0.5), soft=soft),
        Example(("das",), (None,), doubts=(0.0,), soft=soft[:1]),
    ]


class TestFeatures:
    def test_stand_at_first_subwords(
        self, examples: list[Example], tokenizer: PreTrainedTokenizerFast
    ) -> None:
        read = pieces([example.words for example in examples], tokenizer, 64)
        first, second = features_of(read, examples, TAGS)
        (kam, one), (name, two) = read[0].first_subwords
        assert (kam, name) == (0, 1)
        assert [first["labels"][one], first["labels"][two]] == [0, 1]
        assert [i for i, n in enumerate(first["labels"]) if n != IGNORED] == [one, two]
        assert first["weights"][two] == 0.5
        assert first["doubts"].tolist() == [1.0] * len(first["labels"])
        assert first["soft_labels"][one].tolist() == pytest.approx([0.8, 0.1, 0.1])
        assert {*second["labels"]} == {IGNORED}

    def test_only_what_some_example_has_is_there(self, tokenizer: PreTrainedTokenizerFast) -> None:
        plain = [Example(("kam",), ("O",))]
        (feature,) = features_of(pieces([("kam",)], tokenizer, 64), plain, TAGS)
        assert not {*TARGETS} & feature.keys()

    def test_all_types_looked_for_are_no_alternatives(
        self, tokenizer: PreTrainedTokenizerFast
    ) -> None:
        whole = [Example(("kam",), ("O",), types=("PER",))]
        (feature,) = features_of(pieces([("kam",)], tokenizer, 64), whole, TAGS)
        assert not {*TARGETS} & feature.keys()

    def test_outside_may_be_a_type_nobody_looked_for(
        self, tokenizer: PreTrainedTokenizerFast
    ) -> None:
        """PER was looked for, LOC was not; in the second sentence all were."""
        tags = (*TAGS, "B-LOC", "I-LOC")
        part = Row("1", ("Badofi", "kam", "x"), ("B-PER", "O", "_"), types=("PER",))
        examples = [example_of(part), example_of(Row("2", ("kam",), ("O",)))]
        read = pieces([example.words for example in examples], tokenizer, 64)
        features = features_of(read, examples, tags)
        (_, name), (_, outside), (_, masked) = read[0].first_subwords
        first, second = (feature["alternatives"] for feature in features)
        assert first[outside].tolist() == [0, 0, 0, 1, 1]
        assert not first[name].any()
        assert features[0]["labels"][masked] == IGNORED
        assert not second.any()
        batch = TargetCollator(tokenizer)(features)
        assert batch["alternatives"].shape == (*batch["labels"].shape, len(tags))
        assert int(batch["alternatives"].sum()) == 2

    @pytest.mark.parametrize("side", ["left", "right"])
    def test_are_padded_alike(
        self, side: str, examples: list[Example], tokenizer: PreTrainedTokenizerFast
    ) -> None:
        before, tokenizer.padding_side = tokenizer.padding_side, side
        try:
            read = pieces([example.words for example in examples], tokenizer, 64)
            features = features_of(read, examples, TAGS)
            batch = TargetCollator(tokenizer)(features)
        finally:
            tokenizer.padding_side = before
        for row, feature in enumerate(features):
            there = batch["attention_mask"][row].bool()
            assert batch["labels"][row][there].tolist() == feature["labels"]
            assert batch["weights"][row][there].tolist() == feature["weights"].tolist()
            np.testing.assert_array_equal(batch["soft_labels"][row][there], feature["soft_labels"])
            assert (batch["labels"][row][~there] == IGNORED).all()
        assert batch["labels"].dtype == torch.int64
