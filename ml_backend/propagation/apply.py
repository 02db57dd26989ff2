"""Apply corrections to one open sentence: to its prediction, its record and its page.

Every region is changed at most once: a propagated one is for a person to judge.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple

from label_config import regions
from label_config.annotations import newest
from label_config.labeling_config import ENTITIES
from label_config.tasks import TaskView, record_of, task_fields, to_prediction
from ml_backend.review.corrections import Correction, Occurrence, Rules
from projection.errors import ReviewError
from projection.io.json_fields import Fields
from projection.pipeline.conflicts import PAPER_CHECKS, find_conflicts
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)
from projection.text.wording import counted

# An item of a prediction's result, and its target entity if it is a region.
Item = tuple[dict[str, Any], Entity | None]
# An entity (None: there was none) and what it became (None: it was deleted).
Change = tuple[Entity | None, Entity | None]

# Conflicts that no check on the phrases finds again: they hold as long as theirs is unchanged.
_OF_ONE_PHRASE = (ConflictKind.LOW_CONFIDENCE, ConflictKind.TYPE_UNSURE, ConflictKind.UNPROJECTED)
_AND = "; "
_FIX = "Bring new predictions with `spanferry repredict`"


class OpenSentence(NamedTuple):
    """An untouched task, with the prediction it shows."""

    task_id: int
    pair: ParallelSentence
    prediction: Mapping[str, Any]
    items: Sequence[Item]

    @property
    def entities(self) -> list[Entity]:
        """The target entities of the prediction."""
        return _entities(self.items)


@dataclass(frozen=True, slots=True)
class TaskChange:
    """The change of one task: the new `result` of its prediction, and the corrections in it."""

    task_id: int
    target: str
    prediction: Mapping[str, Any]
    result: list[dict[str, Any]]
    changes: tuple[Change, ...]
    corrections: tuple[Correction, ...]

    def fields(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the task's `data` that change; ReviewError without a record.

        What was propagated before stays. After an interruption the words are there already.
        """
        before = str(task["data"].get("propagated") or "")
        said = f"{_AND}{before}{_AND}"
        fresh = (c for c in map(str, self.corrections) if f"{_AND}{c}{_AND}" not in said)
        record = propagated(record_of(task, f"task {self.task_id}"), self.changes)
        return task_fields(record, _AND.join([*filter(None, [before]), *fresh]))

    def to_json(self) -> dict[str, object]:
        """Return the task, its target sentence, and what is marked in it before and after."""
        return {
            "task": self.task_id,
            "target": self.target,
            "before": marked_in(self.prediction["result"]),
            "after": marked_in(self.result),
            "corrections": [*map(str, self.corrections)],
        }


