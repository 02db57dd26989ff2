"""`spanferry aligner calibrate`: an aligner that knows how often it is right."""

import random
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ml_backend.cli.console import out as console
from ml_backend.cli.console import print_json, progress
from ml_backend.cli.options import AsJson, IgnoreLabel, LabelMap, Teacher
from ml_backend.settings import label_table
from projection.aligners.confidence import Calibration
from projection.errors import ModelError, TrainingError
from projection.io.files import parse_object, write_json
from projection.io.gold import read_gold
from projection.models import bundled
from projection.records import Entity, ParallelSentence, ReviewedSentence
from training.data.reviewed import read_reviews as read_export

if TYPE_CHECKING:
    from training.aligner.calibration import Example, GivesSignals, Question, Tag
    from training.aligner.silver import SilverSentence
    from training.evaluation.reliability import Bin, Recalibration

CONFIG = "config.json"


def calibrate(
    model: Annotated[str, typer.Argument(help="Aligner: a folder or a name on the hub.")],
    silver: Annotated[
        list[Path] | None,
        typer.Argument(help="Silver files of sentences the aligner was not trained on."),
    ] = None,
    *,
    gold: Annotated[
        list[Path] | None,
        typer.Option(help="JSON Lines with gold entities on both sides; repeatable."),
    ] = None,
    reviews: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of `spanferry export`, or its reviewed.jsonl; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a calibrated copy. [default: in place]")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the reliability to this .png or .svg.")
    ] = None,
    sentences: Annotated[
        int, typer.Option(min=1, help="Use at most so many silver sentences, drawn at random.")
    ] = 2000,
    teacher: Teacher = None,
    labels: LabelMap = None,
    ignore_label: IgnoreLabel = None,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit the aligner's confidence to how often it proved right.

    The aligner must not have been trained on the data. Only the calibration in its config.json
    changes. The figures for after it are cross-validated: each confidence is of a model fitted to
    other projections. The teacher is asked about reviews that came without source entities.

    Example:

        spanferry aligner calibrate models/aligner heldback/*.jsonl --reviews exports/news-de \\
            --plot reliability.png
    """
    # Takes seconds to import, which `--help` should not.
    from training.aligner.calibration import (  # noqa: PLC0415
        gold_questions,
        review_questions,
        silver_questions,
    )
    from training.evaluation.reliability import check_plot  # noqa: PLC0415

    if plot is not None:
        check_plot(plot)
    check_out(model, out)
    questions = [
        *drawn(silver_questions(read_all_silver(silver or ())), sentences, seed),
        *(question for path in gold or () for question in gold_questions(read_gold(path))),
        *review_questions(read_reviews(reviews or ()), tag_with(teacher, labels, ignore_label)),
    ]
    calibrate_on(questions, load(model), model, out=out, plot=plot, as_json=as_json)


def calibrate_on(
    questions: "Sequence[Question]",
    aligner: "GivesSignals",
    model: str,
    *,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """All of the verb once the data is read and the aligner loaded.

    Raises:
        TrainingError: if the data cannot make a calibration. Nothing is written then.
    """
    from training.aligner.calibration import assess, fit  # noqa: PLC0415
    from training.evaluation.reliability import reliability_plot  # noqa: PLC0415

    examples, too_long = ask(aligner, questions)
    calibration = fit(examples)
    assessment = assess(examples, aligner.calibration)
    if plot is not None:
        reliability_plot(assessment, plot)
    written = save(aligner, calibration, model, out)
    if as_json:
        made = {"model": str(written), "calibration": calibration.to_json(), "too_long": too_long}
        print_json({**made, **assessment.to_json()})
        return
    for table in tables(assessment):
        console.print(table, "")
    told = f"{written} is calibrated; sentences too long to be read whole: {too_long}"
    console.print(told, highlight=False, markup=False, soft_wrap=True)


def check_out(model: str, out: Path | None) -> None:
    """Refuse what could not be written in the end, before the work that leads to it.

    Raises:
        TrainingError: if `out` is taken, or nothing is there that could be changed in place.
    """
    if out is None and not (Path(model) / CONFIG).is_file():
        raise TrainingError(
            model, "is no model folder that could be changed in place", "Give --out FOLDER"
        )
    if out is not None and out.exists():
        raise TrainingError(str(out), "exists already", "Choose another folder")


def read_all_silver(paths: Iterable[Path]) -> "Iterator[SilverSentence]":
    """The sentences of several silver files."""
    from training.aligner.silver import read_silver  # noqa: PLC0415

    for path in paths:
        yield from read_silver(path)


def read_reviews(paths: Iterable[Path]) -> Iterator[ReviewedSentence]:
    """The reviews of several exports, each a folder or a file in JSON Lines.

    Raises:
        CorpusError: naming file and line.
    """
    for path in paths:
        yield from read_export(path)


def drawn(questions: "Iterable[Question]", most: int, seed: int) -> "list[Question]":
    """At most so many of them, in their order."""
    every = list(questions)
    rng = random.Random(seed)  # noqa: S311  a sample is no secret
    chosen = sorted(rng.sample(range(len(every)), min(most, len(every))))
    return [every[i] for i in chosen]


def tag_with(
    teacher: str | None, labels: Sequence[str] | None, suppress: Sequence[str] | None
) -> "Tag":
    """Finds source entities with the teacher, which is only loaded when it is asked."""

    def tag(sentences: Sequence[ParallelSentence]) -> list[tuple[Entity, ...]]:
        from projection.models.tagger import Tagger  # noqa: PLC0415
        from projection.pipeline.projector import by_language  # noqa: PLC0415  torch takes seconds

        tagger = Tagger.from_pretrained(
            bundled.resolve(teacher, "teacher"), label_table(labels or ()), suppress or ()
        )
        return list(by_language(sentences, lambda s: (s.source, s.source_lang), tagger))

    return tag


def load(model: str) -> "GivesSignals":
    """An aligner that can be calibrated.

    Raises:
        ModelError: if there is none, or it is of the other kind.
    """
    from projection.aligners.loading import load_aligner  # noqa: PLC0415  torch takes seconds
    from training.aligner.calibration import GivesSignals  # noqa: PLC0415

    aligner = load_aligner(bundled.resolve(model, "aligner"))
    if not isinstance(aligner, GivesSignals):
        raise ModelError(
            model, "is a pair aligner, which has no calibration", "Name a joint aligner"
        )
    return aligner


def ask(aligner: "GivesSignals", questions: "Sequence[Question]") -> "tuple[list[Example], int]":
    """What the aligner answers, and how many sentences it could not read whole."""
    from training.aligner.calibration import examples_of  # noqa: PLC0415

    readable = [question for question in questions if aligner.fits(question.sentence)]
    with progress("sentences aligned", len(readable)) as advance:
        return examples_of(aligner, readable, on_progress=advance), len(questions) - len(readable)


def save(aligner: "GivesSignals", calibration: Calibration, model: str, out: Path | None) -> Path:
    """Write the calibrated model, whole or not at all; a folder keeps everything else it holds.

    Returns:
        Where it is.
    """
    from projection.io.folders import new_folder  # noqa: PLC0415

    source = Path(bundled.resolve(model, "aligner"))
    if out is None:
        note(calibration, source)
        return source
    with new_folder(out) as folder:
        if source.is_dir():
            shutil.copytree(source, folder, dirs_exist_ok=True)
            note(calibration, folder)
        else:
            aligner.calibration = calibration
            aligner.save_pretrained(folder)
    return out


def note(calibration: Calibration, folder: Path) -> None:
    """Exchange the calibration in a checkpoint; its weights stay as they are packed."""
    path = folder / CONFIG
    config = parse_object(path.read_text("utf-8"), str(path))
    write_json(path, {**config, "calibration": calibration.to_json()})


def tables(assessment: "Recalibration") -> tuple[Table, Table, Table]:
    """The errors in short, the confidences by size, and what thresholds keep."""
    before, after = assessment.before, assessment.after
    short = figures(f"{after.n} projections", "before", "after")
    errors = (before.expected_calibration_error, after.expected_calibration_error)
    short.add_row("calibration error (ECE), %", *map(percent, errors))
    short.add_row("Brier score", f"{before.brier:.3f}", f"{after.brier:.3f}")

    shares = ("\nmean, %", "\nright, %")
    sizes = figures("", "before\nn", *shares, "after\nn", *shares)
    bins = [{group.low: group for group in half.bins} for half in (before, after)]
    for low in sorted({*bins[0], *bins[1]}):
        cells = [cell for half in bins for cell in bin_cells(half.get(low))]
        sizes.add_row(f"{low:.1f} to {low + 0.1:.1f}", *cells)

    thresholds = figures("from", "before\nkept, %", "\nright, %", "after\nkept, %", "\nright, %")
    for pair in zip(before.kept, after.kept, strict=True):
        cells = [percent(figure) for kept in pair for figure in (kept.share, kept.precision)]
        thresholds.add_row(f"{pair[0].threshold:.2f}", *cells)
    return short, sizes, thresholds


def bin_cells(group: "Bin | None") -> tuple[str, str, str]:
    """Number, mean confidence and share of right ones; nothing for an empty bin."""
    if group is None:
        return "", "", ""
    return str(group.n), percent(group.confidence), percent(group.right)


def percent(fraction: float | None) -> str:
    """One decimal, no sign."""
    return "" if fraction is None else f"{100 * fraction:.1f}"


def figures(first: str, *columns: str) -> Table:
    """A table whose first column names the row."""
    table = Table(box=None, pad_edge=False)
    table.add_column(first, vertical="bottom")
    for column in columns:
        table.add_column(column, justify="right", vertical="bottom")
    return table
