"""What somebody wants trained, in plain words and paths, and how it is carried out.

The command line and `python -m training` both fill in an order.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from projection.errors import TrainingError
from projection.io.folders import is_main_process
from training.tagger.presets import DEFAULT, changed, preset_named
from training.trainer.settings import Tracker, Tracking

if TYPE_CHECKING:
    from training.data.rows import LabelMap, Row, Rows
    from training.tagger.recipe_runner import Trained, TrainingData
    from training.tagger.seeds import Seeds
    from training.trainer.trainer import OnProgress

log = logging.getLogger(__name__)

DEV_OF = 1000  # a sentence's place among so many decides whether it is held out


@dataclass(frozen=True, slots=True)
class Order:
    """A training as one asks for it.

    `data` are exports, IOB2 files and run folders; the status of a sentence decides which part of
    the data it belongs to. Of an export that was split only the training part is trained on, and
    the validation part is the dev part if `dev` names no other; failing both, `dev_share` of the
    reviewed sentences are. `english`, `dev`, `held_out` are exports or IOB2 files, `unlabelled`
    these or plain text (.txt), a sentence a line, in the language `lang` (None: that of `data`).
    `lexicon` is what `word_translation.read_translations` reads. `changes` are those of
    `presets.changed`. `stages` is a folder to share beginnings in. `tracker` None is
    TensorBoard, if it is installed.
    """

    data: tuple[Path, ...]
    out: Path
    preset: str = DEFAULT
    changes: Mapping[str, Any] = field(default_factory=dict)
    english: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    lang: str | None = None
    lexicon: tuple[Path, ...] = ()
    dev: tuple[Path, ...] = ()
    dev_share: float = 0.0
    held_out: tuple[Path, ...] = ()
    renames: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    seed: int = 0
    seeds: int | None = None
    stages: Path | None = None
    tracker: Tracker | None = None
    push_to: str | None = None

    def __post_init__(self) -> None:
        if self.seeds is not None and self.seeds < 1:
            raise TrainingError("--seeds", f"{self.seeds} is below 1")
        if not 0 <= self.dev_share < 1:
            raise TrainingError("--dev-share", f"{self.dev_share} is not a share of the sentences")
        if self.push_to is not None and self.seeds is not None:
            fix = "Push one of the models afterwards"
            raise TrainingError("--push-to-hub", "several seeds make several models", fix)


def carry_out(order: Order, on_progress: "OnProgress") -> "Trained | Seeds":
    """Read the data, train, and push to the hub if asked to.

    Raises:
        SpanferryError: at what is wrong with the order, before anything is trained.
    """
    # Take seconds to import, which `--help` should not.
    from training.data.dataset import read_all  # noqa: PLC0415
    from training.data.rows import LabelMap  # noqa: PLC0415
    from training.data.splits import TEST  # noqa: PLC0415
    from training.tagger.recipe_runner import train_preset  # noqa: PLC0415
    from training.tagger.seeds import train_seeds  # noqa: PLC0415
    from training.trainer.trainer import tracker_or_none  # noqa: PLC0415

    preset = changed(preset_named(order.preset), order.changes)
    labels = LabelMap.parse(order.renames, order.ignore)
    tracking = Tracking(
        tracker_or_none(order.tracker), order.out.parent / "runs" / order.out.name, order.out.name
    )
    held_out = read_all(order.held_out, TEST).mapped(labels) if order.held_out else None
    data = read_data(order, labels, held_out)
    if order.seeds is not None:
        seeds = range(order.seed, order.seed + order.seeds)
        return train_seeds(
            preset, data, order.out, seeds,
            eval=held_out, stages=order.stages, tracking=tracking, on_progress=on_progress,
        )  # fmt: skip
    trained = train_preset(
        preset, data, order.out,
        seed=order.seed, eval=held_out, stages=order.stages, tracking=tracking,
        on_progress=on_progress,
    )  # fmt: skip
    if order.push_to is not None:
        push_to_hub(order.out, order.push_to)
    return trained


class Hub(Protocol):
    """What of the hub's client is used."""

    def create_repo(self, repo_id: str, *, exist_ok: bool) -> object:
        """Make sure that the repository is there."""

    def upload_folder(self, *, repo_id: str, folder_path: Path) -> object:
        """Put the files of a folder into it."""


def push_to_hub(model: Path, repository: str, hub: Hub | None = None) -> None:
    """Upload a model folder, its card and record included, from the main process."""
    from huggingface_hub import HfApi  # noqa: PLC0415

    if is_main_process():
        hub = HfApi() if hub is None else hub
        hub.create_repo(repository, exist_ok=True)
        hub.upload_folder(repo_id=repository, folder_path=model)


