"""Reading the data that a config names.

- a path: an export, an IOB2 file, a `reviewed.jsonl`, or a run folder of `spanferry project`
- `hub:NAME[:CONFIG[:SPLIT]]`: a data set of the hub, or a folder, with `tokens` and `ner_tags`
- `opus:CORPUS/LANGS`: a parallel corpus of the hub's Helsinki-NLP, such as `opus:opus_books/de-en`,
  or of a folder, with a column `translation`
"""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from datasets import Dataset, IterableDataset, load_dataset
from datasets.exceptions import DatasetsError

from projection.errors import TrainingError
from projection.io.corpus import covers, read_moses
from projection.io.folders import content_hash
from projection.models.bundled import resolve
from projection.pipeline.conflicts import CHECKS, Policy
from projection.pipeline.projector import Projector
from projection.pipeline.run import project_corpus
from projection.records import ParallelSentence
from training.data.iob2 import OUTSIDE, tag_fault
from training.data.pseudo_labels import read_projected, read_tagged, read_text
from training.data.rows import LabelMap, Row, Rows
from training.experiments.config import HUB, OPUS, Corpus
from training.trainer.trainer import OnProgress

PUBLISHER = "Helsinki-NLP"
TAGS = ("ner_tags", "tags")
PAIRS = "translation"


def read_labelled(
    places: Iterable[str], lang: str, labels: LabelMap, split: str = "train"
) -> Rows | None:
    """Labelled sentences of all places as one data set; None if there is no place.

    Args:
        places: as the config names them.
        lang: the language of what does not say.
        labels: how types are renamed and ignored.
        split: of hub data sets that are named without one.

    Raises:
        SpanferryError: if one cannot be read.
    """
    parts = [_labelled(place, lang, split) for place in places]
    return Rows.joined(*parts).mapped(labels) if parts else None


def _labelled(place: str, lang: str, split: str) -> Rows:
    if place.startswith(HUB):
        return read_hub(place, lang, split)
    if place.startswith(OPUS):
        raise TrainingError(place, "has no labels", "Name it under corpora: it is projected first")
    return read_tagged(Path(place)).in_language(lang)


def read_unlabelled(places: Iterable[str], lang: str) -> Rows | None:
    """Text without labels: a sentence a line in `.txt` files, else as `read_labelled`."""

    def read(place: str) -> Rows:
        is_text = place.removesuffix(".gz").endswith(".txt")
        return read_text([Path(place)], lang) if is_text else _labelled(place, lang, "train")

    parts = [*map(read, places)]
    return Rows.joined(*parts) if parts else None


def read_pseudo(
    corpus: Corpus, lang: str, labels: LabelMap, kept: Path, on_progress: OnProgress
) -> Rows:
    """Pseudo-labelled sentences; a corpus without labels is projected first, into `kept`.

    Raises:
        SpanferryError: if it cannot be read or projected, or nothing is left of it.
    """
    if corpus.is_projected_first:
        found = read_projected([projected(corpus, lang, kept, on_progress)], labels)
    else:
        found = _labelled(str(corpus.place), lang, "train").mapped(labels)
        found = Rows(found.rows[: corpus.limit], found.labels)
    if not len(found):
        raise TrainingError(f"corpus {corpus.name}", "has no sentence")
    return found


def projected(corpus: Corpus, lang: str, kept: Path, on_progress: OnProgress) -> Path:
    """The run folder of a parallel corpus, made or gone on with if it is not complete."""
    return project_once(corpus, _pairs_of(corpus, lang), run_of(corpus, lang, kept), on_progress)


def run_of(corpus: Corpus, lang: str, kept: Path) -> Path:
    """The folder a corpus is projected into. Its name tells apart what is projected, and how."""
    files = [Path(corpus.place or "")] if corpus.pair is None else [*corpus.pair]
    models = (resolve(corpus.teacher, "teacher"), resolve(corpus.aligner, "aligner"))
    made_of = [
        [sha256(file.read_bytes()).hexdigest() if file.is_file() else str(file) for file in files],
        [content_hash(Path(each)) if Path(each).is_dir() else str(each) for each in models],
        corpus.limit,
    ]
    stamp = sha256(json.dumps(made_of).encode()).hexdigest()[:8]
    return kept / f"{corpus.name}.{lang}.{stamp}"


