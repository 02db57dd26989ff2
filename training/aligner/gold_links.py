"""Word links made by people, as training data; `projection.evaluation.links` reads the files."""

import random
from collections.abc import Iterator
from pathlib import Path

from projection.evaluation.links import read_linked
from projection.text.words import word_spans
from training.aligner.silver import SilverSentence, phrases_of

WEIGHT = 2.0  # beside sentences that a program aligned


def read_gold_links(path: Path, lang: str, seed: int) -> Iterator[SilverSentence]:
    """Make a silver sentence of each pair that has a link; it may have no phrase pair.

    `seed` is that of the ordinary phrases drawn.
    """
    rng = random.Random(seed)  # noqa: S311  a sample of phrases is no secret
    for pair in read_linked(path, lang):
        if not pair.sure:
            continue
        sure, sentence = pair.in_words(pair.sure), pair.sentence()
        texts = sentence.source, sentence.target
        words = word_spans(texts[0], "en"), word_spans(texts[1], lang)
        phrases = tuple(phrases_of(sentence, *words, sure, rng))
        possible = pair.in_words(pair.possible) - sure
        yield SilverSentence(*texts, lang, phrases, sure, possible, WEIGHT)
