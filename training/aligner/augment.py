"""Training examples for the joint aligner, and changes that make silver sentences harder.

Names are replaced by others of a list, so that the model learns to transliterate instead of
memorising names. Phrases are deleted from the target, or the target is another sentence's, so that
it learns to find nothing.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from projection.aligners.joint_inputs import WordRange
from projection.records import Span
from projection.text.words import shift, word_spans, words_touched
from training.aligner.silver import Links, SilverSentence
from training.trainer.settings import Hardening


@dataclass(frozen=True, slots=True)
class JointExample:
    """A pair with, for each entity (a range of source words), its range of target words or None.

    `links` pair words of both sides, 0 being the null word and the first word 1.
    """

    source: str
    target: str
    lang: str
    entities: tuple[tuple[WordRange, WordRange | None], ...]
    links: Links
    weight: float


def is_name_pair(sentence: SilverSentence) -> bool:
    """Return whether the sentence is a name of a list and nothing else; reviewed ones are not."""
    whole = (len(source) == len(sentence.source) for source, _ in sentence.phrases)
    return sentence.weight <= 1 and any(whole)


def joint_examples(
    silver: Sequence[SilverSentence], hardening: Hardening, seed: int
) -> Iterator[JointExample]:
    """Yield one example for each sentence, in order, and for a share of the listed names."""
    rng = random.Random(seed)  # noqa: S311  a sample is no secret
    names: defaultdict[str, list[SilverSentence]] = defaultdict(list)
    for sentence in filter(is_name_pair, silver):
        names[sentence.lang].append(sentence)
    before: dict[str, SilverSentence] = {}
    for sentence in silver:
        if not is_name_pair(sentence):
            listed, other = names[sentence.lang], before.get(sentence.lang, sentence)
            changed = sentence
            if listed and rng.random() < hardening.renamed:
                changed = renamed(sentence, rng.choice(listed), rng)
            yield hardened(changed, other, hardening, rng)
            before[sentence.lang] = sentence
        elif rng.random() < hardening.lone_names:
            yield example_of(sentence)


def hardened(
    sentence: SilverSentence, other: SilverSentence, hardening: Hardening, rng: random.Random
) -> JointExample:
    """Take translations out of the sentence at random, or give it the target of `other`."""
    chance = rng.random()
    if (chance := chance - hardening.emptied) < 0:
        return example_of(*emptied(sentence, rng))
    if (chance := chance - hardening.cut) < 0:
        return example_of(*cut(sentence, rng))
    if chance - hardening.mismatched < 0 and other.target != sentence.target:
        lost = [source for source, _ in sentence.phrases]
        none: Links = frozenset()
        changed = replace(sentence, target=other.target, phrases=(), sure=none, possible=none)
        return example_of(changed, lost, mismatched=True)
    return example_of(sentence)


def example_of(
    sentence: SilverSentence, lost: Iterable[Span] = (), *, mismatched: bool = False
) -> JointExample:
    """The example of a sentence; phrases of the source in `lost` have no translation in it.

    In a mismatched sentence every word is linked to the null word.
    """
    source, target = word_spans(sentence.source, "en"), word_spans(sentence.target, sentence.lang)
    untranslated = ((span, None) for span in (*sentence.absent, *lost))
    entities = [
        (english, words_touched(target, found) if found is not None else None)
        for phrase, found in (*sentence.phrases, *untranslated)
        if (english := words_touched(source, phrase)) is not None
    ]
    links: Links = frozenset()
    if mismatched or sentence.sure:
        links = _links(sentence, len(source), len(target), entities)
    texts = sentence.source, sentence.target, sentence.lang
    ordered = tuple(sorted(set(entities), key=lambda pair: pair[0]))
    return JointExample(*texts, ordered, links, sentence.weight)


def _links(
    sentence: SilverSentence,
    sources: int,
    targets: int,
    entities: Sequence[tuple[WordRange, WordRange | None]],
) -> Links:
    """Sure links, and null links of words that have no link and are in no translated phrase."""
    touched = sentence.sure | sentence.possible
    inside = [(english, found) for english, found in entities if found is not None]
    busy = {i for i, _ in touched} | {i for english, _ in inside for i in range(*english)}
    taken = {j for _, j in touched} | {j for _, found in inside for j in range(*found)}
    return frozenset(
        {(i + 1, j + 1) for i, j in sentence.sure}
        | {(i + 1, 0) for i in range(sources) if i not in busy}
        | {(0, j + 1) for j in range(targets) if j not in taken}
    )


def renamed(sentence: SilverSentence, name: SilverSentence, rng: random.Random) -> SilverSentence:
    """Replace one name of the sentence, on both sides; a sentence without names is returned."""
    choices = [p for p in sentence.phrases if p[0].of(sentence.source)[0].isupper()]
    if not choices:
        return sentence
    old = rng.choice(choices)
    source, here = _exchanged(sentence.source, old[0], name.source, "en")
    target, there = _exchanged(sentence.target, old[1], name.target, sentence.lang)
    if here is None or there is None:
        return sentence
    new = frozenset((i + here.first, j + there.first) for i, j in name.sure)
    return replace(
        sentence,
        source=source,
        target=target,
        phrases=tuple((here.span(a), there.span(b)) for a, b in sentence.phrases),
        sure=_moved(sentence.sure, here, there) | new,
        possible=_moved(sentence.possible, here, there),
        absent=tuple(map(here.span, sentence.absent)),
    )


class _Move(NamedTuple):
    """How spans and words after an exchanged phrase move."""

    old: Span
    longer: int  # code points
    first: int  # word
    last: int  # word after the phrase
    more: int  # words

    def span(self, span: Span) -> Span:
        if span == self.old:
            return Span(span.start, span.end + self.longer)
        return shift(span, self.longer) if span.start >= self.old.end else span

    def word(self, word: int) -> int | None:
        if word < self.first:
            return word
        return word + self.more if word >= self.last else None


def _exchanged(text: str, old: Span, new: str, lang: str) -> tuple[str, _Move | None]:
    """Replace the phrase at `old`; no move if the new words merge with others."""
    before = word_spans(text, lang)
    made = text[: old.start] + new + text[old.end :]
    if (touched := words_touched(before, old)) is None:
        return made, None
    more = len(word_spans(new, lang)) - (touched[1] - touched[0])
    whole = len(word_spans(made, lang)) == len(before) + more
    return made, _Move(old, len(new) - len(old), *touched, more) if whole else None


def _moved(links: Links, source: _Move, target: _Move) -> Links:
    moved = ((source.word(i), target.word(j)) for i, j in links)
    return frozenset((i, j) for i, j in moved if i is not None and j is not None)


def emptied(sentence: SilverSentence, rng: random.Random) -> tuple[SilverSentence, list[Span]]:
    """Delete the translation of one phrase, where possible; return that phrase, too."""
    if not sentence.phrases:
        return sentence, []
    return _without(sentence, rng.choice(sentence.phrases)[1])


def cut(sentence: SilverSentence, rng: random.Random) -> tuple[SilverSentence, list[Span]]:
    """Delete the end of a target of four words or more; return the phrases that it loses, too."""
    words = word_spans(sentence.target, sentence.lang)
    keep = rng.randrange(len(words) // 2, len(words)) if len(words) > 3 else len(words)
    if keep == len(words):
        return sentence, []
    return _without(sentence, Span(words[keep].start, len(sentence.target)))


def _without(sentence: SilverSentence, gone: Span) -> tuple[SilverSentence, list[Span]]:
    target, move = _exchanged(sentence.target, gone, "", sentence.lang)
    if move is None or not target.strip():
        return sentence, []
    stay = _Move(Span(0, 1), 0, 0, 0, 0)
    changed = replace(
        sentence,
        target=target,
        phrases=tuple((a, move.span(b)) for a, b in sentence.phrases if not b.overlaps(gone)),
        sure=_moved(sentence.sure, stay, move),
        possible=_moved(sentence.possible, stay, move),
    )
    return changed, [english for english, found in sentence.phrases if found.overlaps(gone)]
