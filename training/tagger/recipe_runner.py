"""Training by a recipe: the stages of a preset, one after the other.

A stage's model is kept under a hash of all that shaped it, so that an interrupted training is
resumed, and trainings that begin alike share their beginning.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from projection.errors import TrainingError
from projection.io.files import locked, read_object, write_json
from projection.io.folders import (
    content_hash,
    finishing,
    is_main_process,
    new_folder,
    recover,
    refuse_existing,
    stages_folder_of,
    wait_for,
)
from projection.io.records_json import Json
from projection.models import bundled
from projection.text.iob2 import OUTSIDE
from training.data.rows import Row, Rows
from training.evaluation.tagging_scores import TaggingScores
from training.tagger.capitals import lower_case_is_meant
from training.tagger.distill import TEACHING, answers_of, taught
from training.tagger.features import Example, example_of
from training.tagger.finetune import SCHEMA, Material, counted, identity_of, learn, scores_of
from training.tagger.presets import BASE, Part, Preset, Stage, Use, preset_named
from training.tagger.sampling import drawn
from training.tagger.training_data import TrainingData
from training.tagger.word_translation import (
    LEAST_COVERED,
    covered,
    translated,
    translations_from_aligner,
)
from training.trainer import trainer as loop
from training.trainer.card import model_card, table
from training.trainer.settings import NOWHERE, Tracking
from training.trainer.trainer import OnProgress

log = logging.getLogger(__name__)

RECORD = "training.json"


class Trained(NamedTuple):
    """A trained model: its folder, the content of its `training.json`, and its scores.

    The record is the last stage's, with all `stages` beside it: where each starts from, its
    teachers, and the number of sentences of each part it has `learned_from`. Of several processes
    only the main one has scores.
    """

    model: Path
    record: Json
    scores: TaggingScores | None

    def to_json(self) -> Json:
        """Return the record."""
        return self.record

    def __str__(self) -> str:
        record, data, head = self.record, self.record["data"], self.record["head"]
        lines = [
            f"{stage['name']}: {stage['steps']} steps on {stage['data']['sentences']} sentences, "
            f"mean loss {stage['loss']:.4f}"
            for stage in record["stages"][:-1]
        ]
        lines += [
            f"{self.model}: {record['steps']} steps on {data['sentences']} sentences, "
            f"{data['entities']} entities, mean loss {record['loss']:.4f}",
            f"{data['windowed_sentences']} sentences longer than what is read at once, read in "
            f"windows; {data['lost_entities']} entities lost ({data['lost_share']:.1%})",
            f"head: {len(head['kept'])} tags kept, {len(head['new'])} new, "
            f"{len(head['dropped'])} dropped",
        ]
        if record["dev"]:
            best = max(entry["f1"] for entry in record["dev"])
            lines.append(f"dev part: best F1 {100 * best:.2f}, at step {record['kept']}")
        return "\n".join([*lines, *([] if self.scores is None else [str(self.scores)])])


def train_preset(
    preset: Preset | str,
    data: TrainingData,
    out: Path,
    *,
    seed: int = 0,
    eval: Rows | None = None,  # noqa: A002  the word everyone looks for
    stages: Path | None = None,
    tracking: Tracking = NOWHERE,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Trained:
    """Train by a recipe, score the result on `eval`, and write it to the new folder `out`, whole.

    `preset` is a name in `training.tagger.presets.PRESETS`, or a preset (see
    `preset_changes.changed`). Parts of the data that it does not use are ignored. `stages` is a
    folder that keeps the models of all stages; None: beside `out` until it is done. `on_progress`
    is called with what is being done, how much is done, and of how much.

    Raises TrainingError if `out` exists, or a part that the recipe needs is missing or empty;
    ModelError if the base cannot be loaded.
    """
    refuse_existing(out)
    preset = preset_named(preset) if isinstance(preset, str) else preset
    folder = stages or stages_folder_of(out)
    folder.mkdir(parents=True, exist_ok=True)
    course = _Course(preset, data, folder, seed, tracking, on_progress)
    record, scores = course.run(), None
    writes = is_main_process()
    with finishing(out) if writes and stages is None else nullcontext():
        if writes:
            model = course.models[preset.stages[-1].name]
            if (scores := scores_of(model, eval, on_progress)) is not None:
                record["scores"] = scores.to_json()
            parts = data.parts | {"eval": eval}
            record["parts"] = {name: each.describe() for name, each in parts.items() if each}
            with new_folder(out) as made:
                shutil.copytree(model, made, dirs_exist_ok=True)
                write_json(made / RECORD, record)
                card = model_card(out.name, record) + _stages_section(record)
                (made / "README.md").write_text(card, encoding="utf-8")
        wait_for(out)
        loop.wait_for_everyone()
    return Trained(out, record, scores)


def plan_of(preset: Preset, data: TrainingData) -> dict[str, Any]:
    """Return a recipe and its data as JSON: equal plans with equal seeds train equal models."""
    words = data.translations
    return {
        "preset": asdict(preset) | {"base": identity_of(preset.base, "tagger")},
        "data": {p: each.fingerprint if each else None for p, each in data.parts.items()},
        "lang": data.lang,
        "translations": content_hash(bundled.path("aligner"))
        if words is None
        else hashlib.sha256(repr(sorted(words.items())).encode()).hexdigest(),
        "processes": loop.processes(),
    }


def _stages_section(record: Json) -> str:
    """Return the section of a model's card about the stages of its recipe."""
    rows = [
        (
            stage["name"],
            stage["start"] + (f", taught by {', '.join(t)}" if (t := stage["teachers"]) else ""),
            ", ".join(f"{n} {part}" for part, n in stage["learned_from"].items()),
            stage["settings"]["loss"],
            stage["steps"],
            f"`{stage['model_version']}`",
        )
        for stage in record["stages"]
    ]
    head = ["stage", "starts from", "sentences", "loss", "steps", "model version"]
    return f"\n## Recipe `{record['preset']}`\n\n{table(head, rows)}\n"


