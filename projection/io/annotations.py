"""Entities in the JSON of annotation tools: Prodigy, doccano, spaCy, Label Studio.

They are a list under one of several keys, of objects or of `[start, end, label]`. What looks like
annotation under another key is refused by name, so that no model replaces what people marked.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import NoReturn

from projection.io.json_fields import Fields
from projection.io.records_json import decode_entities
from projection.records import Entity

FORM = 'Write it as {"source", "target", "entities": [{"start", "end", "label"}]}'
ENTITIES, TARGET_ENTITIES = "entities", "target_entities"
_KEYS = {
    *(ENTITIES, "spans", "ents", "label", "labels", "annotation", "annotations", "entity"),
    *("source_entities", "source_spans", "named_entities", "ner", TARGET_ENTITIES),
}
_ALWAYS = {ENTITIES, "spans", "ents", TARGET_ENTITIES}  # never anything but entities
_STARTS = ("start", "start_offset", "startOffset", "start_char", "begin")
_ENDS = ("end", "end_offset", "endOffset", "end_char", "stop")
_LABELS = ("label", "labels", "type", "entity_type", "entity_group", "entity", "tag", "category")
_TAG = re.compile(r"O|[BIESLU]-.+", re.DOTALL)
_DEEPEST = 6  # levels that are looked at for annotations


def entities_beside(fields: Fields, text: str) -> tuple[Entity, ...] | None:
    """Decode the entities of `text` in the object; None if it has none of the keys.

    Raises the error type of `fields` if they contradict the text or each other, or if something
    else looks like annotation.
    """
    found = {}
    for key, value in fields.row.items():
        if value is None or key in ("source", "target"):
            continue
        if key in _KEYS and (value == [] or key in _ALWAYS or _is_annotated(value)):
            found[key] = _decode(fields, key, text)
        elif _is_annotated(value) or _is_tags(key, value, fields.row) or _is_typo(key, value):
            what = "looks like annotation, and is not read"
            fix = f"Entities of the source go under {ENTITIES}, of the target under "
            raise fields.error(key, what, f"{fix}{TARGET_ENTITIES}. {FORM}")
    if len({*found.values()}) > 1:
        what = f"contradicts {', '.join(list(found)[1:])}"
        raise fields.error(next(iter(found)), what, "Keep one of them")
    return next(iter(found.values()), None)


def unverified(fields: Fields) -> bool:
    """Return whether entities in the object come without the text that they cover."""
    lists = (value for key, value in fields.row.items() if key in _KEYS)
    return any(
        not (isinstance(item, dict) and ("text" in item or "value" in item))
        for value in lists
        if isinstance(value, list)
        for item in value
    )


def _decode(fields: Fields, key: str, text: str) -> tuple[Entity, ...]:
    value = fields.row[key]
    if not isinstance(value, list):
        raise fields.error(key, "no list", FORM)
    rows = [_row(fields, f"{key}[{index}]", item) for index, item in enumerate(value)]
    return decode_entities(replace(fields, row={key: rows}), key, text)


def _row(fields: Fields, where: str, item: object) -> dict[str, object]:
    """An entity in our own form: start, end, label, and text and score if there are any."""
    if isinstance(item, list) and len(item) == 3:
        item = dict(zip(("start", "end", "label"), item, strict=True))
    if isinstance(item, dict) and isinstance(item.get("value"), dict):
        item = item["value"]
    if not isinstance(item, dict):
        raise fields.error(where, f"{item!r:.40} where an entity should be", FORM)
    label = _first(item, _LABELS)
    if isinstance(label, list) and len(label) == 1:
        (label,) = label
    row = {
        "start": _offset(_first(item, _STARTS)),
        "end": _offset(_first(item, _ENDS)),
        "label": label,
        **{key: item[key] for key in ("text", "score") if item.get(key) is not None},
    }
    for key, given in row.items():
        if given is None:
            _refuse_missing(fields, f"{where} {key}")
    return row


def _refuse_missing(fields: Fields, where: str) -> NoReturn:
    raise fields.error(where, "missing", FORM)


def _first(item: Mapping[str, object], keys: tuple[str, ...]) -> object:
    return next((item[key] for key in keys if item.get(key) is not None), None)


def _offset(value: object) -> object:
    """A whole number, also of `"7"` and of 7.0, as tables write it."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_annotated(value: object, depth: int = 0) -> bool:
    """Return whether there are labelled offsets somewhere in the value."""
    if depth > _DEEPEST:
        return False
    if isinstance(value, dict):
        has = [any(key in value for key in keys) for keys in (_STARTS, _ENDS, _LABELS)]
        return all(has) or any(_is_annotated(each, depth + 1) for each in value.values())
    if isinstance(value, list):
        return any(_is_triple(each) or _is_annotated(each, depth + 1) for each in value)
    return False


def _is_triple(value: object) -> bool:
    if not isinstance(value, list) or len(value) not in (3, 4):
        return False
    kinds = [type(each) for each in value]
    return kinds.count(int) >= 2 and str in kinds


def _is_tags(key: str, value: object, row: Mapping[str, object]) -> bool:
    """Return whether the value is a list of IOB tags, or of their numbers beside `tokens`."""
    if not isinstance(value, list) or not value or key == "tokens":
        return False
    if all(isinstance(each, str) for each in value):
        return all(_TAG.fullmatch(each) for each in value)
    tokens = row.get("tokens")
    beside = isinstance(tokens, list) and len(tokens) == len(value)
    return beside and "tag" in key.lower() and all(isinstance(each, int) for each in value)


def _is_typo(key: str, value: object) -> bool:
    """Return whether the key is nearly `entities`: an empty list there would be lost unseen."""
    near = get_close_matches(
        key.lower().removeprefix("target_"), (ENTITIES, "spans"), n=1, cutoff=0.8
    )
    objects = isinstance(value, list) and all(isinstance(each, dict | list) for each in value)
    return objects and key not in _KEYS and bool(near)


def label_fault(label: str) -> str | None:
    """Return what is wrong with an entity type of a corpus, or None."""
    if _TAG.fullmatch(label):
        return "is the tag of a token, not an entity type"
    return "begins with $, which Label Studio takes for a field" if label[0] == "$" else None
