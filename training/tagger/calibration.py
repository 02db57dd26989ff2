"""What a tagger answers on labelled sentences, to calibrate the probability of its entities.

The tagger must not have been trained on these sentences, or it is surer of them than of others.
"""

from collections.abc import Callable

from projection.errors import TrainingError
from projection.models.tagger import Tagger
from projection.text.iob2 import chunks, labels_of
from training.data.rows import Rows
from training.evaluation.calibration import Example

_PORTION = 256  # sentences tagged at a time


def examples_of(
    tagger: Tagger,
    data: Rows,
    where: str,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> list[Example]:
    """Tag sentences; an entity or alternative is right if the data has the same words and type.

    Types that the data has none of are left out: it may not annotate them. `on_progress` is told
    how many more sentences are done. Raises TrainingError, naming `where`, if no type is left.
    """
    judged = labels_of(tag for row in data for tag in row.tags) & {*tagger.labels}
    if not judged:
        what = f"has no entity of the model's types, {', '.join(tagger.labels)}"
        raise TrainingError(where, what, "Rename its types with --map-label OLD=NEW")
    examples: list[Example] = []
    rows = [row for row in data if row.tokens]
    for start in range(0, len(rows), _PORTION):
        portion = rows[start : start + _PORTION]
        answers = tagger.readings([row.tokens for row in portion])
        for row, readings in zip(portion, answers, strict=True):
            right = {tuple(chunk) for chunk in chunks(row.tags)}
            examples += [
                (reading.signals, (reading.start, reading.end, reading.label) in right)
                for reading in readings
                if reading.label in judged
            ]
        on_progress(len(portion))
    return examples
