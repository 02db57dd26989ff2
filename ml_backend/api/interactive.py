"""Interactive calls: find what an annotator draws in one sentence in the other.

Label Studio sends the regions of one label in one text whenever one was drawn, changed or deleted,
and does not say which. So an answer marks the region that was asked about, with where it went
(`meta.targets`) or comes from (`meta.source`), and it is not looked at again: calls may come twice,
late or not at all, and what an annotator has deleted stays deleted.

Label Studio applies the answer to its last call only. Earlier drawings with another label that have
no answer in the draft are answered with the next call.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from label_config.annotations import newest
from label_config.labeling_config import ENTITIES, SOURCE_ENTITIES
from label_config.regions import (
    ASKED,
    CAME_FROM,
    SAID,
    WENT_TO,
    answered,
    is_as_predicted,
    kind_of,
    marked_in_source,
    meta_of,
    region_at,
    region_id,
    region_of,
)
from label_config.target_css import base_of, suggestion_id
from label_config.tasks import record_of
from ml_backend.api.predict import Answers, RefusalReason, Refused, name_of, read_sentence
from ml_backend.api.wire import Prediction, PredictRequest
from projection.errors import ReviewError, SpanferryError
from projection.io.json_fields import Fields
from projection.io.records_json import Json
from projection.records import Entity, LabelOrigin, ParallelSentence, Projection, Span

if TYPE_CHECKING:
    from projection.protocols import Link, ProjectsSentences

NOT_FOUND = "not found in the translation: draw it below"
TOO_LONG = "too long a sentence for the models: draw it below"


class Drawn(NamedTuple):
    """The regions of each text that wait for an answer, and the entities they mark."""

    in_source: list[tuple[Json, Entity]]
    in_target: list[tuple[Json, Entity]]


class Found(NamedTuple):
    """The answers of the models, one per drawn region."""

    projections: Sequence[Sequence[Projection]]
    links: Sequence["Link | None"]

    @property
    def score(self) -> float:
        """The lowest of their scores; 0 without any."""
        scores = [p.score for each in self.projections for p in each]
        return min(scores + [link.score for link in self.links if link], default=0.0)


# The id and the entity of a target region on the screen.
Shown = tuple[str, Entity]
# Returns None for a sentence that the models cannot read whole.
Find = Callable[[ParallelSentence, Drawn], Found | None]


def respond(request: PredictRequest, model_version: str, find: Find) -> Answers:
    """Answer an annotator; what cannot be read is answered with nothing, and counted.

    A source region is answered with new target regions, and with itself and where it went; a target
    region with itself and where it comes from. A region that is on the screen, changed or not, is
    not proposed again, nor the same words with the same label; one that merely overlaps is. A
    region to which Label Studio gave another label than asked for comes back with the right one.
    """
    labels = labels_of_interface(request.label_config)
    results: list[Prediction | list[Prediction]] = []
    refused: list[Refused] = []
    for task in request.tasks:
        shown = _on_screen(task, model_version)
        regions, score, complaints = _respond_to(task, request.drawn or (), labels, shown, find)
        refused += complaints
        results.append({"model_version": model_version, "score": score, "result": regions})
    return Answers(results, tuple(refused), projected=0)


def find_with(
    projector: "ProjectsSentences", sentence: ParallelSentence, drawn: Drawn
) -> Found | None:
    """Ask the models; None if the sentence is too long for them."""
    if not projector.fits(sentence):
        return None
    marked = [entity for _, entity in drawn.in_source]
    spans = [entity.span for _, entity in drawn.in_target]
    return Found(
        projector.suggest(sentence, marked) if marked else (),
        projector.link(sentence, spans) if spans else (),
    )


@lru_cache(maxsize=64)
def labels_of_interface(label_config: str) -> frozenset[str]:
    """Return the target labels of a labeling config; none if it cannot be read."""
    try:
        view = fromstring(label_config)
    except (ParseError, DefusedXmlException, ValueError):
        return frozenset()
    choices = (c for c in view.iter("Labels") if c.get("name") == ENTITIES)
    return frozenset(label.get("value", "") for choice in choices for label in choice.iter("Label"))


def _respond_to(
    task: Json, regions: Sequence[Json], labels: Collection[str], shown: list[Shown], find: Find
) -> tuple[list[dict[str, Any]], float, list[Refused]]:
    """Return the regions of the answer, their score, and what could not be answered."""
    sentence = read_sentence(task)
    if isinstance(sentence, Refused):
        return [], 0.0, [sentence]
    where = name_of(task)
    # The teacher has been asked: what it found is in the record.
    sentence = replace(sentence, entities=record_of(task, where).source_entities)
    waiting = [*regions, *_forgotten(task, regions)]
    drawn, refused = _read(waiting, sentence, labels, where)
    answers = [*_mistaken(regions, sentence, labels)]
    if not drawn.in_source and not drawn.in_target:
        return answers, 0.0, refused
    found = find(sentence, drawn)
    if found is None:
        refused.append(Refused(RefusalReason.TOO_LONG, where, "longer than the models read"))
        told = (_told(*each, TOO_LONG, {WENT_TO: []}) for each in drawn.in_source)
        return [*answers, *told], 0.0, refused
    return [*answers, *_answers(sentence, drawn, found, shown)], found.score, refused


def _forgotten(task: Json, regions: Iterable[Json]) -> Iterator[Json]:
    """Yield the source regions of the draft that have no answer, of other labels than the call's.

    For the call's own labels the draft, some seconds old, is outdated. A call without regions means
    that something was deleted, which the draft may still have.
    """
    asked = {_label_of(region) for region in regions}
    for region in _dicts(_draft(task).get("result")) if asked else ():
        waits = kind_of(region) == SOURCE_ENTITIES and WENT_TO not in meta_of(region)
        if waits and _label_of(region) not in asked:
            yield region


def _read(
    regions: Iterable[Json], sentence: ParallelSentence, labels: Collection[str], where: str
) -> tuple[Drawn, list[Refused]]:
    """Return what waits for an answer, and what cannot be read."""
    drawn = Drawn([], [])
    refused: list[Refused] = []
    for number, region in enumerate(regions, 1):
        named = f"{where}, region {number}"
        fields = Fields(region, named, ReviewError)
        kind, meta = kind_of(region), meta_of(region)
        try:
            if kind in (SOURCE_ENTITIES, ENTITIES):
                fields.text("id")  # by which the page knows what is answered
            if kind == SOURCE_ENTITIES and WENT_TO not in meta:
                drawn.in_source.append((region, marked_in_source(fields, sentence.source, labels)))
            elif kind == ENTITIES and CAME_FROM not in meta and not is_as_predicted(region):
                drawn.in_target.append((region, region_at(fields, sentence, labels).entity))
        except SpanferryError as error:
            refused.append(Refused(RefusalReason.BAD_REGION, named, str(error)))
    return drawn, refused


def _mistaken(
    regions: Iterable[Json], sentence: ParallelSentence, labels: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Yield target regions with the label asked for, where the page shows another."""
    for region in regions:
        if kind_of(region) == ENTITIES and ASKED in meta_of(region):
            with suppress(SpanferryError):
                read = region_at(Fields(region, "shown", ReviewError), sentence, labels)
                if read.shown != read.entity.label:
                    value = {**cast(Json, region["value"]), "labels": [read.entity.label]}
                    yield _placed({**region, "value": value})


