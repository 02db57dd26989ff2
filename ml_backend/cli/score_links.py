"""`spanferry score-links`: compare an aligner's word links with those that people made."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ml_backend.cli.console import print_result, progress, table
from ml_backend.cli.options import Aligner, AsJson
from projection.errors import CorpusError, ModelError
from projection.evaluation.links import compare_links, read_linked
from projection.models import bundled
from projection.text.wording import points

_BATCH = 64


def score_links(
    gold: Annotated[Path, Argument(help="JSON Lines: tokens and their links, see the docs.")],
    *,
    target_lang: Annotated[str, Option(help="BCP 47 tag of the target.")],
    aligner: Aligner = None,
    as_json: AsJson = False,
) -> None:
    """Link the words of sentence pairs and compare with links made by people.

    Precision counts links that are at least possible, recall sure ones.

    Example: spanferry score-links links.en-it.jsonl --target-lang it
    """
    pairs = [pair for pair in read_linked(gold, target_lang) if pair.sure]
    if not pairs:
        raise CorpusError(str(gold), "has no pair with a sure link", "Name another file")
    from projection.aligners.joint import JointAligner  # noqa: PLC0415  torch takes seconds
    from projection.aligners.loading import load_aligner  # noqa: PLC0415

    where = bundled.resolve(aligner, "aligner")
    model = load_aligner(where)
    if not isinstance(model, JointAligner):
        fix = "Name a joint aligner: --aligner FOLDER"
        raise ModelError(str(where), "is a pair aligner, which links no words", fix)
    found = []
    with progress("sentence pairs linked", len(pairs)) as advance:
        for start in range(0, len(pairs), _BATCH):
            batch = pairs[start : start + _BATCH]
            found += model.links([pair.sentence() for pair in batch])
            advance(len(batch))
    scores = compare_links(
        (pair, pair.in_tokens(links)) for pair, links in zip(pairs, found, strict=True)
    )
    shown = table(("precision", "recall", "F1", "sentence pairs"), ())
    figures = (points(value) for value in (scores.precision, scores.recall, scores.f1))
    shown.add_row(*figures, str(scores.sentences))
    print_result({**asdict(scores), "aligner": model.version}, [shown], as_json=as_json)
