"""Tiny models of several kinds, trained for real on a small made-up language."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForTokenClassification,
    BertModel,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
)

from projection.errors import ModelError, TrainingError
from projection.models.tagger import Tagger
from training.data.rows import LabelMap, Row, Rows
from training.evaluation.tagging_scores import evaluate
from training.tagger.features import example_of
from training.tagger.finetune import (
    FineTune,
    Material,
    fine_tune,
    learn,
)
from training.trainer.settings import LossName
from training.trainer.trainer import STEPS

Base = Callable[[str], Path]
Data = Callable[[int, int], Rows]

KINDS = ["bert", "electra", "roberta", "distilbert"]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
QUICK = FineTune(loss=LossName.CE, epochs=1, batch_size=8, learning_rate=3e-3)


def weights(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Stopped(Exception):  # noqa: N818  not an error: the power went off
    """Raised in the middle of a training."""


class TestFineTune:
    @pytest.mark.parametrize("kind", KINDS)
    def test_learns_the_small_language_and_can_be_loaded_again(
        self, kind: str, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        start, held_out, out = base(kind), made_data(100, 2), tmp_path / "model"
        before = fine_tune(
            made_data(1, 1), replace(QUICK, base=str(start)), tmp_path / "untrained", held_out
        )
        settings = FineTune(str(start), LossName.CE, epochs=10, learning_rate=5e-3)
        result = fine_tune(made_data(300, 1), settings, out, held_out)
        assert before["scores"]["f1"] < 0.2
        assert result["scores"]["f1"] > 0.7
        assert evaluate(out, held_out).to_json() == result["scores"]
        found = Tagger.from_pretrained(out).tag(["heute kam Kumoku und das haus ."], "de")
        assert [(entity.label, entity.span.start) for entity in found[0]] == [("LOC", 10)]

    def test_tokens_of_several_words_are_learnt_word_by_word(
        self, base: Base, tmp_path: Path
    ) -> None:
        """As the tagger will read them: a full stop after a name is part of it here."""
        corpus = [
            Row("1", ("kam", "Ba."), ("O", "B-PER"), lang="de"),
            Row("2", ("kam", ".", "Ba"), ("O", "O", "B-PER"), lang="de"),
        ]
        settings = FineTune(str(base("bert")), LossName.CE, epochs=30, learning_rate=5e-3)
        fine_tune(Rows.of(corpus * 40), settings, tmp_path / "model")
        (words,) = Tagger.from_pretrained(tmp_path / "model").tag_words([["kam", "Ba", "."]])
        assert [word.tag for word in words] == ["O", "B-PER", "I-PER"]

    @pytest.mark.parametrize("loss", [loss for loss in LossName if not loss.learns_from_teachers])
    def test_every_loss_learns(
        self, loss: LossName, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        settings = FineTune(str(base("bert")), loss, epochs=15, learning_rate=5e-3)
        result = fine_tune(made_data(300, 1), settings, tmp_path / "model", made_data(100, 2))
        assert result["scores"]["f1"] > 0.6

    def test_sets_that_annotate_few_types_do_not_teach_the_others_as_outside(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        """Half of the sentences lack places. Read as complete, these halve what is found."""
        whole, part = made_data(150, 1), made_data(150, 2)
        bare = part.mapped(LabelMap({}, ("LOC",)))
        partial = Rows.of(replace(row, types=("ORG", "PER")) for row in bare)
        settings = FineTune(str(base("bert")), LossName.CE, epochs=10, learning_rate=5e-3)
        recall = {}
        for name, rows in (("as complete", bare), ("partial", partial)):
            found = fine_tune(
                Rows.joined(whole, rows), settings, tmp_path / name, made_data(100, 3)
            )
            recall[name] = found["scores"]["by_type"]["LOC"]["recall"]
        assert recall["partial"] > 0.7
        assert recall["partial"] > recall["as complete"] + 0.1

    def test_early_stopping_scores_what_was_looked_for(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        """Without places in the dev part, a model that finds them all the same is right."""
        bare = made_data(60, 2).mapped(LabelMap({}, ("LOC",)))
        dev = Rows.of(replace(row, types=("ORG", "PER"), tags=("_", *row.tags[1:])) for row in bare)
        train = made_data(300, 1)
        settings = FineTune(str(base("bert")), LossName.CE, epochs=8, learning_rate=5e-3)
        material = Material([*map(example_of, train)], train.tag_names, "made", dev=dev)
        record = learn(material, settings, tmp_path / "model")
        assert max(entry["f1"] for entry in record["dev"]) > 0.75

    def test_one_seed_gives_one_model(self, base: Base, made_data: Data, tmp_path: Path) -> None:
        start, data = base("electra"), made_data(40, 1)
        one, again, other = (tmp_path / name for name in ("one", "again", "other"))
        for out, seed in ((one, 1), (again, 1), (other, 2)):
            fine_tune(data, replace(QUICK, base=str(start), seed=seed), out)
        assert same(weights(one), weights(again))
        assert not same(weights(one), weights(other))
        assert (one / "training.json").read_bytes() == (again / "training.json").read_bytes()

    @pytest.mark.parametrize("stop_at", [2, 7], ids=["before a checkpoint", "after one"])
    def test_an_interrupted_training_ends_as_if_nothing_had_happened(
        self, stop_at: int, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        """40 sentences in batches of 8: a checkpoint after every 5 steps."""
        data = made_data(40, 1)
        settings = replace(QUICK, base=str(base("bert")), epochs=2)
        whole = fine_tune(data, settings, tmp_path / "whole")
        steps: list[int] = []

        def stop(_what: str, done: int, _total: int) -> None:
            if done == stop_at:
                raise Stopped

        with pytest.raises(Stopped):
            fine_tune(data, settings, tmp_path / "resumed", on_progress=stop)
        assert not (tmp_path / "resumed").exists()
        resumed = fine_tune(
            data,
            settings,
            tmp_path / "resumed",
            on_progress=lambda _what, done, _total: steps.append(done),
        )
        assert steps == list(range(6 if stop_at == 7 else 1, 11))
        assert same(weights(tmp_path / "whole"), weights(tmp_path / "resumed"))
        assert resumed == whole
        assert {path.name for path in tmp_path.iterdir()} == {"whole", "resumed"}

    def test_a_checkpoint_cut_short_is_passed_over(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        settings = replace(QUICK, base=str(base("bert")), epochs=2)
        steps: list[int] = []

        def stop(_what: str, done: int, _total: int) -> None:
            steps.append(done)
            if done == 7:
                raise Stopped

        with pytest.raises(Stopped):
            fine_tune(made_data(40, 1), settings, tmp_path / "model", on_progress=stop)
        (whole,) = tmp_path.glob(".model.training/checkpoints/checkpoint-5")
        shutil.copytree(whole, whole.with_name("checkpoint-6"))
        (whole.with_name("checkpoint-6") / "trainer_state.json").write_text('{"epo')
        with pytest.raises(Stopped):
            fine_tune(made_data(40, 1), settings, tmp_path / "model", on_progress=stop)
        assert steps == [1, 2, 3, 4, 5, 6, 7, 6, 7]

    def test_other_settings_do_not_resume(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        data, out = made_data(40, 1), tmp_path / "model"
        settings = replace(QUICK, base=str(base("bert")))

        def stop(_what: str, done: int, total: int) -> None:
            if done == total:
                raise Stopped

        with pytest.raises(Stopped):
            fine_tune(data, replace(settings, epochs=2), out, on_progress=stop)
        assert fine_tune(data, settings, out)["steps"] == 5

    def test_accumulated_batches_are_one_large_batch(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        """Sentences differ in length, so averaging batch by batch would show."""
        still = BertForTokenClassification.from_pretrained(
            base("bert"), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
        )
        start = base("bert")
        still.bert.save_pretrained(start)
        data = made_data(40, 1)
        once = replace(QUICK, base=str(start))
        fine_tune(data, once, tmp_path / "once")
        fine_tune(data, replace(once, batch_size=2, accumulate=4), tmp_path / "parts")
        one, parts = weights(tmp_path / "once"), weights(tmp_path / "parts")
        for name, tensor in one.items():
            torch.testing.assert_close(parts[name], tensor, rtol=1e-3, atol=1e-4)

    def test_computes_in_bfloat16_and_saves_in_single_precision(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        settings = replace(QUICK, base=str(base("bert")))
        fine_tune(made_data(40, 1), settings, tmp_path / "single")
        fine_tune(made_data(40, 1), replace(settings, bf16=True), tmp_path / "half")
        half = weights(tmp_path / "half")
        assert {tensor.dtype for tensor in half.values()} == {torch.float32}
        assert not same(half, weights(tmp_path / "single"))

    def test_progress_names_what_is_done(self, base: Base, made_data: Data, tmp_path: Path) -> None:
        seen: list[tuple[str, int, int]] = []
        settings = replace(QUICK, base=str(base("bert")))
        fine_tune(
            made_data(16, 1),
            settings,
            tmp_path / "model",
            made_data(5, 2),
            lambda *progress: seen.append(progress),
        )
        assert seen == [(STEPS, 1, 2), (STEPS, 2, 2), ("sentences scored", 5, 5)]


class TestWhatIsSaved:
    def test_only_weights_that_cannot_run_code(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        fine_tune(made_data(8, 1), replace(QUICK, base=str(base("bert"))), tmp_path / "model")
        assert {path.name for path in (tmp_path / "model").iterdir()} == {
            "README.md",
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "training.json",
        }
        assert [path.name for path in tmp_path.iterdir()] == ["model"]

    def test_the_record_and_the_card_say_what_was_done(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        settings = replace(QUICK, base=str(base("bert")), seed=7)
        result = fine_tune(made_data(8, 1), settings, tmp_path / "model", made_data(8, 2))
        record = json.loads((tmp_path / "model" / "training.json").read_text())
        assert record == json.loads(json.dumps(result))
        assert (record["seed"], record["settings"]["loss"], record["steps"]) == (7, "ce", 1)
        assert record["data"]["fingerprint"] == result["data"]["fingerprint"]
        card = (tmp_path / "model" / "README.md").read_text()
        assert "| loss | ce |" in card
        assert "Strict IOB2 spans" in card

    def test_long_sentences_are_learnt_from_in_windows(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        """The model reads 64 subwords; a zero-width space leaves none."""
        long = Row("long", ("Babado", "und") * 40, ("B-PER", "O") * 40)
        unread = Row("unread", ("Babado", "\u200b", "und"), ("B-PER", "I-PER", "O"))
        settings = replace(QUICK, base=str(base("bert")))
        result = fine_tune(Rows.of([long, unread]), settings, tmp_path / "model")
        data = result["data"]
        assert (data["windowed_sentences"], data["entities"], data["lost_entities"]) == (1, 41, 1)
        assert data["lost_share"] == pytest.approx(1 / 41)


def byte_level(texts: list[str]) -> PreTrainedTokenizerFast:
    """As RoBERTa has: by default it takes the first word for one without a space before it."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    vocabulary = json.loads(backend.to_str())["model"]
    merges = [tuple(pair) for pair in vocabulary["merges"]]
    return RobertaTokenizer(vocab=vocabulary["vocab"], merges=merges, model_max_length=64)


