"""Projection of sentences in memory: teacher, aligner, conflicts."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

from projection.aligners.decoding import Decoding
from projection.aligners.loading import load_aligner
from projection.io.corpus import text_hash
from projection.models import bundled
from projection.models.tagger import Tagger
from projection.models.teacher import load_teacher
from projection.pipeline.conflicts import CHECKS, Check, find_conflicts, near_misses
from projection.pipeline.marked_phrases import link_marked, project_marked
from projection.protocols import Aligns, Link, Tagging, Tags
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)

# The least probability of offered entities that only the target-language model finds. A model
# fine-tuned on a few hundred sentences is overconfident: a threshold of 0.95 cost 1.2 F1 of
# pre-annotation on the 64 held-out sentences of the demo, on which this one was chosen out of six.
SECOND_OPINION = 0.99

# Part of the model version: how the confidence of an entity is made of the models' probabilities.
CONFIDENCE = "teacher times aligner"

Answer = TypeVar("Answer")


class Projector:
    """Projects entity labels from source sentences to their translations.

    The teacher labels sources without entities, the aligner finds these in the target, the checks
    find conflicts. Entities that only `target_model`, a tagger fine-tuned on reviews, finds are
    added and flagged. No model reads sentences with target entities of their own: these are the
    answer.
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
        self._versions = teacher.version, aligner.version
        self.model_version = model_version_of(self._versions, checks, target_model)

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
        types: Sequence[str] = (),
    ) -> Self:
        """Load the bundled models, or others by folder or name on the hub.

        `labels` maps the teacher's entity types to the project's, `suppress` are types to ignore;
        `types` are those that a teacher named `gliner:…` looks for.
        `decoding` None takes what the aligner was saved with.
        """
        return cls(
            load_teacher(teacher, labels, suppress, types),
            load_aligner(bundled.resolve(aligner, "aligner"), decoding).for_answers(),
            checks,
            None if target_model is None else Tagger.from_pretrained(target_model).for_answers(),
        )

    def with_target_model(self, target_model: Tags) -> Self:
        """Return a projector with this target model that shares teacher and aligner."""
        other = copy(self)
        other.target_model = target_model
        other.model_version = model_version_of(self._versions, self.checks, target_model)
        return other

    def with_other_teacher(self, teacher: Tags) -> Self:
        """Return a projector with this teacher, and no target model, that shares the aligner.

        Its model version ends with that of the teacher.
        """
        other = copy(self)
        other.teacher, other.target_model = teacher, None
        other._versions = teacher.version, self._versions[1]
        version = model_version_of(other._versions, self.checks, None)
        other.model_version = f"{version}-{teacher.version}"
        return other

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types of its answers, sorted."""
        target = self.target_model.labels if self.target_model else ()
        return tuple(sorted({*self.teacher.labels, *target}))

    @property
    def languages(self) -> tuple[str, ...]:
        """The base languages that the aligner was trained on, sorted; empty if unknown."""
        return self.aligner.languages

    def fits(self, sentence: ParallelSentence) -> bool:
        """Return whether the aligner can read the sentence whole, if it has to."""
        return sentence.target_entities is not None or self.aligner.fits(sentence)

    def needs_windows(self, *texts: str) -> bool:
        """Return whether the aligner reads a text in windows, because it is long."""
        return self.aligner.needs_windows(*texts)

    def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        """Project every sentence, in order, with all conflicts found; nothing is dropped.

        Models read equal sentences once, and sentences of about one length together: the more are
        given at once, the faster.
        """
        asked = {_read_of(s): s for s in sentences if s.target_entities is None}
        answers = dict(zip(asked, self._answers([*asked.values()]), strict=True))
        return [
            replace(answers[_read_of(s)], sentence=s)
            if s.target_entities is None
            else self._kept(s, s.target_entities)
            for s in sentences
        ]

    def _kept(self, sentence: ParallelSentence, entities: Sequence[Entity]) -> ProjectedSentence:
        """The answer for a sentence with target entities of its own."""
        found = tuple(sorted(entities, key=lambda e: (e.span, e.label)))
        score = min((e.score for e in found if e.score is not None), default=1.0)
        return ProjectedSentence(sentence, found, (), (), score, self.model_version)

    def _answers(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
        tagged = self._tagged(sentences)
        known = _with_entities(sentences, tagged)
        second: list[tuple[Entity, ...]] = [()] * len(known)
        if (model := self.target_model) is not None:
            second[:] = by_language(known, lambda s: (s.target, s.target_lang), model.tag)
        # The results keep the sentences of the corpus, so that another teacher may tag them again.
        answers = zip(sentences, self.aligner.align(known), tagged, second, strict=True)
        return [self._projected(*answer) for answer in answers]

    def suggest(
        self, sentence: ParallelSentence, marked: Sequence[Entity]
    ) -> list[tuple[Projection, ...]]:
        """Apply `project_marked` to entities that a person marked in the source."""
        (known,) = self.with_entities([sentence])
        return project_marked(self.aligner, known, marked)

    def link(self, sentence: ParallelSentence, marked: Sequence[Span]) -> list[Link | None]:
        """Apply `link_marked` to spans that a person marked in the target."""
        (known,) = self.with_entities([sentence])
        return link_marked(self.aligner, known, marked)

    def with_entities(self, sentences: Sequence[ParallelSentence]) -> list[ParallelSentence]:
        """The sentences with the teacher's entities where they have none of their own."""
        return _with_entities(sentences, self._tagged(sentences))

    def _tagged(self, sentences: Sequence[ParallelSentence]) -> list[Tagging]:
        """The source entities: those of the corpus, else the teacher's."""
        waiting = [s for s in sentences if s.entities is None]
        ask = self.teacher.tag_with_alternatives
        found = by_language(waiting, lambda s: (s.source, s.source_lang), ask)
        return [Tagging(s.entities) if s.entities is not None else next(found) for s in sentences]

    def _projected(
        self,
        sentence: ParallelSentence,
        aligned: tuple[Projection, ...],
        tagging: Tagging,
        opinion: Sequence[Entity],
    ) -> ProjectedSentence:
        weighed = {projection: with_teacher(projection) for projection in aligned}
        projections = tuple(weighed[projection] for projection in aligned)
        # The checks are about the aligner's own doubt; what they return is shown with that of both.
        conflicts = [
            replace(conflict, projections=tuple(weighed[p] for p in conflict.projections))
            for conflict in find_conflicts(sentence, aligned, self.checks, tagging.alternatives)
        ]
        found = [entity for p in projections if (entity := p.entity) is not None]
        missed = [
            e
            for e in opinion
            if (e.score is None or e.score >= SECOND_OPINION)
            and not any(e.span.overlaps(p.span) for p in found)
        ]
        # A dict, not a set, whose order of equal spans would differ between processes.
        entities = sorted(dict.fromkeys([*found, *missed]), key=lambda e: (e.span, e.label))
        scores = [p.score for p in projections]
        scores += [e.score for e in missed if e.score is not None]
        overlooked = near_misses(projections, tagging.alternatives)
        scores += [1.0 - e.score for e in overlooked if e.score is not None]
        return ProjectedSentence(
            sentence,
            tuple(entities),
            projections,
            (*conflicts, *unprojected(sentence, missed)),
            min(scores, default=1.0),
            self.model_version,
        )