def read_data(order: Order, labels: "LabelMap", held_out: "Rows | None" = None) -> "TrainingData":
    """The parts of the data an order names, their types renamed and ignored.

    A projected sentence that somebody has decided about is left out: what is reviewed holds. So is
    every sentence of the dev part and of `held_out`, wherever it stands, however it is tokenised.

    Raises:
        TrainingError: if all of the data is left out, or it cannot be read.
    """
    from training.data.dataset import read_all  # noqa: PLC0415
    from training.data.pseudo_labels import decided_in, is_run, read_projected  # noqa: PLC0415
    from training.data.rows import Row, Rows  # noqa: PLC0415
    from training.data.splits import TRAIN  # noqa: PLC0415
    from training.tagger.recipe_runner import TrainingData  # noqa: PLC0415
    from training.tagger.word_translation import read_translations  # noqa: PLC0415

    runs = [path for path in order.data if is_run(path)]
    others = [path for path in order.data if path not in runs]
    given = read_all(others, TRAIN).mapped(labels)
    reviewed = given.filter(lambda row: row.is_reviewed)
    unseen = given.filter(lambda row: not row.is_reviewed)
    projected = read_projected(runs, labels)
    unlabelled = _unlabelled(order, reviewed, projected)
    reviewed, dev = _dev(order, labels, reviewed)
    decided = decided_in(others)
    scored = {row.text_key for part in (dev, held_out) if part for row in part}

    def learned(name: str, rows: Rows) -> Rows:
        left = rows.filter(lambda row: row.text_key not in scored)
        if out := len(rows) - len(left):
            log.warning(
                "%d of %d %s sentences are left out: they are in the dev or --eval data",
                out, len(rows), name,
            )  # fmt: skip
        return left

    def undecided(row: Row) -> bool:
        return (row.id, row.origin) not in decided

    guessed = projected.filter(undecided)
    if out := len(projected) - len(guessed):
        log.warning(
            "%d of %d projected sentences are left out: they are reviewed", out, len(projected)
        )
    pseudo = learned("pseudo-labelled", Rows.joined(guessed, unseen))
    trusted = learned("reviewed", reviewed)
    if (projected or unseen or reviewed) and not (pseudo or trusted):
        fix = "Name sentences that are neither decided otherwise nor in what is scored"
        raise TrainingError(", ".join(map(str, order.data)), "nothing is left to learn from", fix)
    english = read_all(order.english).in_language("en").mapped(labels)
    return TrainingData(
        english=learned("English", english),
        pseudo=pseudo,
        reviewed=trusted,
        unlabelled=learned("unlabelled", unlabelled),
        dev=dev,
        translations=read_translations(order.lexicon) if order.lexicon else None,
        lang=order.lang,
    )


def _dev(order: Order, labels: "LabelMap", reviewed: "Rows") -> tuple["Rows", "Rows | None"]:
    """What is left of the reviewed sentences, and the dev part: what was named, what exports were
    split into, or a share.
    """
    from training.data.dataset import DATASET, read_all  # noqa: PLC0415
    from training.data.splits import VALIDATION  # noqa: PLC0415

    split = tuple(path for path in order.data if (path / DATASET / VALIDATION).is_dir())
    if order.dev or (split and not order.dev_share):
        found = read_all(order.dev) if order.dev else read_all(split, VALIDATION)
        return reviewed, found.mapped(labels)
    if not order.dev_share:
        return reviewed, None
    if not reviewed:
        fix = "Give an export or IOB2 files, or --dev FILE"
        raise TrainingError("--dev-share", "nothing is reviewed to hold out of", fix)
    return parted(reviewed, order.dev_share)


def parted(rows: "Rows", share: float) -> tuple["Rows", "Rows"]:
    """What is left to train on, and the dev part.

    A hash of the text decides, so that a sentence stays on its side when others are added, and the
    same sentence is never on both.

    Raises:
        TrainingError: if nothing is left on one side.
    """

    def is_held_out(row: "Row") -> bool:
        digest = hashlib.sha256("\0".join(row.tokens).encode()).hexdigest()
        return int(digest, 16) % DEV_OF < share * DEV_OF

    dev = rows.filter(is_held_out)
    if len(dev) in (0, len(rows)):
        what = f"of {len(rows)} sentences {len(dev)} are held out"
        raise TrainingError(f"--dev-share {share}", what, "Give more sentences, or --dev FILE")
    return rows.filter(lambda row: not is_held_out(row)), dev


def _unlabelled(order: Order, *labelled: "Rows") -> "Rows":
    from training.data.dataset import read_all  # noqa: PLC0415
    from training.data.pseudo_labels import read_text  # noqa: PLC0415
    from training.data.rows import Rows  # noqa: PLC0415
    from training.data.splits import TRAIN  # noqa: PLC0415

    texts = [path for path in order.unlabelled if path.name.removesuffix(".gz").endswith(".txt")]
    others = [path for path in order.unlabelled if path not in texts]
    langs = [row.lang for part in labelled for row in part.rows[:1]]
    lang = order.lang or next(iter(langs), "und")
    return Rows.joined(read_all(others, TRAIN), read_text(texts, lang))
