"""Projected sentences and plain text as training rows, with the confidence of each label."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from projection.addresses import Address
from projection.io.conll import FOUND, TagColumns
from projection.io.corpus import corpus_id
from projection.io.files import read_lines
from projection.pipeline.run import load_run
from projection.records import ProjectedSentence, ReviewStatus
from projection.text.iob2 import OUTSIDE, encode
from projection.text.words import word_spans
from training.data.dataset import read_rows
from training.data.reviewed import REVIEWED, read_reviews
from training.data.rows import AS_IS, PROJECTED, LabelMap, Row, Rows

SentenceIdentity = tuple[str, str, str]


def is_run(path: Path) -> bool:
    """Return whether `path` is a folder that `spanferry project` wrote."""
    return (path / "run.json").is_file()


def read_projected(runs: Iterable[Path], labels: LabelMap = AS_IS) -> Rows:
    """Read the sentences of run folders that were kept or flagged, their types mapped by `labels`.

    Raises RunError if one is not a run folder; CorpusError, naming file and line, if a record is
    damaged.
    """
    return projected_rows(sentence for run in runs for sentence in load_run(run)).mapped(labels)


def read_tagged(path: Path, part: str | None = None, columns: TagColumns = FOUND) -> Rows:
    """Read a run folder, or anything that `read_rows` reads."""
    return read_projected([path]) if is_run(path) else read_rows(path, part, columns)


def read_text(paths: Iterable[Path], lang: str) -> Rows:
    """Read plain text, one sentence a line, without labels; blank lines are skipped.

    Raises CorpusError, naming file and line, if a line is not UTF-8.
    """
    rows = []
    for path in paths:
        for number, line in read_lines(path):
            words = tuple(span.of(line) for span in word_spans(line, lang))
            place = f"{path.name}:{number}"
            if words:
                tags = (OUTSIDE,) * len(words)
                rows.append(Row(place, words, tags, lang, status="unlabelled", origin=place))
    return Rows.of(rows)


def projected_rows(projected: Iterable[ProjectedSentence]) -> Rows:
    """Convert projected sentences, with the confidence of each label; empty ones are skipped."""
    rows = map(_row, projected)
    return Rows.of(row for row in rows if row.tokens)


def _row(projected: ProjectedSentence) -> Row:
    pair = projected.sentence
    encoded = encode(pair.target, projected.entities, pair.target_lang)
    confidences = confidences_of(projected)
    return Row(
        id=pair.id,
        tokens=encoded.tokens,
        tags=encoded.tags,
        lang=pair.target_lang,
        status=PROJECTED,
        model_version=projected.model_version,
        origin=pair.origin,
        confidence=tuple(1.0 if owner is None else confidences[owner] for owner in encoded.owners),
        margin=pair.margin,
    )


def confidences_of(projected: ProjectedSentence) -> list[float]:
    """Return for every entity the probability that its span and label are right.

    It is that of the likeliest projection there, else the entity's own. A missing score counts as
    1: it is gold or a person's.
    """
    chances: dict[tuple[object, str], float] = {}
    for each in projected.projections:
        mark = each.target, each.source.label
        chances[mark] = max(chances.get(mark, 0.0), each.score)
    return [
        chances.get((entity.span, entity.label), 1.0 if entity.score is None else entity.score)
        for entity in projected.entities
    ]


def identity(row: Row) -> SentenceIdentity:
    """Return what tells the sentence of a row from others: id, origin and tokens.

    Two corpora of one file name may share ids and origins.
    """
    return row.id, row.origin, "".join(row.tokens)


def decided_in(data: Iterable[Path]) -> set[SentenceIdentity]:
    """Return the `identity` of every sentence of some exports that was decided, not skipped.

    Files and folders that are no exports have none.
    """
    return {place for path in data for place in _decided(path)}


def _decided(path: Path) -> Iterator[SentenceIdentity]:
    file = path / REVIEWED if path.is_dir() else path
    there = file.is_file() or isinstance(file, Address)
    if not file.name.removesuffix(".gz").endswith(".jsonl") or not there:
        return
    for review in read_reviews(file):
        if review.status is not ReviewStatus.SKIPPED:
            pair = review.sentence
            text = "".join(encode(pair.target, (), pair.target_lang).tokens)
            yield pair.id, pair.origin, text
            # Earlier versions made ids of the place alone.
            yield corpus_id(pair.id, pair.source, pair.target), pair.origin, text