def pair(source: str, target: str, target_lang: str, source_lang: str = "en") -> ParallelSentence:
    """A sentence pair outside any corpus; its id is a hash of both texts."""
    name = text_hash(source, target)
    return ParallelSentence(name, source, target, source_lang, target_lang, origin=f"pair {name}")


def by_language(
    sentences: Sequence[ParallelSentence],
    side: Callable[[ParallelSentence], tuple[str, str]],
    ask: Callable[[Sequence[str], str], Sequence[Answer]],
) -> Iterator[Answer]:
    """Tag one side of every sentence, in order, those of one language together."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for text, lang in map(side, sentences):
        texts[lang].append(text)
    answers = {lang: iter(ask(those, lang)) for lang, those in texts.items()}
    return (next(answers[lang]) for _, lang in map(side, sentences))


def _read_of(sentence: ParallelSentence) -> tuple[object, ...]:
    """All that shapes the answer for a sentence."""
    s = sentence
    return s.source, s.target, s.source_lang, s.target_lang, s.entities


def with_teacher(projection: Projection) -> Projection:
    """The projection with the teacher's probability multiplied into the aligner's."""
    teacher = projection.source.score
    if teacher is None:
        return projection
    return replace(projection, score=teacher * projection.score)


def _with_entities(
    sentences: Sequence[ParallelSentence], tagged: Sequence[Tagging]
) -> list[ParallelSentence]:
    return [
        s if s.entities is not None else replace(s, entities=tagging.entities)
        for s, tagging in zip(sentences, tagged, strict=True)
    ]


def unprojected(sentence: ParallelSentence, missed: Sequence[Entity]) -> Iterator[Conflict]:
    """A conflict for each entity that only the target-language model finds."""
    for entity in missed:
        phrase = entity.span.of(sentence.target)
        yield Conflict(
            ConflictKind.UNPROJECTED,
            f"“{phrase}” looks like {entity.label} to the target-language model, "
            "but no source entity was projected there",
            spans=(entity.span,),
        )


def model_version_of(
    versions: tuple[str, str], checks: Sequence[Check], target_model: Tags | None
) -> str:
    """Return `spanferry-` and a hash of weights, settings, checks and labels.

    `versions` are those of teacher and aligner, which take seconds to compute. With a target model,
    its version follows: `spanferry-1f0c36a2b9d4-77ab01c5e2f3`.
    """
    names = [check.name for check in checks]
    parts: list[object] = [*versions, names, CONFIDENCE]
    if target_model is not None:
        parts.append(SECOND_OPINION)
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
    return f"spanferry-{digest}" + (f"-{target_model.version}" if target_model else "")
