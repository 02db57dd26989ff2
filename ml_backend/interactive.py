"""While someone is annotating: what they drew in one sentence, found in the other.

Label Studio sends the regions of one label in one of the two texts, whenever one of them was drawn,
changed or deleted, and does not say which. So an answer leaves its trace in the region that was
asked about: an English region that has been projected says where to (`meta.targets`), a target
region that has been linked says where from (`meta.source`), and neither is looked at again. Hence
calls may come twice, late or not at all, and what an annotator has deleted stays deleted.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from label_config.chips import confidence
from label_config.config import ENTITIES, SOURCE, SOURCE_ENTITIES, TARGET
from label_config.regions import marked_in_source, read_result, region_id, region_of
from ml_backend.predict import Answers, Reason, Refused, read_sentence
from ml_backend.wire import Json, Prediction, PredictRequest
from projection.errors import ReviewError, SpanferryError
from projection.fields import Fields
from projection.records import Entity, ParallelSentence, Projection, Span

if TYPE_CHECKING:
    from projection.linking import Link
    from projection.projector import ProjectsSentences

# `from_name`, `to_name` and `type` of a span in each text.
_IN_SOURCE = (SOURCE_ENTITIES, SOURCE, "labels")
_IN_TARGET = (ENTITIES, TARGET, "labels")
_PREDICTED = "prediction"  # Label Studio's `origin` of a region nobody has touched


@dataclass(frozen=True, slots=True)
class Drawn:
    """What waits for an answer: regions of each text, with what they mark there."""

    in_source: tuple[tuple[Json, Entity], ...] = ()
    in_target: tuple[tuple[Json, Span], ...] = ()


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


# Gives None for a sentence that the models cannot read whole.
Find = Callable[[ParallelSentence, Drawn], Found | None]


def respond(request: PredictRequest, model_version: str, find: Find) -> Answers:
    """Answer someone who is annotating; what cannot be read is answered with nothing, and counted.

    The answer to an English region are new target regions and the region itself with where it went.
    The answer to a target region is that region with where it comes from. A target region that is
    on the screen already, same words and same label, is not proposed once more; one that merely
    overlaps is: the annotator has just said what stands in the source, and sees both.
    """
    labels = labels_of_interface(request.label_config)
    results: list[Prediction | list[Prediction]] = []
    refused: list[Refused] = []
    for task in request.tasks:
        regions, score, complaints = _respond_to(task, request.drawn or (), labels, find)
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
    spans = [span for _, span in drawn.in_target]
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
    task: Json, regions: Iterable[Json], labels: Collection[str], find: Find
) -> tuple[list[dict[str, Any]], float, list[Refused]]:
    """The regions of the answer, how sure they are, and what could not be answered."""
    sentence = read_sentence(task)
    if isinstance(sentence, Refused):
        return [], 0.0, [sentence]
    drawn, refused = _read(regions, sentence, labels, f"task {task.get('id')}")
    if not drawn.in_source and not drawn.in_target:
        return [], 0.0, refused
    found = find(sentence, drawn)
    if found is None:
        too_long = Refused(Reason.TOO_LONG, f"task {task.get('id')}: longer than the models read")
        return [], 0.0, [*refused, too_long]
    answers = _answers(sentence, drawn, found, _on_screen(task))
    # Two marks may lead to one region; Label Studio would give it two results.
    once = {str(region.get("id")): region for region in answers}
    return [*once.values()], found.score, refused


def _read(
    regions: Iterable[Json], sentence: ParallelSentence, labels: Collection[str], where: str
) -> tuple[Drawn, list[Refused]]:
    """What waits for an answer, and what cannot be understood."""
    source: list[tuple[Json, Entity]] = []
    target: list[tuple[Json, Span]] = []
    refused: list[Refused] = []
    for region in regions:
        fields = Fields(region, f"{where} region {region.get('id')!r:.40}", ReviewError)
        try:
            if _waits(region, _IN_SOURCE, "targets"):
                source.append((region, marked_in_source(fields, sentence.source, labels)))
            elif _waits(region, _IN_TARGET, "source") and region.get("origin") != _PREDICTED:
                target.append((region, _target_span(fields, sentence, labels)))
        except SpanferryError as error:
            refused.append(Refused(Reason.BAD_REGION, str(error)))
    return Drawn(tuple(source), tuple(target)), refused


def _waits(region: Json, kind: tuple[str, ...], answered: str) -> bool:
    """Whether a region is of this kind and has no answer yet."""
    parts = tuple(region.get(key) for key in ("from_name", "to_name", "type"))
    return parts == kind and answered not in _meta(region)


def _target_span(region: Fields, sentence: ParallelSentence, labels: Collection[str]) -> Span:
    alone = Fields({"result": [region.row]}, region.where, ReviewError)
    (read,) = read_result(alone, sentence, labels).regions
    return read.entity.span


def _answers(
    sentence: ParallelSentence,
    drawn: Drawn,
    found: Found,
    on_screen: Collection[tuple[str, Entity]],
) -> Iterator[dict[str, Any]]:
    for (region, _), projections in zip(drawn.in_source, found.projections, strict=True):
        yield from _projected(sentence, region, projections, on_screen)
    for (region, _), link in zip(drawn.in_target, found.links, strict=True):
        if link is not None:
            said = f"from “{link.source.of(sentence.source)}” · {confidence(link.score)}"
            yield _placed(_told(region, said, source=[link.source.start, link.source.end]))


def _projected(
    sentence: ParallelSentence,
    region: Json,
    projections: Sequence[Projection],
    on_screen: Collection[tuple[str, Entity]],
) -> Iterator[dict[str, Any]]:
    """The proposals for one English region, and the region with where it went."""
    places = []
    for projection in projections:
        if (entity := projection.entity) is None:
            continue
        places.append(entity)
        source = projection.source.span
        identity = region_id(sentence.id, source, entity.span, entity.label)
        if not _shown_otherwise(identity, entity, on_screen):
            said = f"from “{source.of(sentence.source)}” · {confidence(projection.score)}"
            meta = {"text": [said], "source": [source.start, source.end], "suggested": True}
            yield {**_placed(region_of(identity, entity, sentence.target)), "meta": meta}
    if places:
        said = ", ".join(
            f"“{e.span.of(sentence.target)}” · {confidence(e.score or 0.0)}" for e in places
        )
        spans = [[entity.span.start, entity.span.end] for entity in places]
        yield _told(region, f"to {said}", targets=spans)


def _placed(region: dict[str, Any]) -> dict[str, Any]:
    """The target region as one that may take the place of another.

    Label Studio 1.23 works these offsets out for new regions; one that is overwritten would be left
    without, and nothing could be drawn any more.
    """
    value = region["value"]
    offsets = {"start": value["start"], "end": value["end"]}
    return {**region, "value": {**value, "globalOffsets": offsets}}


def _told(region: Json, said: str, **found: object) -> dict[str, Any]:
    """The region as it came, with what was found about it; notes in it stay."""
    meta = _meta(region)
    text = meta.get("text")
    notes = text if isinstance(text, list) else [text] if text else []
    return {**region, "meta": {**meta, "text": [*notes, said], **found}}


def _meta(region: Json) -> dict[str, Any]:
    meta = region.get("meta")
    return meta if isinstance(meta, dict) else {}


def _shown_otherwise(
    identity: str, entity: Entity, on_screen: Collection[tuple[str, Entity]]
) -> bool:
    """Whether the same words have the same label in another region."""
    return any(
        shown.span == entity.span and shown.label == entity.label and other != identity
        for other, shown in on_screen
    )


def _on_screen(task: Json) -> list[tuple[str, Entity]]:
    """The target regions as last saved: those of the draft, or of what a draft begins with."""
    drafts = [*_dicts(task.get("drafts"))]
    earlier = (w for kind in ("annotations", "predictions") for w in _dicts(task.get(kind)))
    regions = (region for work in drafts or earlier for region in _dicts(work.get("result")))
    return [shown for region in regions if (shown := _shown(region))]


def _shown(region: Json) -> tuple[str, Entity] | None:
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


def _dicts(value: object) -> Iterator[Json]:
    """The objects in a list that Label Studio sends along; anything else is not for us."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))
