"""`spanferry score-projection`: score an aligner, or all of projection, against gold."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.table import Table
from rich.text import Text
from typer import Argument, Option

from ml_backend.cli.console import print_result, progress, table
from ml_backend.cli.options import Aligner, AsJson, IgnoreLabel
from projection.addresses import path_or_address
from projection.aligners import baselines
from projection.aligners.decoding import PUBLISHED
from projection.errors import CorpusError, ModelError
from projection.evaluation.matching import MISTAKES, Outcome
from projection.evaluation.report import (
    EXAMPLES,
    Mistake,
    ProjectionReport,
    evaluate_aligner,
    evaluate_projector,
)
from projection.evaluation.scores import DRAWS, LEVEL
from projection.io.gold import read_every_gold
from projection.models import bundled
from projection.records import Span
from projection.text.wording import in_words, percent, points

if TYPE_CHECKING:
    from projection.protocols import Aligns, ProjectsSentences

MEANING = {
    Outcome.WRONG_BORDER: "right label, overlaps, ends elsewhere",
    Outcome.WRONG_MENTION: "right label, stands elsewhere in the sentence",
    Outcome.WRONG_LABEL: "overlaps gold of another label",
    Outcome.MISSING: "gold that nothing was projected to",
    Outcome.SPURIOUS: "projected to where no gold is left",
}
CONTRADICTIONS = {
    "--write-pairs": (
        *("--aligner", "--preset", "--alignments", "--bridge", "--limit", "--examples"),
        *("--teacher", "--ignore-label"),
    ),
    "--alignments": ("--aligner", "--preset", "--teacher"),
    "--preset exact-match": ("--aligner",),
}


class ScoringPreset(StrEnum):
    """Aligner and decoding to score."""

    PAPER_PAIR = "paper-pair"
    CONTEXT_JOINT = "context-joint"
    EXACT_MATCH = "exact-match"


def score_projection(
    gold: Annotated[
        Path,
        Argument(parser=path_or_address, help="JSON Lines with gold entities on both sides."),
    ],
    *,
    aligner: Aligner = None,
    preset: Annotated[ScoringPreset | None, Option(help="What is scored. [default: saved]")] = None,
    alignments: Annotated[Path | None, Option(help="Score links in Pharaoh format.")] = None,
    bridge: Annotated[int | None, Option(min=0, help="Most unlinked words in an entity.")] = None,
    write_pairs: Annotated[Path | None, Option(help="Only write pairs for word aligners.")] = None,
    teacher: Annotated[
        str | None, Option(help="Label the source with this model, or mini; see below.")
    ] = None,
    ignore_label: IgnoreLabel = None,
    limit: Annotated[int | None, Option(min=1, help="Most sentences to score.")] = None,
    examples: Annotated[
        int | None,
        Option(min=0, help=f"Examples of each mistake. [default: {EXAMPLES} with --json, else 0]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Project gold English entities and compare with the gold of the translation.

    Only span and label both exact count as right; relaxed scores ask for the label and an overlap.
    The ceiling is what a perfect aligner could reach where the two sides were annotated
    differently. The preset paper-pair is a pair aligner, labels word by word as published;
    context-joint a joint aligner as it decodes by default; exact-match the entity's own string.

    Example: spanferry score-projection gold.en-de.jsonl --json

    With --teacher the source is labelled by that model (mini: the bundled one) instead of the gold,
    as when a corpus is projected, and the report says how many sentences are flagged with a
    conflict, and how many of the wrong ones are not. A GLiNER checkpoint (gliner:…) looks for the
    types of the gold. --ignore-label is for types that the gold does not annotate.

        spanferry score-projection gold.en-de.jsonl --teacher mini

    Any other word aligner is scored by two files; its links need a line for every gold line, and
    --bridge (0) is the most unlinked words inside an entity:

        spanferry score-projection gold.en-de.jsonl --write-pairs pairs.txt

        spanferry score-projection gold.en-de.jsonl --alignments links.txt --bridge 2
    """
    given = {
        "--aligner": aligner,
        "--preset": preset,
        "--preset exact-match": preset if preset is ScoringPreset.EXACT_MATCH else None,
        "--alignments": alignments,
        "--bridge": bridge,
        "--write-pairs": write_pairs,
        "--teacher": teacher,
        "--ignore-label": ignore_label,
        "--limit": limit,
        "--examples": examples,
    }
    check_options(given)
    every = list(read_every_gold(gold))
    chosen = [g for g in every if g.consistent][:limit]
    if not chosen:
        fix = "See `spanferry score-projection --help`"
        raise CorpusError(str(gold), "has no sentence to score", fix)
    if write_pairs is not None:
        written = baselines.write_pairs(write_pairs, every)
        told = f"{written} sentence pairs written to {write_pairs}"
        then = "Align them, then score the links in Pharaoh format: --alignments FILE"
        result = {"pairs": str(write_pairs), "sentences": written}
        print_result(result, [told, then], as_json=as_json)
        return
    if alignments is None:
        model = _load(aligner, preset)
    else:
        model = baselines.PharaohAligner.read(alignments, every, bridge or 0)
    types = {entity.label for g in chosen for entity in g.target_entities}
    projector = None if teacher is None else _projector(teacher, model, ignore_label or (), types)
    with progress("sentences aligned", len(chosen)) as advance:
        if projector is None:
            report = evaluate_aligner(model, chosen, on_progress=advance)
        else:
            report = evaluate_projector(projector, chosen, on_progress=advance)
    skipped = sum(not g.consistent for g in every)
    result = {**report.to_json(EXAMPLES if examples is None else examples), "skipped": skipped}
    print_result(result, _shown(report, examples or 0, skipped), as_json=as_json)


