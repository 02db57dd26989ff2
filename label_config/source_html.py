"""The source sentence with a chip an entity, and the list of doubts, as HTML for HyperText.

The text of the source is the sentence and nothing else, so that what an annotator selects in it has
the offsets it has in the sentence: all that a chip says beside it is CSS. Everything that comes
from a corpus is escaped, and what is quoted is isolated from the direction of the text around it.
Colours are translucent or `currentColor`, so that both of Label Studio's themes stay readable.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise

from label_config.colors import color_of
from label_config.target_css import CAME, Mark, task_rules
from projection.records import Conflict, ConflictKind, Entity, ProjectedSentence, Projection, Span
from projection.text.wording import CONFLICT_NAMES

# Lives in the labeling config, so that tasks stay small. Everything is named `sf-…`: the page is
# Label Studio's, and these rules must not reach anything else on it.
CSS = """\
.sf-source { font-size: 16px; line-height: 1.8; white-space: pre-wrap; overflow-wrap: anywhere; }
.sf-chip { background: color-mix(in srgb, var(--sf) 20%, transparent); padding: 1px 2px;
  border-bottom: 2px solid var(--sf); border-radius: 3px; box-decoration-break: clone;
  --sf-lit: transparent; box-shadow: 0 0 0 2px var(--sf-lit); }
.sf-chip.sf-failed { background: none; border: 2px dashed var(--sf); }
.sf-chip[data-tag]::after { content: attr(data-tag); font-size: 11px; font-weight: 600;
  margin: 0 3px; vertical-align: super; line-height: 0; white-space: nowrap; unicode-bidi: isolate;
  direction: ltr; }
.sf-conflicts { list-style: none; margin: 4px 0 0; padding: 0; font-size: 14px; line-height: 1.5; }
.sf-kind { font-weight: 700; }
"""

MOST_SHOWN = 5  # more would push the target sentence off a small screen
NO_CONFLICTS = "✓ nothing is in doubt"
NOT_FOUND = CONFLICT_NAMES[ConflictKind.FAILED_MAPPING]
# The key for the next span cannot lead to what is not there.
WHAT_TO_DO = " · draw it below, or leave it"

Place = tuple[Span, str]

_PROPAGATED = re.compile('<li class="sf-propagated">.*?</li>', re.DOTALL)
_QUOTED = re.compile("“([^”]*)”")


def source_html(projected: ProjectedSentence, became: Mapping[Place, str] | None = None) -> str:
    """The source sentence with one numbered chip an entity; its text is exactly the sentence.

    Args:
        projected: what to show.
        became: what corrections of other sentences made of source entities: the new label, nothing
            if it stayed, or that there is no entity.
    """
    language = escape(projected.sentence.source_lang)
    chips = _chips(projected, became or {})
    return f'<div class="sf-source" dir="auto" lang="{language}">{chips}</div>'


def doubts_html(projected: ProjectedSentence, marks: Iterable[Mark]) -> str:
    """What is doubtful, in plain words, and the look of the marks in the target sentence."""
    return (
        f"<style>{task_rules(projected.sentence, marks)}</style>"
        f'<ul class="sf-conflicts">{_conflict_list(projected)}</ul>'
    )


def with_propagated(doubts: str, said: str) -> str:
    """The doubts with a line on what other sentences brought, in place of an older such line.

    Args:
        doubts: what `doubts_html` made.
        said: what was carried over, in plain words.
    """
    words = f'<span class="sf-kind">{CAME} propagated</span> — <bdi>{escape(said)}</bdi>'
    line = f'<li class="sf-propagated">{words}</li>'
    return _PROPAGATED.sub("", doubts).removesuffix("</ul>") + line + "</ul>"


def numbered_sources(projected: ProjectedSentence) -> tuple[Place, ...]:
    """Where the source entities are, in reading order: the n-th is called n wherever it is shown.

    What the teacher found and the corpus did not bring along is known from the projections.
    """
    entities = [*(projected.sentence.entities or ())]
    entities += [projection.source for projection in projected.projections]
    return tuple(sorted({place_of(entity) for entity in entities}))


def as_html_text(text: str) -> str:
    """What HTML can hold of `text`, code point by code point: of a line's two ends, only one."""
    return text.replace("\r\n", " \n").replace("\r", "\n").replace("\0", "\ufffd")


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


