"""What somebody wants trained, in plain words and paths, and how it is carried out.

The command line and `python -m training` both fill in an order.
"""

import hashlib
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from projection.errors import TrainingError
from projection.io.folders import is_main_process
from training.tagger.presets import DEFAULT, changed, preset_named
from training.trainer.settings import Tracker, Tracking

if TYPE_CHECKING:
    from datasets import Dataset

    from training.data.dataset import LabelMap
    from training.data.pseudo_labels import Place, Text
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
    from training.data.dataset import load_all, map_labels, parse_label_map  # noqa: PLC0415
    from training.data.splits import TEST  # noqa: PLC0415
    from training.tagger.recipe_runner import train_preset  # noqa: PLC0415
    from training.tagger.seeds import train_seeds  # noqa: PLC0415
    from training.trainer.trainer import tracker_or_none  # noqa: PLC0415

    preset = changed(preset_named(order.preset), order.changes)
    labels = parse_label_map(order.renames, order.ignore)
    tracking = Tracking(
        tracker_or_none(order.tracker), order.out.parent / "runs" / order.out.name, order.out.name
    )
    held_out = map_labels(load_all(order.held_out, TEST), labels) if order.held_out else None
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


def read_data(
    order: Order, labels: "LabelMap", held_out: "Dataset | None" = None
) -> "TrainingData":
    """The parts of the data an order names, their types renamed and ignored.

    A projected sentence that somebody has decided about is left out: what is reviewed holds. So is
    every sentence of the dev part and of `held_out`, wherever it stands.

    Raises:
        TrainingError: if all of the data is left out, or it cannot be read.
    """
    from training.data.dataset import in_language, load_all, map_labels  # noqa: PLC0415
    from training.data.pseudo_labels import (  # noqa: PLC0415
        by_trust,
        decided_in,
        is_run,
        load_projected,
        together,
    )
    from training.data.splits import TRAIN  # noqa: PLC0415
    from training.tagger.recipe_runner import TrainingData  # noqa: PLC0415
    from training.tagger.word_translation import read_translations  # noqa: PLC0415

    runs = [path for path in order.data if is_run(path)]
    others = [path for path in order.data if path not in runs]
    reviewed, unseen = (
        by_trust(map_labels(load_all(others, TRAIN), labels)) if others else (None, None)
    )
    projected = load_projected(runs, labels) if runs else None
    reviewed, dev = _dev(order, labels, reviewed)
    scored = [part for part in (dev, held_out) if part is not None]
    texts = {tuple(tokens) for part in scored for tokens in part["tokens"]}
    pseudo = together(
        _without(projected, decided_in(others), texts), _without(unseen, frozenset(), texts)
    )
    trusted = _without(reviewed, frozenset(), texts)
    given = any(part is not None for part in (projected, unseen, reviewed))
    if given and pseudo is None and trusted is None:
        fix = "Name sentences that are neither decided otherwise nor in what is scored"
        raise TrainingError(", ".join(map(str, order.data)), "nothing is left to learn from", fix)
    return TrainingData(
        english=map_labels(in_language(load_all(order.english), "en"), labels)
        if order.english
        else None,
        pseudo=pseudo,
        reviewed=trusted,
        unlabelled=_unlabelled(order, reviewed, projected) if order.unlabelled else None,
        dev=dev,
        translations=read_translations(order.lexicon) if order.lexicon else None,
        lang=order.lang,
    )


def _without(
    part: "Dataset | None", places: "Collection[Place]", texts: "Collection[Text]"
) -> "Dataset | None":
    """What is left to learn from; how much is left out is logged."""
    from training.data.pseudo_labels import without  # noqa: PLC0415

    if part is None:
        return None
    left = without(part, places, texts)
    if out := len(part) - len(left):
        log.warning(
            "%d of %d %s sentences are left out: they are reviewed, or in what is scored",
            out, len(part), part[0]["status"],
        )  # fmt: skip
    return left if len(left) else None


def _dev(
    order: Order, labels: "LabelMap", reviewed: "Dataset | None"
) -> tuple["Dataset | None", "Dataset | None"]:
    """What is left of the reviewed sentences, and the dev part: what was named, what exports were
    split into, or a share.
    """
    from training.data.dataset import DATASET, load_all, map_labels  # noqa: PLC0415
    from training.data.splits import VALIDATION  # noqa: PLC0415

    split = tuple(path for path in order.data if (path / DATASET / VALIDATION).is_dir())
    if order.dev or (split and not order.dev_share):
        found = load_all(order.dev) if order.dev else load_all(split, VALIDATION)
        return reviewed, map_labels(found, labels)
    if not order.dev_share:
        return reviewed, None
    if reviewed is None:
        fix = "Give an export or IOB2 files, or --dev FILE"
        raise TrainingError("--dev-share", "nothing is reviewed to hold out of", fix)
    return parted(reviewed, order.dev_share)


def parted(dataset: "Dataset", share: float) -> tuple["Dataset", "Dataset"]:
    """What is left to train on, and the dev part.

    A hash of the text decides, so that a sentence stays on its side when others are added, and the
    same sentence is never on both.

    Raises:
        TrainingError: if nothing is left on one side.
    """
    held = [_place(tokens) < share * DEV_OF for tokens in dataset["tokens"]]
    if all(held) or not any(held):
        what = f"of {len(held)} sentences {sum(held)} are held out"
        raise TrainingError(f"--dev-share {share}", what, "Give more sentences, or --dev FILE")
    train = [i for i, out in enumerate(held) if not out]
    return dataset.select(train), dataset.select([i for i, out in enumerate(held) if out])


def _place(tokens: list[str]) -> int:
    return int(hashlib.sha256("\0".join(tokens).encode()).hexdigest(), 16) % DEV_OF


def _unlabelled(order: Order, *labelled: "Dataset | None") -> "Dataset":
    from training.data.dataset import load_all  # noqa: PLC0415
    from training.data.pseudo_labels import read_text, together  # noqa: PLC0415
    from training.data.splits import TRAIN  # noqa: PLC0415

    texts = [path for path in order.unlabelled if path.name.removesuffix(".gz").endswith(".txt")]
    others = [path for path in order.unlabelled if path not in texts]
    langs = [lang for part in labelled if part is not None for lang in part["lang"][:1]]
    lang = order.lang or next(iter(langs), "und")
    found = together(
        load_all(others, TRAIN) if others else None, read_text(texts, lang) if texts else None
    )
    assert found is not None  # noqa: S101  there is at least one path
    return found
