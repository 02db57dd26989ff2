"""`spanferry export`: the reviews of a project as a dataset."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

from typer import Option

from ml_backend.cli.connection import open_project
from ml_backend.cli.console import print_result, say
from ml_backend.cli.options import ApiKey, AsJson, Policy, Reviewer, Seed, Strings, Title, Url
from ml_backend.review.agreement import agreement
from projection.text.wording import counted
from training.data.adjudication import AdjudicationPolicy
from training.data.splits import Shares
from training.export.omissions import table_line


def export(
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    out: Annotated[Path, Option(help="Folder to write; an older export is replaced.")],
    adjudicate: Policy = AdjudicationPolicy.OPEN,
    reviewer: Reviewer = None,
    accept_above: Annotated[
        float | None,
        Option(min=0, max=1, help="Include unseen sentences without conflict from this score on."),
    ] = None,
    split: Annotated[str | None, Option(help="Train, validation, test shares: 80/10/10.")] = None,
    seed: Seed = 0,
    spacy: Annotated[bool, Option("--spacy", help="Write spaCy DocBins, too.")] = False,
    plain_iob2: Annotated[
        bool, Option("--plain-iob2", help="Write only tokens and tags to IOB2, no comment lines.")
    ] = False,
    audit: Annotated[
        Path | None,
        Option(exists=True, dir_okay=False, help="Report of `spanferry audit`, for the data card."),
    ] = None,
    made_with: Annotated[Strings, Option(help="Model that made the labels; repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch every review of a project, check it, and write a dataset to train on.

    Writes reviewed.jsonl, IOB2 (CoNLL), Parquet, a `datasets` folder, a data card, and a line with
    the reason for whatever is left out or changed. `datasets.load_dataset` takes the folder, and
    `spanferry push` makes a project of it again.

    Without --split everything is for training; with it, blocks of 20 lines (fewer in a small
    export) and near-duplicates stay together. `spanferry audit` measures the precision that
    --accept-above needs, on predictions of the model that the project shows.

    Example: spanferry export --project "Europarl de" --out data/de --split 80/10/10
    """
    # These take seconds to import, which `--help` should not.
    from label_config.labeling_config import labels_of  # noqa: PLC0415
    from ml_backend.audit import threshold_check  # noqa: PLC0415
    from ml_backend.review.pull import fetch  # noqa: PLC0415
    from training.export.export import ExportSettings, write_export  # noqa: PLC0415

    settings = ExportSettings(
        policy=adjudicate,
        reviewer=reviewer,
        accept_above=accept_above,
        shares=None if split is None else Shares.parse(split),
        seed=seed,
        comments=not plain_iob2,
        spacy=spacy,
        audit=None if audit is None else threshold_check.read_audit(audit),
        made_with=tuple(made_with or ()),
    )
    settings.check()
    with open_project(url, api_key, project) as (server, found):
        labels = labels_of(found.label_config, f"project {project!r}")
        if settings.audit is not None:
            where = f"--audit {audit}"
            threshold_check.refuse_another_model(settings.audit, found.model_version, where)
        pulled = fetch(server, found, accept_above)
    summary = write_export(
        pulled.reviewed,
        out,
        title=project,
        labels=labels,
        unreadable=pulled.unreadable,
        settings=replace(settings, agreement=asdict(agreement(pulled.reviewed))),
    )
    notes = [summary.shortfall] if summary.shortfall else []
    if others := [f"{k} ({n})" for k, n in summary.by_label.items() if k not in labels]:
        fix = "they are exported; `spanferry push` of the run or export offers them again"
        notes.append(
            f"entities have labels that the project does not offer: {', '.join(others)}; {fix}"
        )
    if summary.unsettled:
        fix = "`spanferry adjudicate` opens them for a person; --adjudicate decides by a rule"
        notes.append(
            f"annotators disagree on {counted(summary.unsettled, 'sentence')}, which left "
            f"out: {fix}"
        )
    if settings.audit is not None and accept_above is not None:
        notes = [*threshold_check.threshold_warnings(settings.audit, accept_above), *notes]
    for note in notes:
        say(f"Warning: {note}")
    left_open = pulled.left_open  # tasks below the threshold among them
    open_lines = [table_line(f"… {why}", count) for why, count in left_open.items()]
    if open_lines:
        open_lines.insert(0, "tasks left open")
    print_result(
        {"out": str(out), **summary.to_json(), "left_open": left_open},
        [str(summary), *open_lines, f"Written to {out}"],
        as_json=as_json,
    )
