"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

from typer import CallbackParam, Option

from projection.addresses import Address, path_or_address
from projection.errors import CorpusError
from projection.languages import language_tag
from training.data.adjudication import AdjudicationPolicy

Paths = list[Path] | None
Strings = list[str] | None


def as_language(option: CallbackParam, value: str | None) -> str | None:
    """Normalise the value of an option that takes a language tag."""
    return None if value is None else language_tag(value, option.opts[0])


def local_path(text: str) -> Path:
    """Read the value of an option that names what to write."""
    path = path_or_address(text)
    if isinstance(path, Address):
        fix = "Name a local one, and copy it when it is done, such as with aws s3 cp --recursive"
        raise CorpusError(str(path), "results are written to local files and folders only", fix)
    return path


Url = Annotated[
    str, Option(envvar="LABEL_STUDIO_URL", help="Address of Label Studio, as in a browser.")
]
ApiKey = Annotated[
    str,
    Option(
        envvar="LABEL_STUDIO_API_KEY",
        help="Personal access token (or legacy token). Safer in the environment: others on the "
        "machine can read a command line.",
    ),
]
Title = Annotated[str, Option("--project", help="Title of the project.")]
Policy = Annotated[
    AdjudicationPolicy, Option(help="Whose decision holds where annotators disagree.")
]
Reviewer = Annotated[str | None, Option(help="With the policy reviewer: the number of that user.")]
DataDir = Annotated[
    Path | None, Option(help="Folder for models, trainings and the generated password.")
]
Aligner = Annotated[
    str | None, Option(help="Entity aligner: a folder or a name on the hub. [default: bundled]")
]
RenameLabel = Annotated[
    Strings, Option("--map-label", help="Rename an entity type: OLD=NEW; repeatable.")
]
IgnoreLabel = Annotated[
    Strings, Option("--ignore-label", help="Entity type to read as no entity; repeatable.")
]
# The one corpus that a command reads; see `open_corpus`.
SourceFile = Annotated[
    Path | None,
    Option(
        parser=path_or_address,
        help="English side, file or URL: a sentence a line, or CoNLL (.conll, .iob2 …).",
    ),
]
TargetFile = Annotated[
    Path | None, Option(parser=path_or_address, help="Its translation, likewise.")
]
TmxFile = Annotated[Path | None, Option(parser=path_or_address, help="A TMX file.")]
TsvFile = Annotated[Path | None, Option(parser=path_or_address, help="A tab-separated file.")]
TsvColumns = Annotated[str, Option(help="Source, target, margin score, if any.")]
JsonlFile = Annotated[
    Path | None, Option(parser=path_or_address, help="JSON Lines; may bring entities.")
]
SourceLang = Annotated[str, Option(help="BCP 47 tag of the source.", callback=as_language)]
TargetLang = Annotated[
    str | None, Option(help="BCP 47 tag of the target: de, zh-TW …", callback=as_language)
]
TokenColumn = Annotated[
    int | None, Option(min=1, help="Column of the tokens in CoNLL files. [default: found]")
]
TagColumn = Annotated[
    int | None, Option(min=1, help="Column of the tags in CoNLL files. [default: found]")
]
Seed = Annotated[int, Option(help="Seed of everything random.")]
AsJson = Annotated[bool, Option("--json", help="Print one JSON object.")]
