"""Presets with other numbers, as `--set` asks for them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from projection.errors import TrainingError
from training.tagger.presets import Preset
from training.trainer.settings import LossName


def _bool(text: str) -> bool:
    switch = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return switch[text.lower()]


STAGE_SETTINGS: Mapping[str, Callable[[str], Any]] = MappingProxyType({
    "loss": LossName,
    **dict.fromkeys(("gamma", "epochs", "learning_rate", "warmup", "weight_decay"), float),
    **dict.fromkeys(("freeze", "batch_size", "accumulate", "max_length", "patience", "lora"), int),
    **dict.fromkeys(("freeze_embeddings", "through_weight", "bf16"), _bool),
})  # fmt: skip
"""The settings of a stage that can be changed, with what reads them."""

USE_SETTINGS: Mapping[str, Callable[[str], Any]] = MappingProxyType({
    **dict.fromkeys(("weight", "doubt", "nameless", "least_margin"), float),
    "sentences": int,
    **dict.fromkeys(("capitals", "confidence", "equal_corpora"), _bool),
})  # fmt: skip
"""The settings of how a part of the data is used, with what reads them."""

OF_THE_LAST_STAGE = frozenset({"loss", "gamma", "through_weight", "epochs"})
"""Settings that change the last stage only, unless another is named: each stage has its own."""


def read_setting(key: str, read: Callable[[str], Any], value: Any) -> Any:
    """Read a text by `read`, raising TrainingError if it cannot be; `none` stands for None.

    Values that are no texts are returned as they are.
    """
    if not isinstance(value, str):
        return value
    try:
        return read(value)
    except (KeyError, ValueError) as error:
        if value == "none":
            return None
        kinds = [str(each) for each in getattr(read, "__members__", {}).values()]
        fix = f"One of {', '.join(kinds)}" if kinds else ""
        what = f"{value!r} is no {read.__name__.strip('_')}"
        raise TrainingError(f"--set {key}", what, fix) from error


def changed(preset: Preset, changes: Mapping[str, Any]) -> Preset:
    """Return the preset with other numbers.

    `changes` are of `base`; of a setting in `STAGE_SETTINGS`, for all stages or for one
    (`target.freeze` wins over `freeze`); or of a setting in `USE_SETTINGS` for a part of the data
    (`reviewed.weight`). Texts are read as what the setting holds. Raises TrainingError at an
    unknown name, or a value the setting cannot hold.
    """
    settings: dict[str, dict[str, Any]] = {stage.name: {} for stage in preset.stages}
    for key, value in sorted(changes.items(), key=lambda change: "." in change[0]):
        named, _, field = key.rpartition(".")
        if key == "base":
            preset = replace(preset, base=str(value))
        elif field in USE_SETTINGS:
            preset = _used(preset, key, {field: read_setting(key, USE_SETTINGS[field], value)})
        else:
            _check_change(preset, key, named, field)
            last = preset.stages[-1].name if field in OF_THE_LAST_STAGE else None
            for stage in settings.keys() & {named or last} or settings:
                settings[stage][field] = read_setting(key, STAGE_SETTINGS[field], value)
    for change in settings.values():
        if "loss" in change:  # another loss has its own γ
            change.setdefault("gamma", None)
    stages = (replace(s, settings=replace(s.settings, **settings[s.name])) for s in preset.stages)
    return replace(preset, stages=tuple(stages))


def concerns(preset: Preset, key: str) -> bool:
    """Return whether the preset has the stage, or the part of the data, that a change names."""
    named, _, field = key.rpartition(".")
    if field in USE_SETTINGS:
        return named in _parts_of(preset)
    return not named or named in {stage.name for stage in preset.stages}


def _parts_of(preset: Preset) -> list[str]:
    return sorted({use.part.value for stage in preset.stages for use in stage.uses})


def _used(preset: Preset, key: str, change: dict[str, Any]) -> Preset:
    """Change the use of a part of the data in all stages that use it."""
    part, parts = key.rpartition(".")[0], _parts_of(preset)
    if part not in parts:
        what = f"no part {part} is used" if part else "of which part of the data"
        raise TrainingError(f"--set {key}", what, f"There are {', '.join(parts)}")

    changed_uses = (
        tuple(replace(use, **change) if use.part == part else use for use in stage.uses)
        for stage in preset.stages
    )
    stages = zip(preset.stages, changed_uses, strict=True)
    return replace(preset, stages=tuple(replace(stage, uses=uses) for stage, uses in stages))


def _check_change(preset: Preset, key: str, stage: str, field: str) -> None:
    stages = [each.name for each in preset.stages]
    if stage and stage not in stages:
        raise TrainingError(f"--set {key}", f"no stage {stage}", f"There are {', '.join(stages)}")
    if field not in STAGE_SETTINGS:
        fix = f"One of {', '.join((*STAGE_SETTINGS, *USE_SETTINGS))}"
        raise TrainingError(f"--set {key}", f"no setting {field}", fix)
