"""What is wrong with a checkpoint, in one line: damaged, foreign, pickled, or diverged."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from projection.errors import ModelError, SpanferryError

_PICKLED = (
    "has no safetensors weights, and pickled ones are never loaded",
    "Save it with save_pretrained, on a machine where you trust it",
)
NEEDS_CODE = (
    "needs code of its own, which is never run",
    "Choose a model that transformers has itself",
)
# What we say for messages of transformers, by words they contain.
_REFUSED = {
    "no file named model.safetensors": _PICKLED,
    "use_safetensors": _PICKLED,
    "trust_remote_code": NEEDS_CODE,
}
_LONGEST_REASON = 300  # characters of a library's message


@contextmanager
def errors_named(where: str) -> Iterator[None]:
    """Turn errors of the libraries that load `where` into a ModelError of one line."""
    try:
        yield
    except SpanferryError:
        raise
    except Exception as error:  # of any kind: damaged files trip up the libraries anywhere
        kind = "" if isinstance(error, OSError | RuntimeError) else f"{type(error).__name__}: "
        reason = " ".join(f"{kind}{error}".split())
        what = f"no checkpoint could be loaded ({_shortened(reason)})"
        fix = "Give a folder written by save_pretrained, or a model's name on the hub"
        what, fix = next((ours for mark, ours in _REFUSED.items() if mark in reason), (what, fix))
        raise ModelError(where, what, fix) from error


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]} …"


def check_tokenizer(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, where: str) -> None:
    """Raise ModelError unless the tokenizer can be used, and is the model's."""
    longest, known = tokenizer.model_max_length, _embeddings_of(model)
    if not tokenizer.is_fast:
        what, fix = "its tokenizer keeps no offsets", "Use one with a fast tokenizer"
    elif len(tokenizer) <= len({*tokenizer.all_special_tokens}):
        what, fix = "its tokenizer is missing", "Copy or download the whole folder again"
    elif len(tokenizer) > known:
        what = f"its tokenizer has {len(tokenizer)} subwords, its model only {known}"
        fix = "Give a model with the tokenizer it was trained with"
    elif tokenizer.pad_token is None:
        what = "its tokenizer has no padding token"
        fix = "Set its pad_token, and save it with save_pretrained"
    elif not (isinstance(longest, int | float) and longest > tokenizer.num_special_tokens_to_add()):
        what = f"model_max_length of its tokenizer is {longest!r}"
        fix = "Correct it in tokenizer_config.json: the subwords its model reads at once"
    else:
        return
    raise ModelError(where, what, fix)


def _embeddings_of(model: PreTrainedModel) -> float:
    """The number of subwords that the model has an embedding of."""
    try:
        embeddings = model.get_input_embeddings()
    except NotImplementedError:  # a model of one's own need not tell
        return math.inf
    return len(embeddings.weight)  # type: ignore[arg-type]


def check_finite(answers: Tensor, model: PreTrainedModel) -> Tensor:
    """Return the probabilities; ModelError if they are NaN, as with damaged weights."""
    if not answers.isfinite().all():
        where, what = str(model.config.name_or_path), "its answers are not numbers (NaN)"
        raise ModelError(where, what, "The weights are damaged: download or train it again")
    return answers