def project_once(
    corpus: Corpus, sentences: Iterable[ParallelSentence], folder: Path, on_progress: OnProgress
) -> Path:
    """Project sentences by the models of a corpus into a run folder, unless that is done."""
    if (folder / "summary.json").is_file():
        return folder
    projector = Projector.load(corpus.teacher, corpus.aligner, checks=CHECKS)
    done, what = 0, f"projecting {corpus.name}"

    def advance(more: int) -> None:
        nonlocal done
        done += more
        on_progress(what, done, corpus.limit or 0)

    project_corpus(
        sentences,
        projector,
        folder,
        policy=Policy.FLAG,
        limit=corpus.limit,
        settings={"corpus": corpus.name, "labels": " ".join(projector.labels)},
        on_progress=advance,
    )
    return folder


def _pairs_of(corpus: Corpus, lang: str) -> Iterator[ParallelSentence]:
    if corpus.pair is not None:
        return read_moses(*corpus.pair, "en", lang)
    return read_opus(str(corpus.place), lang, corpus.limit)


def read_hub(place: str, lang: str, split: str) -> Rows:
    """The labelled sentences of `hub:NAME[:CONFIG[:SPLIT]]`; `split` is used if none is named.

    Raises:
        TrainingError: if there is no such data set, it has no tokens and tags, or they are no IOB2.
    """
    name, _, rest = place.removeprefix(HUB).partition(":")
    config, _, named = rest.partition(":")
    loaded = _load(place, name, config or None, named or split)
    column = next((column for column in TAGS if column in loaded.column_names), None)
    if column is None or "tokens" not in loaded.column_names:
        what = f"needs tokens and ner_tags, has {', '.join(loaded.column_names)}"
        raise TrainingError(place, what)
    names = getattr(getattr(loaded.features[column], "feature", None), "names", None)
    rows = []
    for number, (tokens, tags) in enumerate(zip(loaded["tokens"], loaded[column], strict=True)):
        where = f"{name}:{number + 1}"
        shown = tuple(str(tag) if names is None else names[tag] for tag in tags)
        _check(tokens, shown, where)
        if tokens:
            rows.append(Row(where, tuple(tokens), shown, lang, origin=where))
    return Rows.of(rows)


def _check(tokens: list[str], tags: tuple[str, ...], where: str) -> None:
    if len(tokens) != len(tags):
        raise TrainingError(where, f"{len(tokens)} tokens and {len(tags)} tags")
    for before, tag in zip([OUTSIDE, *tags], tags, strict=False):
        if fault := tag_fault(tag, before):
            raise TrainingError(where, fault, "Its tags must be IOB2: O, B-TYPE and I-TYPE")


def read_opus(place: str, lang: str, limit: int | None = None) -> Iterator[ParallelSentence]:
    """Stream the first `limit` pairs of `opus:CORPUS/LANGS`, English first.

    Raises:
        TrainingError: if there is no such corpus, or it is not of English and `lang`.
    """
    name, _, langs = place.removeprefix(OPUS).rpartition("/")
    sides = langs.split("-")
    ours = [side for side in sides if covers(lang, side)]
    if not name or len(sides) != 2 or "en" not in sides or len(ours) != 1:
        fix = f"Such as {OPUS}opus_books/{'-'.join(sorted(('en', lang)))}"
        raise TrainingError(place, f"is no corpus of en and {lang}", fix)
    known = name if "/" in name else f"{PUBLISHER}/{name}"
    if Path(name).is_dir():
        rows: Iterable[dict[str, Any]] = _load(place, name, None, "train")
    else:
        rows = _load(place, known, langs, "train", streaming=True)
    for number, row in enumerate(islice(rows, limit), start=1):
        pair, where = row.get(PAIRS), f"{Path(name).name}:{number}"
        if not isinstance(pair, dict) or not {"en", ours[0]} <= {*pair}:
            raise TrainingError(place, f"needs a column {PAIRS}, has {', '.join(row)}")
        yield ParallelSentence(where, pair["en"], pair[ours[0]], "en", lang, where)


def _load(place: str, name: str, config: str | None, split: str, *, streaming: bool = False) -> Any:
    """A split of a data set: a `Dataset`, or what streams one."""
    try:
        loaded: Dataset | IterableDataset = load_dataset(
            name, config, split=split, streaming=streaming
        )
    except (DatasetsError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        fix = "Check name, configuration and split; without a network, name local files"
        raise TrainingError(place, f"cannot be loaded ({reason})", fix) from error
    return loaded
