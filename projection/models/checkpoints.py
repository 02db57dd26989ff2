"""Loading checkpoints from a folder or the hub."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, Self, TypeVar
from weakref import WeakValueDictionary

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging
from transformers.utils.hub import cached_file

from projection.errors import ModelError
from projection.interchange.portable import make_portable, push_folder, saved_tokenizer
from projection.models.checkpoint_checks import check_tokenizer, errors_named
from projection.models.computing import (
    Item,
    Made,
    by_length,
    each_batch,
    has_bfloat16,
    in_bfloat16,
    tokens_at_once,
)
from projection.models.openvino import in_eight_bits
from projection.models.packed_weights import (
    STORAGE,
    Storage,
    read_packed,
    shared_folder,
    weights_name,
)

Model = TypeVar("Model", bound=PreTrainedModel)


# Without this, transformers asks on a terminal whether code of the checkpoint may run.
_NO_CODE = {"trust_remote_code": False}
# Else it sends the names of models without safetensors to a service that converts them.
os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
# oneDNN keeps the code it makes for matrices of a thousand shapes, half a megabyte each: batches of
# text are of ever new ones.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")


class Checkpoint(Generic[Model]):
    """A model with its tokenizer, in evaluation mode, saved and uploaded together."""

    def __init__(self, model: Model, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model: Model = model.eval()  # type: ignore[no-untyped-call]
        self.tokenizer = tokenizer
        self._answering_as: str | None = None
        self.batch_tokens = tokens_at_once(model.device)

    def batches(self, items: Iterable[Item], length: Callable[[Item], int]) -> Iterator[list[Item]]:
        """`by_length` of items whose `length` is in subwords, up to `batch_tokens` at once."""
        return by_length(items, length, self.batch_tokens)

    def each_batch(
        self,
        items: Iterable[Item],
        length: Callable[[Item], int],
        work: Callable[[list[Item]], Made],
    ) -> Iterator[tuple[list[Item], Made]]:
        """The `batches`, each with what `work` makes of it."""
        return each_batch([*self.batches(items, length)], work, self.model.device)

    @property
    def version(self) -> str:
        """A hash of weights, settings and labels: changes whenever an answer could."""
        return self._answering_as or self._version()

    def _version(self) -> str:
        raise NotImplementedError

    def for_answers(self) -> Self:
        """Compute in less precision, which is faster: on CPUs with OpenVINO in eight bits.

        Elsewhere in bfloat16, where the machine has it. Probabilities then differ in their second
        or third digit, and the version stays. Such a model must not be trained or saved.
        """
        self._answering_as = self.version
        if (encoder := self._encoder) is None:
            return self
        where = str(self.model.config.name_or_path)
        with quiet():
            rounded = in_eight_bits(encoder, self.tokenizer, first_position(encoder), where)
        if not rounded and has_bfloat16():
            in_bfloat16(encoder)
        return self

    @property
    def _encoder(self) -> PreTrainedModel | None:
        """The part of the model that takes the time, if it can do with less precision."""
        return self.model

    def _settings(self) -> dict[str, object]:
        """Settings to save in the configuration."""
        return {}

    def save_pretrained(self, folder: str | Path) -> None:
        """Write weights (safetensors), configuration with the settings, and tokenizer."""
        self.model.config.update(self._settings())
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        make_portable(Path(folder))

    def push_to_hub(self, repository: str) -> None:
        """Upload what `save_pretrained` writes to the hub."""
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            push_folder(Path(folder), repository)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the logs and progress bars of transformers."""
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


# While it loads, transformers replaces `PreTrainedModel.tie_weights`. Two threads that load at once
# may leave it replaced, so that later models have no tied weights.
_LOADING = threading.RLock()

# Tokenizers in use, by what `saved_tokenizer` says of them: one takes over 100 MB, and to load it
# stops all threads for a quarter of a second, twice.
_TOKENIZERS: WeakValueDictionary[str, PreTrainedTokenizerBase] = WeakValueDictionary()


