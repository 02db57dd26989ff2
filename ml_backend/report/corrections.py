"""The phrases that are corrected or added most often, and what they become."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from ml_backend.report.acceptance import Decision
from ml_backend.report.ledger import Change, Entry
from ml_backend.review.corrections import composed
from projection.io.records_json import Json
from projection.records import Entity

MOST = 20

_Key = tuple[str, str, str]  # text in Unicode normalisation form C, label, language


def most_corrected(decisions: Iterable[Decision], most: int = MOST) -> list[Json]:
    """Return the phrases changed most often, ties in alphabetical order.

    Each item of `became` holds `change`, the new `text` and `label` (empty if the entity was
    deleted) and `times`.
    """
    proposed: Counter[_Key] = Counter()
    became: defaultdict[_Key, Counter[tuple[Change, str, str]]] = defaultdict(Counter)
    for entry in (entry for each in decisions for entry in each.entries):
        if entry.change is None or entry.predicted is None:
            continue
        old = _key(entry, entry.predicted)
        proposed[old] += 1
        if entry.change is not Change.KEPT:
            text, label, _ = _key(entry, entry.corrected) if entry.corrected else ("", "", "")
            became[old][entry.change, text, label] += 1
    chosen = sorted(became, key=lambda key: (-became[key].total(), key))[:most]
    return [
        {
            **dict(zip(("text", "label", "lang"), key, strict=True)),
            "proposed": proposed[key],
            "corrected": became[key].total(),
            "became": [
                {"change": change, "text": text, "label": label, "times": times}
                for (change, text, label), times in became[key].most_common()
            ],
        }
        for key in chosen
    ]


def most_added(decisions: Iterable[Decision]) -> list[Json]:
    """Return the phrases added most often where nothing was proposed, ordered likewise."""
    counts = Counter(
        _key(entry, entry.corrected)
        for each in decisions
        for entry in each.entries
        if entry.change is Change.ADDED and entry.corrected is not None
    )
    chosen = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    return [
        {"text": text, "label": label, "lang": lang, "count": count}
        for (text, label, lang), count in chosen
    ]


def _key(entry: Entry, entity: Entity) -> _Key:
    sentence = entry.review.sentence
    return composed(entity.span.of(sentence.target)), entity.label, sentence.target_lang
