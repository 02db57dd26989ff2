"""One open sentence as corrections leave it: the regions of its prediction, and what is said of it.

Every region is changed at most once: what was carried over is for a person to judge.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from label_config.chips import with_propagated
from label_config.config import ENTITIES
from label_config.regions import entity_at, region_id, region_of
from label_config.tasks import sentence_of
from ml_backend.corrections import Correction, Marked, Place, Rules
from projection.errors import ReviewError
from projection.fields import Fields
from projection.records import Entity, ParallelSentence

Json = dict[str, Any]
Item = tuple[Json, Entity | None]
"""An item of a prediction's result, and the target entity it stands for, if it stands for one."""

_AND = "; "
_MEND = "Bring new predictions with `spanferry repredict`"


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
    prediction: Mapping[str, Any]
    result: list[Json]
    corrections: tuple[Correction, ...]

    def data(self, data: Mapping[str, Any]) -> Json:
        """The task's data, with what was carried over in plain words."""
        before = str(data.get("propagated") or "")
        # After an interruption it is said already.
        said = dict.fromkeys([*filter(None, before.split(_AND)), *map(str, self.corrections)])
        entities = sum(item.get("from_name") == ENTITIES for item in self.result)
        words = _AND.join(said)
        shown = with_propagated(str(data.get("doubts_html") or "<ul></ul>"), words)
        return {**data, "propagated": words, "n_entities": entities, "doubts_html": shown}


def read_open(task: Mapping[str, Any], model_version: str) -> OpenSentence | None:
    """The task with its newest prediction of the model version; None if it has none of it.

    Without a model version Label Studio shows the predictions of all, and so the newest counts.

    Raises:
        ReviewError: if the task is not one that was pushed, or the prediction contradicts it.
    """
    shown = [p for p in task["predictions"] if model_version in ("", p["model_version"])]
    if not shown:
        return None
    prediction = max(shown, key=lambda p: (str(p.get("created_at") or ""), p["id"]))
    where = f"task {task['id']}"
    sentence = sentence_of(task, where)
    fields = Fields(prediction, f"{where} prediction {prediction['id']}", ReviewError, _MEND)
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
    result = [item for item, _ in items]
    return TaskChange(
        sentence.task_id, sentence.prediction, result, corrections=tuple(dict.fromkeys(done))
    )


def _entity(item: Fields, sentence: ParallelSentence) -> Entity | None:
    if item.row.get("from_name") != ENTITIES:
        return None
    value = item.child("value")
    labels = value.texts("labels")
    if len(labels) != 1:
        raise item.error_here(f"needs exactly one label, has {list(labels)!r}")
    return entity_at(value, labels[0], sentence.target, item.number_or_none("score"))


def _marked(sentence: ParallelSentence, items: tuple[Item, ...]) -> Marked:
    entities = [entity for _, entity in items if entity is not None]
    return Marked(sentence.target_lang, sentence.target, entities)


def _unsettled(
    rules: Rules, sentence: ParallelSentence, items: tuple[Item, ...]
) -> Iterator[Place]:
    """Where a correction applies to something that is still as it was predicted."""
    settled = {id(entity) for item, entity in items if item.get("meta", {}).get("propagated")}
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
    meta = dict(old.get("meta", {}))
    reason = f"{place.correction.change}, as in {said_by} reviewed sentence{'s'[: said_by != 1]}"
    # One text: Label Studio writes several without anything between them.
    meta["text"] = [" · ".join([*meta.get("text", ()), f"propagated: {reason}"])]
    meta["propagated"] = reason
    if place.entity is not None:
        label, score = place.entity.label, place.entity.score
        value = {key: old["value"][key] for key in ("start", "end", "text")}
        meta["was"] = {**value, "label": label, "score": score}
    kept = {key: value for key, value in old.items() if key != "score"}
    return {**kept, **region_of(identity, entity, sentence.target), "meta": meta}, entity
