"""Reviewed sentences as a folder anyone can train on.

reviewed.jsonl   every annotation as it came from Label Studio, with its part of the split
data.iob2        the usable sentences in CoNLL form; iob2/ has the parts, if the data was split
parquet/         the same for `datasets.load_dataset`, which takes the whole folder
dataset/         the same for `datasets.load_from_disk`, and for `spanferry train`
spacy/           the same as spaCy's DocBin, if asked for
losses.jsonl     what is left out or changed, a line each, and why
summary.json     the same in numbers
README.md        the data card
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from datasets import DatasetDict
from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from projection.errors import TrainingError
from projection.io.conll import write_iob2
from projection.io.files import atomic_write, json_line, write_json
from projection.io.folders import new_folder, recover
from projection.io.records_json import encode
from projection.records import (
    ParallelSentence,
    ReviewedSentence,
    ReviewStatus,
    UnreadableReview,
)
from projection.text.documents import document_of
from projection.text.iob2 import chunks
from training.data.adjudication import Adjudicated, AdjudicationPolicy, adjudicate, moment
from training.data.dataset import DATASET, IOB2, SUMMARY, to_dataset
from training.data.reviewed import REVIEWED
from training.data.rows import Row, Rows, row_of
from training.data.splits import TRAIN, Shares, Splits, split
from training.export.omissions import LOSSES, Loss, LossKind, decision_losses, table_line
from training.export.spacy import require_spacy, write_docbin
from training.trainer.card import data_card

SCHEMA = 2  # 1 had no parts, and `dataset/` was one dataset
CARD, IOB2_PARTS, PARQUET, SPACY = "README.md", "iob2", "parquet", "spacy"

_Parts = dict[str, list[tuple[ParallelSentence, Row]]]


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """The options of an export.

    Without `shares` all is in one part, `train`. `comments` go into IOB2 files. `audit` and
    `agreement` (the JSON of these reports) and `made_with` are for the card.
    """

    policy: AdjudicationPolicy = AdjudicationPolicy.OPEN
    reviewer: str | None = None
    accept_above: float | None = None
    shares: Shares | None = None
    seed: int = 0
    comments: bool = True
    spacy: bool = False
    agreement: Mapping[str, object] | None = None
    audit: Mapping[str, object] | None = None
    made_with: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse a policy without its reviewer, and spaCy if it is missing, with TrainingError."""
        adjudicate((), self.policy, reviewer=self.reviewer)
        if self.spacy:
            require_spacy()


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """The figures of an export.

    `annotations + unseen = sentences + superseded`: a sentence annotated twice counts once.
    The `unreadable` annotations are in none of these.
    `sentences = accepted + corrected + taken + unusable + skipped + empty + unsettled`, where
    `taken` are the `unseen` ones that can be trained on, and on the `unsettled` annotators
    disagree. `newest` is when the data last changed; `parts` counts the sentences for training in
    each; `block` and `cut_apart` as in `Splits`, `shortfall` as from it.
    """

    title: str
    newest: str | None
    policy: str
    reviewer: str | None
    accept_above: float | None
    annotations: int
    unseen: int
    superseded: int
    accepted: int
    corrected: int
    taken: int
    unusable: int
    skipped: int
    empty: int
    entities: int
    annotators: int
    disagreements: int
    unsettled: int
    documents: int
    block: int
    cut_apart: int
    shortfall: str | None
    parts: Mapping[str, int]
    by_label: Mapping[str, int]
    by_language: Mapping[str, int]
    by_label_origin: Mapping[str, int]
    sources: Mapping[str, int]
    labels: tuple[str, ...]
    model_versions: tuple[str, ...]
    losses: tuple[Loss, ...]

    @property
    def sentences(self) -> int:
        """Sentences that an annotator opened, and those taken unseen."""
        return self.usable + self.unusable + self.skipped + self.empty + self.unsettled

    @property
    def usable(self) -> int:
        """Sentences for training."""
        return self.accepted + self.corrected + self.taken

    def lost(self, kind: LossKind) -> int:
        """Count the annotations or entities of one kind of loss."""
        return sum(loss.kind is kind for loss in self.losses)

    def to_json(self) -> dict[str, object]:
        """Return the content of `summary.json`; the losses themselves are in `losses.jsonl`."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "losses"}
        return {
            "schema": SCHEMA,
            **plain,
            "sentences": self.sentences,
            "usable": self.usable,
            "outvoted": self.lost(LossKind.OUTVOTED),
            "widened": self.lost(LossKind.WIDENED),
            "unreadable": self.lost(LossKind.UNREADABLE),
            "overlap_lost": self.lost(LossKind.OVERLAP),
            "blank_lost": self.lost(LossKind.BLANK),
        }

    def __str__(self) -> str:
        unasked = self.accept_above is None
        lines = {
            "annotations": self.annotations,
            "annotations that are unreadable": self.lost(LossKind.UNREADABLE) or None,
            "unseen sentences, sure enough": None if unasked else self.unseen,
            "… superseded by another decision": self.superseded,
            "… skipped by the annotator": self.skipped,
            "… marked unusable": self.unusable,
            "… without a visible character": self.empty,
            "… left out: annotators disagree": self.unsettled,
            "… accepted as proposed": self.accepted,
            "… corrected": self.corrected,
            "… taken unseen": None if unasked else self.taken,
            "sentences annotators disagree on": self.disagreements,
            "sentences for training": self.usable,
            **{f"… for {p}": n for p, n in self.parts.items() if [*self.parts] != [TRAIN]},
            "entities": self.entities,
            "… widened to whole words": self.lost(LossKind.WIDENED),
            "… lost to an overlapping one": self.lost(LossKind.OVERLAP),
            "… lost because blank": self.lost(LossKind.BLANK),
            "… not in the decision that holds": self.lost(LossKind.OUTVOTED),
        }
        return "\n".join(table_line(what, n) for what, n in lines.items() if n is not None)


class _Gathered(NamedTuple):
    adjudicated: Adjudicated
    sentences: list[ParallelSentence]
    rows: list[Row]  # of these sentences
    losses: list[Loss]
    splits: Splits


def write_export(
    reviewed: Sequence[ReviewedSentence],
    out: Path,
    *,
    title: str,
    labels: Collection[str] = (),
    unreadable: Iterable[UnreadableReview] = (),
    settings: ExportSettings | None = None,
) -> ExportSummary:
    """Write an export folder; an older export at `out` is replaced whole.

    `labels` are the types of the labeling config: they enter the schema even when nobody used them.
    `unreadable` annotations are lines of losses.jsonl.
    TrainingError if `out` is not an export, nothing is readable, or the settings contradict the
    reviews or themselves.
    """
    settings = settings or ExportSettings()
    settings.check()
    recover(out)
    if out.exists() and not (out / SUMMARY).is_file():
        raise TrainingError(str(out), "exists and is not an export", "Choose another folder")
    lost = [Loss(LossKind.UNREADABLE, each, each.reason) for each in unreadable]
    if (
        lost and not reviewed
    ):  # as in a project of another version: an export has nothing to replace
        raise TrainingError(title, f"none of {len(lost)} annotations can be read", lost[0].reason)
    gathered = _gather(reviewed, settings)
    gathered.losses[:0] = lost
    wanted = settings.shares.wanted if settings.shares else (TRAIN,)
    parts: _Parts = {name: [] for name in wanted}
    part_of = {}
    kept = zip(gathered.sentences, gathered.rows, gathered.splits.of, strict=True)
    for sentence, row, name in kept:
        parts[name].append((sentence, row))
        part_of[sentence.id, sentence.origin, sentence.target] = name
    summary = _summarise(title, reviewed, gathered, labels, settings)
    summary = replace(summary, parts={name: len(part) for name, part in parts.items()})
    pairs = ((review, review.sentence) for review in reviewed)
    placed = (replace(r, part=part_of.get((s.id, s.origin, s.target))) for r, s in pairs)
    with new_folder(out, replace=True) as folder:
        _write_lines(folder / REVIEWED, map(encode, placed))
        _write_lines(folder / LOSSES, (loss.to_json() for loss in summary.losses))
        _write_iob2(gathered.rows, folder / IOB2, settings)
        _write_parts(parts, folder, summary.labels, settings)
        write_json(folder / SUMMARY, summary.to_json())
        card = data_card(summary.to_json(), settings.made_with, settings.agreement, settings.audit)
        (folder / CARD).write_text(card, encoding="utf-8")
    return summary


def _gather(reviewed: Sequence[ReviewedSentence], settings: ExportSettings) -> _Gathered:
    adjudicated = adjudicate(reviewed, settings.policy, reviewer=settings.reviewer)
    losses, sentences, rows = list(decision_losses(reviewed, adjudicated)), [], []
    for decision in (each for each in adjudicated.sentences if each.usable):
        row, misfits = row_of(decision)
        losses += (Loss(LossKind(m.kind.value), decision, m.reason, m.entity) for m in misfits)
        if row.tokens:
            sentences.append(decision.sentence)
            rows.append(row)
        else:
            losses.append(Loss(LossKind.EMPTY, decision, "no visible character in the target"))
    if settings.shares is not None:
        splits = split(sentences, settings.shares, settings.seed)
    else:
        documents = len({document_of(sentence) for sentence in sentences})
        splits = Splits((TRAIN,) * len(sentences), documents, groups=1, cut_apart=0)
    return _Gathered(adjudicated, sentences, rows, losses, splits)


def _write_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    with atomic_write(path) as file:
        file.writelines(map(json_line, rows))


def _write_iob2(rows: Iterable[Row], path: Path, settings: ExportSettings) -> None:
    path.parent.mkdir(exist_ok=True)
    write_iob2((r.tagged if settings.comments else (r.tokens, r.tags) for r in rows), path)


def _write_parts(
    parts: _Parts, folder: Path, labels: Sequence[str], settings: ExportSettings
) -> None:
    rows = {name: [row for _, row in kept] for name, kept in parts.items()}
    # `dataset/` tells an empty part from none. Files have only what can be loaded.
    filled = [name for name, kept in parts.items() if kept] or [TRAIN]
    datasets = {name: to_dataset(Rows.of(of_part, labels)) for name, of_part in rows.items()}
    (folder / PARQUET).mkdir()
    bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        # One shard even for no rows, for which `datasets` would write none and then fail to load.
        DatasetDict(datasets).save_to_disk(folder / DATASET, num_shards=dict.fromkeys(datasets, 1))
        for name in filled:
            datasets[name].to_parquet(folder / PARQUET / f"{name}.parquet")
    finally:
        if bars:
            enable_progress_bars()
    for name in filled:
        if settings.shares is not None:
            _write_iob2(rows[name], folder / IOB2_PARTS / f"{name}.iob2", settings)
        if settings.spacy:
            write_docbin(parts[name], folder / SPACY / f"{name}.spacy")


def _summarise(
    title: str,
    reviewed: Sequence[ReviewedSentence],
    gathered: _Gathered,
    labels: Collection[str],
    settings: ExportSettings,
) -> ExportSummary:
    rows, decisions = gathered.rows, gathered.adjudicated.sentences
    disagreements = gathered.adjudicated.disagreements
    unsettled = sum(not each.settled for each in disagreements)
    by_status = Counter(row.status for row in rows)
    decided = Counter(decision.status for decision in decisions)
    unseen = sum(review.status is ReviewStatus.UNSEEN for review in reviewed)
    newest = max((r for r in reviewed if r.updated_at), key=moment, default=None)
    by_label = Counter(chunk.label for row in rows for chunk in chunks(row.tags))
    return ExportSummary(
        title=title,
        newest=newest.updated_at if newest else None,
        policy=settings.policy.value,
        reviewer=settings.reviewer,
        accept_above=settings.accept_above,
        annotations=len(reviewed) - unseen,
        unseen=unseen,
        superseded=len(reviewed) - len(decisions) - unsettled,
        accepted=by_status[ReviewStatus.ACCEPTED],
        corrected=by_status[ReviewStatus.CORRECTED],
        taken=by_status[ReviewStatus.UNSEEN],
        unusable=decided[ReviewStatus.UNUSABLE],
        skipped=decided[ReviewStatus.SKIPPED],
        empty=sum(decision.usable for decision in decisions) - len(rows),
        entities=by_label.total(),
        annotators=len({review.annotator for review in reviewed} - {""}),
        disagreements=len(disagreements),
        unsettled=unsettled,
        documents=gathered.splits.documents,
        block=gathered.splits.block,
        cut_apart=gathered.splits.cut_apart,
        shortfall=gathered.splits.shortfall(settings.shares) if settings.shares else None,
        parts=gathered.splits.sizes,
        by_label=_sorted(by_label),
        by_language=_sorted(Counter(row.lang for row in rows)),
        by_label_origin=_sorted(Counter(o for row in rows for o in row.entity_origins)),
        sources=_sorted(Counter(row.origin.rpartition(":")[0] or row.origin for row in rows)),
        labels=tuple(sorted({*labels, *by_label})),
        model_versions=tuple(sorted({r.model_version for r in reviewed if r.model_version})),
        losses=tuple(gathered.losses),
    )


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
