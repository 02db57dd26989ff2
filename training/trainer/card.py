"""README cards for exported data and trained models, in the Hugging Face form."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from projection.models.bundled import NAME
from projection.text.wording import counted
from training.data.splits import BLOCK

LICENCE = "The licence of the corpora it was made from: name it here before you share this."

CITATION = """\
```bibtex
@article{li2021crosslingual,
  title = {Cross-Lingual Named Entity Recognition Using Parallel Corpus:
           A New Approach Using XLM-RoBERTa Alignment},
  author = {Li, Bing and He, Yujie and Xu, Wenjin},
  journal = {arXiv preprint arXiv:2101.11112},
  year = {2021}
}
```

Cite the corpora too; and this export by its title and the date above.
"""

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


def data_card(
    summary: Mapping[str, Any],
    made_with: Sequence[str] = (),
    agreement: Mapping[str, Any] | None = None,
    audit: Mapping[str, Any] | None = None,
) -> str:
    """The card of an export, from its `summary.json`. It says nothing the data does not.

    Args:
        summary: what became of the annotations.
        made_with: names of the models, since `model_versions` are only hashes.
        agreement: between annotators, as the JSON of an `Agreement`.
        audit: of what nobody looked at, as the JSON of an `AuditReport`.
    """
    parts = [
        front_matter(_data_fields(summary)),
        f"# {summary['title']}\n",
        "Entity labels carried over from a translation by a model and reviewed by people.\n",
        f"Last changed: {summary['newest'] or 'unknown'}. "
        f"{counted(summary['usable'], 'sentence')} for training, "
        f"{counted(summary['entities'], 'entity', 'entities')}, "
        f"of {len(summary['labels'])} types: {', '.join(summary['labels']) or 'none'}.\n",
        "## Use\n",
        _DATA_USE,
        _columns(summary),
        "## Sources\n",
        _counts("corpus file", summary["sources"]),
        _counts("language", summary["by_language"]),
        "## How it was made\n",
        _made(summary, made_with),
        "## Annotations\n",
        _annotations(summary),
        _quality(agreement, audit, summary),
        "## Entities\n",
        _counts("label", summary["by_label"]),
        _counts("label comes from", summary["by_label_origin"]),
        "## Parts\n",
        _counts("part", summary["parts"]),
        _split_in_words(summary),
        "## What is left out or changed\n",
        table(["what", "count"], ((what, summary[key]) for key, what in _LOSSES.items())),
        "\n`losses.jsonl` has a line for each, with the sentence, the span and the reason.\n",
        "## Licence\n",
        LICENCE + "\n",
        "## Citation\n",
        CITATION,
    ]
    return "\n".join(part for part in parts if part)


_DATA_USE = """\
```python
from datasets import load_dataset

load_dataset("path/to/this/folder")
```

`parquet/` and `dataset/` (`datasets.load_from_disk`) have the same columns. `data.iob2` has a
token, a tab and its tag on each line, and an empty line after each sentence; lines before a
sentence such as `# status = corrected` are comments (`grep -v '^# '` leaves them out).
`reviewed.jsonl` has every annotation with the source sentence, what was proposed, and where each
label comes from.
"""

_LOSSES = {
    "superseded": "annotations superseded by another decision",
    "outvoted": "their entities that are not in the decision",
    "skipped": "sentences skipped",
    "unusable": "sentences marked unusable",
    "empty": "sentences without a visible character",
    "widened": "entities widened to whole words",
    "overlap_lost": "entities lost to an overlapping one",
    "blank_lost": "entities lost because blank",
}

_POLICIES = {
    "latest": "the latest decision holds",
    "majority": "what more than half of the annotators marked holds",
    "reviewer": "the decision of annotator {reviewer} holds",
}

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def _data_fields(summary: Mapping[str, Any]) -> dict[str, object]:
    """The card's header. Parts without sentences are not named: `datasets` cannot load them."""
    files = [
        {"split": part, "path": f"parquet/{part}.parquet"}
        for part, count in summary["parts"].items()
        if count
    ]
    size = next((name for limit, name in _SIZES if summary["usable"] < limit), "n>1M")
    by = ["expert-generated", *(["machine-generated"] if summary["taken"] else [])]
    return {
        "pretty_name": summary["title"],
        "language": [*summary["by_language"]],
        "license": "other",
        "task_categories": ["token-classification"],
        "task_ids": ["named-entity-recognition"],
        "annotations_creators": by,
        "size_categories": [size],
        "tags": ["spanferry", "annotation-projection"],
        **({"configs": [{"config_name": "default", "data_files": files}]} if files else {}),
    }