def marked_in(result: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the regions of a result in reading order, as `“Siemens” LOC`."""
    values = [item["value"] for item in result if regions.kind_of(item) == ENTITIES]
    ordered = sorted(values, key=lambda value: (value["start"], value["end"]))
    return [f"“{value['text']}” {', '.join(value['labels'])}" for value in ordered]


def read_open(task: Mapping[str, Any], model_version: str) -> OpenSentence | None:
    """Read a task with its newest prediction of the model version ("" for any); None without.

    ReviewError if the task holds no record, or the prediction contradicts it.
    """
    prediction = newest(p for p in task["predictions"] if model_version in ("", p["model_version"]))
    if prediction is None:
        return None
    where = f"task {task['id']}"
    pair = record_of(task, where).sentence
    return _open(task["id"], pair, prediction, f"{where} prediction {prediction['id']}")


def open_sentence(record: ProjectedSentence) -> OpenSentence:
    """Return a record that is in no task as one that nobody has touched."""
    pair = record.sentence
    return _open(0, pair, to_prediction(record), pair.origin)


def prediction_corrected(
    projected: ProjectedSentence, rules: Rules, said_by: Mapping[Correction, int]
) -> dict[str, Any]:
    """Return the prediction of a sentence with all corrections applied, as `corrected`."""
    sentence = open_sentence(projected)
    return _as_changed(sentence, corrected(sentence, rules, said_by))


def shown_corrected(
    projected: ProjectedSentence, rules: Rules, said_by: Mapping[Correction, int]
) -> TaskView:
    """Return what a task shows of a sentence with all corrections applied, as `corrected`."""
    sentence = open_sentence(projected)
    change = corrected(sentence, rules, said_by)
    record, said = projected, ""
    if change is not None:
        record = propagated(projected, change.changes)
        said = _AND.join(map(str, change.corrections))
    return TaskView(_as_changed(sentence, change), task_fields(record, said))


def corrected(
    sentence: OpenSentence, rules: Rules, said_by: Mapping[Correction, int]
) -> TaskChange | None:
    """Apply all corrections to a sentence; None if none applies.

    `said_by` has the number of reviewed sentences of each correction.
    """
    items, done, changes = [*sentence.items], [], []
    while found := next(_unsettled(rules, sentence.pair, items), None):
        old, label = found.entity, found.correction.new_label
        new = None if label is None else Entity(found.span, label)
        places = (n for n, (_, entity) in enumerate(items) if entity is old and old is not None)
        index = next(places, len(items))
        rest, item = items[:index] + items[index + 1 :], items[index] if old else ({}, None)
        if new is not None:
            number = said_by[found.correction]
            reason = f"{found.correction.change}, as in {counted(number, 'reviewed sentence')}"
            rest.insert(index, (_region(item, new, reason, sentence.pair, rest), new))
        items = rest
        done.append(found.correction)
        changes.append((old, new))
    if not done:
        return None
    # Propagated regions come first: the key for the next region goes through them in this order.
    result = sorted(
        (item for item, _ in items),
        key=lambda item: regions.PROPAGATED not in regions.meta_of(item),
    )
    return TaskChange(
        sentence.task_id,
        sentence.pair.target,
        sentence.prediction,
        result,
        tuple(changes),
        tuple(dict.fromkeys(done)),
    )


def propagated(record: ProjectedSentence, changes: Iterable[Change]) -> ProjectedSentence:
    """Return a record with corrected entities, and the conflicts that still hold.

    A change of an entity that the record does not have is passed over: the prediction is of
    another model, or an interrupted run has changed the record already.
    """
    entities, projections = [*record.entities], [*record.projections]
    for old, new in changes:
        key = None if old is None else (old.span, old.label)
        known = [entity for entity in entities if (entity.span, entity.label) == key]
        if known:
            entities.remove(known[0])
            # The models' scores and alternatives were about what has been corrected.
            target, label = (None, "") if new is None else (new.span, new.label)
            projections = [
                Projection(p.source, target, 0.0, propagated=label) if p.entity == known[0] else p
                for p in projections
            ]
        if new is not None and new not in entities and (known or old is None):
            entities.append(new)
    if entities == [*record.entities]:
        return record
    entities.sort(key=lambda entity: (entity.span, entity.label))
    after = replace(record, entities=tuple(entities), projections=tuple(projections))
    return replace(after, conflicts=tuple(_holding(record, after)))


def _holding(before: ProjectedSentence, after: ProjectedSentence) -> Iterator[Conflict]:
    """Yield the conflicts the checks find again, and those about phrases that did not change.

    A kind that the checks do not find in the record before has another origin, and stays.
    """
    kinds = before.conflict_kinds
    found = [p for p in after.projections if p.propagated != ""]
    yield from (c for c in find_conflicts(after.sentence, found, PAPER_CHECKS) if c.kind in kinds)
    known = [p for p in before.projections if p.propagated != ""]
    checked = {c.kind for c in find_conflicts(before.sentence, known, PAPER_CHECKS)}
    unchanged = {entity.span for entity in {*before.entities}.intersection(after.entities)}
    for conflict in before.conflicts:
        if conflict.kind in _OF_ONE_PHRASE:
            holds = unchanged.issuperset(conflict.spans)
        else:
            holds = conflict.kind not in checked
        if holds:
            yield conflict


def _open(
    task_id: int, pair: ParallelSentence, prediction: Mapping[str, Any], where: str
) -> OpenSentence:
    items = [
        (
            dict(item.row),
            regions.region_at(item, pair).entity if regions.kind_of(item.row) == ENTITIES else None,
        )
        for item in Fields(prediction, where, ReviewError, _FIX).children("result")
    ]
    return OpenSentence(task_id, pair, prediction, items)


def _as_changed(sentence: OpenSentence, change: TaskChange | None) -> dict[str, Any]:
    prediction = dict(sentence.prediction)
    return prediction if change is None else {**prediction, "result": change.result}


def _entities(items: Iterable[Item]) -> list[Entity]:
    return [entity for _, entity in items if entity is not None]


def _unsettled(
    rules: Rules, sentence: ParallelSentence, items: Sequence[Item]
) -> Iterator[Occurrence]:
    """Yield where a correction applies to something that is still as predicted."""
    settled = {id(entity) for item, entity in items if regions.PROPAGATED in regions.meta_of(item)}
    for occurrence in rules.occurrences(sentence, _entities(items)):
        if occurrence.entity is None or id(occurrence.entity) not in settled:
            yield occurrence


def _region(
    item: Item, new: Entity, reason: str, sentence: ParallelSentence, rest: Iterable[Item]
) -> dict[str, Any]:
    """Return the corrected region, without a score, with the id that the page has for it."""
    before, old = item
    meta = dict(regions.meta_of(before))
    # One text: Label Studio writes several without anything between them.
    meta["text"] = [" · ".join([*meta.get("text", ()), f"propagated: {reason}"])]
    meta[regions.PROPAGATED] = reason
    if old is not None:
        value = {key: before["value"][key] for key in ("start", "end", "text")}
        meta["was"] = {**value, "label": old.label, "score": old.score}
    source = Span(*meta[regions.CAME_FROM]) if regions.CAME_FROM in meta else None
    taken = {other.get("id") for other, _ in rest}
    ids = (regions.region_id(sentence.id, source, new.span, new.label, n) for n in count())
    identity = next(one for one in ids if one not in taken)
    kept = {key: value for key, value in before.items() if key != "score"}
    return {**kept, **regions.region_of(identity, new, sentence.target), "meta": meta}
