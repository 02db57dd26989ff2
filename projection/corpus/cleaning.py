"""Clean a corpus: every pair is kept, or dropped for the first rule that refuses it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from projection.corpus.duplicates import Duplicates, NearDuplicates
from projection.corpus.language_identification import LanguageCheck
from projection.corpus.recipe import CleaningRecipe, Compared
from projection.corpus.rules import (
    Rule,
    at_least,
    at_most,
    letters_above,
    margin_above,
    no_copy,
    no_empty_side,
    ratio_below,
)
from projection.errors import CorpusError
from projection.io.files import atomic_write, json_line
from projection.io.records_json import Json, encode
from projection.records import ParallelSentence

_EVERY = 500  # pairs between two reports of progress


class DropKind(StrEnum):
    """Why a pair is dropped, in the order in which the rules are tried."""

    EMPTY = "empty"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    LENGTH_RATIO = "length_ratio"
    FEW_LETTERS = "few_letters"
    COPY = "copy"
    LOW_MARGIN = "low_margin"
    SOURCE_LANGUAGE = "source_language"
    TARGET_LANGUAGE = "target_language"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"


@dataclass(frozen=True, slots=True)
class CleaningSummary:
    """The numbers of a cleaning: `read` is `kept` and all of `dropped`, which is by kind.

    `unidentified` are languages of sentences that were kept without identifying their language.
    """

    read: int
    kept: int
    dropped: Mapping[str, int]
    unidentified: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """Return the JSON form."""
        return asdict(self)


def clean_corpus(
    sentences: Iterable[ParallelSentence],
    recipe: CleaningRecipe,
    out: Path,
    dropped: Path | None = None,
    *,
    where: str = "corpus",
    on_progress: Callable[[int], None] = lambda _: None,
) -> CleaningSummary:
    """Write the pairs that a recipe keeps to `out`, and those that it drops to `dropped`, if given.

    Both are JSON Lines of `encode`, in the order of the corpus; a dropped pair also has `dropped`,
    as in a run folder. Neither file appears before all is read. Raises CorpusError if the corpus,
    called `where`, has no sentences, or a rule needs a package that is not installed.
    """
    language = LanguageCheck(recipe.min_language) if recipe.min_language else None
    rules = [*_rules(recipe, language)]
    counts, read = Counter[str](), 0
    refused = nullcontext() if dropped is None else atomic_write(dropped)
    with atomic_write(out) as kept, refused as rest:
        for read, sentence in enumerate(sentences, start=1):
            row, drop = encode(sentence), _drop(sentence, rules)
            if drop is None:
                kept.write(json_line(row))
            else:
                counts[drop["kind"]] += 1
                if rest is not None:
                    rest.write(json_line({**row, "dropped": [drop]}))
            if read % _EVERY == 0:
                on_progress(_EVERY)
        if not read:
            raise CorpusError(where, "no sentences", "Name a file that has some")
        on_progress(read % _EVERY)
    found = {kind.value: counts[kind] for kind in DropKind if counts[kind]}
    unidentified = tuple(sorted(language.unknown)) if language else ()
    return CleaningSummary(read, read - counts.total(), found, unidentified)


def _drop(
    sentence: ParallelSentence, rules: Iterable[tuple[DropKind, Rule]]
) -> dict[str, str] | None:
    """The kind and the reason of the first rule that refuses a pair."""
    for kind, rule in rules:
        if (reason := rule(sentence)) is not None:
            return {"kind": kind.value, "reason": reason}
    return None


def _rules(
    recipe: CleaningRecipe, language: LanguageCheck | None
) -> Iterator[tuple[DropKind, Rule]]:
    """The rules in order: cheap ones first, duplicates among what is left."""
    yield DropKind.EMPTY, no_empty_side
    yield DropKind.TOO_SHORT, at_least(recipe.min_length)
    yield DropKind.TOO_LONG, at_most(recipe.max_length)
    yield DropKind.LENGTH_RATIO, ratio_below(recipe.max_ratio)
    yield DropKind.FEW_LETTERS, letters_above(recipe.min_letters)
    if recipe.drop_copies:
        yield DropKind.COPY, no_copy
    if recipe.min_margin is not None:
        yield DropKind.LOW_MARGIN, margin_above(recipe.min_margin)
    if language is not None:
        other = language.other_language
        yield DropKind.SOURCE_LANGUAGE, lambda pair: other(pair.source, pair.source_lang)
        yield DropKind.TARGET_LANGUAGE, lambda pair: other(pair.target, pair.target_lang)
    if recipe.duplicates is not Compared.NOTHING:
        yield DropKind.DUPLICATE, Duplicates(recipe.duplicates)
        if recipe.near_duplicates:
            near = NearDuplicates(recipe.near_duplicates, recipe.duplicates)
            yield DropKind.NEAR_DUPLICATE, near
