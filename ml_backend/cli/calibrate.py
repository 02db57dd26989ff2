"""`spanferry aligner calibrate` and `calibrate-teacher`: fit confidence to what was right."""

import random
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

from rich.table import Table
from typer import Argument, Option

from ml_backend.cli.console import print_result, progress, say, table
from ml_backend.cli.evaluate import read_test
from ml_backend.cli.options import (
    AsJson,
    IgnoreLabel,
    Paths,
    RenameLabel,
    Seed,
    TagColumn,
    TokenColumn,
)
from projection.errors import ModelError, TrainingError
from projection.io.conll import TagColumns
from projection.io.files import read_object, write_json
from projection.io.folders import new_folder, refuse_existing
from projection.io.gold import read_gold
from projection.models import bundled
from projection.models.calibration import CALIBRATION, LogisticModel
from projection.text.wording import points
from training.data.reviewed import read_reviews
from training.data.rows import LabelMap

if TYPE_CHECKING:
    from training.aligner.calibration import GivesSignals, Question
    from training.evaluation.calibration import Example
    from training.evaluation.reliability import Recalibration

CONFIG = "config.json"
Model = TypeVar("Model", bound=LogisticModel)


class Calibratable(Protocol[Model]):
    """An aligner or a tagger."""

    calibration: Model

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the checkpoint, its calibration included."""


def calibrate(
    model: Annotated[str, Argument(help="Aligner: a folder or a name on the hub.")],
    silver: Annotated[Paths, Argument(help="Silver files the aligner has not seen.")] = None,
    *,
    gold: Annotated[Paths, Option(help="Gold with entities on both sides; repeatable.")] = None,
    reviews: Annotated[Paths, Option(help="Exports, or their reviewed.jsonl; repeatable.")] = None,
    out: Annotated[Path | None, Option(help="Calibrate a copy here. [default: in place]")] = None,
    plot: Annotated[Path | None, Option(help="Draw the reliability to this .png or .svg.")] = None,
    sentences: Annotated[int, Option(min=1, help="Most silver sentences, drawn.")] = 2000,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Fit the aligner's confidence to how often it is right.

    The aligner must not have been trained on the data. Only the calibration in its config.json
    changes. The figures after calibration are cross-validated: each confidence comes from a model
    fitted to other projections.

    Example: spanferry aligner calibrate models/aligner heldback/*.jsonl --reviews exports/news-de
    """
    # Takes seconds to import, which `--help` should not.
    from training.aligner import calibration  # noqa: PLC0415
    from training.aligner.silver import read_silver  # noqa: PLC0415

    refuse(model, out, plot)
    reviewed = [review for path in reviews or () for review in read_reviews(path)]
    if unknown := sum(review.judged and review.source_entities is None for review in reviewed):
        told = f"{unknown} reviews left out: an older export did not keep their source entities"
        say(f"{told}. Export again")
    of_silver = calibration.silver_questions(chain.from_iterable(map(read_silver, silver or ())))
    questions = [
        *drawn(of_silver, sentences, seed),
        *calibration.gold_questions(chain.from_iterable(map(read_gold, gold or ()))),
        *calibration.review_questions(reviewed),
    ]
    calibrate_on(questions, load(model), model, out=out, plot=plot, as_json=as_json)


