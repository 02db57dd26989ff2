"""Reviewed sentences as spaCy's DocBin, with our words, for `spacy train`."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from projection.errors import TrainingError
from projection.records import Entity, ParallelSentence
from projection.text.iob2 import decode
from training.data.rows import Row

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span
    from spacy.vocab import Vocab


_BESIDE = ("id", "lang", "status", "annotator", "model_version", "origin")


def write_docbin(rows: Iterable[tuple[ParallelSentence, Row]], path: Path) -> None:
    """Write target sentences with their entities, and the other fields of a Row as `Doc.user_data`.

    The text of a Doc is the target, so white space other than single spaces is a token, and so are
    invisible characters outside of words.
    TrainingError if spaCy is not installed, or an entity is not made of its words.
    """
    require_spacy()
    from spacy.tokens import DocBin  # noqa: PLC0415
    from spacy.vocab import Vocab  # noqa: PLC0415

    vocab = Vocab()  # of no language: the words are ours
    docs = [_doc(sentence.target, row, vocab) for sentence, row in rows]
    path.parent.mkdir(exist_ok=True)
    DocBin(docs=docs, store_user_data=True).to_disk(path)


def require_spacy() -> None:
    """Raise a TrainingError if spaCy is not installed."""
    if find_spec("spacy") is None:
        raise TrainingError("--spacy", "spaCy is not installed", "pip install 'spanferry[spacy]'")


def _visible_and_not(text: str, tokens: Iterable[str]) -> Iterator[str]:
    """Yield `tokens`, and what stands between them but for white space."""
    done = 0
    for token in tokens:
        start = text.index(token, done)
        yield from text[done:start].split()
        yield token
        done = start + len(token)
    yield from text[done:].split()


def _span(doc: "Doc", entity: Entity, row: Row) -> "Span":
    found = doc.char_span(entity.span.start, entity.span.end, entity.label)
    if found is None:
        what = f"{entity.label} {entity.span} does not end where words of {doc.text!r} do"
        fix = "Report this, and export without --spacy"
        raise TrainingError(f"{row.origin} {row.id}", what, fix)
    return found


def _doc(text: str, row: Row, vocab: "Vocab") -> "Doc":
    from spacy.tokens import Doc  # noqa: PLC0415
    from spacy.util import get_words_and_spaces  # noqa: PLC0415

    words, spaces = get_words_and_spaces([*_visible_and_not(text, row.tokens)], text)
    doc = Doc(vocab, words, spaces)
    doc.set_ents([_span(doc, entity, row) for entity in decode(text, row.tags, row.lang)])
    doc.user_data |= {name: getattr(row, name) for name in _BESIDE}
    doc.user_data["label_origin"] = row.entity_origins
    return doc