def unigram(texts: list[str]) -> PreTrainedTokenizerFast:
    """As XLM-R has: a word begins with a mark that may be a subword of its own."""
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150, special_tokens=["<pad>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>", model_max_length=64
    )


@pytest.mark.parametrize("make", [byte_level, unigram])
def test_other_kinds_of_tokenizers_train_and_tag_alike(
    make: Callable[[list[str]], PreTrainedTokenizerFast], made_data: Data, tmp_path: Path
) -> None:
    texts = [" ".join(row.tokens) for row in made_data(200, 99)]
    make(texts).save_pretrained(tmp_path / "base")
    config = BertConfig(vocab_size=400, intermediate_size=64, max_position_embeddings=64, **SIZES)
    torch.manual_seed(0)
    BertModel(config).save_pretrained(tmp_path / "base")
    settings = FineTune(str(tmp_path / "base"), LossName.CE, epochs=10, learning_rate=5e-3)
    result = fine_tune(made_data(300, 1), settings, tmp_path / "model", made_data(100, 2))
    assert result["scores"]["f1"] > 0.7
    assert (result["data"]["lost_entities"], result["scores"]["unread_tokens"]) == (0, 0)
    assert "TokenizersBackend" not in (tmp_path / "model" / "tokenizer_config.json").read_text()


