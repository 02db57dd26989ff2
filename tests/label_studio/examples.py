"""Worked examples, and a projector that knows the answers to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from projection.pipeline.conflicts import PAPER_CHECKS, find_conflicts, low_confidence
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)

LABELS = ("PER", "ORG", "LOC", "MISC")
FIRST, SECOND = "fixed-1", "fixed-2"


@dataclass(frozen=True)
class Example:
    """A pair, and where each source phrase went: (label, source phrase, target phrase, score)."""

    id: str
    lang: str
    source: str
    target: str
    went: tuple[tuple[str, str, str | None, float], ...]

    @property
    def sentence(self) -> ParallelSentence:
        found = tuple(
            Entity(place(self.source, phrase), label) for label, phrase, _, _ in self.went
        )
        return ParallelSentence(
            self.id, self.source, self.target, "en", self.lang, f"examples.en:{self.id}", found
        )

    @property
    def marks(self) -> list[tuple[str, str]]:
        """Label and words of each target entity, in reading order: what must be highlighted."""
        marks = [(label, phrase) for label, _, phrase, _ in self.went if phrase is not None]
        return sorted(marks, key=lambda mark: self.target.index(mark[1]))


# The default threshold follows the bundled model; these examples should not.
CHECKS = (*PAPER_CHECKS, low_confidence(0.5))

EXAMPLES = (
    Example(
        "plain",
        "de",
        "Ada Lovelace visited Berlin.",
        "Ada Lovelace besuchte Berlin.",
        (("PER", "Ada Lovelace", "Ada Lovelace", 0.98), ("LOC", "Berlin", "Berlin", 0.97)),
    ),
    Example(
        "emoji",
        "de",
        "😀 Ada Lovelace visited Berlin 👩‍👩‍👧 and 🇩🇪 Bremen.",
        "😀 Ada Lovelace besuchte 👩‍👩‍👧 Berlin und 🇩🇪 Bremen.",
        (
            ("PER", "Ada Lovelace", "Ada Lovelace", 0.91),
            ("LOC", "Berlin", "Berlin", 0.9),
            ("LOC", "Bremen", "Bremen", 0.88),
        ),
    ),
    Example(
        "chinese",
        "zh",
        "The Amazon flows into the Atlantic Ocean.",
        "亚马孙河注入大西洋,𠮷野家不在那里。",
        (("LOC", "Amazon", "亚马孙河", 0.86), ("LOC", "Atlantic Ocean", "大西洋", 0.83)),
    ),
    Example(
        "combining",
        "es",
        "The Bank of Spain warned São Paulo.",
        # Decomposed: n with a tilde of its own, and a with one.
        "El Banco de Espan\u0303a advirtió a Sa\u0303o Paulo.",
        (
            ("ORG", "Bank of Spain", "Banco de Espan\u0303a", 0.8),
            ("LOC", "São Paulo", "Sa\u0303o Paulo", 0.79),
        ),
    ),
    Example(
        "lines",
        "nl",
        "Anne Frank\r\nlived in Amsterdam.",
        "Anne Frank\r\nwoonde  in Amsterdam.",
        (("PER", "Anne Frank", "Anne Frank", 0.77), ("LOC", "Amsterdam", "Amsterdam", 0.76)),
    ),
    Example(
        "overlap",
        "es",
        "The Bank of Portugal warned Portugal <b>&amp; Porto.",
        "El Banco de Portugal advirtió <b>&amp; otra vez.",
        (
            ("ORG", "Bank of Portugal", "Banco de Portugal", 0.66),
            ("LOC", "Portugal <b>", "Portugal", 0.41),
            ("LOC", "Porto.", None, 0.0),
        ),
    ),
    Example("none", "de", "It rained.", "Es hat geregnet.", ()),
)
BY_ID = {example.id: example for example in EXAMPLES}

# As much as one task should ever have to show: 40 words, six entities, every kind of trouble.
FULL = Example(
    "full",
    "es",
    "Spain heard in March from Ana Torres of Siemens that the Bank of Spain would not follow "
    "Portugal and that the loans which the ministry in Lisbon had promised to many small builders "
    "would be paid back within four years",
    "En marzo se supo por Ana Torres, de Siemens, que el Banco de España no seguiría a Portugal y "
    "que los préstamos que el ministerio de Lisboa había prometido a muchos pequeños constructores "
    "se devolverían en un plazo de cuatro años",
    (
        ("LOC", "Spain", "España", 0.41),
        ("PER", "Ana Torres", "Ana Torres", 0.99),
        ("ORG", "Siemens", "Siemens", 0.97),
        ("ORG", "Bank of Spain", "Banco de España", 0.66),
        ("LOC", "Portugal", "Portugal", 0.94),
        ("LOC", "Lisbon", None, 0.0),
    ),
)

# Nothing to select, and something to do all the same.
NOT_FOUND = Example(
    "not-found",
    "es",
    "Lisbon grew.",
    "Creció la ciudad de Lisboa.",
    (("LOC", "Lisbon", None, 0.0),),
)

MANY_LABELS = (*LABELS, *(f"type-{n}" for n in range(1, 9)))


def crowded() -> ProjectedSentence:
    """More than a page has lines for: every kind of doubt, in a sentence of 40 words."""
    full = projected_as(FULL)
    spain, ana, siemens, bank, portugal, lisbon = full.projections
    elsewhere = place(FULL.target, "ministerio de Lisboa")
    found = (
        spain,
        replace(ana, alternatives=(place(FULL.target, "marzo"),)),
        replace(siemens, score=0.31),
        bank,
        replace(portugal, score=0.22, alternatives=(elsewhere,)),
        replace(lisbon, alternatives=(elsewhere,)),
    )
    extra = Entity(place(FULL.target, "constructores"), "MISC", 0.99)
    reason = "“constructores” looks like MISC to a second model"
    proposed = (extra, *(entity for p in found if (entity := p.entity)))
    return replace(
        full,
        entities=tuple(sorted(proposed, key=lambda e: (e.span, e.label))),
        projections=found,
        conflicts=(
            *find_conflicts(full.sentence, found, CHECKS),
            Conflict(ConflictKind.UNPROJECTED, reason, spans=(extra.span,)),
        ),
    )


# Where offsets could go wrong on a page: two UTF-16 units a character, several characters a sign,
# markup, another direction, and two line ends that HTML takes for one.
TRICKY = Example(
    "tricky",
    "de",
    "😀 Ana 𠮷野 met سامي of Espan\u0303a <b>&amp; 👩‍👩‍👧 now\r\nin  Berlin.",
    "😀 Ana 𠮷野 traf سامي von Espan\u0303a <b>&amp; 👩‍👩‍👧 nun\r\nin  Berlin.",
    (
        ("PER", "Ana", "Ana", 0.9),
        ("LOC", "𠮷野", "𠮷野", 0.8),
        ("PER", "سامي", "سامي", 0.7),
        ("LOC", "Berlin", "Berlin", 0.6),
    ),
)
RIGHT_TO_LEFT = Example(
    "right-to-left",
    "ar",
    "דנה לוי גרה בחיפה ואת Bea ראתה",
    "تعيش دانا ليفي في حيفا ورأت Bea هناك",
    (("PER", "דנה לוי", "دانا ليفي", 0.9), ("LOC", "חיפה", "حيفا", 0.8)),
)


def place(text: str, phrase: str) -> Span:
    start = text.index(phrase)
    return Span(start, start + len(phrase))


class FixedProjector:
    """Answers from a table by sentence id: the real interface, no torch."""

    labels = LABELS
    languages: tuple[str, ...] = ()

    def __init__(
        self,
        model_version: str = FIRST,
        examples: Mapping[str, Example] = BY_ID,
        longest: int = 500,
    ) -> None:
        self.model_version, self.examples, self.longest = model_version, examples, longest
        self.asked: list[str] = []

    def fits(self, sentence: ParallelSentence) -> bool:
        return len(sentence.target) <= self.longest

    def needs_windows(self, *_texts: str) -> bool:
        return False

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        self.asked += [sentence.id for sentence in sentences]
        return [self._one(sentence) for sentence in sentences]

    def _one(self, sentence: ParallelSentence) -> ProjectedSentence:
        went = self.examples[sentence.id].went
        found = tuple(
            Projection(
                Entity(place(sentence.source, source), label),
                None if target is None else place(sentence.target, target),
                score,
            )
            for label, source, target, score in went
        )
        entities = sorted((p.entity for p in found if p.entity), key=lambda e: (e.span, e.label))
        return ProjectedSentence(
            sentence=sentence,
            entities=tuple(entities),
            projections=found,
            conflicts=find_conflicts(sentence, found, CHECKS),
            score=min((p.score for p in found), default=1.0),
            model_version=self.model_version,
        )


def projected(projector: FixedProjector | None = None) -> list[ProjectedSentence]:
    """All examples as the projector answers them."""
    return (projector or FixedProjector()).project([example.sentence for example in EXAMPLES])


def projected_as(example: Example) -> ProjectedSentence:
    """An example that is not one of all."""
    (found,) = FixedProjector(examples={example.id: example}).project([example.sentence])
    return found


def many(count: int, model_version: str = FIRST) -> list[ProjectedSentence]:
    """Plain sentences that differ in id and number."""
    examples = {
        f"n{n}": Example(
            f"n{n}",
            "de",
            f"{n} went to Berlin.",
            f"{n} reiste nach Berlin.",
            (("LOC", "Berlin", "Berlin", 0.5 + n / (2 * count)),),
        )
        for n in range(count)
    }
    projector = FixedProjector(model_version, examples)
    return projector.project([example.sentence for example in examples.values()])
