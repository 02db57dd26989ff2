"""The read-only source sentence and the list of conflicts, as HTML for Label Studio's HyperText.

Everything that comes from a corpus is escaped, and isolated from the direction of the text around
it. Colours are translucent or `currentColor`, so that both of Label Studio's themes stay readable.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from label_config.colors import color_of
from projection.records import Conflict, ConflictKind, Entity, ProjectedSentence, Projection, Span

# Lives in the labeling config, so that tasks stay small. Everything is named `sf-…`: the page is
# Label Studio's, and these rules must not reach anything else on it.
CSS = """\
.sf-head { font-size: 12px; }
.sf-source { font-size: 16px; line-height: 1.9; white-space: pre-wrap; overflow-wrap: anywhere; }
.sf-chip { background: color-mix(in srgb, var(--sf) 20%, transparent); padding: 1px 2px;
  border-bottom: 2px solid var(--sf); border-radius: 3px; box-decoration-break: clone; }
.sf-chip.sf-failed { background: none; border: 2px dashed var(--sf); }
.sf-tag { font-size: 11px; font-weight: 600; margin: 0 3px; white-space: nowrap; }
.sf-conflicts { list-style: none; margin: 4px 0 0; padding: 0; font-size: 14px; line-height: 1.5; }
.sf-kind { font-weight: 700; }
"""

MOST_SHOWN = 6  # more would push the target sentence off a small screen
NO_CONFLICTS = "✓ no conflicts found"
NOT_FOUND = "not found"

Place = tuple[Span, str]

_QUOTED = re.compile("“([^”]*)”")


def source_html(projected: ProjectedSentence) -> str:
    """The source sentence with one numbered chip an entity, and the conflicts below it."""
    sentence = projected.sentence
    return (
        f'<div class="sf-head">Source · {escape(sentence.source_lang)}</div>'
        f'<div class="sf-source" dir="auto" lang="{escape(sentence.source_lang)}">'
        f"{_chips(projected)}</div>"
        f'<ul class="sf-conflicts">{_conflict_list(projected.conflicts)}</ul>'
    )


def numbered_sources(projected: ProjectedSentence) -> tuple[Place, ...]:
    """Where the source entities are, in reading order: the n-th is called n wherever it is shown.

    What the teacher found and the corpus did not bring along is known from the projections.
    """
    entities = [*(projected.sentence.entities or ())]
    entities += [projection.source for projection in projected.projections]
    return tuple(sorted({place_of(entity) for entity in entities}))


def place_of(entity: Entity) -> Place:
    """What makes a source entity that one and no other, whoever scored it."""
    return entity.span, entity.label


def confidence(score: float) -> str:
    """A probability as people read it: two digits."""
    return f"{score:.2f}"


def possible(projections: Iterable[Projection], target: str) -> str:
    """Where else in `target` the entity could be, each phrase once; empty if nowhere."""
    places = (place.of(target) for p in projections for place in p.alternatives)
    phrases = ", ".join(f"“{phrase}”" for phrase in dict.fromkeys(places))
    return f" · possible: {phrases}" if phrases else ""


def isolated(text: str) -> str:
    """Escaped, and kept from changing the direction of what stands beside it."""
    return f"<bdi>{escape(text)}</bdi>"


def _chips(projected: ProjectedSentence) -> str:
    text, places = projected.sentence.source, numbered_sources(projected)
    ends = [_chip_ends(projected, place, number) for number, place in enumerate(places, 1)]
    # Cut at every border, so that nested and crossing entities need no special case.
    cuts = {0, len(text)}.union(*((span.start, span.end) for span, _ in places))
    html = []
    for start, end in pairwise(sorted(cuts)):
        covering = [n for n, (span, _) in enumerate(places) if span.overlaps(Span(start, end))]
        piece = isolated(text[start:end]) if covering else escape(text[start:end])
        for n in reversed(covering):
            opening, tag = ends[n]
            piece = f"{opening}{piece}{tag if places[n][0].end == end else ''}</span>"
        html.append(piece)
    return "".join(html)


def _chip_ends(projected: ProjectedSentence, place: Place, number: int) -> tuple[str, str]:
    """What a chip opens with, and the tag it closes with."""
    label, target = place[1], projected.sentence.target
    mine = [p for p in projected.projections if place_of(p.source) == place]
    found = [(p.target.of(target), confidence(p.score)) for p in mine if p.target is not None]
    went = ", ".join(f"“{phrase}” {score}" for phrase, score in found) or NOT_FOUND
    went += possible(mine, target)
    classes = "sf-chip" if found else "sf-chip sf-failed"
    scores = ", ".join(score for _, score in found) or NOT_FOUND
    return (
        f'<span class="{classes}" style="--sf: {color_of(label)}"'
        f' title="{escape(f"{label} → {went}")}">',
        f'<sup class="sf-tag" dir="ltr">{number} {isolated(label)} {scores}</sup>',
    )


def _conflict_list(conflicts: Sequence[Conflict]) -> str:
    if not conflicts:
        return f"<li>{NO_CONFLICTS}</li>"
    lines = [_in_plain_words(conflict) for conflict in conflicts[:MOST_SHOWN]]
    if len(conflicts) > MOST_SHOWN:
        lines.append(f"… and {len(conflicts) - MOST_SHOWN} more")
    return "".join(f"<li>{line}</li>" for line in lines)


def _in_plain_words(conflict: Conflict) -> str:
    kind = escape(conflict.kind.replace("_", " "))
    # Reasons put phrases between “ and ”; each is isolated by itself.
    reason = _QUOTED.sub(r"“<bdi>\1</bdi>”", escape(conflict.reason))
    found = [p.score for p in conflict.projections if p.target is not None]
    # Low confidence says its number already.
    silent = not found or conflict.kind is ConflictKind.LOW_CONFIDENCE
    doubt = "" if silent else f" · {confidence(min(found))}"
    return f'<span class="sf-kind">⚠ {kind}</span> — <span>{reason}</span>{doubt}'