def check_options(options: Mapping[str, object]) -> None:
    """Refuse combinations in which an option would be ignored; None was not given."""
    given = {name for name, value in options.items() if value is not None}
    for option, others in CONTRADICTIONS.items():
        for other in others:
            if {option, other} <= given:
                raise CorpusError(other, f"means nothing with {option}", "Leave one of them out")
    if "--bridge" in given and "--alignments" not in given:
        raise CorpusError("--bridge", "is for --alignments", "A model brings its own decoding")
    if "--ignore-label" in given and "--teacher" not in given:
        raise CorpusError("--ignore-label", "is for --teacher", "Name a teacher, such as mini")


def _load(aligner: str | None, preset: ScoringPreset | None) -> "Aligns":
    """Load the aligner; raises ModelError if it is not of the kind that the preset is for."""
    if preset is ScoringPreset.EXACT_MATCH:
        return baselines.ExactMatch()
    # torch takes seconds to import, which exact-match need not wait for.
    from projection.aligners.loading import load_aligner  # noqa: PLC0415
    from projection.aligners.pair import PairAligner  # noqa: PLC0415

    paper = preset is ScoringPreset.PAPER_PAIR
    where = bundled.resolve(aligner, "aligner")
    found = load_aligner(where, PUBLISHED if paper else None).for_answers()
    if preset is not None and isinstance(found, PairAligner) is not paper:
        kinds = ("a pair aligner", "a joint aligner")
        needed, there = kinds if paper else reversed(kinds)
        what = f"is {there}, --preset {preset} needs {needed}"
        raise ModelError(str(where), what, "Name one: --aligner FOLDER")
    return found


def _projector(
    teacher: str, aligner: "Aligns", ignore: Sequence[str], types: Collection[str]
) -> "ProjectsSentences":
    """A projector of an aligner and this teacher, which ignores some types.

    `types` are those of the gold, which a GLiNER teacher looks for.
    """
    # torch takes seconds to import.
    from projection.models.teacher import is_gliner, load_teacher  # noqa: PLC0415
    from projection.pipeline.projector import Projector  # noqa: PLC0415

    sought = sorted(types) if is_gliner(teacher) else ()
    return Projector(load_teacher(teacher, suppress=ignore, types=sought), aligner)


def _shown(report: ProjectionReport, examples: int, skipped: int) -> Iterator[Table | Text | str]:
    """Yield scores by label and their interval, the mistakes with examples, and the speed."""
    scores, interval = report.scores, report.interval
    figures = ("precision", "recall", "F1")
    columns = ("", *figures, *(f"relaxed\n{name}" for name in figures), "entities")
    by_label = table(columns, ())
    relaxed = {**scores.relaxed.by_type, "all": scores.relaxed}
    for name, row in {**scores.by_type, "all": scores}.items():
        both = (row, relaxed[name])
        cells = (points(value) for s in both for value in (s.precision, s.recall, s.f1))
        by_label.add_row(name, *cells, str(row.support))
    by_label.add_row("ceiling", "", "", points(scores.ceiling), "", "", "", "")
    yield by_label
    yield (
        f"\n{LEVEL:.0%} of {DRAWS} resamplings of the sentences give F1 between "
        f"{points(interval.low)} and {points(interval.high)}; "
        f"{points(scores.of_ceiling)} % of the ceiling\n"
    )
    mistakes = {kind: report.mistakes_of(kind) for kind in MISTAKES}
    counts = ((in_words(k.value), str(len(all_)), MEANING[k]) for k, all_ in mistakes.items())
    yield table(("mistakes", "", ""), counts, text=(0, 2))
    for kind, found in mistakes.items():
        yield from _example_lines(kind, found[:examples])
    yield ""
    if (flags := report.flags) is not None:
        yield f"flagged: {percent(flags.flagged_share)} of {flags.sentences} sentences"
        yield f"wrong and unflagged: {percent(flags.missed_share)} of the {flags.wrong} wrong"
    if report.too_long:
        yield f"{report.too_long} too long to be read whole"
    speed = f"{report.sentences_per_second:.0f} sentences per second"
    yield f"{speed}; {skipped} skipped as inconsistent"


def _example_lines(outcome: Outcome, mistakes: Sequence[Mistake]) -> Iterator[Text]:
    """Yield each mistake in three lines: the phrases, the source, the target."""
    if mistakes:
        yield Text(f"\n{in_words(outcome.value)}", "bold")
    for mistake in mistakes:
        source, target = Text(mistake.sentence.source), Text(mistake.sentence.target)
        phrases = []
        if (gold := mistake.gold) is not None:
            phrases.append(f"gold {gold.label} {_quoted(gold.span, target.plain)}")
            target.stylize("green", gold.span.start, gold.span.end)
        if (found := mistake.predicted) is not None and found.target is not None:
            name = _quoted(found.source.span, source.plain)
            phrase = _quoted(found.target, target.plain)
            phrases.append(f"projected {found.source.label} {phrase} from {name}")
            source.stylize("underline", found.source.span.start, found.source.span.end)
            target.stylize("underline", found.target.start, found.target.end)
        yield Text(f"{mistake.sentence.id}: {', '.join(phrases)}")
        yield Text("  ").append_text(source)
        yield Text("  ").append_text(target)


def _quoted(span: Span, text: str) -> str:
    """Format `“Berlin” [8, 14)`: the place tells two mentions apart."""
    return f"“{span.of(text)}” {span}"
