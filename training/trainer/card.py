"""README cards of exports and trained models: Hugging Face card classes with our templates."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import CardData, DatasetCard, DatasetCardData, ModelCardData

from projection.models.bundled import NAME
from projection.text.wording import counted

_Json = Mapping[str, Any]  # the content of a summary.json or training.json

_TEMPLATES = Path(__file__).parent / "cards"

_POLICIES = {
    "open": "it is left out until somebody settles it",
    "latest": "the latest decision holds",
    "majority": "what more than half of the annotators marked holds",
    "reviewer": "the decision of annotator {reviewer} holds",
}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; pipes in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", r"\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def data_card(
    summary: _Json,
    made_with: Sequence[str] = (),
    agreement: _Json | None = None,
    audit: _Json | None = None,
) -> str:
    """The card of an export, from its `summary.json` and the names of the models.

    `agreement` between annotators, and `audit` of what nobody reviewed, are the JSON of an
    `Agreement` and an `AuditReport`.
    """
    accept_above = summary["accept_above"]
    tested = audit["thresholds"] if audit and accept_above is not None else ()
    below = (test for test in tested if test["threshold"] <= accept_above)
    return _rendered(
        "data",
        _data_header(summary),
        summary,
        made_with=made_with,
        agreement=agreement,
        audit=audit,
        nearest=max(below, key=lambda test: float(test["threshold"]), default=None),
        decision=_POLICIES[summary["policy"]].format(reviewer=summary["reviewer"]),
        counted=counted,
        counts=lambda what, rows: table([what, "count"], rows.items()) if rows else "",
        estimate=_estimate,
        figure=lambda value: "unknown" if value is None else f"{value:.3f}",
    )


def _data_header(summary: _Json) -> DatasetCardData:
    # Parts without sentences are not named: `datasets` cannot load them.
    parts = [part for part, count in summary["parts"].items() if count]
    files = [{"split": part, "path": f"parquet/{part}.parquet"} for part in parts]
    size = next((name for limit, name in _SIZES if summary["usable"] < limit), "n>1M")
    return DatasetCardData(
        pretty_name=summary["title"],
        language=[*summary["by_language"]],
        license="other",
        task_categories=["token-classification"],
        task_ids=["named-entity-recognition"],
        annotations_creators=["expert-generated"] + ["machine-generated"] * bool(summary["taken"]),
        size_categories=[size],
        tags=["spanferry", "annotation-projection"],
        configs=[{"config_name": "default", "data_files": files}] if files else None,
    )


def _estimate(share: _Json) -> str:
    if share["value"] is None:
        return "not known"
    value, low, high = (f"{100 * share[part]:.1f}" for part in ("value", "low", "high"))
    return f"{value} % (95 % interval {low} to {high})"


def aligner_card(name: str, record: _Json) -> str:
    """The card of a trained aligner, from its `training.json`."""
    header = ModelCardData(
        library_name="spanferry",
        language=["en", *record["data"]],
        license="other",
        tags=["spanferry", "entity-alignment", "cross-lingual"],
    )
    return _rendered("aligner", header, record, name=name, table=table)


def model_card(name: str, record: _Json) -> str:
    """The card of a trained tagger, from its `training.json`."""
    scores, base, parts = record["scores"], record["settings"]["base"], record.get("parts", {})
    is_folder = base != NAME and Path(base).exists()
    languages = {lang for part in parts.values() for lang in part["languages"]} - {"und"}
    header = ModelCardData(
        library_name="transformers",
        pipeline_tag="token-classification",
        language=sorted(languages) or None,
        base_model=None if base == NAME or is_folder else base,
        license="other",
        metrics=["f1", "precision", "recall"],
        tags=["spanferry", "named-entity-recognition"],
    )
    rows = [
        (label, *(f"{100 * values[key]:.2f}" for key in ("precision", "recall", "f1")))
        for label, values in ([*scores["by_type"].items(), ("all", scores)] if scores else [])
    ]
    return _rendered(
        "tagger",
        header,
        record,
        name=name,
        settings={**record["settings"], "base": Path(base).name if is_folder else base},
        best=max((each["f1"] for each in record["dev"]), default=None),
        parts=parts,
        score_rows=rows,
        table=table,
        files=lambda part: ", ".join(filter(None, part["corpora"])).replace("|", r"\|") or "–",
    )


def _rendered(template: str, header: CardData, record: _Json, **more: Any) -> str:
    """Fill in a template; what it leaves out leaves no gap."""
    path = str(_TEMPLATES / f"{template}.md.jinja")
    card = DatasetCard.from_template(header, path, **{**record, **more})  # type: ignore[arg-type]
    return re.sub(r"\n{3,}", "\n\n", str(card)).rstrip() + "\n"
