"""The pair aligner of Li, He and Xu (2021, §3.1): an encoder with a token-classification head.

Segment A is the English entity, segment B the target sentence; every token of B is labelled 1
inside the translated entity and 0 outside.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path
from typing import Self

import torch
from transformers import AutoModelForTokenClassification, PreTrainedModel, PreTrainedTokenizerBase

from projection.aligners.decoding import (
    DEFAULT,
    Decoding,
    ScoredSpan,
    phrases,
    place_all,
    saved_decoding,
    scored_span,
    share_out,
)
from projection.errors import ModelError
from projection.models.checkpoint_checks import check_finite
from projection.models.checkpoints import Checkpoint, load_checkpoint, load_config, longest_input
from projection.models.computing import on_gpu
from projection.models.versions import version_of
from projection.models.windows import characters_of
from projection.records import ParallelSentence, Projection, Span
from projection.text.words import tokens_of_words, word_spans

LABELS = {0: "O", 1: "ENTITY"}
LANGUAGES = "aligner_languages"  # in the configuration; `languages` is a setting of X-MOD
MAX_ENTITY_TOKENS = 64
CHARACTERS = 3  # of a subword, roughly


Query = tuple[str, str, str]  # the name to find, the target and its language


class PairAligner(Checkpoint[PreTrainedModel]):
    """Finds source entities in target sentences, one pass of the encoder per distinct entity."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        decoding: Decoding = DEFAULT,
    ) -> None:
        super().__init__(model, tokenizer)
        self.decoding = decoding

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, decoding: Decoding | None = None) -> Self:
        """Load a trained pair aligner from a folder or by its name on the hub."""
        labels = dict(load_config(name_or_path).id2label or {})
        if labels != LABELS:
            what = f"has labels {list(labels.values())}, an aligner has {list(LABELS.values())}"
            fix = "Train one on this encoder first: spanferry aligner train --help"
            raise ModelError(str(name_or_path), what, fix)
        model, tokenizer = load_checkpoint(
            AutoModelForTokenClassification, name_or_path, trained=True
        )
        saved = getattr(model.config, "decoding", None)
        where = f"{name_or_path}/config.json"
        return cls(on_gpu(model), tokenizer, decoding or saved_decoding(saved, DEFAULT, where))

    @classmethod
    def from_encoder(cls, name_or_path: str | Path) -> Self:
        """An untrained aligner on any encoder, to start training from."""
        model, tokenizer = load_checkpoint(
            AutoModelForTokenClassification,
            name_or_path,
            num_labels=len(LABELS),
            id2label=LABELS,
            label2id={label: i for i, label in LABELS.items()},
            ignore_mismatched_sizes=True,
        )
        return cls(model, tokenizer)

    def _settings(self) -> dict[str, object]:
        return {"decoding": asdict(self.decoding)}

    def _version(self) -> str:
        return version_of(self.model, self.tokenizer, asdict(self.decoding))

    @property
    def languages(self) -> tuple[str, ...]:
        """The base languages it was trained on, sorted; empty if unknown."""
        return tuple(sorted(getattr(self.model.config, LANGUAGES, ())))

    def add_languages(self, languages: Iterable[str]) -> None:
        """Add languages it was trained on."""
        setattr(self.model.config, LANGUAGES, sorted({*self.languages, *languages}))

    def fits(self, sentence: ParallelSentence) -> bool:
        """Return whether the target sentence can be read whole, with room for an entity."""
        limit = longest_input(self.model, self.tokenizer) - MAX_ENTITY_TOKENS
        target = self.tokenizer(sentence.target, add_special_tokens=False, verbose=False)
        return len(target["input_ids"]) <= limit

    def needs_windows(self, *texts: str) -> bool:  # noqa: ARG002  the interface's
        """Return False: there are no windows."""
        return False

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        """Find every source entity of sentences whose `entities` are known.

        Returns one tuple a sentence, with at least one projection an entity, in order. The `target`
        of an entity that was not found is None.
        """
        queries = ((n, s.target, s.target_lang) for s in sentences for n in _mentions_of(s))
        inside = self.probabilities(dict.fromkeys(queries))
        return [tuple(projections_of(s, inside, self.decoding)) for s in sentences]

    def probabilities(self, queries: Iterable[Query]) -> dict[Query, list[float]]:
        """For each query, the probability of each word of its target that it is of the name."""
        found: dict[Query, list[float]] = {}
        for batch in self.batches(queries, _about_subwords):
            found |= zip(batch, self._probabilities(batch), strict=True)
        return found

    @torch.inference_mode()
    def _probabilities(self, batch: Sequence[Query]) -> Iterator[list[float]]:
        encoded = self.tokenizer(
            [name for name, _, _ in batch],
            [target for _, target, _ in batch],
            truncation="longest_first",
            max_length=longest_input(self.model, self.tokenizer),
            padding=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        ids, offsets = encoded["input_ids"].tolist(), encoded.pop("offset_mapping").tolist()
        logits = self.model(**encoded.to(self.model.device)).logits
        inside = check_finite(logits.float().softmax(-1)[..., 1], self.model).tolist()
        for row, (_, target, lang) in enumerate(batch):
            places = characters_of(ids[row], offsets[row], self.tokenizer)
            segments = zip(encoded.sequence_ids(row), places, strict=True)
            tokens = [(a, b) if segment == 1 else (0, 0) for segment, (a, b) in segments]
            yield word_probabilities(word_spans(target, lang), tokens, inside[row])


def _about_subwords(query: Query) -> int:
    name, target, _ = query
    return (len(name) + len(target)) // CHARACTERS


def _mentions_of(sentence: ParallelSentence) -> dict[str, list[Span]]:
    """The spans of each name in the source sentence, in reading order."""
    mentions: dict[str, list[Span]] = {}
    for span in sorted({entity.span for entity in sentence.entities or ()}):
        mentions.setdefault(span.of(sentence.source), []).append(span)
    return mentions


def projections_of(
    sentence: ParallelSentence, inside: Mapping[Query, Sequence[float]], decoding: Decoding
) -> Iterator[Projection]:
    """The projections of all entities, in their order; mentions of a name share its phrases.

    `inside` holds for each query of the sentence the probability of each target word.
    """
    mentions = _mentions_of(sentence)
    rows = {name: inside[name, sentence.target, sentence.target_lang] for name in mentions}
    words = word_spans(sentence.target, sentence.target_lang)
    if decoding.in_places:
        shares = _shares_in_places(mentions, rows, words, decoding)
    else:
        shares = {}
        for name, spans in mentions.items():
            found = phrases(rows[name], words, sentence.target, decoding)
            shares |= zip(spans, share_out(found, len(spans)), strict=True)
    for entity in sentence.entities or ():
        if not shares[entity.span]:
            yield Projection(entity, None, 0.0)
        for span, score in shares[entity.span]:
            yield Projection(entity, span, score)


def _shares_in_places(
    mentions: Mapping[str, Sequence[Span]],
    rows: Mapping[str, Sequence[float]],
    words: Sequence[Span],
    decoding: Decoding,
) -> dict[Span, tuple[ScoredSpan, ...]]:
    """One place at most for each mention, by its span in the source.

    The mentions of a name get its best places that do not overlap, in reading order. With
    `exclusive` other names compete for the words as well.
    """
    rivals = [list(mentions)] if decoding.exclusive else [[name] for name in mentions]
    shares: dict[Span, tuple[ScoredSpan, ...]] = {}
    for names in rivals:
        asking = [name for name in names for _ in mentions[name]]
        places = place_all([rows[name] for name in asking], replace(decoding, exclusive=True))
        for name in names:
            runs = sorted(
                place.run
                for asked, place in zip(asking, places, strict=True)
                if asked == name and place is not None
            )
            for span, run in zip_longest(mentions[name], runs):
                shares[span] = () if run is None else (scored_span(run, rows[name], words),)
    return shares


def word_probabilities(
    words: Sequence[Span], tokens: Sequence[tuple[int, int]], inside: Sequence[float]
) -> list[float]:
    """For each word, the mean probability `inside` of the tokens that overlap it, else 0."""
    touched = tokens_of_words(words, tokens)
    return [sum(inside[i] for i in each) / len(each) if each else 0.0 for each in touched]
