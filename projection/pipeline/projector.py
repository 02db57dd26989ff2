"""The whole of projection for sentences in memory: teacher, aligner, conflicts."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Self

from projection.aligners.decoding import Decoding
from projection.aligners.loading import load_aligner
from projection.models import bundled
from projection.models.tagger import Tagger
from projection.pipeline.conflicts import CHECKS, Check, find_conflicts
from projection.pipeline.marked_phrases import link_marked, project_marked
from projection.protocols import Aligns, Link, Tags
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)

# What only the target-language model sees is offered from this probability on. A model fine-tuned
# on a few hundred sentences is often sure and wrong: beside the bundled aligner, offering what it
# says from 0.95 on cost 1.2 F1 of pre-annotation on the 64 held-out sentences of the demo. Chosen
# on those same sentences (six thresholds), so their gain of 0.1 is no evidence for this number.
SECOND_OPINION = 0.99


class Projector:
    """Carries entity labels from source sentences to their translations.

    Args:
        teacher: labels the source side of sentences that bring no entities of their own.
        aligner: finds them in the target sentence.
        checks: what counts as a conflict.
        target_model: a model fine-tuned on reviews, asked for a second opinion: what it finds and
            projection missed is offered, and flagged.
    """

    def __init__(
        self,
        teacher: Tags,
        aligner: Aligns,
        checks: Sequence[Check] = CHECKS,
        target_model: Tags | None = None,
    ) -> None:
        self.teacher = teacher
        self.aligner = aligner
        self.checks = checks
        self.target_model = target_model
        self.model_version = model_version_of(teacher, aligner, checks, target_model)

    @classmethod
    def load(
        cls,
        teacher: str | Path | None = None,
        aligner: str | Path | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        suppress: Collection[str] = (),
        decoding: Decoding | None = None,
        checks: Sequence[Check] = CHECKS,
        target_model: str | Path | None = None,
    ) -> Self:
        """Load the bundled models, or others by folder or name on the hub.

        Args:
            teacher: an English token-classification checkpoint; None is the bundled one.
            aligner: a joint or a pair aligner; None is the bundled one.
            labels: the teacher's entity types to the project's; None keeps them.
            suppress: types of the teacher to ignore.
            decoding: None takes what the aligner was saved with.
            checks: what counts as a conflict.
            target_model: a token-classification model for the target language.

        Raises:
            ModelError: if a model cannot be loaded or `labels` does not cover its types.
        """
        return cls(
            Tagger.from_pretrained(bundled.resolve(teacher, "teacher"), labels, suppress),
            load_aligner(bundled.resolve(aligner, "aligner"), decoding),
            checks,
            None if target_model is None else Tagger.from_pretrained(target_model),
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types it can answer with, sorted."""
        known = {*self.teacher.labels, *(self.target_model.labels if self.target_model else ())}
        return tuple(sorted(known))

    def fits(self, sentence: ParallelSentence) -> bool:
        """Whether the aligner can read the sentence whole."""
        return self.aligner.fits(sentence)

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        """Project every sentence.

        Returns:
            One result a sentence, in order, with all conflicts found; nothing is dropped.
        """
        known = self._with_source_entities(sentences)
        second = self._second_opinions(known)
        # The results keep the sentences as the corpus brought them: what the teacher found is in
        # the projections, and a better teacher may look again.
        return [
            self._judge(sentence, projections, opinion)
            for sentence, projections, opinion in zip(
                sentences, self.aligner.align(known), second, strict=True
            )
        ]

    def suggest(
        self, sentence: ParallelSentence, marked: Sequence[Entity]
    ) -> list[tuple[Projection, ...]]:
        """Where entities that a person marked in the source went, see `project_marked`."""
        (known,) = self._with_source_entities([sentence])
        return project_marked(self.aligner, known, marked)

    def link(self, sentence: ParallelSentence, marked: Sequence[Span]) -> list[Link | None]:
        """Where spans that a person marked in the target come from, see `link_marked`."""
        (known,) = self._with_source_entities([sentence])
        return link_marked(self.aligner, known, marked)

    def _with_source_entities(
        self, sentences: Sequence[ParallelSentence]
    ) -> list[ParallelSentence]:
        waiting = [s for s in sentences if s.entities is None]
        found = by_language(waiting, lambda s: (s.source, s.source_lang), self.teacher)
        return [
            s if s.entities is not None else replace(s, entities=next(found)) for s in sentences
        ]

    def _second_opinions(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Entity, ...]]:
        if self.target_model is None:
            return [()] * len(sentences)
        return list(by_language(sentences, lambda s: (s.target, s.target_lang), self.target_model))

    def _judge(
        self,
        sentence: ParallelSentence,
        projections: tuple[Projection, ...],
        opinion: Sequence[Entity],
    ) -> ProjectedSentence:
        projected = [entity for p in projections if (entity := p.entity) is not None]
        missed = [
            e
            for e in opinion
            if (e.score is None or e.score >= SECOND_OPINION)
            and not any(e.span.overlaps(p.span) for p in projected)
        ]
        # A dict, not a set: equal spans stay in an order that is the same in every process.
        found = dict.fromkeys([*projected, *missed])
        entities = sorted(found, key=lambda e: (e.span, e.label))
        conflicts = (
            *find_conflicts(sentence, projections, self.checks),
            *unprojected(sentence, missed),
        )
        return ProjectedSentence(
            sentence,
            tuple(entities),
            projections,
            conflicts,
            lowest_score(projections, missed),
            self.model_version,
        )


