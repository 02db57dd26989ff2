"""`spanferry export`: what was reviewed becomes a dataset."""

from pathlib import Path
from typing import Annotated

import typer

from ml_backend.cli.console import err, print_json
from ml_backend.cli.console import out as console
from ml_backend.cli.options import ApiKey, AsJson, Title, Url


def export(
    *,
    url: Url,
    api_key: ApiKey,
    project: Title,
    out: Annotated[Path, typer.Option(help="Folder to write; an older export is replaced.")],
    as_json: AsJson = False,
) -> None:
    """Fetch every review of a project, check it, and write a dataset to train on.

    Writes reviewed.jsonl, data.iob2 (CoNLL), a `datasets` folder, a data card and a summary of what
    was left out and why.

    Example:

        spanferry export --url http://localhost:8080 --project "Europarl de" --out data/de
    """
    # Both take seconds to import, which `--help` should not.
    from label_config.config import labels_of  # noqa: PLC0415
    from ml_backend.label_studio import ReviewServer  # noqa: PLC0415
    from ml_backend.pull import fetch_reviewed  # noqa: PLC0415
    from training.dataset import write_export  # noqa: PLC0415

    err.print(f"Fetching the reviews of {project!r} …", highlight=False, markup=False)
    with ReviewServer.connect(url, api_key) as server:
        found = server.existing_project(project)
        reviewed = fetch_reviewed(server, found)
    labels = labels_of(found.label_config)
    summary = write_export(reviewed, out, title=project, labels=labels)
    if as_json:
        print_json({"out": str(out), **summary.to_json()})
    else:
        console.print(f"{summary}\nWritten to {out}", highlight=False, markup=False, soft_wrap=True)
