"""Precision, batches of similar length, and what threads make of them."""

import time
from collections.abc import Iterator
from itertools import chain, pairwise
from threading import Barrier

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModel

from projection.errors import ModelError
from projection.models.computing import by_length, each_batch, in_bfloat16
from projection.models.tagger import Tagger
from tests.projection.models.test_tagger import IOB2, WordTagger

CPU = torch.device("cpu")


@given(st.lists(st.integers(1, 20)), st.integers(1, 60))
def test_batches_are_of_similar_length_and_within_the_budget(
    lengths: list[int], budget: int
) -> None:
    """A batch ends only where one item more would be too much for it."""
    batches = [*by_length(lengths, int, budget)]
    assert [*chain(*batches)] == sorted(lengths)
    assert all(len(batch) * max(batch) <= budget or len(batch) == 1 for batch in batches)
    for batch, after in pairwise(batches):
        assert (len(batch) + 1) * after[0] > budget


class TestEachBatch:
    @pytest.fixture(autouse=True)
    def _threads_as_before(self) -> Iterator[None]:
        before = torch.get_num_threads()
        yield
        torch.set_num_threads(before)

    def test_threads_compute_side_by_side_alone_and_in_order(self) -> None:
        torch.set_num_threads(2)
        both = Barrier(2, timeout=20)

        def work(batch: list[int]) -> int:
            both.wait()
            assert torch.get_num_threads() == 1
            return 10 * batch[0]

        made = [*each_batch([[3], [1], [4], [2]], work, CPU)]
        assert made == [([3], 30), ([1], 10), ([4], 40), ([2], 20)]
        assert torch.get_num_threads() == 2

    @pytest.mark.parametrize("batches", [[], [[5]]])
    def test_a_single_batch_has_all_threads(self, batches: list[list[int]]) -> None:
        torch.set_num_threads(3)
        made = each_batch(batches, lambda _: torch.get_num_threads(), CPU)
        assert [*made] == [(batch, 3) for batch in batches]

    def test_after_an_error_no_further_batch_begins(self) -> None:
        torch.set_num_threads(2)
        begun: list[int] = []

        def work(batch: list[int]) -> None:
            begun.extend(batch)
            time.sleep(0.005)
            raise ModelError("a model", "fails")

        with pytest.raises(ModelError, match="fails"):
            [*each_batch([[n] for n in range(1000)], work, CPU)]
        assert len(begun) < 500
        assert torch.get_num_threads() == 2

    def test_answers_do_not_depend_on_the_threads(self, word_tagger: WordTagger) -> None:
        tagger = Tagger.from_pretrained(word_tagger(IOB2))
        tagger.batch_tokens = 12
        texts = [" ".join(["Anna", "saw", "the", "Berlin"][: 1 + n % 4]) for n in range(20)]
        answers = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            answers.append(tagger.tag(texts, "en"))
        assert answers[0] == answers[1] == answers[2]
        assert any(answers[0])


def test_what_models_share_stays_in_single_precision() -> None:
    """A table of subwords in memory once, which other models read as it is."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 9, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}
    model = AutoModel.from_config(AutoConfig.for_model("bert", **sizes)).eval()
    table = model.get_input_embeddings().weight
    exact = model(torch.tensor([[5, 6, 7]])).last_hidden_state
    in_bfloat16(model)
    assert model.get_input_embeddings().weight is table
    assert table.dtype == torch.float32
    found = model(torch.tensor([[5, 6, 7]])).last_hidden_state
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), exact, atol=0.05)
