"""The state of a review as a data lead needs it: the report, by person, and what is left to do."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

from ml_backend.audit.report import AuditReport, audit_report
from ml_backend.audit.sample import audit_of
from ml_backend.label_studio.client import Project
from ml_backend.label_studio.tasks import Task
from ml_backend.report.acceptance import Acceptance, Share, conflicts_of, in_order, with_entries
from ml_backend.report.figures import Report
from ml_backend.report.source import read_tasks
from ml_backend.report.timing import Times
from projection.errors import ReviewError
from projection.records import ParallelSentence, ReviewedSentence, Span
from projection.text.wording import NO_CONFLICT
from training.data.adjudication import (
    Mark,
    adjudicate,
    by_sentence,
    decisions,
    marks_of,
    moment,
    opinions,
)

FEWEST = 5  # decisions with a time that a mean is taken of
MOST_SHOWN = 20  # disagreements

Kinds = frozenset[str]


class Person(NamedTuple):
    """An annotator and their decisions; `median` is in seconds, `f1` the agreement with others.

    `shared` sentences were also decided by others and found usable by both, `last` is a date.
    """

    name: str
    decided: int
    median: float | None
    corrected: Share
    f1: float | None
    shared: int
    last: str


class OpenConflict(NamedTuple):
    """A kind of conflict: how often it was corrected, and the open sentences with it.

    `seconds` are what these are expected to take; None if no decision was timed.
    """

    name: str
    corrected: Share
    left: int
    seconds: float | None


class MarkedPiece(NamedTuple):
    """A part of a text and its labels, "" for none; `differs` if not all annotators have them."""

    text: str
    label: str
    differs: bool


class Version(NamedTuple):
    """What one annotator made of a sentence."""

    name: str
    usable: bool
    pieces: Sequence[MarkedPiece]


class SideBySide(NamedTuple):
    """A sentence whose annotators disagree, and the address of its task."""

    sentence: ParallelSentence
    versions: Sequence[Version]
    address: str


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows of a project.

    `seconds_left` is what the sentences without an annotation are expected to take one person;
    None if no decision was timed. Of all open `disagreements`, the first `shown` are set side
    by side. `tabs` are titles with the addresses that start labelling there. `audit_error` says why
    an audit is missing.
    """

    report: Report
    people: Sequence[Person]
    conflicts: Sequence[OpenConflict]
    seconds_left: float | None
    disagreements: int
    shown: Sequence[SideBySide]
    audits: Sequence[AuditReport]
    audit_error: str
    tabs: Mapping[str, str]

    @classmethod
    def of(
        cls,
        project: Project,
        tasks: Sequence[Task],
        *,
        users: Mapping[int, str],
        tabs: Mapping[str, str],
        task_address: Callable[[int], str],
    ) -> Self:
        """Count what all `tasks` of a project hold; `users` are e-mail addresses by id."""
        source = read_tasks(project.title, tasks)
        report, newest = Report.of(source), decisions(source.reviewed)

        def name_of(annotator: str) -> str:
            known = users.get(int(annotator)) if annotator.isdecimal() else None
            return known or f"user {annotator}"

        left = Counter(_kinds_of(task) for task in tasks if not task["annotations"])
        seconds = {kinds: _mean_seconds(kinds, newest) for kinds in left}
        expected = {
            kinds: None if mean is None else mean * left[kinds] for kinds, mean in seconds.items()
        }
        voices = [opinions(group) for group in by_sentence(source.reviewed)]
        by_task = {each[0].task_id: each for each in voices if each}
        found = [d for d in adjudicate(source.reviewed).disagreements if not d.settled]
        audits, audit_error = _audits(project, tasks)
        return cls(
            report=report,
            people=_people(report, newest, name_of),
            conflicts=_conflicts(report.acceptance, left, expected),
            seconds_left=_total(expected.values()),
            disagreements=len(found),
            shown=[
                _side_by_side(by_task[each.task_id], name_of, task_address)
                for each in found[:MOST_SHOWN]
            ],
            audits=audits,
            audit_error=audit_error,
            tabs=tabs,
        )


