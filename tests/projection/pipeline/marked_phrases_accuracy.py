"""How often a gold target entity of the bundled sample is linked back to where it comes from.

    python -m tests.projection.pipeline.marked_phrases_accuracy

An answer is exact if it is a gold source entity of the same type. Which of several it should be is
not in the gold; `unambiguous` counts only sentences with one entity of that type on both sides.
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from projection.io.gold import GoldSentence, read_gold
from projection.models import bundled
from projection.pipeline.projector import Projector
from projection.protocols import Link
from projection.records import Entity, ParallelSentence, Span

LinkBack = Callable[[ParallelSentence, Sequence[Span]], list[Link | None]]
Known = Callable[[ParallelSentence], ParallelSentence]
# What is known of the source when a target span is drawn.
KNOWN: dict[str, Known] = {
    "nothing known": lambda sentence: replace(sentence, entities=()),
    "teacher": lambda sentence: replace(sentence, entities=None),
    "gold known": lambda sentence: sentence,
}


@dataclass
class Tally:
    """Counts of answers; `share` gives one of all that were asked."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, link: Link | None, alike: list[Span]) -> None:
        self.counts["asked"] += 1
        self.counts["none"] += link is None
        self.counts["exact"] += link is not None and link.source in alike
        self.counts["overlap"] += link is not None and any(s.overlaps(link.source) for s in alike)

    def share(self, what: str) -> float:
        return self.counts[what] / self.counts["asked"]


def linked_back(
    link: LinkBack,
    known: Known,
    langs: Sequence[str] = bundled.SAMPLE_LANGUAGES,
    every: int = 1,
) -> dict[str, Tally]:
    """The tally of each language, of `all`, and of the `unambiguous`; of every n-th sentence."""
    tallies = {name: Tally() for name in ("all", "unambiguous", *langs)}
    for lang in langs:
        for gold in [*read_gold(bundled.sample_path(lang))][::every]:
            spans = [entity.span for entity in gold.target_entities]
            links = link(known(gold.sentence), spans) if spans else []
            for entity, found in zip(gold.target_entities, links, strict=True):
                alike = [e.span for e in gold.sentence.entities or () if e.label == entity.label]
                for name in ("all", lang, *(["unambiguous"] if _alone(entity, gold) else [])):
                    tallies[name].add(found, alike)
    return tallies


def _alone(entity: Entity, gold: GoldSentence) -> bool:
    sides = (gold.target_entities, gold.sentence.entities or ())
    return all(sum(e.label == entity.label for e in side) == 1 for side in sides)


def main() -> None:
    projector = Projector.load()
    for name, known in KNOWN.items():
        tallies = linked_back(projector.link, known)
        for group, tally in tallies.items():
            shares = ", ".join(f"{w} {100 * tally.share(w):.1f}" for w in ("exact", "overlap"))
            sys.stdout.write(f"{name}, {group} ({tally.counts['asked']}): {shares}\n")


if __name__ == "__main__":
    main()
