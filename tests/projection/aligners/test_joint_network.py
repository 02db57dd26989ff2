"""The network of the joint aligner, on tiny encoders of every kind, against values by hand."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel

from projection.aligners.joint_inputs import PairInputs, TextInputs, batch_of
from projection.aligners.joint_layers import CENTRE_WORDS, IMPOSSIBLE, TEMPERATURE
from projection.aligners.joint_network import (
    BIASED_ATTENTION,
    ENTITY_BEGINS,
    ENTITY_GOES_ON,
    LINK_WEIGHT,
    PAD_MARK,
    SOURCE,
    SPAN_WEIGHT,
    TARGET,
    JointConfig,
    JointModel,
)
from projection.aligners.lexical_evidence import CHANNELS, Grid, Lexicon
from projection.models.checkpoints import quiet
from tests.projection.aligners.joint_models import (
    HEADS,
    KINDS,
    LEXICON,
    plain_model,
    shaken,
    tiny_model,
)

VOCABULARY = 50
PADDING, BEGIN, SEPARATOR = 0, 1, 2
TIES = Lexicon.of({("a", "b"): 1.0, ("c", "d"): 0.25})
kinds = pytest.mark.parametrize("kind", KINDS)
apart_kinds = pytest.mark.parametrize("kind", sorted(BIASED_ATTENTION))
both_ways = pytest.mark.parametrize(
    ("kind", "apart"),
    [*((kind, False) for kind in KINDS), *((kind, True) for kind in sorted(BIASED_ATTENTION))],
)


def made_pair(
    rng: np.random.Generator,
    sources: int,
    targets: int,
    entities: Sequence[tuple[int, int]],
    *,
    apart: bool = False,
) -> tuple[PairInputs, Grid]:
    """A pair of words of one to three tokens, with evidence at random."""
    ids, marks, sides = list[int](), list[int](), []
    blocks = list[int]()
    for number, (count, mark) in enumerate(((sources, SOURCE), (targets, TARGET)), start=1):
        first = len(ids)
        if apart or not ids:
            ids.append(BEGIN)
            marks.append(PAD_MARK)
        words = []
        for _ in range(count):
            size = int(rng.integers(1, 4))
            words.append(list(range(len(ids), len(ids) + size)))
            ids += rng.integers(5, VOCABULARY, size).tolist()
            marks += [PAD_MARK if apart else mark] * size
        sides.append(TextInputs(words, ("x",) * count, [*range(count)]))
        ids.append(SEPARATOR)
        marks.append(PAD_MARK)
        blocks += [number if apart else 1] * (len(ids) - first)
    for start, end in () if apart else entities:
        tokens = [token for word in sides[0].tokens[start:end] for token in word]
        for token in tokens:
            marks[token] = ENTITY_GOES_ON
        marks[tokens[0]] = ENTITY_BEGINS
    grid = rng.random((len(CHANNELS), sources, targets)).astype(np.float32)
    return PairInputs(ids, blocks, marks, sides[0], sides[1], tuple(entities)), grid


def made_pairs(*, apart: bool = False) -> tuple[list[PairInputs], list[Grid]]:
    """Pairs of different lengths; the second has no entity, the third has two."""
    rng = np.random.default_rng(0)
    shapes = [(3, 4, [(1, 3)]), (5, 2, []), (9, 12, [(0, 1), (4, 7)]), (1, 1, [(0, 1)])]
    made = [made_pair(rng, *shape, apart=apart) for shape in shapes]
    pairs, grids = zip(*made, strict=True)
    return list(pairs), list(grids)


def training_batch(*, apart: bool = False) -> dict[str, Tensor]:
    """The pairs with labels, links and weights at random."""
    batch = batch_of(*made_pairs(apart=apart), PADDING)
    torch.manual_seed(2)
    is_source, is_target = (batch[side].sum(-1) > 0 for side in ("source_pool", "target_pool"))
    labels = torch.randint(0, 2, (len(batch["entity_rows"]), is_target.shape[1]))
    words = functional.pad(is_source[:, :, None] & is_target[:, None], (1, 0, 1, 0), value=True)
    return {
        **batch,
        "labels": labels.masked_fill(~is_target[batch["entity_rows"]], -100),
        "links": torch.randint(0, 2, words.shape) * words,
        "weights": torch.rand(len(words)),
    }


class TestPadding:
    @both_ways
    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 3, 1)], ids=str)
    def test_a_pair_is_read_alike_alone_and_beside_longer_ones(
        self, kind: str, apart: bool, order: tuple[int, ...]
    ) -> None:
        model = shaken(tiny_model(kind, VOCABULARY, TIES, apart=apart))
        pairs, grids = ([some[i] for i in order] for some in made_pairs(apart=apart))
        together = model(**batch_of(pairs, grids, PADDING))
        first = 0
        for pair, grid in zip(pairs, grids, strict=True):
            alone = model(**batch_of([pair], [grid], PADDING))
            rows = slice(first, first := first + len(pair.entities))
            words = len(pair.target.tokens)
            for name in ("logits", "agreement"):
                assert torch.allclose(together[name][rows, :words], alone[name], atol=1e-4), name

    @pytest.mark.parametrize("apart", [False, True])
    def test_what_is_compared_there_differs_from_pair_to_pair(self, apart: bool) -> None:
        model = shaken(tiny_model("bert", VOCABULARY, TIES, apart=apart))
        logits = model(**batch_of(*made_pairs(apart=apart), PADDING)).logits
        assert logits[:, 0].std() > 0.05

    def test_the_loss_of_a_pair_is_that_of_its_words_alone(self) -> None:
        model = shaken(tiny_model("bert", VOCABULARY, TIES))
        (pair, *_, longer), (grid, *_, other) = (some[:3] for some in made_pairs())
        labels = torch.tensor([[0, 1, 1, 0]])
        alone = batch_of([pair], [grid], PADDING)
        padded = batch_of([pair, longer], [grid, other], PADDING)
        wide = torch.full((3, 12), -100)
        wide[0, :4] = labels
        links, few = torch.zeros(2, 10, 13), torch.zeros(1, 4, 5)
        links[0, 1, 2] = links[0, 3, 0] = few[0, 1, 2] = few[0, 3, 0] = 1
        padded["weights"] = torch.tensor([1.0, 0.0])  # the longer pair does not count
        expected = model(**alone, labels=labels, links=few).loss
        found = model(**padded, labels=wide, links=links).loss
        assert found.item() == pytest.approx(expected.item(), rel=1e-4)


class TestGradients:
    @both_ways
    def test_everything_learns(self, kind: str, apart: bool) -> None:
        """All that is around the encoder, every mark in use, and every head of its attention."""
        model = shaken(tiny_model(kind, VOCABULARY, TIES, apart=apart))
        model(**training_batch(apart=apart)).loss.backward()
        around = {n: p.grad for n, p in model.named_parameters() if not n.startswith("encoder.")}
        for name, gradient in around.items():
            assert gradient is not None, name
            assert gradient.isfinite().all(), name
        if not apart:
            assert all((row != 0).any() for row in around["marks.weight"])
        heads = HEADS if kind in BIASED_ATTENTION and not apart else 0
        for name in ("grid.direct.weight", "grid.join.weight", "grid.join.bias"):
            assert len(around[name]) == 1 + heads
            assert all((row != 0).any() for row in around[name]), name
        assert not {name for name, gradient in around.items() if not (gradient != 0).any()}

    def test_the_reader_of_grids_learns_from_its_initial_values_on(self) -> None:
        model = tiny_model("bert", VOCABULARY, TIES)
        model(**training_batch()).loss.backward()
        assert (model.grid.join.weight.grad != 0).any()
        assert (model.grid.direct.weight.grad != 0).any()
        assert (model.marks.weight.grad != 0).any()

    def test_a_batch_without_entities_or_links_has_a_loss(self) -> None:
        model = tiny_model("bert", VOCABULARY, TIES)
        pairs, grids = (some[1:2] for some in made_pairs())
        loss = model(
            **batch_of(pairs, grids, PADDING), labels=torch.zeros(0, 2), links=torch.zeros(1, 6, 3)
        ).loss
        loss.backward()
        assert loss.item() == 0

    @pytest.mark.parametrize("apart", [False, True])
    def test_half_precision_is_finite(self, apart: bool) -> None:
        model = shaken(tiny_model("bert", VOCABULARY, TIES, apart=apart))
        with torch.autocast("cpu", torch.bfloat16):
            output = model(**training_batch(apart=apart))
        output.loss.backward()
        assert output.loss.isfinite()
        assert output.logits.isfinite().all()
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


# Two source words and two target words; scores of the pairs, of no source and of no target word.
SCORES = ((2.0, -1.0), (0.5, 1.5))
NULL, REVERSE_NULL = 0.25, -0.5


def model_of_scores() -> JointModel:
    """Its word scores are the first channel of the evidence."""
    model = plain_model(VOCABULARY, TIES)
    with torch.no_grad():
        model.grid.direct.weight[0, LEXICON] = 1.0
        model.nulls.bias.fill_(NULL)
        model.reverse_nulls.bias.fill_(REVERSE_NULL)
    return model


def batch_of_scores(entities: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
    pair, grid = made_pair(np.random.default_rng(0), 2, 2, entities)
    grid[:] = 0
    grid[LEXICON] = SCORES
    return batch_of([pair], [grid], PADDING)


def shares(null: float, scores: Sequence[float]) -> list[float]:
    """The probabilities of a word: of none first, then of each on the other side."""
    whole = sum(map(math.exp, (null, *scores)))
    return [math.exp(score) / whole for score in (null, *scores)]


FORWARD = [shares(NULL, column) for column in zip(*SCORES, strict=True)]  # of each target word
BACKWARD = [shares(REVERSE_NULL, row) for row in SCORES]  # of each source word


class TestByHand:
    def test_a_word_is_the_entitys_as_far_as_its_source_words_are(self) -> None:
        found = model_of_scores()(**batch_of_scores([(0, 1), (1, 2), (0, 2)])).logits
        expected = [
            [math.log(p[1] / (p[0] + p[2])) for p in FORWARD],
            [math.log(p[2] / (p[0] + p[1])) for p in FORWARD],
            [math.log((p[1] + p[2]) / p[0]) for p in FORWARD],
        ]
        assert found.tolist() == [pytest.approx(row, rel=1e-5) for row in expected]

    def test_balance_and_what_entity_and_word_say_whole(self) -> None:
        """The latter: the product of 12 values 0.5 and 12 values 2, over √12."""
        model, batch = model_of_scores(), batch_of_scores([(0, 1)])
        with torch.no_grad():
            model.balance.copy_(torch.tensor([2.0, 0.75]))
            model.member.bias.fill_(0.5)
            model.entity.bias.fill_(2.0)
        words = [math.log(p[1] / (p[0] + p[2])) for p in FORWARD]
        expected = [2 * word + 12 / math.sqrt(12) + 0.75 for word in words]
        assert model(**batch).logits[0].tolist() == pytest.approx(expected, rel=1e-5)

    def test_agreement_is_the_belief_both_directions_share(self) -> None:
        found = model_of_scores()(**batch_of_scores([(0, 1), (0, 2)])).agreement
        both = [[math.sqrt(FORWARD[w][1 + s] * BACKWARD[s][1 + w]) for w in (0, 1)] for s in (0, 1)]
        expected = [both[0], [min(1, a + b) for a, b in zip(*both, strict=True)]]
        assert found.tolist() == [pytest.approx(row, rel=1e-5) for row in expected]

    def test_agreement_is_at_most_1(self) -> None:
        """Two source words that share a target word would give √½ each."""
        batch = batch_of_scores([(0, 1), (0, 2)])
        batch["evidence"][0, LEXICON] = torch.tensor([[20.0, 0.0], [20.0, 0.0]])
        found = model_of_scores()(**batch).agreement
        assert found[:, 0].tolist() == pytest.approx([math.sqrt(0.5), 1.0], abs=1e-4)

    def test_heads_look_from_both_sides_at_words_that_the_evidence_ties(self) -> None:
        """As much more as the reader of grids says, between all tokens of the two words."""
        model, seen = model_of_scores(), []
        with torch.no_grad():
            model.grid.direct.weight[1 + 2, LEXICON] = 0.5  # of the third head
        model.encoder.register_forward_pre_hook(
            lambda _model, _arguments, named: seen.append(named["attention_mask"]),
            with_kwargs=True,
        )
        pair = PairInputs(
            [BEGIN, 7, 8, SEPARATOR, 9, SEPARATOR],
            [1] * 6,
            [PAD_MARK, SOURCE, SOURCE, PAD_MARK, TARGET, PAD_MARK],
            TextInputs([[1, 2]], ("x",), [0]),
            TextInputs([[4]], ("x",), [0]),
            (),
        )
        grid = np.zeros((len(CHANNELS), 1, 1), dtype=np.float32)
        grid[LEXICON] = 1.0
        batch = batch_of([pair], [grid], PADDING)
        batch["blocks"][0, 5] = 0
        model(**batch)
        expected = torch.zeros(1, HEADS, 6, 6)
        for token in (1, 2):
            expected[0, 2, token, 4] = expected[0, 2, 4, token] = 0.5
        expected[..., 5] = IMPOSSIBLE
        assert torch.equal(seen[0], expected)

    def test_an_entity_without_words_is_nowhere(self) -> None:
        output = model_of_scores()(**batch_of_scores([(0, 2), (0, 2)])).logits
        batch = batch_of_scores([(0, 2), (0, 2)])
        batch["entity_words"][1] = 0
        found = model_of_scores()(**batch)
        assert torch.equal(found.logits[0], output[0])
        assert (found.logits[1] < -1000).all()
        assert found.agreement[1].tolist() == [0, 0]

    def test_the_loss_of_spans(self) -> None:
        """Summed over words, averaged over entities; -100 is no word."""
        batch = batch_of_scores([(0, 1), (1, 2)])
        labels = torch.tensor([[1, 0], [-100, 1]])
        inside = [[p[1] for p in FORWARD], [p[2] for p in FORWARD]]
        of_first = -math.log(inside[0][0]) - math.log(1 - inside[0][1])
        of_second = -math.log(inside[1][1])
        found = model_of_scores()(**batch, labels=labels).loss.item()
        assert found == pytest.approx(SPAN_WEIGHT * (of_first + of_second) / 2, rel=1e-5)

    def test_the_loss_of_links(self) -> None:
        """In both directions, averaged over the words that have any; row and column 0 are null."""
        batch, labels = batch_of_scores([]), torch.zeros(0, 2)
        links = torch.zeros(1, 3, 3)
        links[0, 1, 1] = links[0, 2, 1] = 1  # both source words to target word 0
        links[0, 0, 2] = 1  # target word 1 to nothing
        forward = -math.log(FORWARD[0][1] + FORWARD[0][2]) - math.log(FORWARD[1][0])
        backward = -math.log(BACKWARD[0][1]) - math.log(BACKWARD[1][1])
        found = model_of_scores()(**batch, labels=labels, links=links).loss.item()
        assert found == pytest.approx(LINK_WEIGHT * (forward + backward) / 2, rel=1e-4)

    def test_a_word_without_links_does_not_count(self) -> None:
        batch, labels = batch_of_scores([]), torch.zeros(0, 2)
        links = torch.zeros(1, 3, 3)
        links[0, 1, 1] = 1
        expected = -math.log(FORWARD[0][1]) - math.log(BACKWARD[0][1])
        found = model_of_scores()(**batch, labels=labels, links=links).loss.item()
        assert found == pytest.approx(LINK_WEIGHT * expected, rel=1e-4)

    def test_pairs_count_by_their_weights(self) -> None:
        pair, grid = made_pair(np.random.default_rng(0), 2, 2, [(0, 1)])
        grid[:] = 0
        other = grid.copy()
        grid[LEXICON] = SCORES
        batch = batch_of([pair, pair], [grid, other], PADDING)
        labels = torch.tensor([[1, -100], [1, -100]])
        trust = torch.tensor([0.25, 0.75])
        even = shares(NULL, (0, 0))
        expected = -0.25 * math.log(FORWARD[0][1]) - 0.75 * math.log(even[1])
        found = model_of_scores()(**batch, labels=labels, weights=trust).loss.item()
        assert found == pytest.approx(SPAN_WEIGHT * expected, rel=1e-5)


WINDOWS_OF_IT = ((0, 3), (3, 7), (7, 10))  # of the ids of the long pair below


class TestApart:
    @apart_kinds
    def test_a_text_is_encoded_as_it_is_by_itself(self, kind: str) -> None:
        """Whatever the other side is, whatever else is in the batch."""
        model = shaken(tiny_model(kind, VOCABULARY, TIES, apart=True))
        pairs, grids = made_pairs(apart=True)
        batch = batch_of(pairs, grids, PADDING)
        hidden = model.encoded_apart(batch["input_ids"], batch["blocks"])
        for row, pair in enumerate(pairs):
            for block in (1, 2):
                places = [i for i, each in enumerate(pair.blocks) if each == block]
                ids = torch.tensor([[pair.input_ids[place] for place in places]])
                alone = model.encoder(input_ids=ids).last_hidden_state[0]
                assert torch.allclose(hidden[row, places], alone, atol=1e-5)

    @apart_kinds
    def test_so_is_a_window_of_a_long_text(self, kind: str) -> None:
        """In a batch with others, in which it is the one text with windows."""
        model, seen = shaken(tiny_model(kind, VOCABULARY, TIES, apart=True)), list[Tensor]()
        (pair, *_, other), (grid, *_, small) = made_pairs(apart=True)
        ids = [BEGIN, 7, SEPARATOR, BEGIN, 9, 11, SEPARATOR, BEGIN, 8, SEPARATOR]
        long = pair._replace(
            input_ids=ids,
            blocks=[1, 1, 1, 2, 2, 2, 2, 3, 3, 3],
            marks=[PAD_MARK] * 10,
            source=TextInputs([[1], [4, 5]], ("x", "x"), [0, 1]),
            target=TextInputs([[8]], ("x",), [0]),
            entities=((0, 1),),
        )
        model.grid.register_forward_pre_hook(lambda _model, given: seen.append(given[0]))
        logits = model(**batch_of([other, long], [small, grid[:, :2, :1]], PADDING)).logits
        alone = model(**batch_of([other], [small], PADDING)).logits
        assert torch.allclose(logits[:1, : alone.shape[1]], alone, atol=1e-4)

        texts = [model.encoder(input_ids=torch.tensor([ids[a:b]]))[0][0] for a, b in WINDOWS_OF_IT]
        words = torch.stack((texts[0][1], texts[1][1:3].mean(0), texts[2][1]))
        mean = (words.sum(0) + CENTRE_WORDS * model.centre) / (len(words) + CENTRE_WORDS)
        here = functional.normalize(words - mean, dim=1)
        cosines = seen[0][1, len(CHANNELS), :2, 0] * TEMPERATURE
        assert torch.allclose(cosines, here[:2] @ here[2], atol=1e-4)

    def test_two_words_alone_are_compared_around_the_mean_of_words_in_general(self) -> None:
        """Around their own mean they would be opposites, whatever they are."""
        model, seen = tiny_model("bert", VOCABULARY, TIES, apart=True), list[Tensor]()
        model.grid.register_forward_pre_hook(lambda _model, given: seen.append(given[0]))
        pair = PairInputs(
            [BEGIN, 7, SEPARATOR] * 2,
            [1, 1, 1, 2, 2, 2],
            [PAD_MARK] * 6,
            TextInputs([[1]], ("x",), [0]),
            TextInputs([[4]], ("x",), [0]),
            ((0, 1),),
        )
        batch = batch_of([pair], [np.zeros((len(CHANNELS), 1, 1), dtype=np.float32)], PADDING)
        model(**batch)
        assert seen[0][0, len(CHANNELS), 0, 0].item() * TEMPERATURE == pytest.approx(1, abs=1e-4)

    def test_at_first_an_answer_is_that_of_evidence_and_similarity(self) -> None:
        """The learned layers begin without effect: of words, of wholes and of borders."""
        model = tiny_model("bert", VOCABULARY, TIES, apart=True)
        for layer in (model.as_source, model.member, model.borders.join):
            assert not layer.weight.any()
            assert not layer.bias.any()
        batch = batch_of(*made_pairs(apart=True), PADDING)
        before = model(**batch).logits
        with torch.no_grad():
            for layer in (model.borders.of_target, model.borders.of_entity, model.borders.spread):
                layer.weight.normal_()
            model.entity.weight.normal_()
        assert torch.allclose(model(**batch).logits, before, atol=1e-5)

    def test_alike_words_are_found_without_training(self) -> None:
        """The two texts are of the same words in another order, with no evidence but that."""
        model = tiny_model("bert", VOCABULARY, TIES, apart=True)
        source, target = (7, 20, 33, 41), (41, 7, 33, 20)
        pair = PairInputs(
            [BEGIN, *source, SEPARATOR, BEGIN, *target, SEPARATOR],
            [1] * 6 + [2] * 6,
            [PAD_MARK] * 12,
            TextInputs([[1], [2], [3], [4]], ("x",) * 4, [*range(4)]),
            TextInputs([[7], [8], [9], [10]], ("x",) * 4, [*range(4)]),
            tuple((i, i + 1) for i in range(4)),
        )
        grid = np.zeros((len(CHANNELS), 4, 4), dtype=np.float32)
        logits = model(**batch_of([pair], [grid], PADDING)).logits
        assert logits.argmax(1).tolist() == [1, 3, 2, 0]

    def test_a_config_of_before_reads_both_sentences_at_once(self) -> None:
        saved = tiny_model("bert", VOCABULARY, TIES).config.to_dict()
        del saved["apart"]
        assert JointConfig.from_dict(saved).apart is False


class TestInitialValues:
    @kinds
    def test_ties_and_spelling_count_from_the_first_step_on(self, kind: str) -> None:
        model = tiny_model(kind, VOCABULARY, TIES)
        grids = torch.rand(1, len(CHANNELS), 3, 4)
        found = model.grid(grids, torch.ones(1, 1, 3, 4))[0]
        lexicon, stems, spelling, contained, *_ = grids[0]
        scores = 4 * (lexicon + stems + spelling)
        assert torch.allclose(found[0], scores + contained, atol=1e-5)
        for head, bias in enumerate(found[1:]):
            listens = head % 3 == 0
            assert torch.allclose(bias, (scores + 4 * contained) * listens, atol=1e-5)
        assert not model.marks.weight.any()

    def test_the_rest_starts_at_random(self) -> None:
        model = tiny_model("bert", VOCABULARY, TIES)
        for layer in (model.as_target, model.as_source, model.member, model.entity):
            assert layer.weight.std() > 0
        assert model.grid.spread.weight.std() > 0


@both_ways
def test_what_is_saved_is_what_is_loaded(kind: str, apart: bool, tmp_path: Path) -> None:
    model = shaken(tiny_model(kind, VOCABULARY, TIES, apart=apart))
    batch = training_batch(apart=apart)
    before = model(**batch)
    with quiet():
        model.save_pretrained(tmp_path)
        loaded = AutoModel.from_pretrained(tmp_path)
    assert isinstance(loaded, JointModel)
    after = loaded.eval()(**batch)
    for name in ("loss", "logits", "agreement"):
        assert torch.equal(before[name], after[name]), name
    for name in ("keys", "checks", "ties"):
        assert np.array_equal(getattr(loaded.lexicon, name), getattr(TIES, name)), name
