"""The English teacher, fine-tuned on the source sides of reviewed sentences.

A label is put on the source words that it was projected from; where these are unknown, or a person
moved its borders, on those that `paired_entities` or the aligner finds. A sentence with a label
whose source nobody finds is left out. Of an entity of the teacher that has no label in the end,
nothing is learned, unless a person removed one of its type.

So that other text is not forgotten, as many of the sentences in `training/handwritten` are learned
beside them, which the bundled teacher knows.
"""

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from projection.errors import TrainingError
from projection.io.conll import read_conll
from projection.io.corpus import covers
from projection.io.files import read_object, write_json
from projection.io.folders import recover
from projection.models.calibration import CALIBRATION
from projection.models.checkpoints import load_config
from projection.models.readings import TaggerCalibration
from projection.models.tagger import Tagger
from projection.protocols import Link
from projection.records import Entity, ParallelSentence, ReviewedSentence, Span
from projection.text.iob2 import MASKED, OUTSIDE, encode, labels_of
from projection.text.words import word_spans, words_touched
from training.aligner.from_reviews import paired_entities
from training.data.rows import Row, Rows
from training.evaluation.calibration import fit
from training.tagger.calibration import examples_of
from training.tagger.finetune import fine_tune
from training.trainer.settings import FineTune, LossName
from training.trainer.trainer import OnProgress

FindsSource = Callable[[ParallelSentence, Sequence[Span]], Sequence[Link | None]]
"""The source spans of spans of the target; None for one that is linked to nothing."""

SOURCE_LANG = "en"

# The sentences are few: the upper layers alone, gently, so that little is forgotten.
RECIPE = FineTune(loss=LossName.CE, epochs=4, batch_size=16, learning_rate=3e-4, max_length=128)
TRAINED_LAYERS = 2


def source_row(review: ReviewedSentence, find_source: FindsSource) -> Row | None:
    """Return the source side of a review with its labels; None if the place of one is unknown."""
    pair, known = review.sentence, review.source_entities or ()
    asked = replace(review, sentence=replace(pair, entities=known), teacher_entities=None)
    places = {target: source for source, target in paired_entities(asked).pairs}
    proposed = {entity.span for entity in review.predicted or ()}
    unsure = [e.span for e in review.entities if e.span not in places or e.span not in proposed]
    links = find_source(pair, unsure) if unsure else ()
    places |= {span: link.source for span, link in zip(unsure, links, strict=True) if link}
    if any(entity.span not in places for entity in review.entities):
        return None
    labelled = [Entity(places[entity.span], entity.label) for entity in review.entities]
    encoded = encode(pair.source, labelled, pair.source_lang)
    words, tags = word_spans(pair.source, pair.source_lang), [*encoded.tags]
    for span in _undecided(review, known, places.values()):
        for word in range(*words_touched(words, span) or (0, 0)):
            if encoded.owners[word] is None:
                tags[word] = MASKED
    return Row(
        pair.id, encoded.tokens, tuple(tags), pair.source_lang, review.status.value,
        origin=pair.origin,
    )  # fmt: skip


def _undecided(
    review: ReviewedSentence, known: Iterable[Entity], labelled: Iterable[Span]
) -> Iterator[Span]:
    """Yield the source entities without a label that nobody removed one of the type of."""
    taken = [*labelled]
    removed = {
        proposal.label
        for proposal in review.predicted or ()
        if not any(proposal.span.overlaps(kept.span) for kept in review.entities)
    }
    for entity in known:
        if entity.label not in removed and not any(entity.span.overlaps(span) for span in taken):
            yield entity.span


def source_rows(
    reviews: Iterable[ReviewedSentence], labels: Iterable[str], find_source: FindsSource
) -> Rows:
    """Return the source sides of the judged reviews of translations from English."""
    judged = (each for each in reviews if each.judged)
    english = (each for each in judged if covers(SOURCE_LANG, each.sentence.source_lang))
    rows = (source_row(each, find_source) for each in english)
    return Rows.of((row for row in rows if row is not None and row.tokens), labels)


def known_rows(labels: Collection[str], most: int) -> Iterator[Row]:
    """Draw up to `most` handwritten sentences; entities of types not in `labels` are masked."""
    folder = Path(str(files("training"))) / "handwritten"
    sentences = [each for path in sorted(folder.glob("*.iob2")) for each in read_conll(path)]
    types = labels_of(tag for _, tags, *_ in sentences for tag in tags)
    rng = random.Random(0)  # noqa: S311  a sample is no secret
    for number, (tokens, tags, *_) in enumerate(rng.sample(sentences, min(most, len(sentences)))):
        looked_for = tuple(sorted(types & {*labels}))
        wanted = {OUTSIDE, *looked_for}
        kept = tuple(tag if tag.rpartition("-")[2] in wanted else MASKED for tag in tags)
        if looked_for:
            yield Row(f"handwritten-{number}", tokens, kept, SOURCE_LANG, types=looked_for)


def teach(
    rows: Rows, held_out: Rows, base: str | Path, out: Path, *, on_progress: OnProgress
) -> None:
    """Fine-tune the teacher `base` on source sides, unless the folder `out` has the result.

    Its confidence is calibrated on others, `held_out`; if they are too few, it is that of `base`.
    """
    recover(out)
    if not out.exists():
        frozen = max(0, load_config(base).num_hidden_layers - TRAINED_LAYERS)
        recipe = replace(RECIPE, base=str(base), freeze=frozen)
        together = Rows.of([*rows, *known_rows(rows.labels, len(rows))], rows.labels)
        fine_tune(together, recipe, out, on_progress=on_progress)
    try:
        examples = examples_of(Tagger.from_pretrained(out), held_out, "held-out reviews")
        calibration: object = fit(examples, TaggerCalibration).to_json()
    except TrainingError:
        calibration = getattr(load_config(base), CALIBRATION, None)
    if calibration is not None:
        config = out / "config.json"
        write_json(config, {**read_object(config), CALIBRATION: calibration})