def _columns(summary: Mapping[str, Any]) -> str:
    return (
        table(
            ["column", "what"],
            [
                ("id", "of the sentence pair in its corpus"),
                ("tokens", "words; characters for Chinese and Japanese"),
                ("tags", "IOB2 over " + (", ".join(summary["labels"]) or "no types")),
                ("lang", "BCP 47 tag of the sentence"),
                ("status", "accepted as proposed, corrected, or unseen by anybody"),
                ("annotator", "user id in Label Studio"),
                ("model_version", "what had proposed the labels"),
                ("origin", "corpus file and line"),
                ("label_origin", "of each token that has a label, where that comes from"),
            ],
        )
        + "\n"
    )


def _counts(what: str, counts: Mapping[str, int]) -> str:
    return table([what, "count"], counts.items()) + "\n" if counts else ""


def _made(summary: Mapping[str, Any], made_with: Sequence[str]) -> str:
    versions = ", ".join(f"`{version}`" for version in summary["model_versions"]) or "no model"
    said = [
        "A teacher tagged the source sentences, an aligner found its entities in the translations, "
        f"and people reviewed what was found in Label Studio. Proposed by: {versions} (a hash of "
        "the weights and settings of both).",
        *([f"Made with {', '.join(made_with)}."] if made_with else []),
    ]
    if summary["accept_above"] is not None:
        said.append(
            f"{counted(summary['taken'], 'sentence')} that nobody looked at included with status "
            "`unseen`: nothing is doubtful there, and no label has a confidence below "
            f"{summary['accept_above']:g}."
        )
    return "\n\n".join(said) + "\n"


def _annotations(summary: Mapping[str, Any]) -> str:
    names = ("annotations", "accepted", "corrected")
    policy = _POLICIES[summary["policy"]].format(reviewer=summary["reviewer"])
    return (
        f"By {counted(summary['annotators'], 'annotator')}.\n\n"
        + table(["what", "count"], ((name, summary[name]) for name in names))
        + "\n\nA sentence with several annotations counts once. Where annotators disagree, "
        f"{policy} (adjudication policy `{summary['policy']}`): on "
        f"{counted(summary['disagreements'], 'sentence')}, of which it left "
        f"{summary['unsettled']:,} open, where the latest decision stands in.\n"
    )


def _quality(
    agreement: Mapping[str, Any] | None, audit: Mapping[str, Any] | None, summary: Mapping[str, Any]
) -> str:
    said = []
    if agreement and agreement["sentences"]:
        decided = counted(agreement["sentences"], "sentence")
        said.append(
            f"Agreement: F1 of exact spans {_figure(agreement['f1'])}, κ of tokens "
            f"{_figure(agreement['kappa'])}, on the {agreement['compared']:,} of {decided} decided "
            "by two or more annotators that at least two of them found usable.\n"
        )
    if audit:
        said += [f"{line}\n" for line in _audited(audit, summary["accept_above"])]
        said.append("".join(f"- {note}.\n" for note in audit["notes"]))
    return "\n".join(said)


def _audited(audit: Mapping[str, Any], accept_above: float | None) -> Iterator[str]:
    """What an audit says of what nobody looked at, and of what was taken of it."""
    yield (
        f"Audit “{audit['name']}” of the project “{audit['project']}”, predictions of "
        f"`{audit['model_version']}`: {counted(audit['drawn'], 'sentence')} drawn at random, "
        f"{audit['reviewed']:,} of them reviewed. They tell of "
        f"{counted(audit['remaining'], 'sentence')} like them, with "
        f"{counted(audit['entities'], 'label')}, that nobody looked at: precision of the labels "
        f"{_estimate(audit['precision'])}, recall {_estimate(audit['recall'])}; unusable sentences "
        f"{_estimate(audit['unusable_share'])}."
    )
    target, threshold = f"{100 * audit['target_precision']:g} %", audit["threshold"]
    vouched = (
        f"No confidence was shown to have a precision of {target}."
        if threshold is None
        else f"From a confidence of {threshold:g} on, precision is at least {target} (95 % sure)."
    )
    if accept_above is None:
        yield vouched
        return
    within = [test for test in audit["thresholds"] if test["threshold"] <= accept_above]
    nearest = max(within, key=lambda test: float(test["threshold"]), default=None)
    known = "" if nearest is None else _known_from(nearest)
    unproven = threshold is None or accept_above < threshold
    yield (
        f"{vouched} Included here is what has a confidence of at least {accept_above:g}"
        f"{', which the audit does not vouch for' if unproven else ''}.{known}"
    )


