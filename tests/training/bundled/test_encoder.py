"""A multilingual encoder made of an English one, in miniature."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from unicodedata import combining

import pytest
import torch
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    ElectraModel,
    PreTrainedTokenizerFast,
)

from projection.aligners.pair import PairAligner
from projection.records import ParallelSentence, Span
from projection.text.words import word_spans, words_touched
from training.aligner.silver import SilverSentence
from training.bundled.encoder import (
    SPECIAL,
    MiniShape,
    aligned_embeddings,
    electra_config,
    factorise,
    lexicon_of,
    make_mini,
    silver_texts,
    train_tokenizer,
)

SHAPE = MiniShape(vocab_size=120, embedding_size=8, layers=2, max_length=96)


def silver(source: str, target: str, lang: str, **phrases: str) -> SilverSentence:
    """With the words of each phrase linked, all to all."""
    spans = tuple(
        (
            Span(source.index(a), source.index(a) + len(a)),
            Span(target.index(b), target.index(b) + len(b)),
        )
        for a, b in phrases.items()
    )
    words = word_spans(source, "en"), word_spans(target, lang)
    links = frozenset(
        (i, j)
        for a, b in spans
        for i in range(*words_touched(words[0], a) or ())
        for j in range(*words_touched(words[1], b) or ())
    )
    return SilverSentence(source, target, lang, spans, links)


SILVER = [
    silver("Anna saw Bern .", "Anna sah Bern .", "de", Anna="Anna", saw="sah", Bern="Bern"),
    silver("the house and Anna", "das Haus und Anna", "de", house="Haus"),
    silver("Anna left Berlin", "安娜离开了柏林", "zh", Anna="安娜", Berlin="柏林"),
    silver("Zoë left", "Zoë se fue", "es", Zoë="Zoë"),
] * 10
TEXTS = list(silver_texts(SILVER))


@pytest.fixture(scope="module")
def english(
    word_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A tiny English BERT: three layers of 32, untrained."""
    folder = tmp_path_factory.mktemp("english")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(word_tokenizer),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=128,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    word_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def mini(english: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """What `make_mini` wrote, and the share it says it kept."""
    folder = tmp_path_factory.mktemp("mini")
    return folder, make_mini(SILVER, english, folder, SHAPE, steps=300)


@pytest.fixture(scope="module")
def made_tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, SHAPE)


