"""The source sentence with a chip per entity, and the list of conflicts, as HTML for HyperText.

The text of the source is exactly the sentence, so that selections in it have the sentence's
offsets: everything else on a chip is CSS. Colours are translucent or `currentColor`, to be readable
in both of Label Studio's themes.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from label_config.target_css import CAME, Mark, drawn_rule, score_tag, task_rules
from projection.records import Conflict, ConflictKind, Entity, ProjectedSentence, Projection, Span
from projection.text.wording import CONFLICT_NAMES, NO_CONFLICT

# In the labeling config, to keep tasks small. `sf-…` rules reach nothing of Label Studio's.
CSS = """\
.sf-source { font-size: clamp(16px, 7px + 0.65vw, 20px); line-height: 1.8; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.sf-chip { --sf: currentColor; padding: 1px 2px; border-radius: 3px; box-decoration-break: clone;
  background: color-mix(in srgb, var(--sf) 20%, transparent); border-bottom: 2px solid var(--sf);
  --sf-lit: transparent; box-shadow: 0 0 0 2px var(--sf-lit); }
.sf-chip.sf-failed { background: none; border: 2px dashed var(--sf); }
.sf-chip[data-tag]::after { content: "\\2060" attr(data-tag); font-size: 11px; font-weight: 600;
  margin: 0 3px; vertical-align: super; line-height: 0; white-space: nowrap; unicode-bidi: isolate;
  direction: ltr; }
.sf-conflicts { list-style: none; margin: 4px 0 0; padding: 0; font-size: 14px; line-height: 1.4; }
.sf-kind { font-weight: 700; }
"""

MOST_SHOWN = 3  # of a kind: more would push the target sentence off a small screen
# The key for the next span cannot lead to what is not there.
WHAT_TO_DO = " · draw it below, or leave it"

NO_ENTITY = "no entity"

_SAY_HOW_SURE = (ConflictKind.LOW_CONFIDENCE, ConflictKind.TYPE_UNSURE)  # in their reasons

SourceKey = tuple[Span, str]  # identifies a source entity whatever its score

_QUOTED = re.compile("“([^”]*)”")


def source_html(projected: ProjectedSentence) -> str:
    """Return the source sentence with a numbered chip per entity; its text is the sentence."""
    language = escape(projected.sentence.source_lang)
    return f'<div class="sf-source" dir="auto" lang="{language}">{_chips(projected)}</div>'


def conflicts_html(
    projected: ProjectedSentence, marks: Iterable[Mark], propagated: str = ""
) -> str:
    """Return the conflicts in plain words, a line a kind, and the style of the target's marks.

    `propagated` describes the corrections of other sentences, for a line of its own.
    """
    conflicts, keys = projected.conflicts, numbered_sources(projected)
    lines = [
        _in_plain_words(kind, [conflict for conflict in conflicts if conflict.kind is kind], keys)
        for kind in dict.fromkeys(conflict.kind for conflict in conflicts)
    ] or [f"<li>✓ {CONFLICT_NAMES[NO_CONFLICT]}</li>"]
    items = "".join(lines)
    if propagated:
        words = f'<span class="sf-kind">{CAME} propagated</span> — <bdi>{escape(propagated)}</bdi>'
        items += f'<li class="sf-propagated">{words}</li>'
    marks = [*marks]
    style = task_rules(projected.sentence, marks)
    if [conflict.kind for conflict in conflicts].count(ConflictKind.FAILED_MAPPING) == 1:
        style += drawn_rule(marks, f".sf-{ConflictKind.FAILED_MAPPING}{{opacity:0.5}}")
    return f'<style>{style}</style><ul class="sf-conflicts">{items}</ul>'


def numbered_sources(projected: ProjectedSentence) -> tuple[SourceKey, ...]:
    """Return the source entities in reading order; the n-th has number n wherever it is shown."""
    entities = [*projected.source_entities, *(p.source for p in projected.projections)]
    return tuple(sorted({*map(source_key, entities)}))


def as_html_text(text: str) -> str:
    """Replace what HTML cannot hold, code point by code point: CRLF, CR and NUL."""
    return text.replace("\r\n", " \n").replace("\r", "\n").replace("\0", "\ufffd")


def source_key(entity: Entity) -> SourceKey:
    """Return the key of a source entity."""
    return entity.span, entity.label


def possible(projections: Iterable[Projection], target: str) -> str:
    """List the alternatives in `target`, each phrase once; empty without any."""
    places = (place.of(target) for p in projections for place in p.alternatives)
    phrases = ", ".join(f"“{phrase}”" for phrase in dict.fromkeys(places))
    return f" · possible: {phrases}" if phrases else ""


def _chips(projected: ProjectedSentence) -> str:
    text, keys = as_html_text(projected.sentence.source), numbered_sources(projected)
    ends = [_chip_ends(projected, key, number) for number, key in enumerate(keys, 1)]
    # Cut at every border, so that nested and crossing entities need no special case.
    cuts = {0, len(text)}.union(*((span.start, span.end) for span, _ in keys))
    html = []
    for start, end in pairwise(sorted(cuts)):
        piece = escape(text[start:end])
        for (span, _), (opening, tag) in reversed([*zip(keys, ends, strict=True)]):
            if span.overlaps(Span(start, end)):
                piece = f"<span{tag if span.end == end else ''}{opening}>{piece}</span>"
        html.append(piece)
    return "".join(html)


def _chip_ends(projected: ProjectedSentence, key: SourceKey, number: int) -> tuple[str, str]:
    """Return the attributes of every piece of a chip, and those of its last piece."""
    label, target = key[1], projected.sentence.target
    mine = [p for p in projected.projections if source_key(p.source) == key]
    found = [(p.target.of(target), f"{p.score:.2f}") for p in mine if p.target is not None]
    doubted = any(score_tag(p.score) for p in mine if p.target is not None)
    corrected = [p.propagated for p in mine if p.propagated is not None]
    # Nothing was projected where the target came with entities of its own.
    asked = projected.sentence.target_entities is None
    if corrected:
        new_label = "" if corrected[-1] == label else corrected[-1] or NO_ENTITY
        said = f"{CAME} {new_label}".strip()
        went = " ".join([*(f"“{phrase}”" for phrase, _ in found), said])
    else:
        failed = CONFLICT_NAMES[ConflictKind.FAILED_MAPPING] if asked else ""
        said = ", ".join(score for _, score in found if doubted) if found else failed
        went = ", ".join(f"“{phrase}” {score}" for phrase, score in found) or failed
        went += possible(mine, target)
    classes = f"sf-chip sf-n{number}" + (" sf-failed" if asked and not found else "")
    title = f"{label} → {went}" if went else label
    return (
        f' class="{classes}" data-type="{escape(label)}" title="{escape(title)}"',
        f' data-tag="{escape(f"{number} {label} {said}".strip())}"',
    )


def _in_plain_words(
    kind: ConflictKind, conflicts: Sequence[Conflict], keys: Sequence[SourceKey]
) -> str:
    """Return the line of all conflicts of a kind."""
    found = {keys.index(source_key(p.source)) + 1 for c in conflicts for p in c.projections}
    numbers = f" {', '.join(map(str, sorted(found)))}" if found else ""
    reasons = "; ".join(_reason(conflict) for conflict in conflicts[:MOST_SHOWN])
    if len(conflicts) > MOST_SHOWN:
        reasons += f"; … and {len(conflicts) - MOST_SHOWN} more"
    # What the teacher missed has no place in the target either.
    missed = any(c.kind is ConflictKind.TYPE_UNSURE and not c.projections for c in conflicts)
    to_do = WHAT_TO_DO if kind is ConflictKind.FAILED_MAPPING or missed else ""
    name = f'<span class="sf-kind">⚠ {CONFLICT_NAMES[kind]}{numbers}</span>'
    return f'<li class="sf-{kind}">{name} — <span>{reasons}</span>{to_do}</li>'


def _reason(conflict: Conflict) -> str:
    # Reasons put phrases between “ and ”; each is isolated by itself.
    reason = _QUOTED.sub(r"“<bdi>\1</bdi>”", escape(conflict.reason))
    found = [p.score for p in conflict.projections if p.target is not None and p.score]
    sure = found and conflict.kind not in (*_SAY_HOW_SURE, ConflictKind.FAILED_MAPPING)
    return f"{reason} · {min(found):.2f}" if sure else reason
