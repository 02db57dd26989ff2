"""Distillation: the probabilities of teachers on unlabelled text, and the tags they agree on."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from projection.errors import ModelError
from projection.io.folders import is_main_process, new_folder, wait_for
from projection.models.checkpoints import longest_input
from projection.models.tagger import Tagger
from projection.models.windows import pieces
from training.tagger.features import Example, Soft

TEACHING = "sentences taught"
PORTION = 256  # sentences between two signs of life


def answers_of(
    teachers: Sequence[Path],
    sentences: Sequence[Sequence[str]],
    tags: Sequence[str],
    place: Path,
    on_progress: Callable[[int], None] = lambda _more: None,
) -> list[list[Soft]]:
    """Return the probabilities of each teacher for each sentence: words × `tags`.

    The main process computes them and writes them to the folder `place`; other processes, and a
    resumed training, read them there. Raises ModelError if a teacher cannot be loaded or has other
    tags.
    """
    if is_main_process() and not place.exists():
        with new_folder(place) as made:
            for number, teacher in enumerate(teachers):
                found = probabilities(teacher, sentences, tags, on_progress)
                np.save(made / f"{number}.npy", np.concatenate(found))
    wait_for(place)
    ends = np.cumsum([len(words) for words in sentences])[:-1]
    return [np.split(np.load(place / f"{n}.npy"), ends) for n in range(len(teachers))]


def probabilities(
    teacher: Path,
    sentences: Sequence[Sequence[str]],
    tags: Sequence[str],
    on_progress: Callable[[int], None] = lambda _more: None,
) -> list[Soft]:
    """Return words × `tags` for each sentence; a word without a subword has only zeros.

    Raises ModelError if the teacher cannot be loaded or has other tags.
    """
    tagger = Tagger.from_pretrained(teacher)
    if {*tagger.tags} != {*tags}:
        raise ModelError(str(teacher), f"its tags are {tagger.tags}, not {[*tags]}")
    order = [tagger.tags.index(tag) for tag in tags]
    answers: list[Soft] = [
        np.zeros((len(words), len(tags)), dtype=np.float32) for words in sentences
    ]
    limit = longest_input(tagger.model, tagger.tokenizer)
    for start in range(0, len(sentences), PORTION):
        part = sentences[start : start + PORTION]
        read = pieces(part, tagger.tokenizer, limit)
        for batch in tagger.batches(read, lambda piece: piece.length):
            found = tagger.probabilities(batch)[..., order]
            for piece, row in zip(batch, found, strict=True):
                for word, position in piece.first_subwords:
                    answers[start + piece.sentence][word] = row[position]
        on_progress(len(part))
    return answers


def taught(
    sentences: Sequence[Sequence[str]], answers: Sequence[Sequence[Soft]], tags: Sequence[str]
) -> Iterator[Example]:
    """Yield unlabelled sentences with the probabilities and tags of the first teacher.

    A tag weighs 1 where all teachers find the same one likeliest (the vote of UniTrans), else 0. A
    word without a subword for some teacher is not learned from. `answers` are the probabilities of
    each teacher for each sentence, with `tags` as columns.
    """
    for words, *soft in zip(sentences, *answers, strict=True):
        likeliest = np.stack([each.argmax(-1) for each in soft])
        seen = np.all([each.any(-1) for each in soft], axis=0)
        agreed = (likeliest == likeliest[0]).all(axis=0)
        yield Example(
            words=tuple(words),
            tags=tuple(
                tags[i] if there else None for i, there in zip(likeliest[0], seen, strict=True)
            ),
            weights=tuple(agreed.astype(float).tolist()),
            soft=soft[0],
        )