def load_checkpoint(
    auto_class: Any,  # one of transformers' AutoModel classes, which share no typed base
    name_or_path: str | Path,
    *,
    trained: bool = False,
    **settings: Any,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model in single precision, and its tokenizer, which must be a fast one.

    A head or a pooling layer that the checkpoint lacks is random; with `trained` that is an error.
    `settings` are of the configuration, or passed on to `from_pretrained`.
    """
    where = str(name_or_path)
    tokenizer = load_tokenizer(where)
    with loading(where):
        model, random = _load_model(auto_class, where, settings)
        check_tokenizer(tokenizer, model, where)
    head = model.base_model_prefix if model.base_model is not model else ""
    lost = [n for n in random if trained or (n.startswith(head) and "pooler" not in n)]
    if lost:
        what = f"{len(lost)} of its weights are missing or of another shape ({min(lost)})"
        raise ModelError(where, what, "Train it first, or copy or download the whole folder again")
    return model, tokenizer


def load_tokenizer(name_or_path: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint.

    Equal ones that we have saved are in memory once: never change its settings.
    """
    where = str(name_or_path)
    with loading(where):
        storage = _storage_of(where)
        shared = None if storage is None else shared_folder(_folder_of(where), storage)
        folder = where if shared is None else str(shared)
        if (key := saved_tokenizer(Path(folder))) is None:
            return _tokenizer_in(folder)
        if (tokenizer := _TOKENIZERS.get(key)) is None:
            tokenizer = _TOKENIZERS[key] = _tokenizer_in(folder)
        return tokenizer


def _storage_of(where: str) -> Storage | None:
    """How the weights are packed; None if they are not."""
    config, _ = PreTrainedConfig.get_config_dict(where)
    storage: Storage | None = config.get(STORAGE)
    return storage


def _folder_of(where: str) -> Path:
    """The folder itself, or the one in the hub's cache."""
    return Path(str(cached_file(where, "config.json"))).parent


def load_config(name_or_path: str | Path) -> PreTrainedConfig:
    """The configuration of a checkpoint, which names the kind of model."""
    with loading(str(name_or_path)):
        config: PreTrainedConfig = AutoConfig.from_pretrained(name_or_path, **_NO_CODE)
    return config


@contextmanager
def loading(where: str, config: str = "config.json") -> Iterator[None]:
    """Load without logs, one thread at a time; errors of the libraries are a ModelError.

    `config` is a file that such a checkpoint has.
    """
    with errors_named(where), quiet(), _LOADING:
        _check_exists(where, config)
        yield


def _check_exists(name_or_path: str, config: str) -> None:
    """Ask the hub once for a model that is not local; transformers retries for a minute."""
    if Path(name_or_path).is_dir() or try_to_load_from_cache(name_or_path, config):
        return
    try:
        get_hf_file_metadata(hf_hub_url(name_or_path, config))
    except Exception as error:  # the hub client does not document which ones
        raise OSError(f"no folder, and from the hub: {error}") from error


def _load_model(
    auto_class: Any, where: str, settings: Mapping[str, Any]
) -> tuple[PreTrainedModel, set[str]]:
    """The model, and the names of weights that are not those of the checkpoint."""
    storage = _storage_of(where)
    if storage is not None and "identity" in storage:
        what = "holds embeddings that models share, not a model"
        raise ModelError(where, what, "Give the folder of a model")
    config, others = AutoConfig.from_pretrained(
        where, return_unused_kwargs=True, **settings, **_NO_CODE
    )
    how: dict[str, Any] = {"config": config, "dtype": torch.float32, "output_loading_info": True}
    if storage is None:
        model, info = auto_class.from_pretrained(
            where, use_safetensors=True, **how, **_NO_CODE, **others
        )
        return model, info["missing_keys"] | {name for name, *_ in info["mismatched_keys"]}
    delattr(config, STORAGE)  # the model is no longer packed when it is saved again
    file = Path(str(cached_file(where, weights_name(storage, where))))
    weights = read_packed(file.parent, storage)
    # Unlike an Auto class, the class it chooses takes weights from memory.
    chosen: type[PreTrainedModel] = auto_class
    if not issubclass(auto_class, PreTrainedModel):
        with torch.device("meta"):
            chosen = type(auto_class.from_config(config))
    loaded: Any = chosen.from_pretrained(None, state_dict=weights, **how, **others)
    model, info = loaded
    model.config.name_or_path = where
    return model, info["missing_keys"]


def _tokenizer_in(name_or_path: str) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name_or_path, **_NO_CODE)
    if tokenizer.init_kwargs.get("word_case"):  # as the English teachers of earlier versions
        what = "it reads letter case as token types, which are not made any more"
        raise ModelError(name_or_path, what, "Train it again: spanferry train --base mini")
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    # By its name, because the package `tokenizers` is no direct dependency.
    if type(getattr(backend, "pre_tokenizer", None)).__name__ == "ByteLevel":
        # Byte-level BPE must see every word as in running text: after a space.
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, add_prefix_space=True, **_NO_CODE)
    return tokenizer


def longest_input(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, wanted: int | None = None
) -> int:
    """The subwords a model can read at once, special ones included, and at most `wanted`."""
    limits = [tokenizer.model_max_length, *(() if wanted is None else (wanted,))]
    if (positions := getattr(model.config, "max_position_embeddings", None)) is not None:
        limits.append(positions - first_position(model))
    return int(min(limits))


def first_position(model: PreTrainedModel) -> int:
    """The number of the first position: RoBERTa counts from after its padding index."""
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else padding + 1
