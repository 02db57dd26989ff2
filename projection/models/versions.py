"""The version of a model: a hash of everything that shapes its answers."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from weakref import WeakKeyDictionary

from transformers import PreTrainedModel, PreTrainedTokenizerBase

_PIECES_AT_ONCE = 1 << 10  # of a vocabulary
_HASHED_AT_ONCE = 1 << 20  # values: a copy of a whole table of embeddings would be large

# What `_vocabulary_of` has made, with the number of pieces then.
_VOCABULARIES: WeakKeyDictionary[PreTrainedTokenizerBase, tuple[int, bytes]] = WeakKeyDictionary()


def version_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: object) -> str:
    """Twelve hex digits of weights, vocabulary and everything else that shapes an answer."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    digest.update(_vocabulary_of(tokenizer))
    digest.update(json.dumps(model.config.id2label, sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        values = tensor.detach().flatten()
        for part in values.split(_HASHED_AT_ONCE) if len(values) else ():
            # Half precision, so that a model converted to it keeps its version.
            real = part.half() if part.is_floating_point() else part
            digest.update(real.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:12]


def _vocabulary_of(tokenizer: PreTrainedTokenizerBase) -> bytes:
    """Its pieces with their ids, as JSON. Making that stops all threads for a tenth of a second."""
    size, found = _VOCABULARIES.get(tokenizer, (0, b""))
    if size != len(tokenizer):
        found = "".join(_as_json(tokenizer.get_vocab())).encode()
        _VOCABULARIES[tokenizer] = len(tokenizer), found
    return found


def _as_json(vocabulary: Mapping[str, int]) -> Iterator[str]:
    """Yield the parts of `json.dumps(vocabulary, sort_keys=True)`, which stops all threads."""
    pieces = sorted(vocabulary)
    yield "{"
    for first in range(0, len(pieces), _PIECES_AT_ONCE):
        part = {piece: vocabulary[piece] for piece in pieces[first : first + _PIECES_AT_ONCE]}
        yield (", " if first else "") + json.dumps(part)[1:-1]
    yield "}"
