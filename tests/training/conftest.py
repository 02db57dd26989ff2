"""A small language whose names tell their type by how they begin, and tiny models to learn it."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from projection.io.conll import write_iob2
from training.data.rows import Row, Rows

FIRST = {"PER": ("Ba", "Do", "Fi"), "LOC": ("Ku", "Le", "Mo"), "ORG": ("Ra", "Si", "Ta")}
SYLLABLES = ("ba", "do", "fi", "ku", "le", "mo", "ra", "si", "ta")
FILLERS = ("heute", "kam", "und", "sah", "das", "haus", ",", "dort", "lange", ".")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Matrices this small only wait for a second thread; on a busy machine for very long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def made_sentence(rng: random.Random, number: int) -> Row:
    """Fillers and names, mixed; no two names touch."""
    tokens, tags = [], []
    for _ in range(rng.randrange(2, 5)):
        tokens.append(rng.choice(FILLERS))
        tags.append("O")
        label = rng.choice([*FIRST, None])
        if label is not None:
            words = rng.choice((1, 1, 1, 2))
            first = (rng.choice(FIRST[label]) for _ in range(words))
            tokens += [start + "".join(rng.choices(SYLLABLES, k=2)) for start in first]
            tags += [f"B-{label}", *[f"I-{label}"] * (words - 1)]
    return Row(id=str(number), tokens=tuple(tokens), tags=tuple(tags), lang="de")


@pytest.fixture(scope="session")
def made_data() -> Callable[[int, int], Rows]:
    """`made_data(sentences, seed)`: rows in the small language."""

    def make(sentences: int, seed: int) -> Rows:
        rng = random.Random(seed)
        return Rows.of(made_sentence(rng, i) for i in range(sentences))

    return make


@pytest.fixture
def corpus(made_data: Callable[[int, int], Rows], tmp_path: Path) -> Path:
    """An IOB2 file of the small language."""
    return written(made_data(24, 1), tmp_path / "data.iob2")


@pytest.fixture
def held_out(made_data: Callable[[int, int], Rows], tmp_path: Path) -> Path:
    """Another one, with other sentences."""
    return written(made_data(24, 2), tmp_path / "test.iob2")


def written(rows: Rows, path: Path) -> Path:
    write_iob2((row.tagged for row in rows), path)
    return path


@pytest.fixture(scope="session")
def tokenizer(made_data: Callable[[int, int], Rows]) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer trained on the small language: names fall into several subwords."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=SPECIAL, show_progress=False)
    texts = [" ".join(row.tokens) for row in made_data(200, 99)]
    backend.train_from_iterator(texts, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    )


SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SHAPES = {
    "bert": (
        BertModel,
        lambda n: BertConfig(
            vocab_size=n, intermediate_size=64, max_position_embeddings=64, **SIZES
        ),
    ),
    "electra": (
        ElectraModel,
        lambda n: ElectraConfig(
            vocab_size=n,
            embedding_size=16,
            intermediate_size=64,
            max_position_embeddings=64,
            **SIZES,
        ),
    ),
    "roberta": (
        RobertaModel,
        lambda n: RobertaConfig(
            vocab_size=n, intermediate_size=64, max_position_embeddings=66, pad_token_id=1, **SIZES
        ),
    ),
    "distilbert": (
        DistilBertModel,
        lambda n: DistilBertConfig(
            vocab_size=n, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=64
        ),
    ),
}


@pytest.fixture(scope="session")
def base(
    tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """`base("electra")`: the folder of a tiny untrained encoder of that kind."""

    def make(kind: str) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        model_class, config = SHAPES[kind]
        torch.manual_seed(0)
        model_class(config(len(tokenizer))).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make
