"""Lower layers of encoders of several shapes, frozen and free."""

import pytest
from transformers import (
    BertConfig,
    BertForTokenClassification,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedModel,
)

from projection.errors import ModelError
from training.trainer.freezing import freeze_lower_layers

SIZES = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 1,
    "intermediate_size": 8,
}


@pytest.fixture
def model() -> BertForTokenClassification:
    return BertForTokenClassification(BertConfig(**SIZES))


def frozen(model: PreTrainedModel) -> set[str]:
    """The parts of the encoder, and the numbers of its layers, that are wholly frozen."""
    free = {name for name, p in model.base_model.named_parameters() if p.requires_grad}
    every = {name for name, _ in model.base_model.named_parameters()}

    def part(name: str) -> str:
        first, *rest = name.split(".")
        return rest[1] if rest[0] == "layer" else first

    return {part(name) for name in every} - {part(name) for name in free}


def test_the_lowest_layers_and_the_embeddings(model: BertForTokenClassification) -> None:
    freeze_lower_layers(model, 2)
    assert frozen(model) == {"embeddings", "0", "1"}
    assert all(p.requires_grad for p in model.classifier.parameters())


def test_no_layer_is_nothing_at_all(model: BertForTokenClassification) -> None:
    freeze_lower_layers(model, 0)
    assert frozen(model) == set()


def test_embeddings_may_be_left_free(model: BertForTokenClassification) -> None:
    freeze_lower_layers(model, 1, embeddings=False)
    assert frozen(model) == {"0"}


def test_embeddings_have_a_projection_in_electra() -> None:
    model = ElectraModel(ElectraConfig(**SIZES, embedding_size=4))
    freeze_lower_layers(model, 1)
    assert frozen(model) == {"embeddings", "embeddings_project", "0"}


def test_layers_are_found_whatever_they_are_called() -> None:
    config = DistilBertConfig(vocab_size=20, dim=8, n_layers=3, n_heads=1, hidden_dim=8)
    model = DistilBertModel(config)
    freeze_lower_layers(model, 2)
    assert frozen(model) == {"embeddings", "0", "1"}


def test_more_layers_than_there_are_is_an_error(model: BertForTokenClassification) -> None:
    freeze_lower_layers(model, 3)
    with pytest.raises(ModelError, match=r"bert: has 3 layers, not 4\. At most 3"):
        freeze_lower_layers(model, 4)
