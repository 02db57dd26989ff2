"""Reviewed sentences from many documents, and a projector that is good at some of them."""

from collections.abc import Collection, Sequence

from ml_backend.serving.engine import Load
from ml_backend.settings import Settings
from projection.records import (
    Entity,
    ParallelSentence,
    ProjectedSentence,
    ReviewedSentence,
    ReviewStatus,
    Span,
)

LABELS = ("PER", "ORG", "LOC", "MISC")
NAMES = ("Anna", "Bela", "Carla", "Dora", "Emil")
BERLIN = Entity(Span(0, 6), "LOC", 0.9)
COUNT = 70  # enough to hold some out
GOOD, POOR = ("news",), ()


def sentence(number: int, corpus: str = "news") -> ParallelSentence:
    """A town, then a person; in corpora other than `news` with more around it."""
    name = NAMES[number % len(NAMES)]
    more = "" if corpus == "news" else f" {corpus} " * number
    return ParallelSentence(
        f"{corpus}-{number}",
        f"Berlin, said {name}, has {number} lakes.{more}",
        f"Berlin, sagte {name}, hat {number} Seen.{more}",
        "en",
        "de",
        f"{corpus}-{number}.en:1",
    )


def person(sentence: ParallelSentence) -> Entity:
    start = sentence.target.index("sagte ") + len("sagte ")
    return Entity(Span(start, sentence.target.index(",", start)), "PER", 0.9)


def reviewed(number: int, corpus: str = "news") -> ReviewedSentence:
    pair = sentence(number, corpus)
    return ReviewedSentence(pair, (BERLIN, person(pair)), ReviewStatus.CORRECTED, "1")


class FixedProjector:
    """Finds the town, and the person too in the corpora it is good at."""

    labels = LABELS
    languages: tuple[str, ...] = ()

    def __init__(self, good_at: Collection[str], version: str = "fixed") -> None:
        self.good_at, self.model_version = good_at, version

    def fits(self, _: ParallelSentence) -> bool:
        return True

    def needs_windows(self, *_texts: str) -> bool:
        return False

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        return [
            ProjectedSentence(s, self.entities(s), (), (), 0.9, self.model_version)
            for s in sentences
        ]

    def entities(self, sentence: ParallelSentence) -> tuple[Entity, ...]:
        known = sentence.id.split("-")[0] in self.good_at
        return (BERLIN, person(sentence)) if known else (BERLIN,)


def loader(_: Settings) -> Load:
    """What SPANFERRY_BACKEND_LOADER names: any fine-tuned model makes it good."""
    return lambda target: (  # type: ignore[return-value]  # nobody annotates interactively here
        FixedProjector(POOR, "bundled") if target is None else FixedProjector(GOOD, target.name)
    )
