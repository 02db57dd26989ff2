"""All entities of a sentence at once, by a model whose answers can be told by looking."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, processors
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForTokenClassification,
    PreTrainedTokenizerFast,
)

from projection.aligners.confidence import Calibration
from projection.aligners.decoding import DEFAULT, JOINT, Decoding
from projection.aligners.joint import JointAligner
from projection.aligners.lexical_evidence import Lexicon
from projection.errors import ModelError
from projection.models.checkpoints import load_checkpoint
from projection.records import Entity, ParallelSentence, Span
from tests.projection.aligners.joint_models import (
    KINDS,
    LONGEST,
    encoder_folder,
    piece_tokenizer,
    shaken,
    telling_aligner,
    tiny_model,
)

TIES = {
    ("cologne", "koln"): 1.0,
    ("colonia", "koln"): 1.0,
    ("parliament", "parlament"): 1.0,
    ("european", "europaisches"): 1.0,
    **{("berlin", character): 1.0 for character in "柏林"},
    **{("london", character): 1.0 for character in "伦敦"},
}


@pytest.fixture
def aligner(word_tokenizer: PreTrainedTokenizerFast) -> JointAligner:
    return telling_aligner(word_tokenizer, Lexicon.of(TIES))


@pytest.fixture
def folder(aligner: JointAligner, tmp_path: Path) -> Path:
    aligner.save_pretrained(tmp_path / "joint")
    return tmp_path / "joint"


def sentence(
    source: str, target: str, names: Sequence[str] = (), lang: str = "de", source_lang: str = "en"
) -> ParallelSentence:
    """Each time a name is given, its next occurrence in `source` is an entity."""
    entities, seen = [], dict.fromkeys(names, -1)
    for name in names:
        seen[name] = source.index(name, seen[name] + 1)
        entities.append(Entity(Span(seen[name], seen[name] + len(name)), "PER"))
    return ParallelSentence("1", source, target, source_lang, lang, "made:1", tuple(entities))


def targets(aligner: JointAligner, pair: ParallelSentence) -> list[str | None]:
    """What the entities were found to be called, in their order."""
    (found,) = aligner.align([pair])
    assert [p.source for p in found] == list(pair.entities or ())
    return [None if p.target is None else p.target.of(pair.target) for p in found]


class TestAlign:
    def test_each_entity_goes_where_its_words_are(self, aligner: JointAligner) -> None:
        pair = sentence("Anna left Cologne .", "aus Köln ging Anna .", ["Anna", "Cologne"])
        assert targets(aligner, pair) == ["Anna", "Köln"]
        (found,) = aligner.align([pair])
        assert all(p.score > 0.9 for p in found)

    def test_an_entity_of_several_words_is_one_place(self, aligner: JointAligner) -> None:
        name = "European Parliament"
        pair = sentence(f"the {name} saw", "das Europäisches Parlament sah", [name])
        assert targets(aligner, pair) == ["Europäisches Parlament"]

    def test_what_is_not_there_was_not_found(self, aligner: JointAligner) -> None:
        pair = sentence("Anna left Bern", "sie verließ Bern", ["Anna", "Bern"])
        (found,) = aligner.align([pair])
        assert found[0].target is None
        assert found[0].score == 0
        assert found[1].target == Span(12, 16)

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
    def test_mentions_of_one_name_go_in_reading_order(
        self, aligner: JointAligner, order: tuple[int, ...]
    ) -> None:
        """And answers come in the order of the entities, however the corpus sorts them."""
        pair = sentence(
            "Anna saw Bern and Anna", "Anna sah Bern und Anna", ["Anna", "Bern", "Anna"]
        )
        pair = replace(pair, entities=tuple((pair.entities or ())[i] for i in order))
        (found,) = aligner.align([pair])
        assert [p.source for p in found] == list(pair.entities or ())
        assert [p.target for p in found] == [p.source.span for p in found]

    def test_a_mention_too_many_was_not_found(self, aligner: JointAligner) -> None:
        pair = sentence("Anna saw Anna", "Anna sah sie", ["Anna", "Anna"])
        assert targets(aligner, pair) == ["Anna", None]

    @pytest.mark.parametrize(
        ("exclusive", "expected"),
        [
            pytest.param(False, ["Köln", "Köln"], id="each for itself"),
            pytest.param(True, ["Köln", None], id="the surest chooses, nothing is left"),
        ],
    )
    def test_entities_that_want_the_same_word(
        self, aligner: JointAligner, exclusive: bool, expected: list[str | None]
    ) -> None:
        """Both are translated by it; Cologne stands nearer to the diagonal."""
        aligner.decoding = Decoding(threshold=0.01, whole_spans=True, exclusive=exclusive)
        pair = sentence("Cologne and Colonia", "Köln liegt dort", ["Cologne", "Colonia"])
        assert targets(aligner, pair) == expected

    def test_one_answer_a_sentence_in_order_of_all_lengths(self, aligner: JointAligner) -> None:
        aligner.batch_tokens = 30
        counts = [5, 3, 1, 4, 0, 2]
        pairs = [
            sentence("Anna left", "x " * n + "Anna", ["Anna"]) if n % 3 else sentence("a", "b")
            for n in counts
        ]
        found = aligner.align(pairs)
        expected = [[Span(2 * n, 2 * n + 4)] if n % 3 else [] for n in counts]
        assert [[p.target for p in answers] for answers in found] == expected

    def test_neighbours_do_not_change_an_answer(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        model = shaken(tiny_model("bert", len(word_tokenizer), Lexicon.of(TIES)))
        random_one = JointAligner(model, word_tokenizer)
        random_one.batch_tokens = 60
        rng = random.Random(0)
        pairs = [
            sentence("Anna saw Bern", "sah " * rng.randrange(30) + "Anna Bern", ["Anna", "Bern"])
            for _ in range(7)
        ]
        alone = [beliefs for pair in pairs for beliefs in random_one.beliefs([pair])]
        for together, apart in zip(random_one.beliefs(pairs), alone, strict=True):
            assert np.array(together) == pytest.approx(np.array(apart), abs=1e-5)

    def test_no_sentences(self, aligner: JointAligner) -> None:
        assert aligner.align([]) == []

    def test_sentences_without_entities(self, aligner: JointAligner) -> None:
        unseen = replace(sentence("Anna left", "Anna"), entities=None)
        assert aligner.align([sentence("left", "verließ"), sentence("", ""), unseen]) == [()] * 3

    @pytest.mark.parametrize("target", ["", " \n"])
    def test_a_target_without_words(self, aligner: JointAligner, target: str) -> None:
        assert targets(aligner, sentence("Anna left", target, ["Anna"])) == [None]

    def test_an_entity_of_white_space_was_not_found(self, aligner: JointAligner) -> None:
        """With others, and where the sentence has no words at all."""
        assert targets(aligner, sentence("Anna \u2003 left", "Anna", ["Anna", " \u2003 "])) == [
            "Anna",
            None,
        ]
        assert targets(aligner, sentence(" \n ", "Anna sah", ["\n"])) == [None]


class TestLinks:
    @pytest.mark.parametrize("apart", [True, False])
    def test_words_that_both_directions_link(
        self, word_tokenizer: PreTrainedTokenizerFast, apart: bool
    ) -> None:
        aligner = telling_aligner(word_tokenizer, Lexicon.of(TIES), apart=apart)
        words = ["Anna", "left", "Cologne"]
        pair = sentence("Anna left Cologne", "aus Köln ging Anna", words)
        assert aligner.links([pair, sentence("", "")]) == [{(0, 3), (2, 1)}, set()]


class TestOffsets:
    """Spans count code points of the target as it is, whatever the model reads."""

    @pytest.mark.parametrize(
        ("target", "lang"),
        [
            pytest.param("👨‍👩‍👧 und 🎉 Anna sah", "de", id="emoji before"),
            pytest.param("e\u0301te\u0301 Anna", "de", id="combining marks before"),
            pytest.param("verließ\r\nAnna\r\n", "de", id="CRLF"),
            pytest.param("“Anna”, sah", "de", id="touching punctuation"),
            pytest.param("去Anna了", "zh", id="Latin inside Chinese"),
            pytest.param("שלום Anna", "he", id="right to left"),
        ],
    )
    def test_the_span_covers_the_name(self, aligner: JointAligner, target: str, lang: str) -> None:
        assert targets(aligner, sentence("Anna left", target, ["Anna"], lang)) == ["Anna"]

    @pytest.mark.parametrize(
        ("target", "name"),
        [
            pytest.param("安娜去了伦敦。", "伦敦", id="simplified"),
            pytest.param("安娜離開了倫敦。", "倫敦", id="traditional, which the lexicon has not"),
        ],
    )
    def test_chinese(self, aligner: JointAligner, target: str, name: str) -> None:
        assert targets(aligner, sentence("Anna left London .", target, ["London"], "zh")) == [name]

    def test_from_chinese(self, aligner: JointAligner) -> None:
        """The source is read simplified, too: both sides are written alike then."""
        pair = sentence("安娜去了倫敦。", "伦敦和安娜", ["倫敦", "安娜"], "zh", "zh")
        assert targets(aligner, pair) == ["伦敦", "安娜"]

    def test_two_chinese_names_share_no_character(self, aligner: JointAligner) -> None:
        pair = sentence("Berlin and London", "柏林和倫敦", ["London", "Berlin"], "zh")
        assert targets(aligner, pair) == ["倫敦", "柏林"]


class TestLongSentences:
    def test_up_to_the_longest_input_a_pair_fits(self, aligner: JointAligner) -> None:
        """Three special tokens stand around the words of both sides."""
        assert aligner.reader.longest == LONGEST
        assert aligner.fits(sentence("saw " * 100, "sah " * (LONGEST - 103)))
        assert not aligner.fits(sentence("saw " * 100, "sah " * (LONGEST - 102)))

    def test_what_counts_is_what_the_model_reads(self) -> None:
        """A traditional character unknown to the vocabulary is three bytes, its other form one."""
        tokens = ["[PAD]", "[SEP]", "a", "开", *(f"<0x{i:02X}>" for i in range(256))]
        vocabulary = {token: i for i, token in enumerate(tokens)}
        backend = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True))
        backend.post_processor = processors.TemplateProcessing(
            single="$A [SEP]", pair="$A [SEP] $B:1 [SEP]:1", special_tokens=[("[SEP]", 1)]
        )
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=backend, pad_token="[PAD]", sep_token="[SEP]", model_max_length=20
        )
        aligner = telling_aligner(tokenizer, Lexicon.of({}))
        pair = sentence("a", "開" * 17, lang="zh")
        assert len(tokenizer(pair.source, pair.target)["input_ids"]) > 20
        assert aligner.fits(pair)
        assert not aligner.fits(sentence("a", "開" * 18, lang="zh"))
        assert not aligner.fits(sentence("a", "開" * 17, lang="ko"))

    def test_entities_behind_the_cut_are_not_found_and_harm_no_others(
        self, aligner: JointAligner
    ) -> None:
        pair = sentence(f"Anna {'saw ' * 200}Bern", f"Anna {'sah ' * 200}Bern", ["Anna", "Bern"])
        assert targets(aligner, pair) == ["Anna", None]


class TestApart:
    """Each sentence is encoded by itself, a long one in windows."""

    @pytest.fixture
    def apart(self, word_tokenizer: PreTrainedTokenizerFast) -> JointAligner:
        return telling_aligner(word_tokenizer, Lexicon.of(TIES), apart=True)

    def test_entities_go_where_their_words_are(self, apart: JointAligner) -> None:
        pair = sentence("Anna left Cologne .", "aus Köln ging Anna .", ["Anna", "Cologne"])
        assert targets(apart, pair) == ["Anna", "Köln"]

    def test_texts_of_any_length_are_read_whole(self, apart: JointAligner) -> None:
        """1,300 subwords, eight times what the encoder reads at once."""
        source, target = f"Anna {'saw ' * 1_298}Bern", f"Bern {'sah ' * 1_298}Anna"
        pair = sentence(source, target, ["Anna", "Bern"])
        assert apart.fits(pair)
        assert targets(apart, pair) == ["Anna", "Bern"]

    def test_a_short_text_is_read_alike_beside_a_long_one(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        model = tiny_model("bert", len(word_tokenizer), Lexicon.of(TIES), apart=True)
        aligner = JointAligner(shaken(model), word_tokenizer)
        short = sentence("Anna left", "sie verließ Anna", ["Anna"])
        long = sentence(f"Anna {'saw ' * 400}", f"{'sah ' * 400} Anna", ["Anna"])
        (alone,) = aligner.beliefs([short])
        (beside, _) = aligner.beliefs([short, long])
        assert np.array(beside) == pytest.approx(np.array(alone), abs=1e-5)

    def test_no_text_of_the_other_side_or_entity_changes_how_a_word_is_read(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        """What is believed of one entity is the same whether others are asked for, too."""
        model = tiny_model("bert", len(word_tokenizer), Lexicon.of(TIES), apart=True)
        aligner = JointAligner(shaken(model), word_tokenizer)
        texts = "Anna saw Bern", "Bern sah Anna"
        (both,) = aligner.beliefs([sentence(*texts, ["Anna", "Bern"])])
        (one,) = aligner.beliefs([sentence(*texts, ["Anna"])])
        assert np.array(both[0]) == pytest.approx(np.array(one[0]), abs=1e-6)

    @pytest.mark.parametrize("apart", [True, False])
    @pytest.mark.parametrize(
        ("target", "lang", "groups"),
        [
            pytest.param("北京在大学", "zh", [2, 1, 2], id="Chinese"),
            pytest.param("東京", "ja", [2], id="Japanese"),
            pytest.param("서울을", "ko", [2, 1], id="Korean"),
            pytest.param("กรุงเทพมหา", "th", [5, 3], id="Thai"),
        ],
    )
    def test_characters_of_a_subword_have_its_beliefs(
        self, target: str, lang: str, groups: list[int], apart: bool
    ) -> None:
        tokenizer = piece_tokenizer()
        model = tiny_model("bert", len(tokenizer), Lexicon.of({}), apart=apart)
        aligner = JointAligner(shaken(model), tokenizer)
        ((beliefs,),) = aligner.beliefs([sentence("Abc ab", target, ["Abc"], lang)])
        for found in beliefs:
            assert len(found) == sum(groups)
            parts = [found[sum(groups[:i]) : sum(groups[: i + 1])] for i in range(len(groups))]
            assert all(len(set(part)) == 1 for part in parts)
            assert len(set(found)) == len(groups)

    def test_a_name_tied_to_a_subword_is_found_with_all_its_characters(self) -> None:
        aligner = telling_aligner(
            piece_tokenizer(),
            Lexicon.of({("beijing", "北京"): 1.0, ("seoul", "서울"): 1.0}),
            apart=True,
        )
        pair = sentence("Beijing ab", "大学在北京。", ["Beijing"], "zh")
        assert targets(aligner, pair) == ["北京"]

    def test_it_travels_with_the_checkpoint(self, apart: JointAligner, tmp_path: Path) -> None:
        apart.save_pretrained(tmp_path)
        loaded = JointAligner.from_pretrained(tmp_path)
        assert loaded.model.config.apart
        assert loaded.version == apart.version
        assert loaded.beliefs(asked()) == apart.beliefs(asked())

    def test_a_checkpoint_of_before_reads_both_sentences_at_once(
        self, aligner: JointAligner, folder: Path
    ) -> None:
        config = json.loads((folder / "config.json").read_text())
        del config["apart"]
        (folder / "config.json").write_text(json.dumps(config))
        loaded = JointAligner.from_pretrained(folder)
        assert not loaded.model.config.apart
        assert loaded.beliefs(asked()) == aligner.beliefs(asked())


def asked(sentences: int = 3) -> list[ParallelSentence]:
    return [
        sentence("Anna left Cologne", "sah " * n + "Köln Anna", ["Anna", "Cologne"])
        for n in range(sentences)
    ]


CALIBRATION = Calibration((0.5, 0.25, -0.5, 1.0, -0.125), 0.0625)


class TestCheckpoint:
    def test_what_was_saved_answers_alike(self, aligner: JointAligner, folder: Path) -> None:
        loaded = JointAligner.from_pretrained(folder)
        assert loaded.version == aligner.version
        assert loaded.beliefs(asked()) == aligner.beliefs(asked())
        assert loaded.align(asked()) == aligner.align(asked())
        assert not loaded.model.training

    def test_decoding_and_calibration_travel_with_it(
        self, aligner: JointAligner, tmp_path: Path
    ) -> None:
        aligner.decoding = Decoding(threshold=0.25, bridge=3, both_directions=True)
        aligner.calibration = CALIBRATION
        aligner.save_pretrained(tmp_path)
        loaded = JointAligner.from_pretrained(tmp_path)
        assert loaded.decoding == aligner.decoding
        assert loaded.calibration == CALIBRATION
        assert loaded.version == aligner.version

    def test_what_is_passed_wins(self, folder: Path) -> None:
        assert JointAligner.from_pretrained(folder).decoding == JOINT
        assert JointAligner.from_pretrained(folder, DEFAULT).decoding == DEFAULT

    def test_the_lexicon_is_part_of_it(self, folder: Path) -> None:
        loaded = JointAligner.from_pretrained(folder)
        found = loaded.lexicon.grid(["cologne", "berlin"], ["koln", "林"])
        assert found.tolist() == [[1, 0], [0, 1]]

    def test_the_version_changes_with_whatever_changes_answers(self, aligner: JointAligner) -> None:
        seen = [aligner.version]
        aligner.decoding = replace(JOINT, threshold=0.4)
        seen.append(aligner.version)
        aligner.calibration = CALIBRATION
        seen.append(aligner.version)
        aligner.model.lexicon = Lexicon.of({**TIES, ("a", "b"): 0.5})
        seen.append(aligner.version)
        aligner.model.lexicon = Lexicon.of({**TIES, ("a", "b"): 0.25})
        seen.append(aligner.version)
        with torch.no_grad():
            aligner.model.nulls.bias.add_(0.5)
        seen.append(aligner.version)
        assert len(set(seen)) == len(seen)

    def test_how_it_is_run_does_not_change_it(
        self, aligner: JointAligner, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        other = JointAligner(aligner.model, word_tokenizer)
        other.batch_tokens = 1
        assert other.version == aligner.version

    @pytest.mark.parametrize("decoding", [{"treshold": 0.5}, [], 0.5], ids=str)
    def test_a_broken_decoding_is_named(self, folder: Path, decoding: object) -> None:
        change(folder, decoding=decoding)
        with pytest.raises(ModelError, match=r"joint/config\.json decoding: .* Such as"):
            JointAligner.from_pretrained(folder)

    @pytest.mark.parametrize("calibration", [{}, {"weights": {}, "bias": 0}, 1], ids=str)
    def test_a_broken_calibration_is_named(self, folder: Path, calibration: object) -> None:
        change(folder, calibration=calibration)
        with pytest.raises(ModelError, match=r"joint/config\.json.* calibration"):
            JointAligner.from_pretrained(folder)

    def test_another_kind_of_model_is_refused(self, copying_aligner: Path) -> None:
        with pytest.raises(ModelError, match=r"is a bert, not a joint aligner\. Train one on it"):
            JointAligner.from_pretrained(copying_aligner)

    def test_a_folder_without_a_model_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no checkpoint could be loaded"):
            JointAligner.from_pretrained(tmp_path)


def change(folder: Path, **settings: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **settings}))


class TestEncoder:
    @pytest.mark.parametrize("apart", [True, False])
    def test_training_starts_from_the_encoder_as_it_is(
        self, word_tokenizer: PreTrainedTokenizerFast, tmp_path: Path, apart: bool
    ) -> None:
        fresh = JointAligner.from_encoder(
            encoder_folder(tmp_path, word_tokenizer), Lexicon.of(TIES), apart=apart
        )
        encoder = load_checkpoint(AutoModelForTokenClassification, tmp_path)[0].base_model
        weights = fresh.model.encoder.state_dict()
        assert weights
        assert all(torch.equal(encoder.state_dict()[name], w) for name, w in weights.items())
        assert fresh.decoding == JOINT
        assert fresh.model.config.apart is apart
        assert fresh.lexicon.grid(["cologne"], ["koln"]).tolist() == [[1]]

    def test_another_lexicon(self, aligner: JointAligner) -> None:
        aligner.use(Lexicon.of({("a", "b"): 1.0}))
        assert len(aligner.lexicon) == len(aligner.model.lexicon) == 1
        assert aligner.model.config.lexicon_size == 1

    def test_not_every_encoder_can_read_the_sentences_apart(
        self, word_tokenizer: PreTrainedTokenizerFast, tmp_path: Path
    ) -> None:
        config = AutoConfig.for_model(
            "distilbert", vocab_size=len(word_tokenizer), **KINDS["distilbert"]
        )
        AutoModel.from_config(config).save_pretrained(tmp_path)
        word_tokenizer.save_pretrained(tmp_path)
        with pytest.raises(ModelError, match="distilbert cannot encode the sentences apart"):
            JointAligner.from_encoder(tmp_path, Lexicon.of({}), apart=True)
        together = JointAligner.from_encoder(tmp_path, Lexicon.of(TIES), apart=False)
        assert targets(together, sentence("Anna left", "left Anna", [])) == []
