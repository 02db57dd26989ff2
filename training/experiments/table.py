"""The results of an experiment as a Markdown page and as lines for the terminal."""

from collections.abc import Iterable, Iterator
from statistics import fmean

from training.experiments.results import LEVEL, Cell, Results, SeedComparison
from training.trainer.card import table

MISSING = "–"


def markdown(results: Results) -> str:
    """Return the whole page: measured scores first; published ones apart."""
    return "\n".join(_page(results))


def _page(results: Results) -> Iterator[str]:
    experiment = results.experiment
    yield f"# {experiment.title}\n"
    if experiment.repeats:
        yield f"After {experiment.repeats} of Li, He & Xu (2021).\n"
    yield "## Measured here\n"
    head, *lines = lines_of(results, in_full=True)
    yield table(head, lines) + "\n"
    yield (
        "F1 (precision / recall) in per cent, strict: borders and type; mean ± sample deviation "
        "over the seeds. Bold: the best of its column.\n"
    )
    yield from _bullets(notes(results))
    if results.comparisons:
        yield f"\n{experiment.ours} against the others:\n"
        yield from _bullets(map(comparison_line, results.comparisons))
    if results.published:
        yield "\n## Published elsewhere, not measured here\n"
        yield "Other encoders, other data, partly other test sets: not to be compared directly.\n"
        keys = ("system", "column", "test", "precision", "recall", "f1", "source")
        rows = [
            [MISSING if each[key] is None else each[key] for key in keys]
            for each in results.published
        ]
        yield table(["system", "language", "test set", "precision", "recall", "F1", "source"], rows)
    yield ""


def lines_of(results: Results, *, in_full: bool = False) -> list[list[str]]:
    """Return the lines of the table, the head first and any ceilings last.

    `in_full` adds precision and recall, and marks the best of each column.
    """
    axis = [results.experiment.axis] if results.experiment.axis else []
    lines = [["", *axis, *results.columns]]
    for row in results.rows:
        cells = [results.cell(row, column) for column in results.columns]
        places = {f"{cell.x:,g}" for cell in cells if cell is not None and cell.x is not None}
        place = [" / ".join(sorted(places))] if axis else []
        lines.append([row, *place, *(_shown(results, cell, in_full=in_full) for cell in cells)])
    if ceilings := results.ceilings:
        shown = [f"{100 * ceilings[c]:.2f}" if c in ceilings else MISSING for c in results.columns]
        lines.append(["ceiling: a perfect aligner", *("" for _ in axis), *shown])
    return lines


def _shown(results: Results, cell: Cell | None, *, in_full: bool) -> str:
    if cell is None:
        return MISSING
    f1 = str(cell.spread())
    if not in_full:
        return f1
    precision, recall = (100 * cell.spread(each).mean for each in ("precision", "recall"))
    rivals = (c for c in results.cells if c.column == cell.column and not c.row.apart)
    best = max((rival.spread().mean for rival in rivals), default=None)
    is_best = not cell.row.apart and cell.spread().mean == best
    return f"{f'**{f1}**' if is_best else f1} ({precision:.2f} / {recall:.2f})"


def comparison_line(comparison: SeedComparison) -> str:
    """Return our lead over a row as a sentence; of a single seed nothing is said of chance."""
    lead, deviation = 100 * comparison.lead.mean, comparison.lead.deviation
    around = "" if deviation is None else f" ± {100 * deviation:.2f}"
    line = f"{comparison.column}: {lead:+.2f}{around} over {comparison.over}"
    if comparison.interval is None:
        return line
    low, high = (100 * bound for bound in comparison.interval)
    chance = "beyond" if comparison.beyond_chance else "within"
    return f"{line}, {chance} chance ({100 * LEVEL:.0f} % interval {low:+.2f} to {high:+.2f})"


def notes(results: Results) -> Iterator[str]:
    """Yield what a reader of the table must know."""
    options = results.options
    runs = [run for cell in results.cells for run in cell.runs.values()]
    seeds = {str(seed): None for cell in results.cells for seed in cell.runs}
    yield f"seeds: {', '.join(seeds)}; data: {results.data}"
    if bases := sorted({run["base"] for run in runs if run["base"]}):
        yield f"base: {', '.join(bases)}"
    if options.sentences is not None:
        yield f"at most {options.sentences:,} sentences of a part are drawn, in all rows"
    scored = {c.column: c.runs.values() for c in results.cells}
    for column, scores in scored.items():
        yield f"{column}: scored on {_counts(r['scores']['sentences'] for r in scores)} sentences"
    if changes := {**results.experiment.set, **options.set}:
        shown = (f"{name}={value}" for name, value in changes.items())
        yield f"in all rows that have it: {', '.join(shown)}"
    for cell in results.cells:
        if learned := _learned(cell):
            yield f"{cell.row.name}, {cell.column}: {learned}"
    for name, reason in results.skipped.items():
        yield f"{name} was skipped: {reason}"
    devices = ", ".join(sorted({run["device"] for run in runs}))
    minutes = sum(run["cpu_seconds"] for run in runs) / 60
    yield f"{len(runs)} runs on {devices}, {minutes:.0f} CPU minutes in all"


def _learned(cell: Cell) -> str:
    """Return what the runs of a cell learned from, and how much was reviewed."""
    runs, stages = [*cell.runs.values()], []
    for stage, parts in runs[0]["learned_from"].items():
        counts = (f"{_counts(r['learned_from'][stage][p] for r in runs)} {p}" for p in parts)
        steps = _counts(run["steps"][stage] for run in runs)
        stages.append(f"{stage} {' + '.join(counts)} ({steps} steps)")
    if reviews := [run["reviews"] for run in runs if run["reviews"] is not None]:
        keys = ("seen", "corrected", "labels")
        seen, corrected, labels = (fmean(each[key] for each in reviews) for key in keys)
        stages += [f"{seen:.0f} reviewed, {corrected:.0f} corrected, {labels:.0f} labels changed"]
    return "; ".join(stages)


def _counts(found: Iterable[int]) -> str:
    """Return a number, or the range of several."""
    counts = sorted({*found})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def _bullets(lines: Iterable[str]) -> Iterator[str]:
    return (f"- {line}" for line in lines)