def calibrate_teacher(
    model: Annotated[str, Argument(help="Teacher or other tagger: a folder or a hub name.")],
    data: Annotated[
        list[str],
        Argument(
            metavar="DATA…", help="CoNLL files or export folders; LANG=FILE names a language."
        ),
    ],
    *,
    rename: RenameLabel = None,
    ignore: IgnoreLabel = None,
    token_column: TokenColumn = None,
    tag_column: TagColumn = None,
    out: Annotated[Path | None, Option(help="Calibrate a copy here. [default: in place]")] = None,
    plot: Annotated[Path | None, Option(help="Draw the reliability to this .png or .svg.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit the teacher's confidence to how often its entities are right, span and type.

    The teacher must not have been trained on the data; of an export that was split the test part
    is read. Types that a file has none of are not judged there. Only the calibration in the
    teacher's config.json changes. The figures after calibration are cross-validated, and count
    what the teacher nearly chose as well.

    Example: spanferry aligner calibrate-teacher models/teacher dev.iob2 --plot teacher.png
    """
    # Takes seconds to import, which `--help` should not.
    from projection.models.tagger import Tagger  # noqa: PLC0415
    from training.tagger.calibration import examples_of  # noqa: PLC0415

    refuse(model, out, plot)
    labels, columns = LabelMap.parse(rename, ignore), TagColumns(token_column, tag_column)
    files = {name: read_test([name], columns).mapped(labels) for name in data}
    tagger = Tagger.from_pretrained(bundled.resolve(model, "tagger"))
    examples: list[Example] = []
    with progress("sentences tagged", sum(map(len, files.values()))) as advance:
        for name, rows in files.items():
            examples += examples_of(tagger, rows, name, on_progress=advance)
    calibration, assessment = fitted(examples, tagger.calibration, plot)
    written = save(tagger, calibration, Path(bundled.resolve(model, "tagger")), out)
    shown = chain.from_iterable((each, "") for each in tables(assessment))
    print_result(
        {
            "model": str(written),
            "calibration": calibration.to_json(),
            **assessment.to_json(),
        },
        chain(shown, [f"{written} is calibrated"]),
        as_json=as_json,
    )


def refuse(model: str, out: Path | None, plot: Path | None) -> None:
    """Refuse what could not be written in the end, before any work."""
    from training.evaluation.reliability import check_plot  # noqa: PLC0415  takes seconds

    if plot is not None:
        check_plot(plot)
    if out is not None:
        refuse_existing(out)
    elif not (Path(model) / CONFIG).is_file():
        what = "is no model folder that could be changed in place"
        raise TrainingError(model, what, "Give --out FOLDER")


def calibrate_on(
    questions: "Sequence[Question]",
    aligner: "GivesSignals",
    model: str,
    *,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Fit, write and report the calibration; nothing is written if the data are too few."""
    examples, too_long = ask(aligner, questions)
    calibration, assessment = fitted(examples, aligner.calibration, plot)
    written = save(aligner, calibration, Path(bundled.resolve(model, "aligner")), out)
    made = {"model": str(written), "calibration": calibration.to_json(), "too_long": too_long}
    told = f"{written} is calibrated; sentences too long to be read whole: {too_long}"
    shown = chain.from_iterable((each, "") for each in tables(assessment))
    print_result({**made, **assessment.to_json()}, chain(shown, [told]), as_json=as_json)


def fitted(
    examples: "Sequence[Example]", before: Model, plot: Path | None
) -> "tuple[Model, Recalibration]":
    """Fit the calibration, and draw it; a TrainingError if the examples are too few."""
    from training.evaluation.calibration import assess, fit  # noqa: PLC0415
    from training.evaluation.reliability import reliability_plot  # noqa: PLC0415

    calibration, assessment = fit(examples, type(before)), assess(examples, before)
    if plot is not None:
        reliability_plot(assessment, plot)
    return calibration, assessment


def drawn(questions: "Iterable[Question]", most: int, seed: int) -> "list[Question]":
    """Draw at most `most` of the questions, in their order."""
    every = list(questions)
    rng = random.Random(seed)  # noqa: S311  a sample is no secret
    return [every[i] for i in sorted(rng.sample(range(len(every)), min(most, len(every))))]


def load(model: str) -> "GivesSignals":
    """Load an aligner that can be calibrated; raises ModelError for a pair aligner."""
    from projection.aligners.loading import load_aligner  # noqa: PLC0415  torch takes seconds
    from training.aligner.calibration import GivesSignals  # noqa: PLC0415

    aligner = load_aligner(bundled.resolve(model, "aligner"))
    if not isinstance(aligner, GivesSignals):
        what = "is a pair aligner, which has no calibration"
        raise ModelError(model, what, "Name a joint aligner")
    return aligner


def ask(aligner: "GivesSignals", questions: "Sequence[Question]") -> "tuple[list[Example], int]":
    """Return the aligner's answers, and how many sentences it could not read whole."""
    from training.aligner.calibration import examples_of  # noqa: PLC0415

    readable = [question for question in questions if aligner.fits(question.sentence)]
    with progress("sentences aligned", len(readable)) as advance:
        return examples_of(aligner, readable, on_progress=advance), len(questions) - len(readable)


def save(model: "Calibratable[Model]", calibration: Model, source: Path, out: Path | None) -> Path:
    """Write the calibrated model, whole or not at all, and return its folder.

    Of a model folder only the config changes; its weights stay as they are packed.
    """
    from projection.models.packed_weights import include_shared  # noqa: PLC0415  torch takes seconds

    if out is None:
        _set_calibration(source, calibration)
        return source
    with new_folder(out) as folder:
        if source.is_dir():
            shutil.copytree(source, folder, dirs_exist_ok=True)
            include_shared(folder, source)
            _set_calibration(folder, calibration)
        else:
            model.calibration = calibration
            model.save_pretrained(folder)
    return out


def _set_calibration(folder: Path, calibration: LogisticModel) -> None:
    path = folder / CONFIG
    config = read_object(path)
    write_json(path, {**config, CALIBRATION: calibration.to_json()})


def tables(assessment: "Recalibration") -> Iterator[Table]:
    """Yield the summary, the bins of confidence, and what thresholds keep, before and after."""
    halves = assessment.before, assessment.after
    errors = (points(half.expected_calibration_error) for half in halves)
    rows = [
        ("calibration error (ECE), %", *errors),
        ("Brier score", *(f"{half.brier:.3f}" for half in halves)),
    ]
    yield table((f"{assessment.after.n} answers", "before", "after"), rows)

    shares = ("\nmean, %", "\nright, %")
    sizes = table(("", "before\nn", *shares, "after\nn", *shares), ())
    bins = [{group.low: group for group in half.bins} for half in halves]
    for low in sorted({*bins[0], *bins[1]}):
        cells: list[str] = []
        for group in (half.get(low) for half in bins):
            if group is None:
                cells += ("", "", "")
            else:
                cells += (str(group.n), points(group.confidence), points(group.right))
        sizes.add_row(f"{low:.1f} to {low + 0.1:.1f}", *cells)
    yield sizes

    kept = table(("from", "before\nkept, %", "\nright, %", "after\nkept, %", "\nright, %"), ())
    for pair in zip(*(half.kept for half in halves), strict=True):
        figures = (figure for each in pair for figure in (each.share, each.precision))
        kept.add_row(f"{pair[0].threshold:.2f}", *map(points, figures))
    yield kept
