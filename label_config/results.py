"""The `result` list of an annotation or a prediction: its regions, the decision, and notes."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

from label_config.labeling_config import (
    AS_MARKED,
    ENTITIES,
    OK,
    REVIEW,
    SETTLED,
    SOURCE_ENTITIES,
    UNUSABLE,
    VERSIONS,
)
from label_config.regions import (
    SAID,
    WENT_TO,
    Region,
    kind_of,
    marked_in_source,
    meta_of,
    region_at,
)
from projection.errors import SpanferryError
from projection.io.json_fields import Fields
from projection.records import Entity, ParallelSentence

_FIX = "Open the task in Label Studio, delete what is named here, and submit again"
WRITTEN = "note on "  # how a note begins that a person wrote on a region
_OURS = (ENTITIES, SOURCE_ENTITIES, REVIEW, SETTLED)
_ANSWERS = {REVIEW: (OK, UNUSABLE), SETTLED: (*VERSIONS, AS_MARKED)}


class Result(NamedTuple):
    """Regions sorted by span and label, the answers to REVIEW and SETTLED, notes for people."""

    regions: list[Region]
    answer: str | None
    notes: list[str]
    holds: str | None


def read_result(work: Fields, sentence: ParallelSentence, phrases: Collection[str] = ()) -> Result:
    """Read the `result` list of an annotation, or of a prediction that must be read whole.

    Notes are about overlaps, entities marked in the source, what people wrote on regions (less the
    `phrases` of predictions) and answers to questions that are not ours. ReviewError if an item of
    ours cannot be read, contradicts the sentence or comes twice.
    """
    found, others = _by_kind(work)
    read = [(region_at(item, sentence), item) for item in found[ENTITIES]]
    read.sort(key=lambda each: (each[0].entity.span, each[0].entity.label))
    regions = [region for region, _ in read]
    answer, holds = (_answer(work, question, found[question]) for question in (REVIEW, SETTLED))
    notes = [*_notes(regions, sentence.target)]
    marked = [(region.entity, item, sentence.target) for region, item in read]
    for item in found[SOURCE_ENTITIES]:
        entity = marked_in_source(item, sentence.source)
        went = "" if meta_of(item.row).get(WENT_TO) else ", not projected"
        notes.append(f"marked in the source: {_quoted(entity, sentence.source)}{went}")
        marked.append((entity, item, sentence.source))
    for entity, item, text in marked:
        if written := _written(item.row, phrases):
            notes.append(f"{WRITTEN}{entity.label} “{entity.span.of(text)}”: {written}")
    if relations := len(found["relation"]):
        notes.append(f"{relations} relation(s) between regions were not read")
    return Result(regions, answer, [*notes, *others], holds)


def _by_kind(work: Fields) -> tuple[defaultdict[str, list[Fields]], list[str]]:
    """Return our items by kind, and the answers to questions that are not ours as notes."""
    found: defaultdict[str, list[Fields]] = defaultdict(list)
    others, seen = list[str](), set[str]()
    for item in work.children("result"):
        identity = replace(item, fix=_FIX).text_or_none("id")
        where = item.where if identity is None else f"{work.where} region {identity}"
        region = replace(item, where=where, fix=_FIX)
        if item.row.get("type") == "relation":
            found["relation"].append(item)
        elif not (kind := kind_of(item.row)):
            others.append(_other_answer(region))
        elif identity in seen:
            raise region.error_here("this id comes twice")
        else:
            seen |= {identity} if identity else set()
            found[kind].append(region)
    return found, others


def read_prediction(work: Fields, sentence: ParallelSentence) -> tuple[list[Region], int]:
    """Return the regions of a prediction, and how many more of them cannot be read."""
    result = work.row.get("result")
    found, unread = list[Region](), 0
    for item in result if isinstance(result, list) else ():
        if isinstance(item, dict) and kind_of(item) == ENTITIES:
            try:
                found.append(region_at(replace(work, row=item), sentence))
            except SpanferryError:
                unread += 1
    return sorted(found, key=lambda region: (region.entity.span, region.entity.label)), unread


def labels_in(result: object) -> Iterator[str]:
    """Yield the labels of the target regions of a `result`; what cannot be read is passed over."""
    for item in _objects(result):
        if kind_of(item) == ENTITIES:
            value = item.get("value")
            given = value.get("labels") if isinstance(value, dict) else None
            yield from (label.strip() for label in _texts(given))


def phrases_in(result: object) -> Iterator[str]:
    """Yield what the regions of a prediction have as text of their `meta`."""
    for item in _objects(result):
        yield from _texts(meta_of(item).get("text"))


def _written(item: Mapping[str, object], phrases: Collection[str]) -> str:
    """Return what a person wrote into the `meta` of a region, in one line."""
    meta = meta_of(item)
    text = "\n".join(_texts(meta.get("text")))
    for phrase in sorted({*phrases, *_texts(meta.get(SAID))}, key=len, reverse=True):
        text = text.replace(phrase, " ")
    return " ".join(text.split())


def _other_answer(item: Fields) -> str:
    """Return the answer to a question that somebody added to the labeling config.

    ReviewError for anything that might be meant as an entity or as our decision.
    """
    name, to, kind = (item.row.get(key) for key in ("from_name", "to_name", "type"))
    if not (isinstance(name, str) and isinstance(kind, str)) or (
        name in _OURS or kind.endswith("labels")
    ):
        given = f"from_name {name!r:.40}, to_name {to!r:.40}, type {kind!r:.40}"
        fix = "Give the project the labeling config that spanferry builds, and review it again"
        raise item.error_here(f"{given} are not of our labeling config", fix)
    value = item.row.get("value")
    said = value.get("text" if kind == "textarea" else kind) if isinstance(value, dict) else None
    words = " ".join(", ".join(_texts(said)).split())
    return f"{name}: {words}" if words else f"{name} ({kind}) was not read"


def _answer(work: Fields, question: str, items: Sequence[Fields]) -> str | None:
    """Return the one answer to a question, if any."""
    answers = []
    for region in items:
        chosen = region.child("value").texts("choices")
        if len(chosen) != 1 or chosen[0] not in _ANSWERS[question]:
            offered = " nor ".join(map(repr, _ANSWERS[question]))
            raise region.error_here(f"the {question} is neither {offered} but {list(chosen)!r}")
        answers.append(chosen[0])
    if len(answers) > 1:
        raise work.error_here(f"the {question} is answered twice: {', '.join(answers)}", _FIX)
    return answers[0] if answers else None


def _notes(regions: Sequence[Region], text: str) -> Iterator[str]:
    for a, b in combinations([region.entity for region in regions], 2):
        if a.span.overlaps(b.span):
            both = f"{_quoted(a, text)} and {_quoted(b, text)}"
            yield f"{both} overlap: IOB2 can hold only one of them"
    for region in regions:
        if region.shown != region.entity.label:
            shown = f"{_quoted(region.entity, text)} was shown as {region.shown}"
            yield f"{shown}, which nobody asked for"


def _quoted(entity: Entity, text: str) -> str:
    return f"{entity.label} “{entity.span.of(text)}” {entity.span}"


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    yield from (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _texts(value: object) -> Iterable[str]:
    """Return the texts of a list, or the one text."""
    return [
        text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)
    ]
