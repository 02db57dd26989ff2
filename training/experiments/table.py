"""The results of an experiment as a Markdown page: ours first, then, apart, what was published."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training.experiments.results import Cell, Results, Verdict
from training.tagger.seeds import SeedSpread
from training.trainer.card import table

MISSING = "–"


def markdown(results: Results) -> str:
    """The whole page."""
    return "\n".join(_page(results))


def _page(results: Results) -> Iterator[str]:
    experiment = results.experiment
    yield f"# {experiment.title}\n"
    if experiment.repeats:
        yield f"After {experiment.repeats} of Li, He & Xu (2021).\n"
    yield "## Measured here\n"
    yield table(head(results), [cells_of(results, row) for row in results.rows]) + "\n"
    yield "F1 in per cent, strict (borders and type), mean ± sample deviation over the seeds.\n"
    yield from _bullets(notes(results))
    if results.verdicts:
        yield f"\n{results.experiment.ours} against the others:\n"
        yield from _bullets(map(verdict_line, results.verdicts))
    if results.published:
        yield "\n## Published elsewhere, not measured here\n"
        yield "Other encoders, other data, partly other test sets: not to be compared directly.\n"
        rows = [(p.system, p.lang, p.test, f"{p.f1:g}", p.source) for p in results.published]
        yield table(["system", "language", "test set", "F1", "source"], rows)
    yield ""


def head(results: Results) -> list[str]:
    """The head of the table: the rows, their place on the axis, a column a language."""
    return ["", *([results.experiment.axis] if results.experiment.axis else []), *results.langs]


def cells_of(results: Results, row: str) -> list[str]:
    """A line of the table."""
    cells = [results.cell(row, lang) for lang in results.langs]
    places = {f"{cell.x:,g}" for cell in cells if cell is not None and cell.x is not None}
    axis = [" / ".join(sorted(places))] if results.experiment.axis else []
    return [row, *axis, *(MISSING if cell is None else str(cell.spread()) for cell in cells)]


def verdict_line(verdict: Verdict) -> str:
    """Our row against another in a sentence."""
    far = f"{verdict.lang}: {100 * verdict.difference:+.2f} over {verdict.over}"
    if verdict.deviation is None:
        return f"{far} (one seed: no deviation)"
    is_beyond = "more" if verdict.beyond else "not more"
    around = f"{100 * verdict.deviation:.2f}"
    return f"{far}, {is_beyond} than one deviation of the difference ({around})"


def notes(results: Results) -> Iterator[str]:
    """What one must know to read the table."""
    settings = results.settings
    runs = [run for cell in results.cells for run in cell.runs.values()]
    yield f"seeds: {', '.join(map(str, settings.seeds))}; data: {results.data}"
    yield f"base: {', '.join(sorted({run['base'] for run in runs}))}"
    if settings.sentences is not None:
        yield f"at most {settings.sentences:,} sentences of a part are drawn, in all rows"
    yield f"scored on {_counts(run['scores']['sentences'] for run in runs)} sentences"
    if settings.changes:
        changes = (f"{name}={value}" for name, value in settings.changes.items())
        yield f"in all rows that have it: {', '.join(changes)}"
    for cell in results.cells:
        yield f"{cell.row.name}, {cell.lang}: {_learned(cell)}"
    for name, reason in results.skipped.items():
        yield f"{name} was skipped: {reason}"
    devices = ", ".join(sorted({run["device"] for run in runs}))
    minutes = sum(run["cpu_seconds"] for run in runs) / 60
    yield f"{len(runs)} runs on {devices}, {minutes:.0f} CPU minutes in all"


def _learned(cell: Cell) -> str:
    """What the runs of a cell learned from, and what was reviewed."""
    runs = [*cell.runs.values()]
    stages = (
        f"{stage} {' + '.join(_parts(runs, stage))} ({_counts(r['steps'][stage] for r in runs)} "
        "steps)"
        for stage in runs[0]["learned_from"]
    )
    said = "; ".join(stages)
    reviews = [run["reviews"] for run in runs if run["reviews"] is not None]
    if not reviews:
        return said
    seen, corrected, labels = (
        SeedSpread.of([float(each[key]) for each in reviews]).mean
        for key in ("seen", "corrected", "labels")
    )
    return f"{said}; {seen:.0f} reviewed, {corrected:.0f} corrected, {labels:.0f} labels changed"


def _parts(runs: Sequence[Mapping[str, Any]], stage: str) -> Iterator[str]:
    for part in runs[0]["learned_from"][stage]:
        yield f"{_counts(run['learned_from'][stage][part] for run in runs)} {part}"


def _counts(found: Iterator[int]) -> str:
    """A number, or the span of several."""
    counts = sorted({*found})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def _bullets(lines: Iterator[str]) -> Iterator[str]:
    return (f"- {line}" for line in lines)
