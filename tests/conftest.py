"""Shared by all tests: how they are spread over processes, corpora, and tiny hand-made models.

The models are real checkpoints, in folders, whose answers can be told by looking at a sentence.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from transformers import BertForTokenClassification, PreTrainedTokenizerFast
    from xdist.scheduler import LoadScopeScheduling

# In the background, shells have a command ignore Ctrl-C, and so would what the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# With a test process on each core, more threads would only wait for each other. Set before torch is
# imported; what the tests start inherits it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# It takes each process half a second to have a model computed by OpenVINO: its own tests do.
os.environ.setdefault("SPANFERRY_OPENVINO", "off")

# pytest-xdist tells its workers the width of its terminal, which Rich would keep for good.
os.environ.pop("COLUMNS", None)

# A busy machine is no reason to fail: properties are about what, not how fast.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


IN_BROWSER = {"test_browser.py", "test_interactive.py", "test_propagate.py", "test_report.py"}
POSTGRESQL = "tests/label_studio/test_postgresql.py"  # starts a Label Studio of its own
# What takes long. The first Label Studio creates a database for half a minute, for which "browser"
# and the demo would wait.
FIRST = (
    "label_studio",
    POSTGRESQL,
    "tests/training/aligner/",
    "browser",
    "tests/ml_backend/demo/",
    "tests/training/",
)


def group_of(nodeid: str) -> str:
    """The file; of those that share a real Label Studio, whether they need a browser."""
    file = nodeid.split("::", 1)[0]
    if file == POSTGRESQL or Path(file).parent.name != "label_studio":
        return file
    return "browser" if Path(file).name in IN_BROWSER else "label_studio"


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":
    """Keep a file on one worker, and the files that share a real Label Studio on the same one."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    # Files in their order: by the number of tests, the demo and long trainings would come last.
    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no process is left alone with it at the end."""

    def place(item: pytest.Item) -> int:
        group = group_of(item.nodeid)
        return next((n for n, start in enumerate(FIRST) if group.startswith(start)), len(FIRST))

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _objects_that_stay() -> Iterator[None]:
    """Let the garbage collector look through new objects only.

    Once torch is imported, there are a million, and transformers collects in each training.
    """
    yield
    _, young, old = gc.get_count()
    if old or young > 5:  # the test has made some thousands
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Corpora that are not part of the repository: beside it, or where the environment says."""
    beside = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("SPANFERRY_SHARED_DATA", beside)).resolve()
    if not folder.is_dir():
        pytest.skip(f"no corpora at {folder}; set SPANFERRY_SHARED_DATA to where they are")
    return folder


WORDS = (
    *("Anna", "Weber", "Berlin", "Bern", "Siemens", "Europa", "##parlament", "Zoë", "Ibn", "Sina"),
    *("left", "saw", "and", "the", "of", "in", "verließ", "sah", "und", "das", "von", "fue", "a"),
    *"安娜去柏林和了。.,:;!?()-’",
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST = 160
HIDDEN, CODE = 64, 48  # a token's own code, then one place for its segment, one for the answer
SEGMENT, ANSWER = CODE, CODE + 1


@pytest.fixture(scope="session")
def word_tokenizer() -> "PreTrainedTokenizerFast":
    """Knows the words in WORDS and single letters, with offsets; reads pairs and word lists."""
    from tokenizers import (  # noqa: PLC0415  tests without models should not wait for this
        Tokenizer,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = (*SPECIAL, *WORDS, *letters, *letters.upper(), *(f"##{letter}" for letter in letters))
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.BertNormalizer(lowercase=False, strip_accents=False)]
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=LONGEST,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{token[1:-1].lower()}_token": token for token in SPECIAL},
    )


def zeroed_model(
    tokenizer: "PreTrainedTokenizerFast", tags: list[str]
) -> "BertForTokenClassification":
    """One layer of BERT that changes nothing, in front of a head that says nothing."""
    import torch  # noqa: PLC0415
    from transformers import BertConfig, BertForTokenClassification  # noqa: PLC0415

    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=LONGEST,
        id2label=dict(enumerate(tags)),
        label2id={tag: i for i, tag in enumerate(tags)},
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.fill_(1.0 if name.endswith("LayerNorm.weight") else 0.0)
    return model


@pytest.fixture(scope="session")
def copying_aligner(
    word_tokenizer: "PreTrainedTokenizerFast", tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A pair aligner that finds the words of a name that stand in the translation as they are.

    Each token has a code of its own and attends to its like; what comes back is the segment of
    those it found: only B, or A as well.
    """
    import torch  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("copying-aligner")
    model = zeroed_model(word_tokenizer, ["O", "ENTITY"])
    generator = torch.Generator().manual_seed(0)
    layer = model.bert.encoder.layer[0].attention
    code = torch.arange(CODE)
    with torch.no_grad():
        for row in model.bert.embeddings.word_embeddings.weight:
            signs = torch.tensor([1.0, -1.0]).repeat(CODE // 2)
            row[:CODE] = signs[torch.randperm(CODE, generator=generator)]
        model.bert.embeddings.token_type_embeddings.weight[:, SEGMENT] = torch.tensor([4.0, -4.0])
        layer.self.query.weight[code, code] = 4.0
        layer.self.key.weight[code, code] = 1.0
        layer.self.value.weight[ANSWER, SEGMENT] = 1.0
        layer.output.dense.weight[ANSWER, ANSWER] = 1.0
        model.classifier.weight[1, ANSWER] = 6.0
        model.classifier.bias[1] = 15.0
    model.save_pretrained(folder)
    word_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def word_tagger(
    word_tokenizer: "PreTrainedTokenizerFast", tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Mapping[str, str]], Path]:
    """`word_tagger({"Anna": "B-PER"})`: a checkpoint that tags words of WORDS always alike."""
    import torch  # noqa: PLC0415

    def make(tag_of: Mapping[str, str], tags: tuple[str, ...] = ()) -> Path:
        folder = tmp_path_factory.mktemp("word-tagger")
        tags = tuple(dict.fromkeys(["O", *tag_of.values(), *tags]))
        model = zeroed_model(word_tokenizer, list(tags))
        with torch.no_grad():
            for piece, number in word_tokenizer.get_vocab().items():
                tag = tags.index(tag_of.get(piece, "O"))
                model.bert.embeddings.word_embeddings.weight[number, tag] = 1.0
            model.classifier.weight[:, : len(tags)] = torch.eye(len(tags))
        model.save_pretrained(folder)
        word_tokenizer.save_pretrained(folder)
        return folder

    return make
