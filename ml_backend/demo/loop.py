"""The whole loop without a person: correct, export, train, evaluate, serve and predict again."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from label_config.annotations import annotation_of
from ml_backend.audit.report import audit_report
from ml_backend.audit.sample import draw
from ml_backend.demo.demo import (
    LABELS,
    TITLE,
    Demo,
    gold_sentences,
    other_sentences,
    without_gold,
)
from ml_backend.jobs.gain import Answered, Gain
from ml_backend.report.figures import Report
from ml_backend.report.filters import filters_of
from ml_backend.report.page import PAGE, write_report
from ml_backend.report.source import read_project
from ml_backend.review.pull import fetch_reviewed
from ml_backend.review.repredict import repredict
from ml_backend.serving.model_store import ModelStore
from projection.errors import ServerError
from projection.io.conll import write_iob2
from projection.io.gold import GoldSentence
from projection.models import bundled
from projection.models.tagger import Tagger
from projection.pipeline.projector import Projector
from projection.records import ReviewStatus
from projection.text.iob2 import encode
from training.data.dataset import read_rows
from training.evaluation.tagging_scores import score as score_tags
from training.evaluation.tagging_scores import tag_data
from training.export.export import write_export
from training.tagger.finetune import fine_tune
from training.trainer.settings import FineTune, LossName

AUDIT, AUDITED = "demo", 40  # name and size of the audit, all of which is corrected
UNTOUCHED_EVERY = 4  # every fourth of the others is not corrected, but predicted again

# 150 sentences are few: a high rate. After four passes F1 hardly grows.
TARGET_RECIPE = FineTune(
    base="", loss=LossName.RW, freeze=1, epochs=4, batch_size=16, learning_rate=2e-4
)


def walk_the_loop(demo: Demo) -> dict[str, Any]:
    """Run every stage and return the figures that `spanferry demo --headless --json` prints."""
    stage, summary = demo.stages.stage, demo.summary
    project = demo.server.project(demo.project.id)  # with the model version it has now
    with stage("draw an audit sample"):
        draw(demo.server, project, AUDIT, size=AUDITED)
        found = demo.server.tasks(demo.project, with_predictions=True)
        tasks = {task["data"]["pair_id"]: task for task in found}
        audited = {name for name, task in tasks.items() if task["data"]["audit"] == AUDIT}
    reviewed, untouched = _split(gold_sentences(), audited)
    held_out = [*untouched, *other_sentences()]
    with stage("play in corrections: the gold of the bundled sample"):
        for gold in reviewed:  # as a careful annotator would
            task, target = tasks[gold.sentence.id], gold.sentence.target
            demo.server.annotate(
                task["id"],
                annotation_of(gold.target_entities, target, ReviewStatus.ACCEPTED),
                parent_prediction=task["predictions"][-1]["id"],
            )
    with stage("report on the audit and on the review"):
        audit = audit_report(project, demo.server.tasks(project, with_predictions=True), AUDIT)
        source = read_project(demo.server, project)
        report = Report.of(source, filters=filters_of(demo.folder / "run"))
        write_report(report, source, demo.folder / "report")
    with stage("export the corrected set"):
        export = demo.folder / "export"
        exported = write_export(
            fetch_reviewed(demo.server, demo.project), export, title=TITLE, labels=LABELS
        )
        _expect("export", exported.sentences, len(reviewed))
    with stage("fine-tune a target model"):
        model, base = demo.folder / "model", bundled.path("tagger")
        fine_tune(read_rows(export), replace(TARGET_RECIPE, base=str(base)), model)
    with stage("evaluate before and after"):
        f1 = _compare(base, model, held_out, demo.folder / "held-out.iob2")
        tagger = Tagger.from_pretrained(model).for_answers()
        improved = demo.projector.with_target_model(tagger)
        gain = Gain.of(_answered(demo.projector, held_out), _answered(improved, held_out))
    with stage("serve the new model"):
        store = ModelStore(demo.backend.settings.model_store)
        store.activate(store.add(model))
        demo.backend.wait_for(improved.model_version)
    with stage("predict the remaining tasks again"):
        again = repredict(demo.server, demo.project, improved)
        _expect("repredict", again.predicted, len(untouched))
    return {
        "projected": summary.read,
        "flagged": dict(summary.flagged),
        "accepted": exported.accepted,
        "corrected": exported.corrected,
        "exported": exported.sentences,
        "f1": f1,
        "gain": asdict(gain) | {"beyond_chance": gain.beyond_chance},
        "audit": audit.to_json(),
        "report": str(demo.folder / "report" / PAGE),
        "repredicted": again.predicted,
        "versions": [demo.projector.model_version, improved.model_version],
        "seconds": {name: round(seconds, 1) for name, seconds in demo.stages.seconds.items()},
    }


def _expect(stage: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise ServerError(stage, f"{found} sentences instead of {wanted}", "See the logs")


def _split(
    gold: Sequence[GoldSentence], audited: Collection[str]
) -> tuple[list[GoldSentence], list[GoldSentence]]:
    """Return what is corrected, the audit sample included, and what of the others is not."""
    others = [g for g in gold if g.sentence.id not in audited]
    untouched = others[UNTOUCHED_EVERY - 1 :: UNTOUCHED_EVERY]
    return [g for g in gold if g not in untouched], untouched


def _compare(
    before: Path, after: Path, held_out: Sequence[GoldSentence], path: Path
) -> dict[str, dict[str, float]]:
    """Compute strict F1 of both models on the held-out gold, over all and by language."""
    encoded = (
        encode(g.sentence.target, g.target_entities, g.sentence.target_lang) for g in held_out
    )
    write_iob2(((e.tokens, e.tags) for e in encoded), path)
    tagged = {"before": tag_data(before, path), "after": tag_data(after, path)}

    def f1_of(lang: str | None) -> dict[str, float]:
        at = [n for n, g in enumerate(held_out) if lang in (None, g.sentence.target_lang)]
        return {
            model: score_tags([found.rows[n].tags for n in at], [found.predicted[n] for n in at]).f1
            for model, found in tagged.items()
        }

    langs = dict.fromkeys(g.sentence.target_lang for g in held_out)
    return {"all": f1_of(None)} | {lang: f1_of(lang) for lang in langs}


def _answered(projector: Projector, held_out: Sequence[GoldSentence]) -> list[Answered]:
    """Return the pre-annotations that an annotator sees, the teacher's mistakes included."""
    found = projector.project([*map(without_gold, held_out)])
    return [(gold, one.entities) for gold, one in zip(held_out, found, strict=True)]