def test_byte_level_words_are_read_as_in_running_text(made_data: Data, tmp_path: Path) -> None:
    texts = [" ".join(row.tokens) for row in made_data(200, 99)]
    byte_level(texts).save_pretrained(tmp_path / "base")
    BertModel(BertConfig(vocab_size=400, intermediate_size=64, **SIZES)).save_pretrained(
        tmp_path / "base"
    )
    settings = replace(QUICK, base=str(tmp_path / "base"))
    fine_tune(made_data(8, 1), settings, tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    words = tokenizer(["das", "haus"], is_split_into_words=True).tokens()
    assert words[1:-1] == ["Ġdas", "Ġhaus"]


class TestFreezing:
    @pytest.mark.parametrize("kind", KINDS)
    def test_frozen_layers_stay_the_same_bit_by_bit_and_the_others_do_not(
        self, kind: str, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        start, out = base(kind), tmp_path / "model"
        fine_tune(made_data(40, 1), replace(QUICK, base=str(start), freeze=1), out)
        before, after = weights(start), weights(out)
        prefix = kind + "."
        for name, tensor in before.items():
            if "pooler" in name:
                continue
            frozen = "embeddings" in name or "layer.0." in name
            assert torch.equal(tensor, after[prefix + name]) == frozen, name

    def test_nothing_is_frozen_by_default(
        self, base: Base, made_data: Data, tmp_path: Path
    ) -> None:
        start, out = base("bert"), tmp_path / "model"
        fine_tune(made_data(40, 1), replace(QUICK, base=str(start)), out)
        after = weights(out)
        assert not any(
            torch.equal(tensor, after["bert." + name])
            for name, tensor in weights(start).items()
            if "pooler" not in name and "key.bias" not in name  # a key's bias has no gradient
        )


class TestRefusals:
    def test_a_folder_that_is_there_is_not_overwritten(
        self, made_data: Data, tmp_path: Path
    ) -> None:
        with pytest.raises(TrainingError, match="exists already"):
            fine_tune(made_data(1, 1), QUICK, tmp_path)

    def test_no_sentences(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="training data: has no sentence"):
            fine_tune(Rows.of([]), QUICK, tmp_path / "model")

    def test_nothing_to_score_is_noticed_before_training(
        self, made_data: Data, tmp_path: Path
    ) -> None:
        with pytest.raises(TrainingError, match="evaluation data: has no sentence"):
            fine_tune(made_data(1, 1), QUICK, tmp_path / "model", Rows.of([]))

    def test_a_loss_of_teachers_needs_teachers(self, made_data: Data, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match=r"loss mse: needs teachers\. Use a preset"):
            fine_tune(made_data(1, 1), replace(QUICK, loss=LossName.MSE), tmp_path / "model")

    def test_a_base_that_is_not_there(self, made_data: Data, tmp_path: Path) -> None:
        settings = replace(QUICK, base=str(tmp_path / "nowhere"))
        with pytest.raises(ModelError, match="nowhere: no checkpoint could be loaded"):
            fine_tune(made_data(1, 1), settings, tmp_path / "model")
        assert not [*tmp_path.iterdir()]
