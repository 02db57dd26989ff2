"""Training examples for the joint aligner: silver sentences, and what makes them harder.

Names are exchanged for others of a list, so that the model learns to transliterate instead of
learning names by heart; phrases are taken out of the target, or the whole target is another
sentence's, so that it learns to find nothing.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

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
    """Whether the sentence is nothing but a name of a list; what people corrected is none."""
    return sentence.weight <= 1 and any(
        len(source) == len(sentence.source) for source, _ in sentence.phrases
    )


def joint_examples(
    silver: Sequence[SilverSentence], hardening: Hardening, seed: int
) -> Iterator[JointExample]:
    """One example for each sentence, in order, and for a share of the listed names."""
    rng = random.Random(seed)  # noqa: S311  a sample is no secret
    names: defaultdict[str, list[SilverSentence]] = defaultdict(list)
    before: dict[str, SilverSentence] = {}
    for sentence in silver:
        if is_name_pair(sentence):
            names[sentence.lang].append(sentence)
    for sentence in silver:
        if not is_name_pair(sentence):
            other = before.get(sentence.lang, sentence)
            yield hardened(sentence, names[sentence.lang], other, hardening, rng)
            before[sentence.lang] = sentence
        elif rng.random() < hardening.lone_names:
            yield example_of(sentence)


def hardened(
    sentence: SilverSentence,
    names: Sequence[SilverSentence],
    other: SilverSentence,
    hardening: Hardening,
    rng: random.Random,
) -> JointExample:
    """The example of a sentence that is changed, or not, as chance has it."""
    if names and rng.random() < hardening.renamed:
        sentence = renamed(sentence, rng.choice(names), rng)
    chance = rng.random()
    if (chance := chance - hardening.emptied) < 0:
        return example_of(*emptied(sentence, rng))
    if (chance := chance - hardening.cut) < 0:
        return example_of(*cut(sentence, rng))
    if chance - hardening.mismatched < 0 and other.target != sentence.target:
        return mismatched(sentence, other)
    return example_of(sentence)


def example_of(sentence: SilverSentence, lost: Iterable[Span] = ()) -> JointExample:
    """The example of a sentence; phrases of the source in `lost` have no translation in it."""
    source, target = word_spans(sentence.source, "en"), word_spans(sentence.target, sentence.lang)
    entities = [
        (english, words_touched(target, found) if found is not None else None)
        for phrase, found in [
            *sentence.phrases,
            *((span, None) for span in (*sentence.absent, *lost)),
        ]
        if (english := words_touched(source, phrase)) is not None
    ]
    return JointExample(
        sentence.source,
        sentence.target,
        sentence.lang,
        tuple(sorted(set(entities), key=lambda pair: pair[0])),
        _links_with_nulls(sentence, len(source), len(target), entities),
        sentence.weight,
    )


def _links_with_nulls(
    sentence: SilverSentence,
    sources: int,
    targets: int,
    entities: Sequence[tuple[WordRange, WordRange | None]],
) -> Links:
    """Sure links, and null links of words that nothing links and no translated phrase holds."""
    if not sentence.sure:
        return frozenset()
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
    """The sentence with one of its names, on both sides, exchanged for another; else itself."""
    choices = [p for p in sentence.phrases if p[0].of(sentence.source)[0].isupper()]
    if not choices:
        return sentence
    old = rng.choice(choices)
    source, source_moved = _exchanged(sentence.source, old[0], name.source, "en")
    target, target_moved = _exchanged(sentence.target, old[1], name.target, sentence.lang)
    if source_moved is None or target_moved is None:
        return sentence
    first = source_moved.first, target_moved.first
    new = frozenset((i + first[0], j + first[1]) for i, j in name.sure)
    return replace(
        sentence,
        source=source,
        target=target,
        phrases=tuple(
            (source_moved.span(english), target_moved.span(found))
            for english, found in sentence.phrases
        ),
        sure=_moved(sentence.sure, source_moved, target_moved) | new,
        possible=_moved(sentence.possible, source_moved, target_moved),
        absent=tuple(map(source_moved.span, sentence.absent)),
    )


@dataclass(frozen=True, slots=True)
class _Move:
    """How spans and words behind an exchanged phrase move."""

    old: Span
    longer: int  # code points
    first: int  # word
    last: int  # word behind the phrase
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
    """`text` with the phrase at `old` exchanged; no move if words grow into their neighbours."""
    before = word_spans(text, lang)
    touched = words_touched(before, old)
    made = text[: old.start] + new + text[old.end :]
    if touched is None:
        return made, None
    more = len(word_spans(new, lang)) - (touched[1] - touched[0])
    if len(word_spans(made, lang)) != len(before) + more:
        return made, None
    return made, _Move(old, len(new) - len(old), *touched, more)


def _moved(links: Links, source: _Move, target: _Move) -> Links:
    moved = ((source.word(i), target.word(j)) for i, j in links)
    return frozenset((i, j) for i, j in moved if i is not None and j is not None)


def emptied(sentence: SilverSentence, rng: random.Random) -> tuple[SilverSentence, list[Span]]:
    """The sentence without the translation of one phrase, and that phrase; else as it was."""
    if not sentence.phrases:
        return sentence, []
    gone = rng.choice(sentence.phrases)
    return _without(sentence, gone[1])


def cut(sentence: SilverSentence, rng: random.Random) -> tuple[SilverSentence, list[Span]]:
    """The sentence without the end of its target, and the phrases whose translation went."""
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
    kept = [p for p in sentence.phrases if not p[1].overlaps(gone)]
    changed = replace(
        sentence,
        target=target,
        phrases=tuple((english, move.span(found)) for english, found in kept),
        sure=_moved(sentence.sure, stay, move),
        possible=_moved(sentence.possible, stay, move),
    )
    return changed, [english for english, found in sentence.phrases if found.overlaps(gone)]


def mismatched(sentence: SilverSentence, other: SilverSentence) -> JointExample:
    """The sentence with the target of another: nothing in it translates anything."""
    strange = replace(sentence, target=other.target, phrases=(), sure=frozenset())
    example = example_of(strange, [english for english, _ in sentence.phrases])
    sources = len(word_spans(sentence.source, "en"))
    targets = len(word_spans(other.target, other.lang))
    nulls = {(i + 1, 0) for i in range(sources)} | {(0, j + 1) for j in range(targets)}
    return replace(example, links=frozenset(nulls))
