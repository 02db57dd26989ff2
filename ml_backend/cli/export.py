"""`spanferry export`: the reviews of a project as a dataset."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from ml_backend.cli.console import err, print_json
from ml_backend.cli.console import out as console
from ml_backend.cli.options import ApiKey, AsJson, Title, Url
from ml_backend.review.agreement import agreement
from training.data.adjudication import AdjudicationPolicy
from training.data.splits import Shares
from training.export.omissions import table_line


def export(
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    out: Annotated[Path, typer.Option(help="Folder to write; an older export is replaced.")],
    adjudicate: Annotated[
        AdjudicationPolicy, typer.Option(help="Whose decision holds where annotators disagree.")
    ] = AdjudicationPolicy.LATEST,
    reviewer: Annotated[
        str | None, typer.Option(help="With the policy reviewer: the number of that user.")
    ] = None,
    accept_above: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Include unseen sentences without a conflict and with at least this score "
            "(see `spanferry audit`). [default: none]",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Shares for training, validation and test, such as 80/10/10. Blocks of 20 lines "
            "and near-duplicates stay together. [default: everything is for training]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    spacy: Annotated[bool, typer.Option("--spacy", help="Write spaCy DocBins, too.")] = False,
    plain_iob2: Annotated[
        bool,
        typer.Option(
            "--plain-iob2",
            help="Write IOB2 without comment lines, for readers that know only tokens and tags.",
        ),
    ] = False,
    audit: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Output of `spanferry audit report --out`, for the data card; of the model whose "
            "predictions the project shows.",
        ),
    ] = None,
    made_with: Annotated[
        list[str] | None,
        typer.Option(help="Model that proposed the labels, for the data card; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch every review of a project, check it, and write a dataset to train on.

    Writes reviewed.jsonl, IOB2 (CoNLL), Parquet, a `datasets` folder, a data card, and a line with
    the reason for whatever is left out or changed. `datasets.load_dataset` takes the folder, and
    `spanferry push` makes a project of it again.

    Example:

        spanferry export --url http://localhost:8080 --project "Europarl de" --out data/de

        spanferry export --project "Europarl de" --out data/de --split 80/10/10 --accept-above 0.93
    """
    # These take seconds to import, which `--help` should not.
    from label_config.labeling_config import labels_of  # noqa: PLC0415
    from ml_backend.audit.threshold_check import (  # noqa: PLC0415
        read_audit,
        refuse_another_model,
        threshold_warnings,
    )
    from ml_backend.label_studio.client import ReviewServer  # noqa: PLC0415
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
        audit=None if audit is None else read_audit(audit),
        made_with=tuple(made_with or ()),
    )
    settings.check()
    err.print(f"Fetching the reviews of {project!r} …", highlight=False, markup=False)
    with ReviewServer.connect(url, api_key) as server:
        found = server.existing_project(project)
        if settings.audit is not None:
            refuse_another_model(settings.audit, found.model_version, f"--audit {audit}")
        pulled = fetch(server, found, accept_above)
    summary = write_export(
        pulled.reviewed,
        out,
        title=project,
        labels=labels_of(found.label_config),
        settings=replace(settings, agreement=asdict(agreement(pulled.reviewed))),
    )
    if settings.audit is not None and accept_above is not None:
        _warn(threshold_warnings(settings.audit, accept_above))
    _warn(
        f"part {part!r} is empty: export more, or with another --split or --seed"
        for part in summary.empty_parts
    )
    if as_json:
        print_json({"out": str(out), **summary.to_json(), "left_open": pulled.left_open})
    else:
        said = [str(summary), *_left_open(pulled.left_open), f"Written to {out}"]
        console.print("\n".join(said), highlight=False, markup=False, soft_wrap=True)


def _warn(notes: Iterable[str]) -> None:
    for note in notes:
        err.print(f"Warning: {note}", highlight=False, markup=False, soft_wrap=True)


def _left_open(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield the counts of open tasks that are below the threshold too."""
    if counts:
        yield "tasks left open"
        yield from (table_line(f"… {why}", count) for why, count in counts.items())
