"""Reading the data that a config names: exports, IOB2 files, run folders, text, corpora."""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from projection.errors import TrainingError
from projection.io.corpus import read_moses
from projection.pipeline.conflicts import CHECKS, Policy
from projection.pipeline.projector import Projector
from projection.pipeline.run import project_corpus
from projection.records import ParallelSentence
from training.data.pseudo_labels import read_projected, read_tagged, read_text
from training.data.rows import LabelMap, Rows
from training.experiments.config import Corpus
from training.tagger.finetune import counted, identity_of
from training.trainer.trainer import OnProgress


def read_labelled(places: Iterable[str], lang: str, labels: LabelMap) -> Rows:
    """Read exports, IOB2 files and runs; `lang` is the language of those that do not say."""
    return Rows.joined(*(_labelled(place, lang) for place in places)).mapped(labels)


def _labelled(place: str, lang: str) -> Rows:
    return read_tagged(Path(place)).in_language(lang)


def read_unlabelled(places: Iterable[str], lang: str) -> Rows:
    """Read text without labels: a sentence a line in `.txt` files, else as `read_labelled`."""
    return Rows.joined(
        *(
            read_text([Path(place)], lang)
            if place.removesuffix(".gz").endswith(".txt")
            else _labelled(place, lang)
            for place in places
        )
    )


def read_pseudo(
    corpus: Corpus, lang: str, labels: LabelMap, kept: Path, on_progress: OnProgress
) -> Rows:
    """Read pseudo-labelled sentences; a corpus of two files is projected first, into `kept`.

    Raises SpanferryError if it cannot be read or projected, or no sentence is left.
    """
    if corpus.source is not None and corpus.target is not None:
        pairs = read_moses(Path(corpus.source), Path(corpus.target), "en", lang)
        run = project_once(corpus, pairs, run_of(corpus, lang, kept), on_progress)
        found = read_projected([run], labels)
    else:
        found = _labelled(str(corpus.place), lang).mapped(labels)
        found = Rows(found.rows[: corpus.limit], found.labels)
    if not found:
        raise TrainingError(f"corpus {corpus.name}", "has no sentence")
    return found


def run_of(corpus: Corpus, lang: str, kept: Path, suppress: Sequence[str] = ()) -> Path:
    """Return the run folder of a corpus, named by a hash of its text, the models and types."""
    files = [Path(name) for name in (corpus.place, corpus.source, corpus.target) if name]
    made_of = [
        [sha256(file.read_bytes()).hexdigest() if file.is_file() else str(file) for file in files],
        [identity_of(corpus.teacher, "tagger"), identity_of(corpus.aligner, "aligner")],
        corpus.limit,
        *suppress,
    ]
    stamp = sha256(json.dumps(made_of).encode()).hexdigest()[:8]
    return kept / f"{corpus.name}.{lang}.{stamp}"


def project_once(
    corpus: Corpus,
    sentences: Iterable[ParallelSentence],
    folder: Path,
    on_progress: OnProgress,
    suppress: Sequence[str] = (),
) -> Path:
    """Project sentences by the models of a corpus into a run folder, unless that is done.

    The teacher takes the types to `suppress` for no entities.
    """
    if (folder / "summary.json").is_file():
        return folder
    projector = Projector.load(corpus.teacher, corpus.aligner, checks=CHECKS, suppress=suppress)
    project_corpus(
        sentences,
        projector,
        folder,
        policy=Policy.FLAG,
        limit=corpus.limit,
        settings={"corpus": corpus.name, "labels": [*projector.labels]},
        on_progress=counted(on_progress, f"projecting {corpus.name}", corpus.limit or 0),
    )
    return folder
