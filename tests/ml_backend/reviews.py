"""Reviews written by hand, for the ledger and the report."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ml_backend.report.source import ReviewedProject
from projection.io.files import json_line
from projection.io.records_json import encode
from projection.records import (
    ConflictKind,
    Entity,
    ParallelSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)

TARGET = "Anna Weber verließ Siemens in Bern."
ANNA = Entity(Span(0, 10), "PER", 0.97)
WEBER = Entity(Span(5, 10), "PER", 0.6)
SIEMENS = Entity(Span(19, 26), "LOC", 0.55)
SIEMENS_ORG = Entity(Span(19, 26), "ORG")
BERN = Entity(Span(30, 34), "LOC", 0.91)

ACCEPTED, CORRECTED = ReviewStatus.ACCEPTED, ReviewStatus.CORRECTED
DAY = "2026-03-02T10:00:00.000000Z"


def by_person(*entities: Entity) -> tuple[Entity, ...]:
    """The entities as a person leaves them: without scores."""
    return tuple(replace(entity, score=None) for entity in entities)


def review(
    predicted: Sequence[Entity] | None,
    entities: Sequence[Entity],
    *,
    number: int = 1,
    annotator: str = "1",
    status: ReviewStatus | None = None,
    target: str = TARGET,
    lang: str = "de",
    seconds: float | None = 8.0,
    conflicts: tuple[ConflictKind, ...] = (),
    at: str | None = DAY,
    provenance: tuple[Provenance, ...] = (),
) -> ReviewedSentence:
    """A review of sentence `number`; its status is what the entities say, unless given."""
    after = by_person(*entities)
    same = predicted is not None and sorted(by_person(*predicted), key=str) == sorted(
        after, key=str
    )
    return ReviewedSentence(
        sentence=ParallelSentence(
            f"s{number}",
            "Anna Weber left Siemens in Bern.",
            target,
            "en",
            lang,
            f"news.en:{number}",
        ),
        entities=after,
        status=status or (ACCEPTED if same else CORRECTED),
        annotator=annotator,
        lead_time=seconds,
        predicted=None if predicted is None else tuple(predicted),
        conflicts=conflicts,
        model_version=None if predicted is None else "spanferry-1",
        task_id=number,
        annotation_id=100 + number,
        updated_at=at,
        provenance=provenance,
    )


def reviews(*reviewed: ReviewedSentence, waiting: dict[str, int] | None = None) -> ReviewedProject:
    """Them all, as a report takes them."""
    return ReviewedProject("News", reviewed, waiting)


def timed(count: int, base: float, each: float) -> list[ReviewedSentence]:
    """So many accepted in `base` seconds, and as many with two entities drawn at `each` more."""
    return [
        *(review([ANNA], [ANNA], number=n, seconds=base) for n in range(count)),
        *(
            review([ANNA], [ANNA, SIEMENS_ORG, BERN], number=n, seconds=base + 2 * each)
            for n in range(count, 2 * count)
        ),
    ]


def write_export(folder: Path, *reviewed: ReviewedSentence, title: str = "News de") -> Path:
    folder.mkdir()
    (folder / "reviewed.jsonl").write_text("".join(json_line(encode(r)) for r in reviewed), "utf-8")
    (folder / "summary.json").write_text(json.dumps({"title": title}), "utf-8")
    return folder


LOW, LOST = ConflictKind.LOW_CONFIDENCE, ConflictKind.FAILED_MAPPING
ALL = (ANNA, SIEMENS, BERN)
RIGHT = (ANNA, SIEMENS_ORG, BERN)
UGLY: dict[str, ReviewedProject] = {
    "nothing at all": reviews(),
    "nothing opened": reviews(waiting={"de": 3}),
    "all skipped": reviews(
        review(ALL, (), status=ReviewStatus.SKIPPED),
        review(ALL, (), status=ReviewStatus.SKIPPED, number=2),
    ),
    "all unusable": reviews(review(ALL, ALL, status=ReviewStatus.UNUSABLE)),
    "nobody looked": reviews(
        review(ALL, ALL, status=ReviewStatus.UNSEEN, annotator="", seconds=None, at=None)
    ),
    "no predictions": reviews(review(None, RIGHT), review(None, (), number=2)),
    "no entities": reviews(review((), ())),
    "no scores": reviews(review(by_person(*ALL), ALL)),
    "no times": reviews(review(ALL, ALL, seconds=None), review(ALL, RIGHT, seconds=0, number=2)),
    "open for hours": reviews(review(ALL, RIGHT, seconds=12_345.6)),
    "no dates": reviews(review(ALL, ALL, at=None)),
    "dates years apart": reviews(
        review(ALL, ALL, at="2020-02-29T23:59:59+14:00"), review(ALL, RIGHT, number=2)
    ),
    "markup": reviews(
        review(
            (Entity(Span(0, 9), "<i>x</i>", 0.5),),
            (Entity(Span(0, 9), "A&B"),),
            target="<script> alert('1')",
            lang="de",
        )
    ),
    "right to left": reviews(
        review(
            (Entity(Span(0, 4), "LOC", 1.0),),
            (Entity(Span(0, 9), "LOC"),),
            target="ירוש לים عمّان",
            lang="he",
        )
    ),
    "astral": reviews(
        review(
            (Entity(Span(0, 3), "ORG", 0.0),), (), target="𠮷野家👩‍👩‍👧 de\u0301", lang="zh-Hant"
        )
    ),
    "a formula": reviews(review((Entity(Span(0, 10), "ORG", 0.2),), (), target='=1+1;\t\r\n"x"')),
}
