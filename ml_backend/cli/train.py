"""`spanferry train`: a tagger by one of the recipes, from exports, projections and gold."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from ml_backend.cli.console import bars, print_result
from ml_backend.cli.options import (
    AsJson,
    IgnoreLabel,
    Paths,
    RenameLabel,
    Seed,
    Strings,
    TagColumn,
    TokenColumn,
)
from ml_backend.cli.training_log import figures_shown
from projection.addresses import path_or_address
from projection.errors import TrainingError
from projection.interchange.portable import push_folder
from projection.io.conll import TagColumns
from projection.io.folders import is_main_process, training_into
from projection.languages import language_tag
from training.data.rows import LabelMap
from training.tagger.preset_changes import STAGE_SETTINGS, USE_SETTINGS, changed, read_setting
from training.tagger.presets import DEFAULT, PRESETS, preset_named
from training.trainer.settings import Tracker, Tracking

RUN_SETTINGS: dict[str, Callable[[str], Any]] = {
    "lang": lambda text: language_tag(text, "--set lang"),
    "lexicon": lambda text: [*map(Path, text.split(","))],
    "dev_share": float,
    "stages": Path,
    "log": Tracker,
    "push_to_hub": str,
}
"""The settings of a training that are no part of its recipe, with what reads them."""


def train(
    *,
    data: Annotated[
        list[Path],
        Argument(parser=path_or_address, help="Exports, reviewed.jsonl, CoNLL files, runs."),
    ],
    out: Annotated[Path, Option(help="New folder for the model, or for the models of --seeds.")],
    preset: Annotated[str, Option(help=f"The recipe: {', '.join(PRESETS)}.")] = DEFAULT,
    english: Annotated[
        Paths, Option(parser=path_or_address, help="English gold: a CoNLL file; repeatable.")
    ] = None,
    unlabelled: Annotated[
        Paths, Option(parser=path_or_address, help="Target-language text or CoNLL; repeatable.")
    ] = None,
    dev: Annotated[
        Paths,
        Option(parser=path_or_address, help="Reviewed data that say when to stop; repeatable."),
    ] = None,
    eval_on: Annotated[
        Paths,
        Option("--eval", parser=path_or_address, help="Score the model on this; repeatable."),
    ] = None,
    base: Annotated[
        str | None,
        Option(help="A folder, a hub name, or mini, the bundled tagger. [default: the recipe's]"),
    ] = None,
    settings: Annotated[
        Strings,
        Option("--set", help="Any other setting of docs/training.md: freeze=6; repeatable."),
    ] = None,
    token_column: TokenColumn = None,
    tag_column: TagColumn = None,
    seed: Seed = 0,
    seeds: Annotated[int | None, Option(min=1, help="Number of models, each with a seed.")] = None,
    rename: RenameLabel = None,
    ignore: IgnoreLabel = None,
    as_json: AsJson = False,
) -> None:
    """Train a tagger by a recipe: on English gold, on reviewed and on projected sentences.

    An interrupted training is resumed when the same command is run again. With --dev, the best
    checkpoint is kept. --set takes settings of all stages or of one: english.epochs=3. Text without
    labels is by default that of the other data.

    Example: spanferry train reviewed/ runs/news --english conll.iob2 --out models/de --seeds 5
    """
    run, changes = split_settings(settings or ())
    if run.get("push_to_hub") and seeds is not None:
        fix = "Push one of the models afterwards"
        raise TrainingError("--set push_to_hub", "several seeds make several models", fix)
    recipe = preset_named(preset)
    recipe = changed(recipe, changes if base is None else {**changes, "base": base})
    labels, columns = LabelMap.parse(rename, ignore), TagColumns(token_column, tag_column)
    # These take seconds to import, which `--help` should not.
    from training.data.dataset import read_all  # noqa: PLC0415
    from training.data.splits import TEST  # noqa: PLC0415
    from training.tagger.recipe_runner import train_preset  # noqa: PLC0415
    from training.tagger.seeds import train_seeds  # noqa: PLC0415
    from training.tagger.training_data import read_training_data  # noqa: PLC0415
    from training.trainer.tracking import tracker_or_none  # noqa: PLC0415

    tracker = tracker_or_none(run.get("log"))
    held_out = read_all(eval_on, TEST, columns).mapped(labels) if eval_on else None
    given = read_training_data(
        data,
        english=english or (),
        unlabelled=unlabelled or (),
        dev=dev or (),
        held_out=held_out,
        labels=labels,
        dev_share=run.get("dev_share", 0.0),
        lexicon=run.get("lexicon", ()),
        lang=run.get("lang"),
        columns=columns,
    )
    how: dict[str, Any] = {"eval": held_out, "stages": run.get("stages")}
    how["tracking"] = Tracking(tracker, out.parent / "runs" / out.name, out.name)
    shown = bars() if is_main_process() else nullcontext(_silence)
    with training_into(out), figures_shown(), shown as how["on_progress"]:
        result = (
            train_preset(recipe, given, out, seed=seed, **how)
            if seeds is None
            else train_seeds(recipe, given, out, range(seed, seed + seeds), **how)
        )
    if not is_main_process():
        return
    if "push_to_hub" in run:
        push_folder(out, run["push_to_hub"])
    print_result(result.to_json(), [str(result)], as_json=as_json)


def _silence(_what: str, _done: int, _total: int) -> None:
    """Only the main of several processes shows progress."""


def changes_of(texts: Iterable[str]) -> dict[str, str]:
    """Read `[STAGE.]NAME=VALUE` texts as the changes of a preset."""
    changes = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise TrainingError(f"--set {text}", "is not NAME=VALUE", "Such as target.epochs=2")
        changes[name] = value
    return changes


def split_settings(texts: Iterable[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Part `NAME=VALUE` texts into the values of `RUN_SETTINGS` and the changes of a preset."""
    changes = changes_of(texts)
    run = {}
    for key in [*changes]:
        if key in RUN_SETTINGS:
            run[key] = read_setting(key, RUN_SETTINGS[key], changes.pop(key))
        elif key.rpartition(".")[2] not in (*STAGE_SETTINGS, *USE_SETTINGS):
            known = ", ".join((*STAGE_SETTINGS, *USE_SETTINGS, *RUN_SETTINGS))
            raise TrainingError(f"--set {key}", "no such setting", f"One of {known}")
    return run, changes
