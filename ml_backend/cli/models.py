"""`spanferry models`: taggers for other programs."""

import shutil
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from ml_backend.cli.console import print_result
from ml_backend.cli.options import AsJson
from projection.errors import ModelError
from projection.io.folders import new_folder
from projection.models.bundled import resolve

app = typer.Typer(help="Models for programs that know nothing of spanferry.")


@app.callback()
def models() -> None:
    """Keep `export` a command of its own, though it is the only one."""


@app.command()
def export(
    model: Annotated[str, Argument(help="A tagger: a folder, a hub name, or mini, the bundled.")],
    out: Annotated[Path, Argument(help="New folder.")],
    *,
    onnx: Annotated[
        bool, Option("--onnx", help="Write model.onnx, too; needs 'spanferry[onnx]'.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a tagger so that plain transformers, or ONNX Runtime, reads it without spanferry.

    Weights are in single precision, in safetensors. Packed models are unpacked, with what they
    share. The model card comes along.

    Example: spanferry models export mini plain/ --onnx
    """
    # These take seconds to import, which `--help` should not.
    from projection.aligners.loading import is_aligner  # noqa: PLC0415
    from projection.interchange.onnx import ONNX, require_onnx, write_onnx  # noqa: PLC0415
    from projection.models.checkpoints import quiet  # noqa: PLC0415
    from projection.models.tagger import Tagger  # noqa: PLC0415

    if out.exists():
        raise ModelError(str(out), "exists already", "Choose another folder, or delete this one")
    if onnx:
        require_onnx()
    source = Path(resolve(model, "tagger"))
    if is_aligner(source):
        raise ModelError(model, "is an aligner, which spanferry alone reads", "Copy its folder")
    tagger = Tagger.from_pretrained(source)
    with new_folder(out) as folder:
        with quiet():
            tagger.save_pretrained(folder)
            if onnx:
                write_onnx(tagger.model, folder / ONNX)
        if (source / "README.md").is_file():
            shutil.copyfile(source / "README.md", folder / "README.md")
        for path in folder.iterdir():
            path.chmod(0o644)  # safetensors writes for its owner only
    sizes = {path.name: path.stat().st_size for path in sorted(out.iterdir())}
    lines = [f"{out / name}: {size / 1e6:.1f} MB" for name, size in sizes.items()]
    result = {"out": str(out), "labels": [*tagger.labels], "files": sizes}
    print_result(result, lines, as_json=as_json)