def _answers(
    sentence: ParallelSentence, drawn: Drawn, found: Found, shown: list[Shown]
) -> Iterator[dict[str, Any]]:
    for (region, marked), projections in zip(drawn.in_source, found.projections, strict=True):
        places = [entity for p in projections if (entity := p.entity) is not None]
        for place in places:
            identity = region_id(sentence.id, marked.span, place.span, place.label)
            mark = (place.span, place.label)
            # The same region, changed or not, or the same words and label.
            if not any(base_of(one) == identity or (e.span, e.label) == mark for one, e in shown):
                shown.append((identity, place))
                score = place.score or 0.0
                own = suggestion_id(identity, str(region.get("id")), place.label, score)
                new = region_of(own, place, sentence.target)
                yield _from_source(new, place, sentence, marked.span, score, suggested=True)
        if places:
            phrases = (f"“{p.span.of(sentence.target)}” · {p.score or 0.0:.2f}" for p in places)
            spans = [[place.span.start, place.span.end] for place in places]
            yield _told(region, marked, f"to {', '.join(phrases)}", {WENT_TO: spans})
        else:
            yield _told(region, marked, NOT_FOUND, {WENT_TO: []})
    for (region, entity), link in zip(drawn.in_target, found.links, strict=True):
        if link is not None:
            origin = LabelOrigin.PERSON.value
            yield _from_source(region, entity, sentence, link.source, link.score, origin=origin)


def _from_source(
    region: Json, entity: Entity, pair: ParallelSentence, span: Span, score: float, **meta: object
) -> dict[str, Any]:
    """Return a target region that says which source span it comes from."""
    said = f"from “{span.of(pair.source)}” · {score:.2f}"
    return _placed(_told(region, entity, said, {**meta, CAME_FROM: [span.start, span.end]}))


def _placed(region: dict[str, Any]) -> dict[str, Any]:
    """Add the offsets that Label Studio 1.23 computes for new regions only.

    A region that is overwritten without them would break drawing on the page.
    """
    value = region["value"]
    offsets = {"globalOffsets": {"start": value["start"], "end": value["end"]}}
    return {**region, "value": {**offsets, **value}}


def _told(region: Json, drawn: Entity, said: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return what was drawn with one more note and what was found, marked as answered."""
    text = meta_of(region).get("text")
    notes = text if isinstance(text, list) else [text] if text else []
    ours = meta_of(region).get(SAID)
    told = [*(ours if isinstance(ours, list) else ()), said]
    return answered(region, drawn.label, text=[*notes, said], **{SAID: told}, **found)


def _on_screen(task: Json, model_version: str) -> list[Shown]:
    """Return the target regions as last saved: of the draft, or the current model's prediction.

    Annotations do not count: they are other people's, or have a draft once they are changed.
    """
    predictions = [*_dicts(task.get("predictions"))]
    current = [p for p in predictions if p.get("model_version") == model_version]
    work = _draft(task) or newest(current or predictions) or {}
    return [one for region in _dicts(work.get("result")) if (one := _shown(region))]


def _shown(region: Json) -> Shown | None:
    value = region.get("value")
    if region.get("from_name") != ENTITIES or not isinstance(value, dict):
        return None
    try:
        fields = Fields(value, "shown")
        (label,) = fields.texts("labels")
        span = Span(fields.integer("start"), fields.integer("end"))
        return str(region.get("id")), Entity(span, label)
    except (SpanferryError, ValueError):
        return None


def _draft(task: Json) -> Json:
    """Return the draft saved last; Label Studio sends those of the asking annotator."""
    saved = _dicts(task.get("drafts"))
    return max(saved, key=lambda draft: str(draft.get("updated_at") or ""), default={})


def _label_of(region: Json) -> tuple[str, str]:
    """Return what Label Studio groups regions by: their text and their label."""
    value = region.get("value")
    labels = value.get("labels") if isinstance(value, dict) else None
    return str(region.get("to_name")), str(labels)


def _dicts(value: object) -> Iterator[Json]:
    """Yield the objects of a list; anything else is passed over."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))