def pair(source: str, target: str, target_lang: str, source_lang: str = "en") -> ParallelSentence:
    """A sentence pair from anywhere, for trying things out; its id is a hash of both texts."""
    text = f"{source}\n{target}"
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    return ParallelSentence(name, source, target, source_lang, target_lang, origin=f"pair {name}")


def by_language(
    sentences: Sequence[ParallelSentence],
    side: Callable[[ParallelSentence], tuple[str, str]],
    tagger: Tags,
) -> Iterator[tuple[Entity, ...]]:
    """Tag one side of every sentence, in order, neighbours of one language together."""
    for lang, group in groupby(map(side, sentences), key=lambda text_and_lang: text_and_lang[1]):
        yield from tagger.tag([text for text, _ in group], lang)


def unprojected(sentence: ParallelSentence, missed: Iterable[Entity]) -> Iterator[Conflict]:
    """Entities only the target-language model sees, each for a person to confirm."""
    for entity in missed:
        phrase = entity.span.of(sentence.target)
        yield Conflict(
            ConflictKind.UNPROJECTED,
            f"“{phrase}” looks like {entity.label} to the target-language model, "
            "but no source entity was projected there",
            spans=(entity.span,),
        )


def lowest_score(projections: Sequence[Projection], added: Sequence[Entity]) -> float:
    """The probability the review queue is ordered by: the doubt of the weakest part."""
    scores = [p.score for p in projections] + [e.score for e in added if e.score is not None]
    return min(scores, default=1.0)


def model_version_of(
    teacher: Tags, aligner: Aligns, checks: Sequence[Check], target_model: Tags | None
) -> str:
    """The identity of a projector: `spanferry-` and a hash of weights, settings, checks and labels.

    With a target model, the version of that model follows: `spanferry-1f0c36a2b9d4-77ab01c5e2f3`.
    So the same target model is recognised beside another teacher or aligner.
    """
    parts = [teacher.version, aligner.version, [check.name for check in checks]]
    if target_model is None:
        return f"spanferry-{digest_of(parts)}"
    return f"spanferry-{digest_of([*parts, SECOND_OPINION])}-{target_model.version}"


def digest_of(parts: object) -> str:
    """Twelve hex digits for anything JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
