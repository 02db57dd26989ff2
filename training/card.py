"""README cards for exported data and trained models, in the Hugging Face form."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LICENCE = "The corpus's own licence applies: say here which it is before you share this."

MODEL_LICENCE = "The licences of the corpus and of the base model apply: say here which they are."


def front_matter(fields: Mapping[str, object]) -> str:
    """YAML front matter. Every value is written as JSON, which YAML reads."""
    lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
    return "\n".join(["---", *lines, "---", ""])


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; pipes in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", r"\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def data_card(summary: Mapping[str, Any]) -> str:
    """The card of an export, from its `summary.json`. It says nothing the data does not."""
    counts = ("annotations", "superseded", "accepted", "corrected", "unusable", "skipped", "empty")
    losses = ("widened", "overlap_lost", "blank_lost")
    by_what = [
        *(("label", label, n) for label, n in summary["by_label"].items()),
        *(("language", lang, n) for lang, n in summary["by_language"].items()),
    ]
    misfits = [f"- {misfit['id']}: {misfit['reason']}" for misfit in summary["misfits"]]
    parts = [
        front_matter(
            {
                "pretty_name": summary["title"],
                "language": [*summary["by_language"]],
                "license": "other",
                "task_categories": ["token-classification"],
                "task_ids": ["named-entity-recognition"],
                "tags": ["spanferry", "annotation-projection"],
            }
        ),
        f"# {summary['title']}\n",
        "Entity labels carried over from a translation by a model and reviewed by people.\n",
        f"Last changed: {summary['newest'] or 'unknown'}. "
        f"{summary['usable']} sentences for training, {summary['entities']} entities.\n",
        "## Annotations\n",
        table(["what", "count"], ((name, summary[name]) for name in counts)) + "\n",
        "A sentence with several annotations counts once, by its newest decision; the others are "
        "superseded. Unusable and skipped sentences are in `reviewed.jsonl` only.\n",
        "## Entities\n",
        table(["by", "", "count"], by_what) + "\n",
        "## What IOB2 could not hold\n",
        table(["what", "count"], ((name, summary[name]) for name in losses)) + "\n",
        "\n".join(misfits) + "\n" if misfits else "Nothing was lost or changed.\n",
        "## Schema\n",
        "`data.iob2`: token, tab, tag; an empty line after each sentence. `dataset/` "
        "(`datasets.load_from_disk`):\n",
        table(
            ["column", "what"],
            [
                ("id", "of the sentence pair in its corpus"),
                ("tokens", "words; characters for Chinese and Japanese"),
                ("tags", "IOB2 over " + (", ".join(summary["labels"]) or "no types")),
                ("lang", "BCP 47 tag of the sentence"),
                ("status", "accepted as proposed, or corrected"),
                ("annotator", "user id in Label Studio"),
                ("model_version", "what had proposed the labels"),
                ("origin", "corpus file and line"),
            ],
        )
        + "\n",
        "## Made by\n",
        "\n".join(f"- `{version}`" for version in summary["model_versions"]) or "- no model",
        "\n## Licence\n",
        LICENCE + "\n",
    ]
    return "\n".join(parts)


def aligner_card(name: str, record: Mapping[str, Any]) -> str:
    """The card of a trained aligner, from its `training.json`."""
    languages = [*record["data"]]
    curve = ", ".join(f"{step}: {loss:.3f}" for step, loss in record["curve"])
    lexicon = record["lexicon"]
    parts = [
        front_matter(
            {
                "library_name": "spanferry",
                "language": ["en", *languages],
                "license": "other",
                "tags": ["spanferry", "entity-alignment", "cross-lingual"],
            }
        ),
        f"# {name}\n",
        f"Finds entities of an English sentence in its translation (`{record['preset']}`), trained "
        f"from `{record['settings']['base']}`. Load it with `projection.aligners.load_aligner`.\n",
        "## Data\n",
        table(
            ["language", "silver sentences", "listed names"],
            ((lang, row["sentences"], row["names"]) for lang, row in record["data"].items()),
        )
        + "\n",
        f"{record['examples']} examples, negatives included, were made of them"
        + (f"; {lexicon} pairs of words and stems are in the lexicon.\n" if lexicon else ".\n"),
        "## Training\n",
        f"{record['steps']} steps. Mean loss at step {curve}.\n",
        table(["setting", "value"], record["settings"].items()) + "\n",
        table(["made with", ""], record["made_with"].items()) + "\n",
        "## Licence\n",
        MODEL_LICENCE + "\n",
    ]
    return "\n".join(parts)


def model_card(name: str, record: Mapping[str, Any]) -> str:
    """The card of a trained model, from its `training.json`."""
    scores = record["scores"]
    rows = [
        (label, *(f"{100 * values[key]:.2f}" for key in ("precision", "recall", "f1")))
        for label, values in ([*scores["by_type"].items(), ("all", scores)] if scores else [])
    ]
    data = record["data"]
    parts = [
        front_matter(
            {
                "library_name": "transformers",
                "pipeline_tag": "token-classification",
                "license": "other",
                "tags": ["spanferry", "named-entity-recognition"],
            }
        ),
        f"# {name}\n",
        f"Token classification (IOB2) over {', '.join(record['labels']) or 'no types'}, trained "
        f"from `{record['settings']['base']}` on {data['sentences']} sentences with "
        f"{data['entities']} entities (data `{data['fingerprint']}`).\n",
        "## Scores\n",
        table(["type", "precision", "recall", "F1"], rows)
        if rows
        else "No evaluation data was given.",
        "\nStrict IOB2 spans, in percent.\n" if rows else "",
        "## Settings\n",
        table(["setting", "value"], record["settings"].items()) + "\n",
        "## Licence\n",
        MODEL_LICENCE + "\n",
    ]
    return "\n".join(parts)
