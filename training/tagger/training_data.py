"""The parts of the data that recipes learn from, read from exports, runs, CoNLL files and text."""

import hashlib
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from projection.errors import TrainingError
from projection.io.conll import FOUND, TagColumns
from training.data.dataset import part_sizes, read_all
from training.data.pseudo_labels import decided_in, identity, is_run, read_projected, read_text
from training.data.rows import AS_IS, NO_ROWS, UNDETERMINED, LabelMap, Row, Rows
from training.data.splits import TRAIN, VALIDATION
from training.tagger.word_translation import Translations, read_translations

log = logging.getLogger(__name__)

DEV_OF = 1000  # a sentence's hash modulo this decides whether it is held out


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The parts of the data that recipes learn from (`presets.Part`). Missing parts are empty.

    The tags of `unlabelled` are not read; without it the text of `pseudo` and `reviewed` is used.
    `dev` decides how long the last stage trains. `translations` are for recipes that translate word
    by word (None: the lexicon of the bundled aligner). `lang` is the target language, where the
    data do not say.
    """

    english: Rows = NO_ROWS
    pseudo: Rows = NO_ROWS
    reviewed: Rows = NO_ROWS
    unlabelled: Rows = NO_ROWS
    dev: Rows | None = None
    translations: Translations | None = None
    lang: str | None = None

    @property
    def parts(self) -> dict[str, Rows | None]:
        """Every part by its name."""
        names = ("english", "pseudo", "reviewed", "unlabelled", "dev")
        return {name: getattr(self, name) for name in names}

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of all types of the labelled parts."""
        return Rows.joined(self.english, self.pseudo, self.reviewed).tag_names


def read_training_data(
    data: Sequence[Path],
    *,
    english: Sequence[Path] = (),
    unlabelled: Sequence[Path] = (),
    dev: Sequence[Path] = (),
    dev_share: float = 0.0,
    held_out: Rows | None = None,
    labels: LabelMap = AS_IS,
    lexicon: Sequence[Path] = (),
    lang: str | None = None,
    columns: TagColumns = FOUND,
) -> TrainingData:
    """Read the parts of the data, without sentences that are decided otherwise or scored.

    A projected sentence that was reviewed counts as reviewed only. A sentence of the dev part or of
    `held_out` is left out of every part that is learned from, however it is tokenised there. The
    numbers of sentences left out are logged.

    Args:
        data: exports, CoNLL files and run folders; the status of a sentence decides its part. Of an
            export that was split only the training part is learned from.
        english: exports or CoNLL files.
        unlabelled: these, or plain text (`.txt`) in `lang` (None: that of `data`).
        dev: exports or CoNLL files. Without any, the validation parts of `data`.
        dev_share: hold out this share of the reviewed sentences as the dev part instead.
        held_out: what the model will be scored on.
        labels: maps the types of all parts.
        lexicon: files for `word_translation.read_translations`.
        columns: those of the CoNLL files.

    Raises CorpusError or RunError if something cannot be read; TrainingError if all is left out.
    """
    runs = [path for path in data if is_run(path)]
    others = [path for path in data if path not in runs]
    read = partial(read_all, columns=columns)
    given = read(others, TRAIN).mapped(labels)
    reviewed = given.filter(lambda row: row.is_reviewed)
    unseen = given.filter(lambda row: not row.is_reviewed)
    projected = read_projected(runs, labels)
    langs = (row.lang for part in (reviewed, projected) for row in part)
    text = _read_unlabelled(unlabelled, lang or next(langs, UNDETERMINED), columns)
    reviewed, held = _dev(reviewed, read(dev) if dev else None, others, dev_share, labels)

    scored = {row.text_key for part in (held, held_out) if part for row in part}
    decided = decided_in(others)
    undecided = projected.filter(lambda row: identity(row) not in decided)
    if out := len(projected) - len(undecided):
        log.warning("%d of %d projected sentences left out: reviewed", out, len(projected))
    pseudo = _unscored("pseudo-labelled", Rows.joined(undecided, unseen), scored)
    trusted = _unscored("reviewed", reviewed, scored)
    if (projected or unseen or reviewed) and not (pseudo or trusted):
        fix = "Name sentences that are neither decided otherwise nor in what is scored"
        raise TrainingError(", ".join(map(str, data)), "nothing is left to learn from", fix)
    gold = read(english).in_language("en").mapped(labels)
    return TrainingData(
        english=_unscored("English", gold, scored),
        pseudo=pseudo,
        reviewed=trusted,
        unlabelled=_unscored("unlabelled", text, scored),
        dev=held,
        translations=read_translations(lexicon) if lexicon else None,
        lang=lang,
    )


def _unscored(name: str, rows: Rows, scored: Collection[str]) -> Rows:
    left = rows.filter(lambda row: row.text_key not in scored)
    if out := len(rows) - len(left):
        log.warning("%d of %d %s sentences left out: in dev or --eval", out, len(rows), name)
    return left


def _read_unlabelled(paths: Sequence[Path], lang: str, columns: TagColumns) -> Rows:
    texts = [path for path in paths if path.name.removesuffix(".gz").endswith(".txt")]
    others = [path for path in paths if path not in texts]
    return Rows.joined(read_all(others, TRAIN, columns), read_text(texts, lang))


def _dev(
    reviewed: Rows, dev: Rows | None, data: Sequence[Path], share: float, labels: LabelMap
) -> tuple[Rows, Rows | None]:
    """Return the reviewed sentences to learn from, and the dev part."""
    if dev is not None:
        return reviewed, dev.mapped(labels)
    if share:
        return hold_out(reviewed, share)
    sizes = {path: part_sizes(path).get(VALIDATION) for path in data}
    split = [path for path in data if sizes[path]]
    for path in (path for path in data if sizes[path] == 0):
        fix = "--set dev_share=0.1 holds sentences out instead"
        log.warning("%s: part 'validation' is empty; %s", path, fix)
    return reviewed, read_all(split, VALIDATION).mapped(labels) if split else None


def hold_out(rows: Rows, share: float) -> tuple[Rows, Rows]:
    """Part sentences by a hash of their tokens: those to learn from, and about `share` of all.

    A sentence stays on its side when others are added, and equal sentences are on one side. Raises
    TrainingError if `share` is no share, or nothing is left on one side.
    """

    def is_held_out(row: Row) -> bool:
        digest = hashlib.sha256("\0".join(row.tokens).encode()).hexdigest()
        return int(digest, 16) % DEV_OF < share * DEV_OF

    if not 0 < share < 1:
        raise TrainingError("dev_share", f"{share} is not a share of the sentences", "Such as 0.1")
    held = rows.filter(is_held_out)
    if len(held) in (0, len(rows)):
        what = f"of {len(rows)} reviewed sentences {len(held)} are held out"
        raise TrainingError(f"dev_share {share}", what, "Give more sentences, or --dev FILE")
    return rows.filter(lambda row: not is_held_out(row)), held
