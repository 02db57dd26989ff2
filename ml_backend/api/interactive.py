"""While someone is annotating: what they drew in one sentence, found in the other.

Label Studio sends the regions of one label in one of the two texts, whenever one of them was drawn,
changed or deleted, and does not say which. So an answer leaves its trace in the region that was
asked about: an English region that has been projected says where to (`meta.targets`), a target
region that has been linked says where from (`meta.source`), and neither is looked at again. Hence
calls may come twice, late or not at all, and what an annotator has deleted stays deleted.

It takes up the answer to its last call only. What was drawn before with another label, and has no
answer in the draft, is answered with the next call.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from label_config.annotations import newest
from label_config.labeling_config import ENTITIES, SOURCE_ENTITIES
from label_config.regions import (
    ASKED,
    CAME_FROM,
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
from label_config.source_html import confidence
from label_config.target_css import base_of, suggestion_id
from ml_backend.api.predict import Answers, RefusalReason, Refused, read_sentence
from ml_backend.api.wire import Prediction, PredictRequest
from projection.errors import ReviewError, SpanferryError
from projection.io.json_fields import Fields
from projection.io.records_json import Json
from projection.records import Entity, LabelOrigin, ParallelSentence, Projection, Span

if TYPE_CHECKING:
    from projection.protocols import Link, ProjectsSentences

TOO_LONG = "too long a sentence for the models: draw it below"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What waits for an answer: regions of each text, with what they mark there."""

    in_source: tuple[tuple[Json, Entity], ...] = ()
    in_target: tuple[tuple[Json, Entity], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The answers of the models, one for each drawn region."""

    projections: Sequence[Sequence[Projection]] = ()
    links: Sequence["Link | None"] = ()

    @property
    def score(self) -> float:
        """The least sure of them; 0 without any."""
        scores = [p.score for each in self.projections for p in each]
        return min(scores + [link.score for link in self.links if link], default=0.0)


@dataclass(frozen=True, slots=True)
class Shown:
    """A target region on the screen."""

    identity: str
    entity: Entity

    def is_same(self, identity: str, entity: Entity) -> bool:
        """Whether it is that region, whatever it says now, or says the same of the same words."""
        mine = self.entity.span, self.entity.label
        return base_of(self.identity) == identity or mine == (entity.span, entity.label)


# Gives None for a sentence that the models cannot read whole.
Find = Callable[[ParallelSentence, Drawn], Found | None]


def respond(request: PredictRequest, model_version: str, find: Find) -> Answers:
    """Answer someone who is annotating; what cannot be read is answered with nothing, and counted.

    The answer to an English region are new target regions and the region itself with where it went.
    The answer to a target region is that region with where it comes from. A target region that is
    on the screen already, whatever became of it, is not proposed once more, nor the same words with
    the same label; one that merely overlaps is: the annotator has just said what stands in the
    source, and sees both. A region that Label Studio gave another label than was asked for comes
    back with the right one.
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
    """The target labels of a labeling config; none if it cannot be read."""
    try:
        view = fromstring(label_config)
    except (ParseError, DefusedXmlException, ValueError):
        return frozenset()
    choices = (c for c in view.iter("Labels") if c.get("name") == ENTITIES)
    return frozenset(label.get("value", "") for choice in choices for label in choice.iter("Label"))


def _respond_to(
    task: Json, regions: Sequence[Json], labels: Collection[str], shown: list[Shown], find: Find
) -> tuple[list[dict[str, Any]], float, list[Refused]]:
    """The regions of the answer, how sure they are, and what could not be answered."""
    sentence = read_sentence(task)
    if isinstance(sentence, Refused):
        return [], 0.0, [sentence]
    where = f"task {task.get('id')}"
    waiting = [*regions, *_forgotten(task, regions)]
    drawn, refused = _read(waiting, sentence, labels, where)
    answers = [*_mistaken(regions, sentence, labels)]
    if not drawn.in_source and not drawn.in_target:
        return answers, 0.0, refused
    found = find(sentence, drawn)
    if found is None:
        refused.append(Refused(RefusalReason.TOO_LONG, f"{where}: longer than the models read"))
        told = (_told(region, entity, TOO_LONG, []) for region, entity in drawn.in_source)
        return [*answers, *told], 0.0, refused
    return [*answers, *_answers(sentence, drawn, found, shown)], found.score, refused


def _forgotten(task: Json, regions: Iterable[Json]) -> Iterator[Json]:
    """English marks of the draft that have no answer, and are not of a label that is asked about.

    Of those the call itself knows better than the draft, which is some seconds old. Without any,
    something was deleted, and that may stand in the draft yet.
    """
    asked = {_label_of(region) for region in regions}
    if asked:
        for region in _dicts(_draft(task).get("result")):
            waits = kind_of(region) == SOURCE_ENTITIES and WENT_TO not in meta_of(region)
            if waits and _label_of(region) not in asked:
                yield region


def _read(
    regions: Iterable[Json], sentence: ParallelSentence, labels: Collection[str], where: str
) -> tuple[Drawn, list[Refused]]:
    """What waits for an answer, and what cannot be understood."""
    source: list[tuple[Json, Entity]] = []
    target: list[tuple[Json, Entity]] = []
    refused: list[Refused] = []
    for region in regions:
        fields = Fields(region, f"{where} region {region.get('id')!r:.40}", ReviewError)
        kind, meta = kind_of(region), meta_of(region)
        try:
            if kind == SOURCE_ENTITIES and WENT_TO not in meta:
                source.append((region, marked_in_source(fields, sentence.source, labels)))
            elif kind == ENTITIES and CAME_FROM not in meta and not is_as_predicted(region):
                target.append((region, region_at(fields, sentence, labels).entity))
        except SpanferryError as error:
            refused.append(Refused(RefusalReason.BAD_REGION, str(error)))
    return Drawn(tuple(source), tuple(target)), refused


def _mistaken(
    regions: Iterable[Json], sentence: ParallelSentence, labels: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Target regions with the label they were answered with, where the page shows another."""
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
    for (region, entity), projections in zip(drawn.in_source, found.projections, strict=True):
        yield from _projected(sentence, region, entity, projections, shown)
    for (region, entity), link in zip(drawn.in_target, found.links, strict=True):
        if link is not None:
            yield _linked(sentence, region, entity, link)


def _linked(
    sentence: ParallelSentence, region: Json, entity: Entity, link: "Link"
) -> dict[str, Any]:
    said = f"from “{link.source.of(sentence.source)}” · {confidence(link.score)}"
    place = {CAME_FROM: [link.source.start, link.source.end], "origin": LabelOrigin.PERSON.value}
    return _placed(answered(_noted(region, said), entity.label, **place))


def _projected(
    sentence: ParallelSentence,
    region: Json,
    marked: Entity,
    projections: Sequence[Projection],
    shown: list[Shown],
) -> Iterator[dict[str, Any]]:
    """The proposals for one English region, and the region with where it went."""
    places = [entity for p in projections if (entity := p.entity) is not None]
    for place in places:
        identity = region_id(sentence.id, marked.span, place.span, place.label)
        if not any(one.is_same(identity, place) for one in shown):
            shown.append(Shown(identity, place))
            yield _proposal(sentence, region, marked, place, identity)
    if places:
        phrases = [
            f"“{place.span.of(sentence.target)}” · {confidence(place.score or 0.0)}"
            for place in places
        ]
        spans = [[place.span.start, place.span.end] for place in places]
        yield _told(region, marked, f"to {', '.join(phrases)}", spans)


def _proposal(
    sentence: ParallelSentence, mark: Json, marked: Entity, place: Entity, identity: str
) -> dict[str, Any]:
    """A new target region, which says what it comes from."""
    score, source = place.score or 0.0, marked.span
    own = suggestion_id(identity, str(mark.get("id")), place.label, score)
    region = region_of(own, place, sentence.target)
    said = {
        "text": [f"from “{source.of(sentence.source)}” · {confidence(score)}"],
        CAME_FROM: [source.start, source.end],
        "suggested": True,
    }
    return _placed(answered(region, place.label, **said))


def _placed(region: dict[str, Any]) -> dict[str, Any]:
    """The region as one that may take the place of another.

    Label Studio 1.23 works these offsets out for new regions; a text region that is overwritten
    would be left without, and nothing could be drawn any more.
    """
    value = region["value"]
    if "globalOffsets" in value:
        return region
    offsets = {"start": value["start"], "end": value["end"]}
    return {**region, "value": {**value, "globalOffsets": offsets}}


def _told(region: Json, marked: Entity, said: str, spans: list[list[int]]) -> dict[str, Any]:
    """The English region with what was found out, and where it went: then it is answered."""
    return answered(_noted(region, said), marked.label, **{WENT_TO: spans})


def _noted(region: Json, said: str) -> dict[str, Any]:
    """The region as it came, with one note more."""
    meta = meta_of(region)
    text = meta.get("text")
    notes = text if isinstance(text, list) else [text] if text else []
    return {**region, "meta": {**meta, "text": [*notes, said]}}


def _on_screen(task: Json, model_version: str) -> list[Shown]:
    """The target regions as last saved: those of the draft, or of the prediction it begins with.

    That is of the current model, or of an older one where that has none yet. Annotations do not
    count: they are other people's, or have a draft as soon as they are changed.
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
        return Shown(str(region.get("id")), Entity(span, label))
    except (SpanferryError, ValueError):
        return None


def _draft(task: Json) -> Json:
    """The draft that was saved last; Label Studio sends those of whoever is asking."""
    saved = _dicts(task.get("drafts"))
    return max(saved, key=lambda draft: str(draft.get("updated_at") or ""), default={})


def _label_of(region: Json) -> tuple[str, str]:
    """What Label Studio puts regions together by: their text and their label."""
    value = region.get("value")
    labels = value.get("labels") if isinstance(value, dict) else None
    return str(region.get("to_name")), str(labels)


def _dicts(value: object) -> Iterator[Json]:
    """The objects in a list that Label Studio sends along; anything else is not for us."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))
