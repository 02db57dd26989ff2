"""One open sentence as corrections leave it: the regions of its prediction, and what is said of it.

Every region is changed at most once: what was carried over is for a person to judge.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from label_config.annotations import newest
from label_config.carried import told_anew
from label_config.labeling_config import ENTITIES
from label_config.regions import CARRIED, kind_of, meta_of, region_at, region_id, region_of
from label_config.source_html import with_propagated
from label_config.tasks import sentence_of
from ml_backend.review.corrections import Correction, Marked, Place, Rules
from projection.errors import ReviewError
from projection.io.json_fields import Fields
from projection.records import Entity, ParallelSentence

Json = dict[str, Any]
Item = tuple[Json, Entity | None]
"""An item of a prediction's result, and the target entity it stands for, if it stands for one."""

_AND = "; "
_FIX = "Bring new predictions with `spanferry repredict`"


@dataclass(frozen=True, slots=True)
class OpenSentence:
    """A task nobody has touched, with the prediction it shows."""

    task_id: int
    sentence: ParallelSentence
    prediction: Mapping[str, Any]
    items: tuple[Item, ...] = field(repr=False)

    @property
    def marked(self) -> Marked:
        """The target side with all entities predicted."""
        return _marked(self.sentence, self.items)


@dataclass(frozen=True, slots=True)
class TaskChange:
    """What is to become of one task: the new `result` of `prediction`, and the corrections in it,
    each once.
    """

    task_id: int
    target: str
    prediction: Mapping[str, Any]
    result: list[Json]
    corrections: tuple[Correction, ...]

    def data(self, data: Mapping[str, Any]) -> Json:
        """The task's data, with what was carried over in plain words, and the page as it is then.

        Raises:
            ReviewError: if the task is not one that was pushed.
        """
        where = f"task {self.task_id}"
        page = told_anew(data, self.prediction["result"], self.result, where)
        entities = sum(kind_of(item) == ENTITIES for item in self.result)
        new = {**data, "n_entities": entities, **page}
        words = _and(str(data.get("propagated") or ""), map(str, self.corrections))
        shown = with_propagated(str(new.get("doubts_html") or "<ul></ul>"), words)
        return {**new, "propagated": words, "doubts_html": shown}

    @property
    def before(self) -> list[str]:
        """What is marked now, in reading order: `“Siemens” LOC`."""
        return _marked_as(self.prediction["result"])

    @property
    def after(self) -> list[str]:
        """What will be marked."""
        return _marked_as(self.result)

    def to_json(self) -> dict[str, object]:
        """The task, its target sentence, and what is marked in it before and after."""
        return {
            "task": self.task_id,
            "target": self.target,
            "before": self.before,
            "after": self.after,
            "corrections": [*map(str, self.corrections)],
        }


def read_open(task: Mapping[str, Any], model_version: str) -> OpenSentence | None:
    """The task with its newest prediction of the model version; None if it has none of it.

    Without a model version Label Studio shows the predictions of all, and so the newest counts.

    Raises:
        ReviewError: if the task is not one that was pushed, or the prediction contradicts it.
    """
    prediction = newest(p for p in task["predictions"] if model_version in ("", p["model_version"]))
    if prediction is None:
        return None
    where = f"task {task['id']}"
    sentence = sentence_of(task, where)
    fields = Fields(prediction, f"{where} prediction {prediction['id']}", ReviewError, _FIX)
    items = tuple((dict(item.row), _entity(item, sentence)) for item in fields.children("result"))
    return OpenSentence(task["id"], sentence, prediction, items)


def corrected(
    sentence: OpenSentence, rules: Rules, said_by: Mapping[Correction, int]
) -> TaskChange | None:
    """The sentence after all corrections that apply to it, or None if none does.

    `said_by` has in how many reviewed sentences each was made.
    """
    items, done = sentence.items, []
    while place := next(_unsettled(rules, sentence.sentence, items), None):
        done.append(place.correction)
        items = _after(place, items, sentence.sentence, said_by[place.correction])
    if not done:
        return None
    # First what is for people to judge: the key for the next span goes through them in this order.
    result = sorted((item for item, _ in items), key=lambda item: CARRIED not in meta_of(item))
    return TaskChange(
        sentence.task_id,
        sentence.sentence.target,
        sentence.prediction,
        result,
        corrections=tuple(dict.fromkeys(done)),
    )


def _entity(item: Fields, sentence: ParallelSentence) -> Entity | None:
    return region_at(item, sentence).entity if kind_of(item.row) == ENTITIES else None


def _marked_as(result: Sequence[Mapping[str, Any]]) -> list[str]:
    values = [item["value"] for item in result if kind_of(item) == ENTITIES]
    ordered = sorted(values, key=lambda value: (value["start"], value["end"]))
    return [f"“{value['text']}” {', '.join(value['labels'])}" for value in ordered]


def _and(before: str, corrections: Iterable[str]) -> str:
    """What was carried over earlier and now, each once: after an interruption it is said already.

    The words are not taken apart again: a phrase may have the sign between them in it.
    """
    said = [before] if before else []
    fresh = (c for c in corrections if f"{_AND}{c}{_AND}" not in f"{_AND}{before}{_AND}")
    return _AND.join([*said, *fresh])


def _marked(sentence: ParallelSentence, items: tuple[Item, ...]) -> Marked:
    entities = [entity for _, entity in items if entity is not None]
    return Marked(sentence.target_lang, sentence.target, entities)


def _unsettled(
    rules: Rules, sentence: ParallelSentence, items: tuple[Item, ...]
) -> Iterator[Place]:
    """Where a correction applies to something that is still as it was predicted."""
    settled = {id(entity) for item, entity in items if CARRIED in meta_of(item)}
    for place in rules.places(_marked(sentence, items)):
        if place.entity is None or id(place.entity) not in settled:
            yield place


def _after(
    place: Place, items: tuple[Item, ...], sentence: ParallelSentence, said_by: int
) -> tuple[Item, ...]:
    """The items after one correction at one place."""
    if place.entity is None:
        return (*items, _region({}, place, sentence, said_by))
    index = next(n for n, (_, entity) in enumerate(items) if entity is place.entity)
    before, after = items[:index], items[index + 1 :]
    if place.correction.new_label is None:
        return before + after
    return (*before, _region(items[index][0], place, sentence, said_by), *after)


def _region(old: Json, place: Place, sentence: ParallelSentence, said_by: int) -> Item:
    """The corrected region. It has no score: that was about another label, or another place."""
    # A correction with a label is one that leaves an entity.
    entity = Entity(place.span, str(place.correction.new_label))
    identity = old.get("id") or region_id(sentence.id, None, entity.span, entity.label)
    meta = dict(meta_of(old))
    reason = f"{place.correction.change}, as in {said_by} reviewed sentence{'s'[: said_by != 1]}"
    # One text: Label Studio writes several without anything between them.
    meta["text"] = [" · ".join([*meta.get("text", ()), f"propagated: {reason}"])]
    meta[CARRIED] = reason
    if place.entity is not None:
        label, score = place.entity.label, place.entity.score
        value = {key: old["value"][key] for key in ("start", "end", "text")}
        meta["was"] = {**value, "label": label, "score": score}
    kept = {key: value for key, value in old.items() if key != "score"}
    return {**kept, **region_of(identity, entity, sentence.target), "meta": meta}, entity