def _known_from(test: Mapping[str, Any]) -> str:
    precision = _estimate(test["precision"])
    return f" Of all that has at least {test['threshold']:g}, the precision is {precision}."


def _estimate(share: Mapping[str, Any]) -> str:
    if share["value"] is None:
        return "not known"
    value, low, high = (f"{100 * share[part]:.1f}" for part in ("value", "low", "high"))
    return f"{value} % (95 % interval {low} to {high})"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _split_in_words(summary: Mapping[str, Any]) -> str:
    if len(summary["parts"]) == 1:
        return "Not split.\n"
    cut = summary["cut_apart"]
    said = [
        f"Split by blocks of {BLOCK} lines of a corpus file (or by document, where a sentence's "
        f"origin names one): {summary['documents']:,} in all. Blocks that share a sentence, or "
        "nearly one, are in the same part; a formula too short to be telling is in one part, "
        "wherever it stands."
    ]
    if cut:
        said.append(
            f"{counted(cut, 'sentence')} too entangled for that: only near-duplicates are kept "
            "together there, not blocks."
        )
    said += [f"Part `{part}` is empty." for part, count in summary["parts"].items() if not count]
    return " ".join(said) + "\n"


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
        f"from `{record['settings']['base']}`. Load it with "
        "`projection.aligners.loading.load_aligner`.\n",
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
    scores, base = record["scores"], record["settings"]["base"]
    rows = [
        (label, *(f"{100 * values[key]:.2f}" for key in ("precision", "recall", "f1")))
        for label, values in ([*scores["by_type"].items(), ("all", scores)] if scores else [])
    ]
    data, described = record["data"], record.get("parts", {})
    languages = sorted({lang for part in described.values() for lang in part["languages"]})
    known = [lang for lang in languages if lang != "und"]
    parts = [
        front_matter(
            {
                "library_name": "transformers",
                "pipeline_tag": "token-classification",
                **({"language": known} if known else {}),
                **({} if base == NAME or Path(base).exists() else {"base_model": base}),
                "license": "other",
                "metrics": ["f1", "precision", "recall"],
                "tags": ["spanferry", "named-entity-recognition"],
            }
        ),
        f"# {name}\n",
        f"Token classification (IOB2) over {', '.join(record['labels']) or 'no types'}, trained "
        f"from `{base}` on {data['sentences']} sentences with {data['entities']} entities (data "
        f"`{data['fingerprint']}`, version `{record['model_version']}`).\n",
        "## Scores\n",
        table(["type", "precision", "recall", "F1"], rows)
        if rows
        else "No evaluation data was given.",
        f"\nStrict IOB2 spans, in percent{_scored_on(described)}.\n" if rows else "",
        *_data_section(described),
        "## Settings\n",
        table(["setting", "value"], record["settings"].items()) + "\n",
        "## Licence\n",
        MODEL_LICENCE + "\n",
    ]
    return "\n".join(parts)


def _scored_on(parts: Mapping[str, Mapping[str, Any]]) -> str:
    scored = parts.get("eval")
    return "" if scored is None else f", on `{scored['fingerprint']}` ({_files(scored)})"


def _data_section(parts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the recipe was given, part by part; not all of it need have been drawn."""
    if not parts:
        return []
    rows = (
        (name, part["sentences"], part["entities"], _files(part), f"`{part['fingerprint']}`")
        for name, part in parts.items()
    )
    head = ["part", "sentences", "entities", "files, the largest first", "hash"]
    return ["## Data\n", table(head, rows) + "\n"]


def _files(part: Mapping[str, Any]) -> str:
    return ", ".join(each for each in part["corpora"] if each) or "–"