def _people(
    report: Report, newest: Sequence[ReviewedSentence], name_of: Callable[[str], str]
) -> list[Person]:
    """Return a row for each annotator, who decided most first."""
    theirs: defaultdict[str, list[ReviewedSentence]] = defaultdict(list)
    for review in newest:
        theirs[review.annotator].append(review)
    rows = []
    for annotator, reviews in theirs.items():
        times = Times.of(reviews, report.times.idle_seconds).overall
        f1, shared = report.agreement.with_others(annotator)
        last = max(reviews, key=moment).updated_at or ""
        rows.append(
            Person(
                name_of(annotator),
                len(reviews),
                None if times is None else times.median,
                Acceptance.of(with_entries(reviews)).overall.corrected or Share(0, 0),
                f1,
                shared,
                last[:10],
            )
        )
    return sorted(rows, key=lambda row: (-row.decided, row.name))


def _conflicts(
    acceptance: Acceptance, left: Mapping[Kinds, int], expected: Mapping[Kinds, float | None]
) -> list[OpenConflict]:
    decided = {group.name: group.corrected or Share(0, 0) for group in acceptance.by["conflict"]}
    names = in_order({*decided, *(kind for kinds in left for kind in kinds)})
    rows = []
    for name in names:
        with_it = [kinds for kinds in left if name in kinds]
        seconds = _total([expected[kinds] for kinds in with_it])
        count = sum(left[kinds] for kinds in with_it)
        rows.append(OpenConflict(name, decided.get(name, Share(0, 0)), count, seconds))
    return rows


def _kinds_of(task: Task) -> Kinds:
    return frozenset(str(task["data"].get("conflict") or NO_CONFLICT).split(", "))


def _mean_seconds(kinds: Kinds, newest: Sequence[ReviewedSentence]) -> float | None:
    """Return the mean time of decisions about the same conflicts; of all, if these are too few."""
    for alike in ([r for r in newest if frozenset(conflicts_of(r)) == kinds], newest):
        times = Times.of(alike)
        if times.overall is not None and (alike is newest or times.overall.n >= FEWEST):
            return times.seconds / times.overall.n
    return None


def _total(seconds: Collection[float | None]) -> float | None:
    known = [each for each in seconds if each is not None]
    return sum(known) if len(known) == len(seconds) else None


def _side_by_side(
    voices: Sequence[ReviewedSentence],
    name_of: Callable[[str], str],
    task_address: Callable[[int], str],
) -> SideBySide:
    usable = [marks_of(voice.entities) for voice in voices if voice.usable]
    shared = frozenset[Mark].intersection(*usable or [frozenset()])
    versions = [
        Version(name_of(voice.annotator), voice.usable, pieces_of(voice, shared))
        for voice in voices
    ]
    task = voices[0].task_id
    return SideBySide(voices[0].sentence, versions, "" if task is None else task_address(task))


def pieces_of(review: ReviewedSentence, shared: Collection[Mark]) -> list[MarkedPiece]:
    """Cut the target where an entity begins or ends; those in `shared` do not differ."""
    text, entities = review.sentence.target, review.entities
    ends = {end for each in entities for end in (each.span.start, each.span.end)}
    pieces = []
    for start, end in pairwise(sorted({0, len(text), *ends})):
        here = [each for each in entities if each.span.overlaps(Span(start, end))]
        differs = any((each.span, each.label) not in shared for each in here)
        pieces.append(
            MarkedPiece(text[start:end], " + ".join(each.label for each in here), differs)
        )
    return pieces


def _audits(project: Project, tasks: Sequence[Task]) -> tuple[list[AuditReport], str]:
    names = sorted({audit_of(task) for task in tasks} - {""})
    try:
        return [audit_report(project, tasks, name) for name in names], ""
    except ReviewError as error:
        return [], str(error)
