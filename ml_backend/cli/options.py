"""Options that several commands share."""

from typing import Annotated

import typer

Url = Annotated[
    str,
    typer.Option(
        "--url", envvar="LABEL_STUDIO_URL", help="Address of Label Studio, as in a browser."
    ),
]
ApiKey = Annotated[
    str,
    typer.Option(
        "--api-key",
        envvar="LABEL_STUDIO_API_KEY",
        help="Personal access token (or legacy token). Safer in the environment: others on the "
        "machine can read a command line.",
    ),
]
Title = Annotated[str, typer.Option("--project", help="Title of the project.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Teacher = Annotated[
    str | None,
    typer.Option(help="English NER model: a folder or a name on the hub. [default: bundled]"),
]
Aligner = Annotated[
    str | None,
    typer.Option(
        "--aligner",
        "--model",
        help="Entity aligner: a folder or a name on the hub. [default: bundled]",
    ),
]
LabelMap = Annotated[
    list[str] | None,
    typer.Option("--map-label", help="Rename an entity type: OLD=NEW; repeatable."),
]
IgnoreLabel = Annotated[
    list[str] | None,
    typer.Option("--ignore-label", help="Entity type to read as no entity; repeatable."),
]
