"""`spanferry score-projection`: how well entities arrive, against gold on both sides."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ml_backend.cli.console import out as console
from ml_backend.cli.console import print_json, progress
from ml_backend.cli.options import Aligner, AsJson
from projection import bundled
from projection.errors import CorpusError
from projection.scoring import ProjectionScores, Scores, read_gold, score

BATCH = 64


def score_projection(
    gold: Annotated[Path, typer.Argument(help="JSON Lines with gold entities on both sides.")],
    *,
    aligner: Aligner = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Score so many sentences.")] = None,
    as_json: AsJson = False,
) -> None:
    """Project gold English entities and compare with the gold of the translation.

    Only span and label both exact count as right. The ceiling is what a perfect aligner could
    reach where the two sides were annotated differently.

    Example:

        spanferry score-projection gold.en-de.jsonl --json
    """
    from projection.aligner import PairAligner  # noqa: PLC0415  torch takes seconds to import

    skipped: list[str] = []
    sentences = read_gold(gold, on_skip=skipped.append)[:limit]
    if not sentences:
        raise CorpusError(
            str(gold), "has no sentence to score", "See `spanferry score-projection --help`"
        )
    model = PairAligner.from_pretrained(bundled.resolve(aligner, "aligner"))
    started = time.monotonic()
    predicted = []
    with progress("sentences aligned", len(sentences)) as advance:
        for start in range(0, len(sentences), BATCH):
            batch = sentences[start : start + BATCH]
            answers = model.align([g.sentence for g in batch])
            predicted += [[e for p in answer if (e := p.entity) is not None] for answer in answers]
            advance(len(batch))
    rate = len(sentences) / (time.monotonic() - started)
    scores = score(sentences, predicted)
    if as_json:
        print_json({**scores.to_json(), "skipped": len(skipped), "sentences_per_second": rate})
    else:
        console.print(score_table(scores))
        console.print(f"{rate:.0f} sentences per second; {len(skipped)} skipped as inconsistent")


def score_table(scores: ProjectionScores) -> Table:
    """Precision, recall and F1 in per cent, by label and over all."""
    table = Table("", "precision", "recall", "F1", "entities", box=None, pad_edge=False)
    rows: dict[str, Scores | ProjectionScores] = {**scores.by_type, "all": scores}
    for name, row in rows.items():
        figures = (f"{100 * value:.1f}" for value in (row.precision, row.recall, row.f1))
        table.add_row(name, *figures, str(getattr(row, "support", "")))
    table.add_row("ceiling", "", "", f"{100 * scores.ceiling:.1f}", "")
    return table