class TestTokenizer:
    def test_special_tokens_come_first(self, made_tokenizer: PreTrainedTokenizerFast) -> None:
        assert made_tokenizer.convert_tokens_to_ids(list(SPECIAL)) == [0, 1, 2, 3, 4]
        assert (made_tokenizer.pad_token, made_tokenizer.cls_token) == ("[PAD]", "[CLS]")

    def test_a_pair_is_two_segments(self, made_tokenizer: PreTrainedTokenizerFast) -> None:
        encoded = made_tokenizer("Anna", "Bern")
        tokens = made_tokenizer.convert_ids_to_tokens(encoded["input_ids"])
        assert (tokens[0], tokens[-1], tokens.count("[SEP]")) == ("[CLS]", "[SEP]", 2)
        first_sep = tokens.index("[SEP]")
        types = encoded["token_type_ids"]
        assert types == [0] * (first_sep + 1) + [1] * (len(tokens) - first_sep - 1)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("Anna sah Bern.", id="words"),
            pytest.param("安娜离开了柏林", id="Chinese"),
            pytest.param("🎉 Anna 👨‍👩‍👧 Bern", id="emoji it never saw"),
            pytest.param("Zoe\u0308 sah", id="decomposed letters"),
            pytest.param("Anna\r\n\tBern  ", id="white space"),
        ],
    )
    def test_offsets_cover_every_letter(
        self, made_tokenizer: PreTrainedTokenizerFast, text: str
    ) -> None:
        encoded = made_tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        covered = {i for a, b in encoded["offset_mapping"] for i in range(a, b)}
        # A combining mark may go uncounted where it was composed into its letter.
        letters = {i for i, c in enumerate(text) if not (c.isspace() or combining(c))}
        assert letters <= covered <= set(range(len(text)))

    def test_no_piece_crosses_white_space_or_a_full_stop(
        self, made_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        pieces = [piece.removeprefix("▁") for piece in made_tokenizer.get_vocab()]
        assert not any("▁" in piece or (len(piece) > 1 and "." in piece) for piece in pieces)

    def test_chinese_characters_stand_alone(self, made_tokenizer: PreTrainedTokenizerFast) -> None:
        """A piece of two could straddle the border of a name."""
        encoded = made_tokenizer(
            "安娜 sah柏林", add_special_tokens=False, return_offsets_mapping=True
        )
        ends = [span[1] for span in encoded["offset_mapping"]]
        assert {1, 2, 7, 8} <= set(ends)

    def test_training_says_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Standard output belongs to the answer of a command."""
        train_tokenizer([s.source for s in SILVER], SHAPE)
        assert capfd.readouterr().out == ""


class TestLexicon:
    def test_what_stood_for_what_how_often(self) -> None:
        lexicon, seen = lexicon_of(SILVER)
        assert lexicon["安娜"] == Counter({"Anna": 10})
        assert lexicon["安"] == lexicon["娜"] == Counter({"Anna": 10})
        assert lexicon["Haus"] == Counter({"house": 20})  # as a phrase, and as a linked word
        assert "und" not in lexicon
        assert seen["Anna"] == 50  # two of three English sentences, two of two German ones, …
        assert (seen["安"], seen["安娜"], seen["und"]) == (10, 0, 10)

    def test_links_are_enough_and_possible_ones_do_not_count(self) -> None:
        linked = SilverSentence(
            "Anna left", "安娜離開", "zh", (), frozenset({(1, 2)}), frozenset({(0, 0)})
        )
        lexicon, seen = lexicon_of([linked])
        assert lexicon == {"离": Counter({"left": 1})}  # as it is read: simplified
        assert "離" not in seen


def test_a_piece_starts_as_what_it_translates(
    english: Path, word_tokenizer: PreTrainedTokenizerFast
) -> None:
    """Here both tokenizers have the same words, so that pieces can be told apart."""
    torch.manual_seed(0)
    model = BertModel.from_pretrained(english, add_pooling_layer=False)
    lexicon, seen = lexicon_of(SILVER)
    start = aligned_embeddings(word_tokenizer, lexicon, seen, model, word_tokenizer)
    old = model.embeddings.word_embeddings.weight.detach()

    def likeness(piece: str, word: str) -> float:
        number, other = word_tokenizer.convert_tokens_to_ids([piece, word])
        return float(torch.cosine_similarity(start[number], old[other], dim=0))

    assert start.shape == (len(word_tokenizer), 32)
    assert likeness("sah", "saw") == pytest.approx(1, abs=1e-4)
    assert likeness("安", "Anna") == pytest.approx(1, abs=1e-4)
    assert likeness("[SEP]", "[SEP]") == pytest.approx(1, abs=1e-4)
    assert likeness("sah", "sah") < 0.6


class TestMini:
    def test_the_share_kept_is_a_share(self, mini: tuple[Path, float]) -> None:
        """And 8 columns hold most of what 32 random ones say of some dozens of pieces."""
        assert 0.2 < mini[1] <= 1

    def test_it_is_an_encoder_anyone_can_load(self, mini: tuple[Path, float]) -> None:
        encoder = AutoModel.from_pretrained(mini[0])
        tokenizer = AutoTokenizer.from_pretrained(mini[0])
        assert isinstance(encoder, ElectraModel)
        assert (encoder.config.num_hidden_layers, encoder.config.embedding_size) == (2, 8)
        assert encoder.config.max_position_embeddings == tokenizer.model_max_length == 96
        assert encoder.config.vocab_size == len(tokenizer)
        answer = encoder(**tokenizer("Anna", "安娜", return_tensors="pt")).last_hidden_state
        assert answer.shape[-1] == 32
        assert bool(answer.isfinite().all())

    def test_the_lower_layers_are_the_english_ones(
        self, mini: tuple[Path, float], english: Path
    ) -> None:
        made, old = AutoModel.from_pretrained(mini[0]), AutoModel.from_pretrained(english)
        for new_layer, old_layer in zip(made.encoder.layer, old.encoder.layer, strict=False):
            weights = old_layer.state_dict()
            assert all(torch.equal(w, weights[k]) for k, w in new_layer.state_dict().items())

    def test_the_tokenizer_keeps_offsets(self, mini: tuple[Path, float]) -> None:
        tokenizer = AutoTokenizer.from_pretrained(mini[0])
        text = "Zoe\u0308 sah 🎉 Bern"
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        assert encoded["offset_mapping"][-1][1] == len(text)

    def test_an_aligner_can_start_from_it(self, mini: tuple[Path, float]) -> None:
        aligner = PairAligner.from_encoder(mini[0])
        pair = ParallelSentence("1", "Anna", "安娜离开了", "en", "zh", "made:1", ())
        assert aligner.fits(pair)
        assert aligner.align([pair]) == [()]


@pytest.mark.parametrize(
    ("columns", "least", "most"),
    [pytest.param(2, 0, 0.5, id="two columns"), pytest.param(32, 0.9, 1, id="all columns")],
)
def test_the_wider_the_table_the_more_is_kept(
    english: Path, columns: int, least: float, most: float
) -> None:
    """Of unrelated pieces in 32 dimensions."""
    torch.manual_seed(0)
    model = BertModel.from_pretrained(english, add_pooling_layer=False).eval()
    config = electra_config(
        model, train_tokenizer(TEXTS, SHAPE), replace(SHAPE, embedding_size=columns)
    )
    kept = factorise(
        torch.randn(config.vocab_size, 32), model, ElectraModel(config).eval(), steps=300
    )
    assert least < kept <= most