def _chips(projected: ProjectedSentence, became: Mapping[Place, str]) -> str:
    text, places = as_html_text(projected.sentence.source), numbered_sources(projected)
    ends = [
        _chip_ends(projected, place, number, became.get(place))
        for number, place in enumerate(places, 1)
    ]
    # Cut at every border, so that nested and crossing entities need no special case.
    cuts = {0, len(text)}.union(*((span.start, span.end) for span, _ in places))
    html = []
    for start, end in pairwise(sorted(cuts)):
        covering = [n for n, (span, _) in enumerate(places) if span.overlaps(Span(start, end))]
        piece = escape(text[start:end])
        for n in reversed(covering):
            opening, tag = ends[n]
            piece = f"<span{tag if places[n][0].end == end else ''}{opening}>{piece}</span>"
        html.append(piece)
    return "".join(html)


def _chip_ends(
    projected: ProjectedSentence, place: Place, number: int, became: str | None
) -> tuple[str, str]:
    """The attributes of every piece of a chip, and those of its last piece."""
    label, target = place[1], projected.sentence.target
    mine = [p for p in projected.projections if place_of(p.source) == place]
    found = [(p.target.of(target), confidence(p.score)) for p in mine if p.target is not None]
    went = ", ".join(f"“{phrase}” {score}" for phrase, score in found) or NOT_FOUND
    went += possible(mine, target)
    said = ", ".join(score for _, score in found) or NOT_FOUND
    if became is not None:
        said = f"{CAME} {became}".strip()
        went = " ".join([*(f"“{phrase}”" for phrase, _ in found), said])
    classes = f"sf-chip sf-n{number}" + ("" if found else " sf-failed")
    return (
        f' class="{classes}" style="--sf: {color_of(label)}" title="{escape(f"{label} → {went}")}"',
        f' data-tag="{escape(f"{number} {label} {said}")}"',
    )


def _conflict_list(projected: ProjectedSentence) -> str:
    conflicts, places = projected.conflicts, numbered_sources(projected)
    if not conflicts:
        return f"<li>{NO_CONFLICTS}</li>"
    lines = [_in_plain_words(conflict, places) for conflict in conflicts[:MOST_SHOWN]]
    if len(conflicts) > MOST_SHOWN:
        lines.append(f"… and {len(conflicts) - MOST_SHOWN} more")
    return "".join(f"<li>{line}</li>" for line in lines)


def _in_plain_words(conflict: Conflict, places: Sequence[Place]) -> str:
    kind = CONFLICT_NAMES[conflict.kind]
    numbers = sorted({places.index(place_of(p.source)) + 1 for p in conflict.projections})
    concerned = f" {', '.join(map(str, numbers))}" if numbers else ""
    # Reasons put phrases between “ and ”; each is isolated by itself.
    reason = _QUOTED.sub(r"“<bdi>\1</bdi>”", escape(conflict.reason))
    # What people corrected elsewhere has no score.
    found = [p.score for p in conflict.projections if p.target is not None and p.score]
    # Low confidence says its number already.
    silent = not found or conflict.kind is ConflictKind.LOW_CONFIDENCE
    doubt = "" if silent else f" · {confidence(min(found))}"
    if conflict.kind is ConflictKind.FAILED_MAPPING:
        doubt = WHAT_TO_DO
    return f'<span class="sf-kind">⚠ {kind}{concerned}</span> — <span>{reason}</span>{doubt}'