@dataclass
class _Course:
    """The stages of a preset on some data, with the models they have made so far."""

    preset: Preset
    data: TrainingData
    folder: Path
    seed: int
    tracking: Tracking
    on_progress: OnProgress

    def __post_init__(self) -> None:
        self.tags, self.models = self.data.tags, dict[str, Path]()
        self.keys = {BASE: identity_of(self.preset.base, "tagger")}
        given = (Part.ENGLISH, Part.PSEUDO, Part.REVIEWED, Part.UNLABELLED)
        self.given = {p: [row for row in getattr(self.data, p) if row.tokens] for p in given}
        if not self.given[Part.UNLABELLED]:
            self.given[Part.UNLABELLED] = self.given[Part.PSEUDO] + self.given[Part.REVIEWED]

    def run(self) -> Json:
        """Train what is not there yet; return the record of all stages."""
        for stage in self.preset.stages:
            self._require_parts(stage)
        stages = []
        for stage in self.preset.stages:
            record, about = self._train(stage)
            kept = ("settings", "data", "steps", "loss", "dev", "kept", "model_version")
            stages.append({"name": stage.name, **about, **{key: record[key] for key in kept}})
        settings = {**record["settings"], "base": self.preset.base}
        return {**record, "preset": self.preset.name, "settings": settings, "stages": stages}

    def _require_parts(self, stage: Stage) -> None:
        missing = [u.part for u in stage.uses if not self._part(u.part) and not u.optional]
        if not missing and any(self._part(use.part) for use in stage.uses):
            return
        parts = " or ".join(missing or [use.part for use in stage.uses])
        raise TrainingError(
            f"preset {self.preset.name}, stage {stage.name}",
            f"needs {parts} sentences, and there are none",
            FIXES.get(missing[0] if missing else Part.REVIEWED, ""),
        )

    def _part(self, part: Part) -> list[Row]:
        return self._translated if part is Part.TRANSLATED else self.given[part]

    @cached_property
    def _translated(self) -> list[Row]:
        rows, unlabelled = self.given[Part.ENGLISH], self.given[Part.UNLABELLED]
        text = [row.tokens for row in unlabelled]
        if not rows or not text:
            return []
        words = self.data.translations
        if words is None:
            words = translations_from_aligner((row.tokens for row in rows), text)
            if (share := covered(rows, words)) < LEAST_COVERED:
                log.warning("nothing is translated: the aligner knows %.0f %%", 100 * share)
                return []
        return translated(rows, words, self.data.lang or unlabelled[0].lang, text, self.seed)

    def _train(self, stage: Stage) -> tuple[Json, Json]:
        """Return the record of the stage's model, and what it learned from."""
        uses = stage.uses
        if lower_case_is_meant(self.given[Part.REVIEWED]):
            uses = tuple(replace(use, capitals=False) for use in uses)
        chosen = {use: drawn(self._part(use.part), use, self.seed) for use in uses}
        if not any(chosen.values()):
            found = sum(len(self._part(use.part)) for use in stage.uses)
            raise TrainingError(
                f"preset {self.preset.name}, stage {stage.name}",
                f"none of {found} sentences is to be used",
                "All are without entities, or less parallel than asked for",
            )
        learned = self._fingerprint(stage, chosen)
        dev = self.data.dev if stage is self.preset.stages[-1] else None
        shaped_by = [
            {**asdict(stage.settings), "base": self.keys[stage.start], "seed": self.seed},
            learned,
            self.tags,
            None if dev is None else dev.fingerprint,
            loop.processes(),
        ]
        key = hashlib.sha256(json.dumps(shaped_by).encode()).hexdigest()[:12]
        model = self.folder / f"{stage.name}-{key}"
        base = self.preset.base if stage.start == BASE else str(self.models[stage.start])
        # Other trainings may share the folder.
        path, others = self.folder / f".{model.name}.lock", f"another process that trains {model}"
        with locked(path, others) if is_main_process() else nullcontext():
            loop.wait_for_everyone()
            answers = self.folder / f"{model.name}.answers"
            if is_main_process():
                recover(model)
            if not model.exists():
                material = Material(self._examples(stage, chosen, answers), self.tags, learned, dev)
                learn(
                    material,
                    replace(stage.settings, base=base, seed=self.seed),
                    model,
                    tracking=self.tracking.part(stage.name),
                    on_progress=prefixed(self.on_progress, stage.name),
                )
            if is_main_process():
                shutil.rmtree(answers, ignore_errors=True)
        self.keys[stage.name], self.models[stage.name] = key, model
        record = read_object(model / RECORD)
        if record.get("schema") != SCHEMA:
            what = f"was trained by another version (schema {record.get('schema')}, not {SCHEMA})"
            raise TrainingError(str(model), what, "Remove this folder, or choose another --out")
        counts = {use.part.value: len(found) for use, found in chosen.items() if found}
        return record, {"start": stage.start, "teachers": [*stage.teachers], "learned_from": counts}

    def _examples(
        self, stage: Stage, chosen: Mapping[Use, list[Row]], place: Path
    ) -> list[Example]:
        if not stage.teachers:
            return [_example(each, use) for use, found in chosen.items() for each in found]
        rows = (row for found in chosen.values() for row in found)
        bare = (replace(row, tags=(OUTSIDE,) * len(row.tokens)) for row in rows)
        sentences = [example_of(row).words for row in bare]
        total = len(sentences) * len(stage.teachers)
        count = counted(self.on_progress, f"{stage.name}: {TEACHING}", total)
        teachers = [self.models[teacher] for teacher in stage.teachers]
        answers = answers_of(teachers, sentences, self.tags, place, count)
        return [*taught(sentences, answers, self.tags)]

    def _fingerprint(self, stage: Stage, chosen: Mapping[Use, list[Row]]) -> str:
        """Return a hash of the sentences of each part, their use, and the teachers."""
        learned = [
            (use.weight, use.doubt, use.confidence, rows.fingerprint, rows.languages)
            for use, rows in ((use, Rows.of(found)) for use, found in chosen.items())
        ]
        teachers = [self.keys[teacher] for teacher in stage.teachers]
        return hashlib.sha256(json.dumps([learned, teachers]).encode()).hexdigest()[:16]


FIXES = {
    Part.ENGLISH: "Give gold English sentences: --english FILE",
    Part.PSEUDO: "Give a folder of `spanferry project`",
    Part.UNLABELLED: "Give target-language text: --unlabelled FILE",
    Part.TRANSLATED: "Give --english FILE, target-language text (--unlabelled FILE), and "
    "--set lexicon=FILE where the bundled aligner does not know the language",
    Part.REVIEWED: "Accept or correct some first, or give a folder of `spanferry project`",
}


def prefixed(on_progress: OnProgress, name: str) -> OnProgress:
    """Return `on_progress` with a name before what is being done."""
    return lambda what, done, total: on_progress(f"{name}: {what}", done, total)


def _example(row: Row, use: Use) -> Example:
    sure = row.confidence if use.confidence else ()
    weights: Sequence[float] | None = None
    if sure or use.weight != 1:
        weights = [use.weight * p for p in sure or (1.0,) * len(row.tokens)]
    return example_of(row, weights=weights, doubt=None if use.doubt == 1 else use.doubt)
