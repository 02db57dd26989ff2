"""Scoring a token classifier: strict IOB2 spans, as the CoNLL shared tasks count them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2

from projection.errors import ModelError, TrainingError
from projection.io.gold import read_every_gold
from projection.models.checkpoints import longest_input
from projection.models.tagger import Tagger
from projection.models.windows import pieces
from projection.text.iob2 import MASKED, OUTSIDE, chunks, encode, labels_of, of_types, tag_fault
from training.data.dataset import read_rows
from training.data.rows import AS_IS, LabelMap, Row, Rows

SCHEMA = 1
PORTION = 256  # sentences between two signs of life


class TypeScores(NamedTuple):
    """Fractions for one entity type; `support` is the number of gold entities."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class TaggingScores:
    """Micro-averaged fractions over entities that agree in both borders and type.

    `truncated` sentences were too long for the model and were read in windows. `unread_tokens` have
    no subword (invisible characters) and count as O, as do `stray_tags`: predicted I- that continue
    nothing. `only_in_data` are types the model cannot predict, `only_in_model` types the data are
    not annotated for.
    """

    precision: float
    recall: float
    f1: float
    support: int
    by_type: dict[str, TypeScores]
    sentences: int
    truncated: int = 0
    unread_tokens: int = 0
    stray_tags: int = 0
    only_in_data: tuple[str, ...] = ()
    only_in_model: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return a JSON object; scores are fractions."""
        lists = {name: [*getattr(self, name)] for name in ("only_in_data", "only_in_model")}
        by_type = {label: scores._asdict() for label, scores in self.by_type.items()}
        return {"schema": SCHEMA, **asdict(self), **lists, "by_type": by_type}

    def __str__(self) -> str:
        overall = TypeScores(self.precision, self.recall, self.f1, self.support)
        rows = [*self.by_type.items(), ("all", overall)]
        lines = [f"{'':12}{'precision':>10}{'recall':>10}{'F1':>10}{'entities':>10}"]
        lines += (
            f"{label:12}{100 * s.precision:10.2f}{100 * s.recall:10.2f}{100 * s.f1:10.2f}"
            f"{s.support:10}"
            for label, s in rows
        )
        return "\n".join([*lines, *self._remarks()])

    def _remarks(self) -> Iterator[str]:
        if self.truncated:
            yield f"{self.truncated} of {self.sentences} sentences read in windows"
        if self.unread_tokens:
            yield f"{self.unread_tokens} tokens the model sees nothing of, taken as O"
        if self.stray_tags:
            yield f"{self.stray_tags} predicted I- tags continue nothing, taken as O"
        if self.only_in_data:
            yield f"only in the data, never predicted: {', '.join(self.only_in_data)}"
        if self.only_in_model:
            yield f"only in the model, wrong wherever predicted: {', '.join(self.only_in_model)}"


def score(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> TaggingScores:
    """Compare tag sequences of equal lengths by seqeval in strict mode.

    `gold` must be strict IOB2; `predicted` may be any mix of O, B- and I-.
    """
    truth, answer = [list(tags) for tags in gold], [list(tags) for tags in predicted]
    options = {"scheme": IOB2, "zero_division": 0}
    micro = precision_recall_fscore_support(truth, answer, average="micro", **options)
    # seqeval answers in the order of the types' names, and cannot answer for none.
    found = {tag for tags in [*truth, *answer] for tag in tags if tag.startswith("B-")}
    labels = sorted(labels_of(found))
    each = precision_recall_fscore_support(truth, answer, **options) if labels else [()] * 4
    return TaggingScores(
        precision=float(micro[0]),
        recall=float(micro[1]),
        f1=float(micro[2]),
        support=int(micro[3]),
        by_type={
            label: TypeScores(float(p), float(r), float(f), int(n))
            for label, p, r, f, n in zip(labels, *each, strict=True)
        },
        sentences=len(truth),
        stray_tags=sum(
            tag_fault(tag, before) is not None
            for tags in answer
            for before, tag in zip([OUTSIDE, *tags], tags, strict=False)
        ),
    )


def source_side(paths: Sequence[Path]) -> Rows:
    """Read the source sentences of projection gold, in words, with their gold entities.

    A teacher reads a corpus in the same way: as running text, split by our own rules. Raises
    CorpusError, naming file, line and field, if a line has no gold.
    """
    rows = []
    for path in paths:
        for gold in read_every_gold(path):
            sentence = gold.sentence
            found = encode(sentence.source, sentence.entities or (), sentence.source_lang)
            rows.append(Row(sentence.id, found.tokens, found.tags, sentence.source_lang))
    return Rows.of(rows)


class Tagged(NamedTuple):
    """Gold sentences, the tags a model predicts for them, and their scores."""

    rows: tuple[Row, ...]
    predicted: tuple[tuple[str, ...], ...]
    scores: TaggingScores


def evaluate(
    model: Path | str,
    data: Rows | Path,
    *,
    labels: LabelMap = AS_IS,
    on_progress: Callable[[int], None] = lambda _more: None,
) -> TaggingScores:
    """Tag `data` with the model saved at `model` and score it; see `tag_data`."""
    return tag_data(model, data, labels=labels, on_progress=on_progress).scores


def tag_data(
    model: Path | str,
    data: Rows | Path,
    *,
    labels: LabelMap = AS_IS,
    on_progress: Callable[[int], None] = lambda _more: None,
) -> Tagged:
    """Tag `data` with the model saved at `model`, and score it.

    `labels` renames and ignores types in both the data and the predictions. What nobody looked for
    is not scored: types not among those of a sentence, and predictions that touch masked tokens.
    Raises ModelError if the model cannot be loaded or its tags are not IOB2; CorpusError or
    TrainingError if the data cannot be read.
    """
    given = read_rows(data) if isinstance(data, Path) else data
    rows = [row for row in given if row.tokens]
    if not rows:
        raise TrainingError("evaluation data", "has no sentence")
    tagger = Tagger.from_pretrained(model)
    for tag in tagger.tags:
        # Any I- is fine after its own B-: this asks only whether the tag has a known shape.
        if fault := tag_fault(tag, before=f"B-{tag.partition('-')[2]}"):
            raise ModelError(str(model), fault, "Its tags must be O, B-TYPE and I-TYPE")
    predicted: list[tuple[str, ...]] = []
    for start in range(0, len(rows), PORTION):
        portion = [row.tokens for row in rows[start : start + PORTION]]
        predicted += (tuple(word.tag for word in words) for words in tagger.tag_words(portion))
        on_progress(len(portion))
    limit = longest_input(tagger.model, tagger.tokenizer)
    inputs = pieces([row.tokens for row in rows], tagger.tokenizer, limit)
    read = sum(len(piece.first_subwords) for piece in inputs)
    mapped = [row.mapped(labels) for row in rows]
    gold = tuple(replace(row, tags=_known(row.tags, row)) for row in mapped)
    used = labels_of(tag for row in gold for tag in row.tags)
    in_data, in_model = (labels_of(labels.tags(t)) for t in (given.tag_names, tagger.tags))
    pairs = zip(predicted, mapped, strict=True)
    answers = tuple(_known(labels.tags(tags), row) for tags, row in pairs)
    scores = replace(
        score([row.tags for row in gold], answers),
        truncated=len({p.sentence for p in inputs if p.windowed}),
        unread_tokens=sum(len(row.tokens) for row in rows) - read,
        only_in_data=tuple(sorted(used - in_model)),
        only_in_model=tuple(sorted(in_model - in_data)),
    )
    return Tagged(gold, answers, scores)


def _known(tags: Sequence[str], row: Row) -> tuple[str, ...]:
    """Return `tags` with entities as `O` whose type was not looked for, or that touch a mask."""
    known = [*of_types(tags, row.types)]
    for chunk in chunks(known):
        if MASKED in row.tags[chunk.start : chunk.end]:
            known[chunk.start : chunk.end] = [OUTSIDE] * (chunk.end - chunk.start)
    masked = (tag == MASKED for tag in row.tags)
    return tuple(OUTSIDE if hidden else tag for tag, hidden in zip(known, masked, strict=True))
